# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The open-and-plan phase of every Laravel procedure."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import laravel_probe, laravel_release
from ansible_collections.ops.runbook.plugins.module_utils.guard import Guard, Request
from ansible_collections.ops.runbook.plugins.module_utils.journal import Step, classify
from ansible_collections.ops.runbook.plugins.module_utils.laravel_plan import ReleasePlanner, Wish
from ansible_collections.ops.runbook.plugins.module_utils.laravel_service import Description, LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.opening import Opening, Refusal, Refused


def open_and_plan(
    guard: Guard, request: Request, description: Description, options: Mapping[str, Any], check_mode: bool
) -> dict[str, Any]:
    """Open the operation and plan it; in check mode only look.

    Returns operation, refusal (or None), plan (or None), direction and opened. A refusal has changed
    nothing, is in the ledger where that could be written, and has given the lease back.
    """
    opening = Opening()
    scratch = tempfile.mkdtemp(prefix="ops-runbook-objects-") if check_mode else ""
    opened = False
    try:
        guard.must_read()
        if request.interrupted == "accept" and request.procedure == "rollback" and options["to"] == "previous":
            # Before which release would depend on how far the interrupted operation had come.
            raise Refused(
                Refusal(
                    "accept_needs_target",
                    "interrupted=accept leaves the host between two releases, so `previous` has no meaning",
                    (
                        ("interrupted=accept to=<commit or tag>", "names the release to go to"),
                        ("interrupted=undo", "goes back to where the interrupted operation came from"),
                    ),
                )
            )
        if check_mode:
            opening = guard.look(request)
            if opening.refusal is not None:
                raise Refused(opening.refusal)
        else:
            opening = guard.open(request, accept_damaged_ledger=bool(options.get("set_aside_ledger")))
            opened = True
        plan = _plan(guard, request, opening, description, options, scratch)
        if opened:
            if opening.direction is None:
                guard.write({"event": "plan", "plan": plan})
            guard.write({"event": "phase_end", "phase": "plan"})
        return _result(request, plan, None, opening, opened)
    except Refused as refused:
        if opened:
            guard.refuse(request.operation, refused.refusal)
        return _result(request, None, refused.refusal, opening, False)
    except BaseException as error:
        if opened:
            guard.refuse(request.operation, Refusal("plan_failed", f"{type(error).__name__}: {error}"))
        raise
    finally:
        guard.leave()
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


def _result(
    request: Request, plan: dict[str, Any] | None, refusal: Refusal | None, opening: Opening, opened: bool
) -> dict[str, Any]:
    return {
        "operation": request.operation,
        "opened": opened,
        "plan": plan,
        "refusal": refusal.to_dict() if refusal else None,
        "direction": opening.direction or "forward",
        "continues": opening.direction is not None,
    }


def _plan(
    guard: Guard,
    request: Request,
    opening: Opening,
    description: Description,
    options: Mapping[str, Any],
    scratch: str,
) -> dict[str, Any]:
    if opening.direction is not None:
        progress = guard.progress()
        if progress is None or progress.plan is None:
            raise Refused(Refusal("no_plan", "the interrupted operation has no plan to go on with"))
        verdict = opening.verdict or classify(progress)
        remaining = progress.remaining(opening.direction)
        return {
            **progress.plan,
            "chosen": f"interrupted={request.interrupted}: {verdict.text}",
            "remaining": [step.id for step in remaining],
        }
    converting = request.procedure == "convert"
    if converting:
        # Where the releases are not there yet, the checkout in place is what it looks at.
        description = replace(description, strategy="releases")
    service = LaravelService(description, guard.state_dir, guard.inherited, scratch)
    head = service.must_be_operable(converting)
    if request.procedure in ("deploy", "rollback"):
        wish = Wish(
            procedure=request.procedure,
            to=options["to"],
            migrations=options["migrations"],
            discard=options["discard_local_changes"],
            migrate_here=options["migrate_here"],
        )
        plan = ReleasePlanner(service, guard.ledger()).plan(wish, head)
    elif request.procedure == "adopt":
        plan = _plan_adopt(guard, service, head, bool(options.get("set_aside_ledger")))
    elif converting:
        from ansible_collections.ops.runbook.plugins.module_utils import laravel_convert

        plan = laravel_convert.plan(
            service, head, guard.ledger(), options["state"] or "releases", options["discard_local_changes"]
        )
    else:
        plan = _plan_maintenance(service, head, options)
    return {"strategy": description.strategy, **plan, "saved_as": request.operation}


def _plan_adopt(guard: Guard, service: LaravelService, head: str, set_aside: bool) -> dict[str, Any]:
    """Record what runs now as a release: nothing is changed but what keeps it reachable."""
    service.must_reload()
    planner = ReleasePlanner(service, guard.ledger())
    present = {"id": head, "name": planner.release_name(head)}
    recorded = planner.past.find(head)
    damaged = bool(guard.ledger().problems)
    known = recorded is not None and recorded.good and planner.past.left == head and not damaged
    changes = service.checkout.changes()
    differ = f"{len(changes)} files differ from {laravel_release.label(present)}: what runs is not that commit"
    way = ("git commit, or git checkout", "on the host, so that the commit is what runs")
    refusal = laravel_release.local_changes(changes, differ, (way,))
    if refusal is not None:
        raise Refused(refusal)
    try:
        answer = laravel_probe.ask(service.commands, service.description.php, {"migrations": True})
    except laravel_probe.ProbeFailed as error:
        raise Refused(Refusal("php_failed", str(error), (("laravel_php=<path>", "names the php"),))) from error
    steps = [] if known else [Step("adopt", f"record {laravel_release.label(present)}", data={"commit": head})]
    if damaged and set_aside:
        steps.insert(0, Step("set_aside_ledger", "keep the damaged ledger under another name"))
    return {
        "procedure": "adopt",
        "from": None if steps else present,
        "to": present,
        "chosen": "the commit that is checked out",
        "proven": "it runs now",
        "steps": [step.to_dict() for step in steps],
        "undo": [],
        "migrations": None,
        "php": str(answer["php"]),
        "maintenance": bool(answer.get("down")),
        "warnings": [f"the application does not boot: {answer['boot_error']}"] if answer.get("boot_error") else [],
    }


def _plan_maintenance(service: LaravelService, head: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`artisan down` and `up`. The secret is not in the plan: the plan is journalled."""
    state = options["state"]
    present = {"id": head, "name": (service.checkout.tags_at(head) or [""])[0]}
    try:
        answer = laravel_probe.ask(service.commands, service.description.php, {})
    except laravel_probe.ProbeFailed as error:
        raise Refused(Refusal("php_failed", str(error), (("laravel_php=<path>", "names the php"),))) from error
    if answer.get("boot_error"):
        raise Refused(
            Refusal(
                "does_not_boot",
                f"the application does not boot: {answer['boot_error']}",
                (("laravel_rollback", "goes back to the last good release"),),
            )
        )
    down = bool(answer.get("down"))
    steps: list[Step] = []
    if down is not (state == "down"):
        data = {"state": state}
        if state == "down":
            data.update({name: options[name] for name in ("retry", "refresh") if options.get(name)})
        steps.append(Step("maintenance", f"artisan {state}", data=data))
    back = Step(
        "maintenance",
        f"artisan {'up' if state == 'down' else 'down'}",
        data={"state": "down" if down else "up"},
    )
    return {
        "procedure": "maintenance",
        "from": present,
        "to": present,
        "chosen": f"state={state}; now {'down' if down else 'up'}",
        "proven": "",
        "steps": [step.to_dict() for step in steps],
        "undo": [back.to_dict()] if steps else [],
        "migrations": None,
        "facts": {"maintenance": state},
        "maintenance": state == "down",
        "warnings": [],
    }
