"""The lane of outside authorities: `make contract`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache/contract"
sys.path[:0] = [str(HERE), str(HERE.parent / "doubles")]

from description import DESCRIPTION, Missing, fetch  # noqa: E402
from github_fake import FakeGitHub  # noqa: E402
from live import MAIN, WAIVED, Stage, staged  # noqa: E402


@pytest.fixture(scope="session")
def prism() -> tuple[Path, dict[str, Any]]:
    """Prism's command, and GitHub's description."""
    try:
        return fetch(CACHE)
    except Missing as error:
        pytest.skip(f"the contract lane needs npm and its registry: {error}")


@pytest.fixture(scope="session")
def stage(prism: tuple[Path, dict[str, Any]], request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Modules and playbooks reach a small GitHub through it, and GitHub's description judges what passes."""
    with staged(*prism, CACHE) as found:
        yield found
    operations = {one.operation for one in found.exchanges}
    wrong = [one for one in found.exchanges if one.violations]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(
            f"\nlive: {len(found.exchanges)} exchanges of {found.runs} runs, {len(operations)} operations of "
            f"{DESCRIPTION}, {len(wrong)} not as described, {len(WAIVED)} waived"
        )


@pytest.fixture
def hub(stage: Stage) -> Iterator[FakeGitHub]:
    """Another GitHub for each test. Each exchange of the test must be as it is described."""
    known = len(stage.exchanges)
    found = stage.fresh()
    found.commits = {"main": MAIN}
    yield found
    judged = stage.exchanges[known:]
    assert [(one.operation, one.status, text) for one in judged for text in one.violations] == []
