# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures on a Laravel service; guard/procedure.py has the contract.

A host compiles each file that it loads anew in each call. So a function imports the files that only its phase needs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure, release_name
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts, Procedure, System
from ansible_collections.ops.runbook.plugins.module_utils.host.serving_umask import as_served
from ansible_collections.ops.runbook.plugins.module_utils.laravel import health, probe
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService, describe
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.steps import LaravelSteps

Context = procedure.Context[LaravelService]


class _Change:
    """The steps and the verification that the procedures share."""

    def steps(self, context: Context, plan: LaravelPlan) -> Acts:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_steps import ReleaseSteps
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.steps import LaravelSteps

        return _served(context, plan, ReleaseSteps if context.service.description.in_releases else LaravelSteps)

    def verify(self, context: Context, plan: LaravelPlan, direction: str) -> dict[str, Any]:
        return health.verify(context.service, plan, direction, context.gate)


class Deploy(_Change):
    """A tag, a branch or a commit goes live."""

    def plan(self, context: Context) -> LaravelPlan:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel import hotfix

        plan, branch = _planned(context, "deploy")
        return hotfix.planned(context.service, context.guard.ledger(), plan, branch, bool(context.inputs.get("hotfix")))


class Rollback(_Change):
    """An earlier release goes live again."""

    def plan(self, context: Context) -> LaravelPlan:
        return _planned(context, "rollback")[0]


class Adopt(_Change):
    """The release that runs now is recorded: nothing is changed but what keeps it reachable."""

    def plan(self, context: Context) -> LaravelPlan:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.plan import ReleasePlanner

        head = context.service.must_be_operable()
        planner = ReleasePlanner(context.service, context.guard.ledger())
        return planner.adopt(head, bool(context.inputs.get("set_aside_ledger")))


class Maintenance(_Change):
    """`artisan down` and `up`. The secret is not in the plan: the plan is journalled."""

    def plan(self, context: Context) -> LaravelPlan:
        service, state = context.service, context.inputs["state"]
        head = service.must_be_operable()
        present = {"id": head, "name": (service.checkout.tags_at(head) or [""])[0]}
        answer = _ask(service, {})
        if answer.get("unanswered"):
            way = ("the same command again", "when the host is less busy, or the database answers")
            raise Problem("no_answer", f"the application can't be asked: {answer['unanswered']}", (way,))
        if answer.get("boot_error"):
            way = ("laravel_rollback", "goes back to the last good release")
            raise Problem("does_not_boot", f"the application does not boot: {answer['boot_error']}", (way,))
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning import maintenance

        steps, undo = maintenance.steps(answer, context.inputs)
        return {
            "procedure": "maintenance",
            "from": present,
            "to": present,
            "chosen": f"state={state}; now {maintenance.now(answer)}",
            "proven": "",
            "steps": [step.to_dict() for step in steps],
            "undo": [step.to_dict() for step in undo],
            "anew": release_name.anew(present),
            "facts": {"maintenance": state},
            "maintenance": state == "down",
            "maintenance_driver": str(answer.get("maintenance_driver") or ""),
            "warnings": [],
        }


class Convert(_Change):
    """A deployment in place becomes one with releases side by side, or goes back to one in place."""

    def plan(self, context: Context) -> LaravelPlan:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel import convert

        # The folder of the application is the checkout in place, as long as there are no releases.
        service, given = context.service.with_releases(), context.inputs
        head = service.must_be_operable(converting=True)
        state = given.get("state") or "releases"
        return convert.plan(service, head, context.guard.ledger(), state, given["discard_local_changes"])

    def steps(self, context: Context, plan: LaravelPlan) -> Acts:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.convert import ConvertSteps

        return _served(context, plan, ConvertSteps)


def _planned(context: Context, procedure: str) -> tuple[LaravelPlan, str]:
    """The plan of a change of release, and the branch that was named; empty for a tag or a commit."""
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.plan import ReleasePlanner
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Wish

    given = context.inputs
    head = context.service.must_be_operable()
    wish = Wish(
        procedure=procedure,
        to=given["to"],
        migrations=given["migrations"],
        discard=given["discard_local_changes"],
        migrate_here=given["migrate_here"],
    )
    planner = ReleasePlanner(context.service, context.guard.ledger())
    return planner.plan(wish, head), planner.branch


def _served(context: Context, plan: LaravelPlan, kind: type[LaravelSteps]) -> Acts:
    """The steps of a class, each under the umask that fits the folder of the application."""
    secret = context.secrets.get("secret") or ""
    steps = kind(context.service, context.guard, plan, secret, context.gate.checks)
    return {name: as_served(context.service.description.path)(act) for name, act in steps.acts.items()}


def _ask(service: LaravelService, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the application about itself. Raises Problem if there is no PHP to ask."""
    try:
        return probe.ask(service.commands, service.description.php, wanted)
    except probe.ProbeFailed as error:
        raise Problem("php_failed", str(error), (("laravel_php=<path>", "names the php"),)) from error


class _Laravel(System[Description, LaravelService]):
    name = "laravel"
    procedures = {
        "deploy": Deploy,
        "rollback": Rollback,
        "adopt": Adopt,
        "maintenance": Maintenance,
        "convert": Convert,
    }
    as_planned = ("strategy",)
    secrets = ("secret",)

    def describe(self, raw: Mapping[str, Any]) -> Description:
        return describe(raw)

    def subject(self, description: Description) -> tuple[str, str]:
        return description.name, os.path.abspath(description.path)

    def service(self, description: Description, guard: Guard) -> LaravelService:
        return LaravelService(description, guard.state_dir, guard.inherited)

    def plan(self, procedure: Procedure[LaravelService], context: Context) -> LaravelPlan:
        from ansible_collections.ops.runbook.plugins.module_utils.laravel import release

        # In check mode git puts the objects that it fetches into a folder of their own.
        scratch = tempfile.mkdtemp(prefix="ops-runbook-objects-") if context.check_mode else ""
        try:
            context.service.checkout = replace(context.service.checkout, scratch=scratch)
            plan = cast("LaravelPlan", super().plan(procedure, context))
        finally:
            if scratch:
                shutil.rmtree(scratch, ignore_errors=True)
        return {**plan, "also": [*release.also(plan), *plan.get("also", ())]}

    def before(self, context: Context, plan: LaravelPlan) -> dict[str, Any]:
        return health.before(context.service, context.gate, str(plan.get("maintenance_driver") or ""))

    def trees(self, description: Description, guard: Guard) -> tuple[str, ...]:
        # Checkout, vendor tree and caches; kept vendor trees and saved changes lie in the state folder.
        return (description.path, guard.state_dir)


LARAVEL = _Laravel()
