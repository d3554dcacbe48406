"""One host of the lab for each worker, whose releases lie side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import OWN, Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    host = Lab(OWN, "releases")
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()
