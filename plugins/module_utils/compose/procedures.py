# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures on a Compose service; guard/procedure.py has the contract.

A host compiles each file that it loads anew in each call. So a function imports the files that only its phase needs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import health, release
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Description, describe
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import EngineError, EngineUnreachable
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts, System

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan
    from ansible_collections.ops.runbook.plugins.module_utils.compose.plan import ComposePlanner
    from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Wish

Context = procedure.Context[ComposeService]


class _Change:
    """The steps and the verification that the procedures share."""

    def steps(self, context: Context, plan: ComposePlan) -> Acts:
        from ansible_collections.ops.runbook.plugins.module_utils.compose.steps import ComposeSteps

        # This run's input decides about the migrations that going back would undo.
        migrations = context.inputs["migrations"]
        return ComposeSteps(context.service, context.guard, plan, _images(context), migrations).acts

    def verify(self, context: Context, plan: ComposePlan, direction: str) -> dict[str, Any]:
        return health.verify(context.service, plan, direction, context.gate)


class Deploy(_Change):
    """Images go live, by their digests."""

    def plan(self, context: Context) -> ComposePlan:
        from ansible_collections.ops.runbook.plugins.module_utils.compose import hotfix
        from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges

        planner, wish = _planner(context), _wish(context, "deploy")
        plan = planner.plan(wish)
        ledger, description, to = context.guard.ledger(), context.service.description, wish.to
        if not wish.hotfix:
            return {**plan, "warnings": [*plan["warnings"], *hotfix.follows(plan, ledger.backwards())]}
        images = release.images_of(plan["to"]).values()
        source = hotfix.source_of(description.source, [planner.store.labels(image) for image in images])
        branch = to if release.names_branch(to, description.images) else ""
        return hotfix.planned(plan, branch, source, description.hotfix_into, merges.of_ledger(ledger))


class Rollback(_Change):
    """Images of an earlier release go live again."""

    def plan(self, context: Context) -> ComposePlan:
        return _planner(context).plan(_wish(context, "rollback"))


class Adopt(_Change):
    """The images that run now are recorded as a release."""

    def plan(self, context: Context) -> ComposePlan:
        return _planner(context).adopt(bool(context.inputs["set_aside_ledger"]))


class RotateSecrets(_Change):
    """Keys of .env get new values, and the containers that use them."""

    def plan(self, context: Context) -> ComposePlan:
        from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.plan import (
            SecretsPlanner,
            SecretsWish,
        )

        given = context.inputs
        wish = SecretsWish(
            keys=tuple(dict.fromkeys(given["secret_keys"])),
            values=context.secrets["secret_values"] or {},
            origins=given["secret_origins"],
            declared=given["secrets"],
            max_age_days=given["secret_max_age"],
            role_password=given["role_password"] == "changed",
        )
        plan = SecretsPlanner(context.service, _planner(context), context.guard.ledger()).plan(wish)
        return {**plan, "kept": [f"secrets/{context.operation}.env"]}

    def steps(self, context: Context, plan: ComposePlan) -> Acts:
        from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.steps import SecretsSteps

        values = {key: str(value) for key, value in (context.secrets["secret_values"] or {}).items()}
        return SecretsSteps(context.service, context.guard, plan, _images(context), values).acts


def _images(context: Context) -> ImageStore:
    """The images of this host, and the registries that they come from."""
    service, secrets = context.service, context.secrets
    password, logins = secrets["registry_password"] or "", secrets["registry_logins"] or ()
    return ImageStore(service.engine, service.description, context.guard.state_dir, password, logins)


def _planner(context: Context) -> ComposePlanner:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.plan import ComposePlanner

    return ComposePlanner(context.service, context.guard.ledger(), _images(context), context.check_mode)


def _wish(context: Context, procedure: str) -> Wish:
    """The wish of the operator for a change of release."""
    from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Wish
    from ansible_collections.ops.runbook.plugins.module_utils.compose.staging import Staging

    given = context.inputs
    return Wish(
        procedure=procedure,
        to=given["to"],
        migrations=given["migrations"],
        migrate_here=given["migrate_here"],
        staging=Staging(given["staging_host"], given["staging"], given["staging_required"]),
        database_shared=given["database_shared"],
        hotfix=bool(given.get("hotfix")),
    )


class _Compose(System[Description, ComposeService]):
    name = "compose"
    procedures = {"deploy": Deploy, "rollback": Rollback, "adopt": Adopt, "rotate_secrets": RotateSecrets}
    as_planned = ("pin",)
    secrets = ("registry_password", "registry_logins", "secret_values")
    errors = (EngineError, EngineUnreachable)

    def describe(self, raw: Mapping[str, Any]) -> Description:
        return describe(raw)

    def subject(self, description: Description) -> tuple[str, str]:
        return description.name, os.path.abspath(description.project_dir)

    def service(self, description: Description, guard: Guard) -> ComposeService:
        return ComposeService(description, guard.state_dir, guard.inherited)

    def before(self, context: Context, plan: ComposePlan) -> dict[str, Any]:
        return health.before(context.service, plan, context.gate)


COMPOSE = _Compose()
