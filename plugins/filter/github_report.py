# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about GitHub's side of the runbooks, and the findings that make a procedure fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"{name} takes results, not {type(value).__name__}")
    return value


# Ansible compiles every filter of a collection anew to find one of them: what one needs is loaded by its call.


def protection(outcomes: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.github import report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(report.protection_lines(_mapping(outcomes, "github_protection_table")))


def verdict(outcomes: Any, fail_on: Any = ()) -> dict[str, Any]:
    from ansible_collections.ops.runbook.plugins.module_utils.github import report

    if isinstance(fail_on, str):
        fail_on = [kind.strip() for kind in fail_on.split(",") if kind.strip()]
    if not isinstance(fail_on, Sequence):
        raise AnsibleFilterError(f"github_protection_verdict takes a list, not {type(fail_on).__name__}")
    unknown = sorted({str(kind) for kind in fail_on} - {*report.PROTECTION_KINDS})
    if unknown:
        kinds = ", ".join(report.PROTECTION_KINDS)
        raise AnsibleFilterError(f"fail_on has {', '.join(unknown)}; it may have {kinds}")
    return report.protection_verdict(_mapping(outcomes, "github_protection_verdict"), fail_on)


def runs(outcome: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.github import report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(report.run_lines(_mapping(outcome, "github_runs_table")))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "github_protection_table": protection,
            "github_protection_verdict": verdict,
            "github_runs_table": runs,
        }
