# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures on an app of Dokku; guard/procedure.py has the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import Description, DokkuService, describe
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Procedure, System
from ansible_collections.ops.runbook.plugins.module_utils.health import gate

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan


def _deploy() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku import deploy

    return deploy


def _rollback() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku import rollback

    return rollback


def _feature() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import procedure

    return procedure


def _tune() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku import tune

    return tune


def _maintenance() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import procedure

    return procedure


def _backup() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make

    return make


def _restore() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import restore

    return restore


def _rebuild() -> Procedure[DokkuService]:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import rebuild

    return rebuild


class _Dokku(System[Description, DokkuService]):
    name = "dokku"
    procedures = {
        "deploy": _deploy,
        "rollback": _rollback,
        "feature": _feature,
        "tune": _tune,
        "maintenance": _maintenance,
        "backup": _backup,
        "restore": _restore,
        "rebuild": _rebuild,
    }
    secrets = ("secrets",)
    errors = (DokkuError,)

    def describe(self, raw: Mapping[str, Any]) -> Description:
        return describe(raw)

    def subject(self, description: Description) -> tuple[str, str]:
        return description.app, description.app

    def service(self, description: Description, guard: Guard) -> DokkuService:
        return DokkuService(description, guard.inherited, guard.state_dir)

    def inputs(self, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return params["inputs"], params["secrets"]

    def plan(self, procedure: Procedure[DokkuService], context: Context) -> Plan:
        try:
            plan = procedure.plan(context)
        except DokkuError as error:
            raise context.service.refusal(error) from error
        return {**plan, "kept": [f"config-{context.operation}.json"]}

    def before(self, context: Context, plan: DokkuPlan) -> dict[str, Any]:
        # An app that is down on purpose, or not there yet, gives no answer that says anything of a later one.
        return {"health": gate.look(context.gate.asked)}


DOKKU = _Dokku()
