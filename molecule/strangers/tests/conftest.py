"""One host of the lab for each worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import Lab, own_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    yield from own_lab()
