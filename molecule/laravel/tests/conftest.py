"""One host of the lab for each worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import OWN, Lab, own_lab

Left = tuple[str, list[tuple[str, str]], bool]


@pytest.fixture(scope="session", autouse=True)
def converged() -> Left:
    """State that converge left on this worker's host, before any test: release, ledger, and True if a lease is held."""
    host = Lab(OWN)
    return host.version(), host.outcomes(), host.has_lease()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    yield from own_lab()
