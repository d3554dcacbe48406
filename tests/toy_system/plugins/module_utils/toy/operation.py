# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation on a toy: both its phases, on the guard that all systems share."""

from __future__ import annotations

from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import carry_out as operation_change
from ansible_collections.ops.runbook.plugins.module_utils.guard import open_and_plan as operation_plan
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.toy import write
from ansible_collections.ops.runbook.plugins.module_utils.toy.line import Line


def open_and_plan(guard: Guard, request: Request, toy: Line, to: str, check_mode: bool) -> dict[str, Any]:
    """Open an operation on a toy and plan it; in check mode only look."""

    def planned() -> dict[str, Any]:
        return {"procedure": request.procedure, "saved_as": request.operation, **write.plan(toy, to)}

    return operation_plan.open_and_plan(guard, request, planned, check_mode, to=to)


def carry_out(guard: Guard, toy: Line, orders: Orders) -> dict[str, Any]:
    """Do the steps that remain, verify the line, and go back where the orders say so."""
    work = Work(
        lambda plan: lambda step: write.steps(toy)[step.id](step),
        lambda plan, direction: write.verify(toy, plan, direction),
    )
    return operation_change.carry_out(guard, work, orders)
