# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps after a good verification: journalled like a step, and without weight for the outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work, carry_out
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import FORWARD, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import typed
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.host import clock

PLAN: dict[str, Any] = {
    "procedure": "deploy",
    "from": {"id": "a", "name": ""},
    "to": {"id": "b", "name": ""},
    "steps": [Step("up", "up").to_dict()],
    "undo": [Step("up", "up").to_dict()],
    "afterwards": [Step("retention", "remove what is not needed").to_dict()],
}


def carried(folder: Path, fails: tuple[str, ...] = (), healthy: bool = True) -> tuple[dict[str, Any], list[str]]:
    """A whole operation: its result, and the steps that were done."""
    guard, done = Guard(str(folder / "state")), list[str]()
    guard.open(Request("op-1", "shop", "deploy"))
    guard.write({"event": "plan", "plan": PLAN})
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.leave()

    def execute(step: Step) -> object:
        done.append(step.id)
        if step.id in fails:
            raise OSError("it does not work")
        return None

    work = Work(
        lambda _plan: execute, lambda _plan, way: {"ok": healthy or way != FORWARD, "reason": "no", "health": []}
    )
    return carry_out(guard, work, Orders("op-1", FORWARD, revert=True, close=True)), done


def test_it_is_done_once_the_result_is_verified(tmp_path: Path) -> None:
    result, done = carried(tmp_path)
    assert done == ["up", "retention"]
    assert [step["step"] for step in result["closed"]["record"]["steps"]] == ["up", "retention"]


def test_its_failure_is_said_and_changes_nothing(tmp_path: Path) -> None:
    result, _ = carried(tmp_path, fails=("retention",))
    assert result["closed"]["outcome"] == "succeeded"
    assert result["closed"]["record"]["notes"]["retention"] == {"failed": "it does not work"}


def test_an_unhealthy_result_runs_no_later_steps(tmp_path: Path) -> None:
    result, done = carried(tmp_path, healthy=False)
    assert "retention" not in done
    assert result["closed"]["outcome"] == "reverted"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.500000000Z", 10.5),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_moment_of_a_container(text: str, seconds: float | None) -> None:
    assert clock.seconds(text) == seconds


def test_a_release_of_images_is_typed_so_that_every_host_knows_it() -> None:
    images = {name: {"reference": "acme/app:1", "digest": "sha256:aa"} for name in ("backend", "worker")}
    assert typed({"id": "rel-0123", "images": images}) == "acme/app:1@sha256:aa"
    assert typed({"id": "a" * 40}) == "a" * 10
