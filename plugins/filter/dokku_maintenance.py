# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a maintenance, for a person and for a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def dokku_maintenance_document(planned: Any, applied: Any, host: str, app: str) -> dict[str, Any]:
    """The report as data."""
    for one in (planned, applied):
        if not isinstance(one, Mapping):
            raise AnsibleFilterError(f"dokku_maintenance_document takes results, not {type(one).__name__}")
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import (
        report as dokku_maintenance_report,
    )

    return dokku_maintenance_report.document(host, app, planned, applied)


def dokku_maintenance_markdown(report: Any) -> str:
    """The same for a person."""
    if not isinstance(report, Mapping):
        raise AnsibleFilterError(f"dokku_maintenance_markdown takes a report, not {type(report).__name__}")
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import (
        report as dokku_maintenance_report,
    )

    return dokku_maintenance_report.markdown(report)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "dokku_maintenance_document": dokku_maintenance_document,
            "dokku_maintenance_markdown": dokku_maintenance_markdown,
        }
