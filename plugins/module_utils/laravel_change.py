# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply, verify, recover and close on the host, so that none of them waits for the controller or needs it alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import laravel_health
from ansible_collections.ops.runbook.plugins.module_utils.guard import Guard, StepFailed
from ansible_collections.ops.runbook.plugins.module_utils.journal import BACK
from ansible_collections.ops.runbook.plugins.module_utils.laravel_health import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.laravel_release_steps import ReleaseSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel_service import Description, LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel_steps import LaravelSteps


@dataclass(frozen=True)
class Orders:
    """How one operation is carried out on this host.

    direction: forward or back. revert: go back by itself where the result is not good. close: record the
    outcome and give the lease back at once; otherwise somebody closes later (a fleet holds its leases together).
    cause: why a host that is well is asked to go back.
    """

    operation: str
    direction: str
    revert: bool
    close: bool
    secret: str = ""
    cause: str = ""


def carry_out(guard: Guard, description: Description, gate: GateSettings, orders: Orders) -> dict[str, Any]:
    """Do what remains, verify it, go back where that is asked for, and close.

    Returns changed, healthy (what stands now was verified and is what was wanted), reverted, error, verified
    (the last verification) and closed (outcome, error, settled, record) or None. Raises Refused when the lease is lost.
    """
    result = _round(guard, description, gate, orders, orders.direction)
    if not result["healthy"] and orders.revert and orders.direction != BACK:
        first = result
        result = _round(guard, description, gate, orders, BACK)
        result = {**result, "changed": True, "reverted": result["healthy"], "healthy": False, "error": first["error"]}
    result["closed"] = _close(guard, orders.operation) if orders.close else None
    return result


def _round(
    guard: Guard, description: Description, gate: GateSettings, orders: Orders, direction: str
) -> dict[str, Any]:
    """One direction to its end: the steps that remain, then the gate."""
    changed = False
    with guard.phase(orders.operation, "apply", direction, orders.cause, closes=orders.close) as progress:
        plan = progress.plan or {}
        # Nothing was begun: there is nothing to go back from.
        if progress.remaining(direction) and (direction != BACK or progress.touched):
            try:
                guard.run_steps(progress, direction, _executor(guard, description, plan, gate, orders))
            except StepFailed as failure:
                return {"changed": True, "healthy": False, "reverted": False, "error": str(failure), "verified": None}
            changed = True
    with guard.phase(orders.operation, "verify", closes=orders.close) as progress:
        plan = progress.plan or {}
        verified = laravel_health.verify(_service(guard, description, plan), plan, direction, gate)
        guard.write({"event": "verified", "result": verified})
    return {
        "changed": changed,
        "healthy": bool(verified["ok"]),
        "reverted": False,
        "error": verified["reason"],
        "verified": verified,
    }


def _service(guard: Guard, description: Description, plan: Mapping[str, Any]) -> LaravelService:
    # An operation ends as it was planned, whatever the inventory says by then.
    planned = replace(description, strategy=plan.get("strategy", description.strategy))
    return LaravelService(planned, guard.state_dir, guard.inherited)


def _executor(
    guard: Guard, description: Description, plan: dict[str, Any], gate: GateSettings, orders: Orders
) -> LaravelSteps:
    service = _service(guard, description, plan)
    if plan.get("procedure") == "convert":
        # It has a planner beside its steps, which no other procedure needs here.
        from ansible_collections.ops.runbook.plugins.module_utils.laravel_convert import ConvertSteps

        return ConvertSteps(service, guard, plan, orders.secret, gate.checks)
    steps = ReleaseSteps if service.description.in_releases else LaravelSteps
    return steps(service, guard, plan, orders.secret, gate.checks)


def _close(guard: Guard, operation: str) -> dict[str, Any]:
    ending, record = guard.close(operation)
    return {"outcome": ending.outcome, "error": ending.error, "settled": ending.settled, "record": record}
