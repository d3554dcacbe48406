# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads of an operation, from the results of its hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ops.runbook.plugins.module_utils import operation_report, status_report

HostVars = Mapping[str, Mapping[str, Any]]


def operation_results(hostvars: HostVars, hosts: Sequence[str], name: str) -> dict[str, dict[str, Any]]:
    """A registered result of each host by host name; empty where a host has none."""
    return {host: _registered(hostvars, host, name) for host in hosts}


def operation_outcomes(hostvars: HostVars, hosts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How the operation ended on each host; with the plan, and what was verified, beside it."""
    outcomes: dict[str, dict[str, Any]] = {}
    for host in hosts:
        applied = _registered(hostvars, host, "operation_applied")
        closed = applied.get("closed") or _registered(hostvars, host, "operation_closed")
        outcomes[host] = {
            **closed,
            "planned": _registered(hostvars, host, "operation_planned"),
            "verified": applied.get("verified") or {},
        }
    return outcomes


def _registered(hostvars: HostVars, host: str, name: str) -> dict[str, Any]:
    result = hostvars[host].get(name)
    return dict(result) if isinstance(result, Mapping) else {}


def _checked(results: Any) -> operation_report.Results:
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"this filter takes results by host name, not {type(results).__name__}")
    return results


def operation_decision(results: Any, check_mode: bool) -> dict[str, Any]:
    return operation_report.decision(_checked(results), check_mode)


def operation_halted(results: Any) -> bool:
    return operation_report.halted(_checked(results))


def operation_plan(results: Any) -> str:
    return "\n".join(operation_report.plan_lines(_checked(results)))


def operation_refusals(results: Any) -> str:
    return "\n".join(operation_report.refusal_lines(_checked(results)))


def operation_summary(results: Any) -> str:
    return "\n".join(operation_report.summary_lines(_checked(results)))


def operation_trouble(results: Any) -> str:
    return "\n".join(operation_report.trouble_lines(_checked(results)))


def operation_history(results: Any) -> str:
    return "\n".join(status_report.history_lines(_checked(results)))


def operation_history_document(results: Any) -> dict[str, Any]:
    return status_report.history_document(_checked(results))


class FilterModule:
    """Filters of the guard."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "operation_results": operation_results,
            "operation_outcomes": operation_outcomes,
            "operation_decision": operation_decision,
            "operation_halted": operation_halted,
            "operation_plan": operation_plan,
            "operation_refusals": operation_refusals,
            "operation_summary": operation_summary,
            "operation_trouble": operation_trouble,
            "operation_history": operation_history,
            "operation_history_document": operation_history_document,
        }
