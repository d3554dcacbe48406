# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the line of a toy: the plan, its steps, and the look at the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts, Context
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.toy.line import Line


def plan(context: Context[Line]) -> dict[str, Any]:
    """Decide from the line that is there, and change nothing. Raises Problem."""
    toy, to = context.service, context.inputs["to"]
    if not to.isprintable():
        raise Problem("toy_line", "a toy has one line of text", (("to=hello", "writes a line"),))
    now = toy.read()
    write = Step("write", f"write {to!r} into {toy.file}", data={"line": to})
    return {
        "from": {"id": now},
        "to": {"id": to},
        "chosen": "the line that was asked for",
        "proven": "it is printable",
        "steps": [write.to_dict()] if now != to else [],
        "undo": [Step("restore", f"write {now!r} again", data={"line": now, "after": "write"}).to_dict()],
        "warnings": [],
    }


def steps(context: Context[Line], plan: dict[str, Any]) -> Acts:
    """The function of each step, by its id. A step that was cut off is done again."""

    def write(step: Step) -> None:
        context.service.write(step.data["line"])

    return {"write": write, "restore": write}


def verify(context: Context[Line], plan: Mapping[str, Any], direction: str) -> dict[str, Any]:
    """Look whether the line is the one that the direction leads to."""
    wanted, found = plan["from" if direction == BACK else "to"]["id"], context.service.read()
    well = found == wanted
    return {"ok": well, "reason": "" if well else f"the line is {found!r}", "health": [], "release": found}
