# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about the backups of a PostgreSQL cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def postgres_backup_status(results: Any) -> str:
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"postgres_backup_status takes results by host name, not {type(results).__name__}")
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.console import status_report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(status_report.status_lines(results))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgres_backup_status": postgres_backup_status}
