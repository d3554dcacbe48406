# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The open-and-plan phase of every procedure, whatever the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step, classify
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.opening import Opening
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import History
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan, Planned, RefusalRecord


def open_and_plan(
    guard: Guard,
    request: Request,
    planned: Callable[[], Plan],
    check_mode: bool,
    to: str = "",
    set_aside_ledger: bool = False,
) -> Planned:
    """Open the operation and plan it; in check mode only look.

    planned: reads the host and decides, changing nothing; raises Problem. to: what the operator asked for.
    Returns operation, refusal (or None), plan (or None), direction and opened. A refusal has changed
    nothing, is in the ledger where that could be written, and has given the lease back.
    """
    opening = Opening()
    opened = False
    try:
        guard.must_read()
        if request.interrupted == "accept" and request.procedure == "rollback" and to == "previous":
            # Before which release would depend on how far the interrupted operation had come.
            raise Problem(
                "accept_needs_target",
                "interrupted=accept leaves the host between two releases, so `previous` has no meaning",
                (
                    ("interrupted=accept to=<release>", "names the release to go to"),
                    ("interrupted=undo", "goes back to where the interrupted operation came from"),
                ),
            )
        if check_mode:
            opening = guard.look(request)
            if opening.refusal is not None:
                raise opening.refusal
        else:
            opening = guard.open(request, accept_damaged_ledger=set_aside_ledger)
            opened = True
        plan = planned() if opening.direction is None else _remaining(guard, request, opening)
        if opened:
            if opening.direction is None:
                guard.write({"event": "plan", "plan": plan})
            guard.write({"event": "phase_end", "phase": "plan"})
        return _result(request, plan, None, opening, opened)
    except Problem as refused:
        if opened:
            guard.refuse(request.operation, refused)
        return _result(request, None, refused, opening, False)
    except BaseException as error:
        if opened:
            guard.refuse(request.operation, Problem("plan_failed", f"{type(error).__name__}: {error}"))
        raise
    finally:
        guard.leave()


def _result(request: Request, plan: Plan | None, refusal: Problem | None, opening: Opening, opened: bool) -> Planned:
    return {
        "operation": request.operation,
        "opened": opened,
        "plan": plan,
        "refusal": cast("RefusalRecord", refusal.to_dict()) if refusal else None,
        "direction": opening.direction or "forward",
        "continues": opening.direction is not None,
    }


def _remaining(guard: Guard, request: Request, opening: Opening) -> Plan:
    """The plan of the interrupted operation, as far as it is still to be done."""
    progress = guard.progress()
    if progress is None or progress.plan is None or opening.direction is None:
        way = ("the same command without interrupted=", "plans anew: that operation had changed nothing")
        raise Problem("no_plan", "the interrupted operation has no plan to go on with", (way,))
    verdict = opening.verdict or classify(progress)
    return {
        **progress.plan,
        "chosen": f"interrupted={request.interrupted}: {verdict.text}",
        "remaining": [step.id for step in progress.remaining(opening.direction)],
    }


def adoption_steps(ledger: Answers, past: History, adopt: Step, release: str, set_aside: bool) -> list[Step]:
    """The steps that record the present state as a release; none where it is so recorded already."""
    recorded, damaged = past.find(release), bool(ledger.problems)
    if recorded is not None and recorded.good and past.left == release and not damaged:
        return []
    if damaged and set_aside:
        return [Step("set_aside_ledger", "keep the damaged ledger under another name"), adopt]
    return [adopt]
