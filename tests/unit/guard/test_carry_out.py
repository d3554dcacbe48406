# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of an operation on a host: its result, its outcome and its journal, by the table in cases/carry_out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from planner_cases import files

from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work, carry_out
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

CASES = Path(__file__).parent / "cases/carry_out"
OPERATION = "20261120T100000Z-aaaaaa"


class WrittenGuard(Guard):
    """A guard that remembers the events of its journal, which ends with the operation."""

    def __init__(self, state_dir: str) -> None:
        super().__init__(state_dir)
        self.written: list[str] = []

    def write(self, event: dict[str, Any]) -> None:
        super().write(event)
        words = (str(event[key]) for key in ("event", "phase", "step", "direction", "cause") if key in event)
        self.written.append(" ".join(words))


class Host:
    """A host on which each step and each look comes out as the case says."""

    def __init__(self, guard: Guard, case: Mapping[str, Any]) -> None:
        self.guard, self.case = guard, case
        self.looks = iter(case.get("verify", ()))

    def do(self, _plan: dict[str, Any]) -> Callable[[Step], object]:
        return self.step

    def step(self, step: Step) -> object:
        self._lose(step.id)
        if step.id in self.case.get("failing", {}):
            raise OSError(self.case["failing"][step.id])
        return None

    def verify(self, plan: Mapping[str, Any], direction: str) -> dict[str, Any]:
        self._lose("verify")
        found = next(self.looks)
        assert found.get("before") == (plan["just_before"] or {}).get("seen"), "what was so just before"
        assert found.get("direction", direction) == direction
        reason = str(found.get("reason", ""))
        return {"ok": not reason, "reason": reason, "about": "release" if reason else ""}

    def before(self, _plan: Mapping[str, Any]) -> dict[str, Any]:
        if self.case["before"] == "fails":
            raise OSError("the health check can't be asked")
        return {"seen": self.case["before"]}

    def _lose(self, moment: str) -> None:
        if self.case.get("lease_lost_at") == moment:
            os.remove(self.guard.path("lease.json"))


def steps(wanted: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [Step(name, name, data=data or {}).to_dict() for name, data in (wanted or {}).items()]


@pytest.mark.parametrize("path", files(CASES))
def test_the_orders_and_the_outcomes_lead_to_the_result(path: Path, tmp_path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    guard = WrittenGuard(str(tmp_path / "state"))
    guard.open(Request(OPERATION, "shop", case.get("procedure", "deploy"), actor={"user": "ada"}))
    plan = {"procedure": case.get("procedure", "deploy"), "from": {"id": "v1"}, "to": {"id": "v2"}}
    lists = {name: steps(case.get(name)) for name in ("steps", "undo", "afterwards")}
    guard.write({"event": "plan", "plan": {**plan, **lists}})
    guard.write({"event": "phase_end", "phase": "plan"})
    for name in case.get("done", ()):
        guard.write({"event": "begin", "step": name})
        guard.write({"event": "done", "step": name, "seconds": 1.0, "note": None})
    guard.leave()
    guard.written.clear()
    host = Host(guard, case)
    work = Work(host.do, host.verify, host.before if "before" in case else None)
    orders = Orders(OPERATION, **{"direction": "forward", "revert": True, "close": True, **case.get("orders", {})})
    if "refused" in case:
        with pytest.raises(Problem) as refused:
            carry_out(guard, work, orders)
        assert refused.value.code == case["refused"]
    else:
        found = carry_out(guard, work, orders)
        closed = found["closed"] and {key: found["closed"][key] for key in ("outcome", "settled")}
        shown = {key: found[key] for key in ("changed", "healthy", "reverted", "error")}
        assert {**shown, "closed": closed} == case["result"]
        assert not list(host.looks), "a look that was not taken"
    guard.leave()
    assert guard.written == case["journal"]
    assert os.path.exists(guard.path("lease.json")) is (case.get("lease", "given back") == "held")
