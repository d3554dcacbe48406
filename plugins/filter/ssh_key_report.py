# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about an audit of SSH keys, and the findings that make it fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"{name} takes results by host name, not {type(value).__name__}")
    return value


# Ansible compiles every filter of a collection anew to find one of them: what one needs is loaded by its call.


def report(outcomes: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import report as ssh_key_report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(ssh_key_report.lines(_mapping(outcomes, "ssh_key_report")))


def verdict(outcomes: Any, fail_on: Any = ()) -> dict[str, Any]:
    from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import report as ssh_key_report

    if isinstance(fail_on, str):
        fail_on = [kind.strip() for kind in fail_on.split(",") if kind.strip()]
    if not isinstance(fail_on, Sequence):
        raise AnsibleFilterError(f"ssh_key_verdict takes a list of what to fail for, not {type(fail_on).__name__}")
    unknown = sorted({str(kind) for kind in fail_on} - {*ssh_key_report.KINDS})
    if unknown:
        raise AnsibleFilterError(f"fail_on has {', '.join(unknown)}; it may have {', '.join(ssh_key_report.KINDS)}")
    return ssh_key_report.verdict(_mapping(outcomes, "ssh_key_verdict"), fail_on)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ssh_key_report": report, "ssh_key_verdict": verdict}
