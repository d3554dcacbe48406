"""The host of this scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import HOSTS, Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    host = Lab(HOSTS[0])
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()
