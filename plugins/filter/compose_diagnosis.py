# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def compose_diagnosis(results: Any) -> str:
    """Faults of a Compose service on each host, as text."""
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"compose_diagnosis takes results by host name, not {type(results).__name__}")
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import screen
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(screen.diagnosis_lines(results))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"compose_diagnosis": compose_diagnosis}
