# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures on a PostgreSQL cluster; guard/procedure.py has the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Procedure, System
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster, Description, describe


def _backup() -> Procedure[Cluster]:
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.backup import procedure

    return procedure


def _restore_drill() -> Procedure[Cluster]:
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill import procedure

    return procedure


class _Postgres(System[Description, Cluster]):
    name = "postgres"
    procedures = {"backup": _backup, "restore_drill": _restore_drill}

    def describe(self, raw: Mapping[str, Any]) -> Description:
        return describe(raw)

    def subject(self, description: Description) -> tuple[str, str]:
        return description.name, description.stanza

    def service(self, description: Description, guard: Guard) -> Cluster:
        return Cluster(description, guard.inherited, guard.state_dir)


POSTGRES = _Postgres()
