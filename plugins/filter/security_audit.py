# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about the weekly look at security, and the findings that make it fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def _asked(value: Any, name: str) -> Mapping[str, Any]:
    """The results of the tasks that ran: a skipped task has none."""
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"{name} takes results by name, not {type(value).__name__}")
    return {key: result for key, result in value.items() if result and not result.get("skipped")}


# Ansible compiles every filter of a collection anew to find one of them: what one needs is loaded by its call.


def report(found: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.security import report as security_report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(security_report.lines(_asked(found, "security_audit_report")))


def verdict(found: Any, lowest: str = "low") -> dict[str, Any]:
    from ansible_collections.ops.runbook.plugins.module_utils.security import report as security_report

    if lowest not in security_report.LOWEST:
        raise AnsibleFilterError(f"severity is {lowest!r}; it may be {', '.join(security_report.LOWEST)}")
    return security_report.verdict(_asked(found, "security_audit_verdict"), lowest)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"security_audit_report": report, "security_audit_verdict": verdict}
