# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a maintenance: what the inventory and the inputs say, as the journal keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import Description


@dataclass(frozen=True)
class Settings:
    """Settings for the items, as the journal keeps them; none of them is secret.

    databases: [plugin, name] each. bucket and schedule: of the daily backup. updates: command that lists upgrades.
    """

    staging: str = ""
    databases: tuple[tuple[str, str], ...] = ()
    log_lines: int = 10000
    log_keep: int = 12
    bucket: str = ""
    schedule: str = "0 2 * * *"
    use_iam: bool = False
    certificate_warn: int = 14
    memory_warn: int = 85

    @classmethod
    def of(cls, inputs: Mapping[str, Any], description: Description) -> Settings:
        """From the inputs of the procedure."""
        return cls(
            staging=str(inputs.get("staging_app") or ""),
            databases=tuple((one.plugin, one.name) for one in description.databases),
            log_lines=int(inputs.get("maintenance_log_lines") or cls.log_lines),
            log_keep=int(inputs.get("maintenance_log_keep") or cls.log_keep),
            bucket=str(inputs.get("maintenance_bucket") or ""),
            schedule=str(inputs.get("maintenance_schedule") or cls.schedule),
            use_iam=bool(inputs.get("maintenance_use_iam")),
        )

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "databases": [list(one) for one in self.databases]}
