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

from ansible_collections.ops.runbook.plugins.module_utils.guard import open_and_plan as operation_plan
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.laravel import hotfix, probe, release
from ansible_collections.ops.runbook.plugins.module_utils.laravel.plan import ReleasePlanner
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Wish
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService


def open_and_plan(
    guard: Guard, request: Request, description: Description, options: Mapping[str, Any], check_mode: bool
) -> dict[str, Any]:
    """Open a Laravel operation and plan it; in check mode only look."""
    scratch = tempfile.mkdtemp(prefix="ops-runbook-objects-") if check_mode else ""
    try:
        return operation_plan.open_and_plan(
            guard,
            request,
            lambda: _plan(guard, request, description, options, scratch),
            check_mode,
            to=options["to"],
            set_aside_ledger=bool(options.get("set_aside_ledger")),
        )
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


def _plan(
    guard: Guard, request: Request, description: Description, options: Mapping[str, Any], scratch: str
) -> dict[str, Any]:
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
        planner = ReleasePlanner(service, guard.ledger())
        plan = planner.plan(wish, head)
        if wish.procedure == "deploy":
            plan = hotfix.planned(service, guard.ledger(), plan, planner.branch, bool(options.get("hotfix")))
    elif request.procedure == "adopt":
        plan = ReleasePlanner(service, guard.ledger()).adopt(head, bool(options.get("set_aside_ledger")))
    elif converting:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel import convert

        plan = convert.plan(
            service, head, guard.ledger(), options["state"] or "releases", options["discard_local_changes"]
        )
    else:
        plan = _plan_maintenance(service, head, options)
    shown = {"also": [*release.also(plan), *plan.get("also", [])]}
    return {"strategy": description.strategy, **plan, **shown, "saved_as": request.operation}


def _plan_maintenance(service: LaravelService, head: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`artisan down` and `up`. The secret is not in the plan: the plan is journalled."""
    state = options["state"]
    present = {"id": head, "name": (service.checkout.tags_at(head) or [""])[0]}
    try:
        answer = probe.ask(service.commands, service.description.php, {})
    except probe.ProbeFailed as error:
        raise Refused(Refusal("php_failed", str(error), (("laravel_php=<path>", "names the php"),))) from error
    if answer.get("unanswered"):
        way = ("the same command again", "when the host is less busy, or the database answers")
        raise Refused(Refusal("no_answer", f"the application can't be asked: {answer['unanswered']}", (way,)))
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
        "maintenance_driver": str(answer.get("maintenance_driver") or ""),
        "warnings": [],
    }
