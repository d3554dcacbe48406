# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation on an app of Dokku: both its phases, on the guard that all systems share.

A procedure is a module of PROCEDURES. It offers three functions; lease, journal, ledger, recovery and close are not its
business. Context is in procedure.py. To add one: a loader and its line in PROCEDURES here, its name in
the choices of the module's option `procedure`, its entry point in the role's argument specs, `tasks/<procedure>.yml`
that imports plan.yml, and its inputs in the role's vars (`__dokku_inputs`), which arrive as context.inputs.

    def plan(context: Context) -> dict[str, Any]

Reads the host and decides, and changes nothing: it also runs in check mode. Raises Refused; a DokkuError becomes a
refusal by itself (DokkuService.refusal). The keys that the guard and the report read:

    procedure    its name                           asked       what the operator gave as `to`
    from, to     {"id", "name", ...}: the release (or whatever is moved between) now, and wanted; `from` may be None.
                 Operations that move no release have the live one in both.
    chosen       how the target was chosen          proven      how it is known to exist
    steps        [Step.to_dict(), ...]: what is done, in order; empty where nothing is to do (then only verify runs)
    undo         [Step.to_dict(), ...]: the way back. A step whose data has `after: <id>` runs only if that forward step
                 was begun; all others always run.
    afterwards   [Step.to_dict(), ...]: what follows a good verification; its failure changes nothing of the result
    migrations   the record of migrations/plan.py, or None
    also         [[title, [line, ...]], ...] to show; warnings, [line, ...]
    facts        whatever the ledger is to keep     diffstat    [line, ...] for --diff

It goes to the journal as it is, so no secret may be in it. What a step needs stands in its data: an operation that was
interrupted is continued from its journal, without the inputs of the run that began it.

    def steps(context: Context, plan: dict[str, Any]) -> Mapping[str, Callable[[Step], object]]

What does each step, forward and back, by the step's id up to a colon ("link:restant-db" is done by "link"). Each first
looks whether its work is done already, because it runs again where a process was killed in it, and returns a note for
the ledger (without secrets) or None. It raises what it likes: the text becomes the error of the operation.

    def verify(context: Context, plan: Mapping[str, Any], direction: str, gate: GateSettings) -> dict[str, Any]

Looks at what was left behind after going in a direction ("forward" or "back"), changing nothing: ok, reason (empty
where ok), health (list of health.Result.to_dict()), and whatever else is worth keeping; `note` is shown in the summary.
dokku_health.verify serves for whatever leaves the app running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.procedure import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import Description, DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.guard import carry_out as operation_change
from ansible_collections.ops.runbook.plugins.module_utils.guard import open_and_plan as operation_plan
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refused
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health import gate as health
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings

# A module is only sent along to the host where an import of it stands in the source.


def _deploy() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku import deploy

    return deploy


def _rollback() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku import rollback

    return rollback


def _feature() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import procedure

    return procedure


def _tune() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku import tune

    return tune


def _maintenance() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import procedure

    return procedure


def _backup() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make

    return make


def _restore() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import restore

    return restore


def _rebuild() -> ModuleType:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import rebuild

    return rebuild


PROCEDURES: dict[str, Callable[[], ModuleType]] = {
    "deploy": _deploy,
    "rollback": _rollback,
    "feature": _feature,
    "tune": _tune,
    "maintenance": _maintenance,
    "backup": _backup,
    "restore": _restore,
    "rebuild": _rebuild,
}


def open_and_plan(
    guard: Guard,
    request: Request,
    description: Description,
    inputs: Mapping[str, Any],
    secrets: Mapping[str, Any],
    check_mode: bool,
) -> dict[str, Any]:
    """Open an operation on an app and plan it; in check mode only look."""
    to = str(inputs.get("to") or "")

    def planned() -> dict[str, Any]:
        context = Context(
            DokkuService(description, guard.inherited, guard.state_dir), guard, inputs, secrets, check_mode
        )
        try:
            plan: dict[str, Any] = PROCEDURES[request.procedure]().plan(context)
        except DokkuError as error:
            raise Refused(context.service.refusal(error)) from error
        made = {"procedure": request.procedure, "saved_as": request.operation}
        return {"asked": to, "migrations": None, **plan, **made, "kept": [f"config-{request.operation}.json"]}

    return operation_plan.open_and_plan(guard, request, planned, check_mode, to=to)


def carry_out(
    guard: Guard,
    description: Description,
    gate: GateSettings,
    orders: Orders,
    secrets: Mapping[str, Any],
) -> dict[str, Any]:
    """Do what remains of an operation on an app; see guard/carry_out.py."""

    def context() -> Context:
        return Context(DokkuService(description, guard.inherited, guard.state_dir), guard, {}, secrets)

    def executor(plan: dict[str, Any]) -> Callable[[Step], object]:
        acts = PROCEDURES[plan["procedure"]]().steps(context(), plan)
        return lambda step: acts[step.id.partition(":")[0]](step)

    def verify(plan: Mapping[str, Any], direction: str) -> dict[str, Any]:
        found: dict[str, Any] = PROCEDURES[plan["procedure"]]().verify(context(), plan, direction, gate)
        return found

    def before(_plan: Mapping[str, Any]) -> dict[str, Any]:
        # An app that is down on purpose, or not there yet, gives no answer that says anything of a later one.
        return {"health": health.look(gate.asked)}

    return operation_change.carry_out(guard, Work(executor, verify, before), orders)
