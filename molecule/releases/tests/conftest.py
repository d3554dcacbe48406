"""The host of this scenario, whose releases lie side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import HOSTS, Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    host = Lab(HOSTS[0], "releases")
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()
