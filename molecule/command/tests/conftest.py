"""One host of the lab for each worker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from lab import HOSTS, Lab

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    host = Lab(HOSTS[WORKER % len(HOSTS)])
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()
