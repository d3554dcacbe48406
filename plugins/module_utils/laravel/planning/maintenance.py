# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that begin and end maintenance mode, and the rules of deploys during it. Pure: an answer in, steps out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


def now(answer: Mapping[str, Any]) -> str:
    """The state by the application's answer: up, down, or half down, where nobody can read with what it was begun."""
    if not answer.get("down"):
        return "up"
    return "half down" if answer.get("down_unreadable") else "down"


def steps(answer: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[list[Step], list[Step]]:
    """The way to the state that is asked for, and back. given: the inputs state, retry and refresh."""
    state, before = given["state"], now(answer)
    if before == state:
        return [], []
    data = {"state": state}
    if state == "down":
        data.update({name: given[name] for name in ("retry", "refresh") if given.get(name)})
    # What was begun by half can't be begun so again.
    back = "down" if before == "down" else "up"
    forward = Step("maintenance", f"artisan {state}", data=data)
    return [forward], [Step("maintenance", f"artisan {back}", data={"state": back})]


def problem(answer: Mapping[str, Any]) -> Problem | None:
    """The refusal of a release where every visitor gets an error, whatever the release; None where none does."""
    if now(answer) != "half down":
        return None
    return Problem(
        "half_down",
        "maintenance mode was begun by half, as on a full disk: its record can't be read, and each answer is an error",
        (
            ("laravel_maintenance state=up", "ends maintenance mode"),
            ("laravel_maintenance state=down", "begins it anew"),
        ),
    )
