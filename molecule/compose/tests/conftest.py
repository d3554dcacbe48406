"""The hosts of this scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from compose_lab import ComposeLab
from lab import HOSTS

# A state that an earlier checkout's procedures left is not a state to begin with.
FORGET = "find /srv/lab -maxdepth 1 -name 'state-*' ! -name state-initial -exec rm -rf {} +"


def _host(name: str) -> Iterator[ComposeLab]:
    host = ComposeLab(name)
    host.root(FORGET)
    yield host
    host.root(FORGET)
    host.reset()


@pytest.fixture(scope="session")
def lab() -> Iterator[ComposeLab]:
    yield from _host(HOSTS[0])


@pytest.fixture(scope="session")
def other() -> Iterator[ComposeLab]:
    """A second host with a stack of its own."""
    yield from _host(HOSTS[1])
