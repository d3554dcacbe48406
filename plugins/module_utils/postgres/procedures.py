# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures on a PostgreSQL cluster; guard/procedure.py has the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts, Context, Procedure, System
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster, Description, describe

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan


class _Backup:
    """A backup by the engine of the cluster; one that was begun ends by the engine that its plan is of."""

    def plan(self, context: Context[Cluster]) -> Plan:
        return _engine(context.service.description.dumps).plan(context)

    def steps(self, context: Context[Cluster], plan: Any) -> Acts:
        return _engine("folder" in plan["backup"]).steps(context, plan)

    def verify(self, context: Context[Cluster], plan: Any, direction: str) -> dict[str, Any]:
        return _engine("folder" in plan["backup"]).verify(context, plan, direction)


def _engine(dumps: bool) -> Procedure[Cluster]:
    if dumps:
        from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump import procedure as by_dump

        return by_dump
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.backup import procedure

    return procedure


def _restore_drill() -> Procedure[Cluster]:
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill import procedure

    return procedure


class _Postgres(System[Description, Cluster]):
    name = "postgres"
    procedures = {"backup": _Backup, "restore_drill": _restore_drill}

    def describe(self, raw: Mapping[str, Any]) -> Description:
        return describe(raw)

    def subject(self, description: Description) -> tuple[str, str]:
        return description.name, description.place

    def service(self, description: Description, guard: Guard) -> Cluster:
        return Cluster(description, guard.inherited, guard.state_dir)


POSTGRES = _Postgres()
