"""One host of the lab for each worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import OWN, Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    host = Lab(OWN)
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()
