"""Plugins of all scenarios: the order of tests, the seconds of resets, and the results that the next run continues."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from lab import RESETS

from suite import core, junit, resume


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(core, "suite-core")
    resume.pytest_configure(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what converge left, before others change it."""
    items.sort(key=lambda item: item.path.stem != "test_converged")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Resets of fixtures are of the test that asked for them, also of those that outlive it."""
    yield
    seconds = sum(RESETS)
    RESETS.clear()
    if seconds:
        item.user_properties.append((junit.RESET, f"{seconds:.3f}"))
