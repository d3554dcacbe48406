"""The host of this scenario, and where its figures are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lab import HOSTS, ROOT, Lab

# tools/bench/bench.py writes them into docs/proof/performance.md.
FIGURES = ROOT / ".cache/load.json"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    host = Lab(HOSTS[0])
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, Any]]:
    """Filled by the tests."""
    gathered: dict[str, Any] = {}
    yield gathered
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(gathered, indent=1) + "\n")
