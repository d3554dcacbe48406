# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ops.runbook.plugins.module_utils import compose_screen


def compose_diagnosis(results: Any) -> str:
    """What is wrong with a Compose service on each host, as text."""
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"compose_diagnosis takes results by host name, not {type(results).__name__}")
    return "\n".join(compose_screen.diagnosis_lines(results))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"compose_diagnosis": compose_diagnosis}
