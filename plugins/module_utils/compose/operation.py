# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation on a Compose service: both its phases, on the guard that all systems share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import health, hotfix, release
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.plan import ComposePlanner
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Wish
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.plan import SecretsPlanner, SecretsWish
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.steps import SecretsSteps
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Description
from ansible_collections.ops.runbook.plugins.module_utils.compose.staging import Staging
from ansible_collections.ops.runbook.plugins.module_utils.compose.steps import ComposeSteps
from ansible_collections.ops.runbook.plugins.module_utils.guard import carry_out as operation_change
from ansible_collections.ops.runbook.plugins.module_utils.guard import open_and_plan as operation_plan
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges


def open_and_plan(
    guard: Guard, request: Request, description: Description, options: Mapping[str, Any], check_mode: bool
) -> dict[str, Any]:
    """Open an operation on a Compose service and plan it; in check mode only look."""

    def planned() -> dict[str, Any]:
        service = ComposeService(description, guard.state_dir, guard.inherited)
        password, logins = options["registry_password"] or "", options["registry_logins"] or ()
        store = ImageStore(service.engine, description, guard.state_dir, password, logins)
        planner = ComposePlanner(service, guard.ledger(), store, check_mode)
        if request.procedure == "rotate_secrets":
            plan = SecretsPlanner(service, planner, guard.ledger()).plan(_secrets_wish(options))
        elif request.procedure == "adopt":
            plan = planner.adopt(bool(options["set_aside_ledger"]))
        else:
            wish = Wish(
                procedure=request.procedure,
                to=options["to"],
                migrations=options["migrations"],
                migrate_here=options["migrate_here"],
                staging=Staging(options["staging_host"], options["staging"], options["staging_required"]),
                database_shared=options["database_shared"],
                hotfix=bool(options.get("hotfix")),
            )
            plan = planner.plan(wish)
            if request.procedure == "deploy":
                plan = _with_hotfix(plan, wish, description, store, guard.ledger())
        kept = {"kept": [f"secrets/{request.operation}.env"]} if request.procedure == "rotate_secrets" else {}
        return {**plan, **kept, "pin": description.pin, "saved_as": request.operation}

    return operation_plan.open_and_plan(
        guard,
        request,
        planned,
        check_mode,
        to=options["to"],
        set_aside_ledger=bool(options["set_aside_ledger"]),
    )


def carry_out(
    guard: Guard,
    description: Description,
    gate: GateSettings,
    orders: Orders,
    password: str = "",
    values: Mapping[str, str] | None = None,
    migrations: str = "",
    logins: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Do what remains of an operation on a Compose service; see guard/carry_out.py.

    password, logins: of registries; see ImageStore. values: new ones for keys of .env, where that is what the operation
    is about. migrations: the operator's input of that name, by which they decide about migrations that going back would
    undo.
    """

    def service_of(plan: Mapping[str, Any]) -> ComposeService:
        # An operation ends as it was planned, whatever the inventory says by then.
        planned = replace(description, pin=plan.get("pin", description.pin))
        return ComposeService(planned, guard.state_dir, guard.inherited)

    def executor(plan: dict[str, Any]) -> ComposeSteps:
        service = service_of(plan)
        store = ImageStore(service.engine, description, guard.state_dir, password, logins)
        if plan.get("procedure") == "rotate_secrets":
            return SecretsSteps(service, guard, plan, store, values or {})
        return ComposeSteps(service, guard, plan, store, migrations)

    return operation_change.carry_out(
        guard,
        Work(
            executor,
            lambda plan, direction: health.verify(service_of(plan), plan, direction, gate),
            lambda plan: health.before(service_of(plan), plan, gate),
        ),
        orders,
    )


def _with_hotfix(
    plan: dict[str, Any], wish: Wish, description: Description, store: ImageStore, ledger: Answers
) -> dict[str, Any]:
    """The plan of a deploy with the merges of a hotfix, and with a word about one that it follows."""
    if not wish.hotfix:
        return {**plan, "warnings": [*plan["warnings"], *hotfix.follows(plan, ledger.backwards())]}
    images = release.images_of(plan["to"]).values()
    source = hotfix.source_of(description.source, [store.labels(image) for image in images])
    branch = wish.to if release.names_branch(wish.to, description.images) else ""
    known = merges.of_ledger(ledger)
    return hotfix.planned(plan, branch, source, description.hotfix_into, known)


def _secrets_wish(options: Mapping[str, Any]) -> SecretsWish:
    return SecretsWish(
        keys=tuple(dict.fromkeys(options["secret_keys"])),
        values=options["secret_values"] or {},
        origins=options["secret_origins"],
        declared=options["secrets"],
        max_age_days=options["secret_max_age"],
        role_password=options["role_password"] == "changed",
    )
