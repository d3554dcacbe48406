"""The hosts of this scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import HOSTS, Lab, at_once


@pytest.fixture(scope="session")
def fleet() -> Iterator[list[Lab]]:
    hosts = [Lab(name) for name in HOSTS]
    at_once(hosts, lambda host: host.root("rm -rf /srv/lab/state-*"))
    yield hosts
    at_once(hosts, lambda host: (host.root("rm -rf /srv/lab/state-*"), host.reset()))
