"""A plugin of pytest: keeps the result of each test as it ends, and leaves out those that passed already.

SUITE_KEPT names the file; without it nothing is kept. Workers of xdist leave out what the process that started them
did, so that all of them have the same tests although the file grows meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from suite import junit, kept

VARIABLE = "SUITE_KEPT"
_PASSED = "suite_passed"


class Resume:
    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._path = path
        given = getattr(config, "workerinput", None)
        self._writes = given is None
        self._passed = set(given[_PASSED]) if given else kept.passed(kept.read(path).values())
        self._under_way: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_PASSED] = sorted(self._passed)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        again = [item for item in items if item.nodeid in self._passed]
        if again:
            config.hook.pytest_deselected(items=again)
            items[:] = [item for item in items if item.nodeid not in self._passed]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not self._writes:
            return
        phases = self._under_way.setdefault(report.nodeid, [])
        phases.append(report)
        if report.when == "teardown":
            kept.add(self._path, _case(self._under_way.pop(report.nodeid)))


def _case(phases: list[pytest.TestReport]) -> junit.Case:
    outcomes = {phase.outcome for phase in phases}
    outcome = next(one for one in ("failed", "skipped", "passed") if one in outcomes)
    properties = dict(phases[-1].user_properties)
    lines = [line for phase in phases if phase.failed for line in phase.longreprtext.splitlines()]
    return junit.Case(
        phases[0].nodeid,
        outcome,
        round(sum(phase.duration for phase in phases), 3),
        float(str(properties.get(junit.RESET, 0))),
        tuple(line for line in lines if line.startswith("E ")) or tuple(lines[-1:]),
    )


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(VARIABLE)
    if path:
        config.pluginmanager.register(Resume(config, Path(path)), "suite-resume")
