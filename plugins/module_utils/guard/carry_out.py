# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply, verify, recover and close on the host, so that none of them waits for the controller or needs it alive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, StepFailed
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, NO_PLAN, Progress, Step

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Applied, Closed, Plan, Verification


@dataclass(frozen=True)
class Orders:
    """The orders by which this host carries out one operation.

    direction: forward or back. revert: go back by itself where the result is not good. close: record the
    outcome and give the lease back at once; otherwise somebody closes later (a fleet holds its leases together).
    cause: why a host that is well is asked to go back.
    """

    operation: str
    direction: str
    revert: bool
    close: bool
    cause: str = ""


@dataclass(frozen=True)
class Work:
    """The work of a system in an operation, given its plan.

    executor: does one step. verify: looks at the state after going in a direction; returns ok, reason, about (see
    blame)
    and further facts for the record. before: looks at the same just before the first change, so that verify can pass
    over older problems; verify finds its answer in the plan, under `just_before`.
    trees: the folders whose files the steps write without syncing them.
    """

    executor: Callable[[Plan], Callable[[Step], object]]
    verify: Callable[[Plan, str], dict[str, Any]]
    before: Callable[[Plan], dict[str, Any]] | None = None
    trees: tuple[str, ...] = ()


def carry_out(guard: Guard, work: Work, orders: Orders) -> Applied:
    """Do the remaining steps, verify the result, go back if that is asked for, and close.

    Returns changed, healthy (the result was verified, and is the one that was wanted), reverted, error, verified
    (the last verification) and closed (outcome, error, settled, record) or None. Raises Problem when the lease is lost.
    """
    result = _round(guard, work, orders, orders.direction)
    if not result["healthy"] and orders.revert and orders.direction != BACK:
        first = result
        result = _round(guard, work, orders, BACK)
        result = {**result, "changed": True, "reverted": result["healthy"], "healthy": False, "error": first["error"]}
    result["closed"] = _close(guard, orders.operation) if orders.close else None
    return result


def _round(guard: Guard, work: Work, orders: Orders, direction: str) -> Applied:
    """One direction to its end: the steps that remain, then the gate."""
    changed = False
    with guard.phase(orders.operation, "apply", direction, orders.cause, closes=orders.close) as progress:
        # Nothing was begun: there is nothing to go back from.
        if progress.remaining(direction) and (direction != BACK or progress.touched):
            _look_before(guard, work, progress)
            try:
                guard.run_steps(progress, direction, work.executor(progress.plan or NO_PLAN), trees=work.trees)
            except StepFailed as failure:
                return {"changed": True, "healthy": False, "reverted": False, "error": str(failure), "verified": None}
            changed = True
    with guard.phase(orders.operation, "verify", closes=orders.close) as progress:
        plan = progress.plan or NO_PLAN
        verified = cast("Verification", work.verify({**plan, "just_before": progress.before}, direction))
        guard.write({"event": "verified", "result": verified})
        if verified["ok"] and direction != BACK and progress.steps and progress.afterwards:
            guard.run_afterwards(progress, work.executor(plan))
    return {
        "changed": changed,
        "healthy": bool(verified["ok"]),
        "reverted": False,
        "error": verified["reason"],
        "verified": verified,
    }


def _look_before(guard: Guard, work: Work, progress: Progress) -> None:
    """Journal the state before the first change. An adoption changes nothing, so all that it finds is judged."""
    plan = progress.plan or NO_PLAN
    if work.before is None or progress.touched or progress.before is not None or plan.get("procedure") == "adopt":
        return
    try:
        found = work.before(plan)
    except Exception:
        # The change does not depend on this look. Without it nothing counts as so already.
        return
    guard.write({"event": "before", "result": found})


def _close(guard: Guard, operation: str) -> Closed:
    ending, record = guard.close(operation)
    return {"outcome": ending.outcome, "error": ending.error, "settled": ending.settled, "record": record}
