"""The host of this scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from compose_lab import ComposeLab
from lab import HOSTS

# Where an earlier checkout's procedures led to is no state to begin with.
FORGET = "find /srv/lab -maxdepth 1 -name 'state-*' ! -name state-initial -exec rm -rf {} +"


@pytest.fixture(scope="session")
def lab() -> Iterator[ComposeLab]:
    host = ComposeLab(HOSTS[0])
    host.root(FORGET)
    yield host
    host.root(FORGET)
    host.reset()
