"""The host of this scenario."""

from __future__ import annotations

import os

import pytest
from dokku_lab import DokkuLab


@pytest.fixture(scope="session")
def lab() -> DokkuLab:
    return DokkuLab()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the kills one of each kind, unless all are asked for."""
    if os.environ.get("KILLS") == "all":
        return
    for item in items:
        if item.get_closest_marker("every_kill"):
            item.add_marker(pytest.mark.skip(reason="KILLS=all runs it"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_kill: a kill that runs only with KILLS=all")
