# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about an operation, from the results of its hosts."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.ops.runbook.plugins.module_utils.console import fleet, report, unanswered
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined, shown

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import RefusalRecord

HostVars = Mapping[str, Mapping[str, Any]]


def operation_results(hostvars: HostVars, hosts: Sequence[str], name: str) -> dict[str, dict[str, Any]]:
    """A registered result of each host by host name; empty for a host without one."""
    return {host: _registered(hostvars[host], name) for host in hosts}


def _registered(known: Mapping[str, Any], name: str) -> dict[str, Any]:
    result = fleet.registered(known, name)
    if not result.get("unreachable"):
        # To read how a host is reached costs milliseconds.
        return result
    first = {
        key: next((known[one] for one in names if one in known), None)
        for key, names in {
            "user": ("ansible_ssh_user", "ansible_user"),
            "address": ("ansible_ssh_host", "ansible_host", "inventory_hostname"),
            "port": ("ansible_ssh_port", "ansible_port"),
            "inventory": ("inventory_dir",),
        }.items()
    }
    return unanswered.understood(result, first)


def operation_outcomes(hostvars: HostVars, hosts: Sequence[str], lease_ttl: float) -> fleet.Outcomes:
    """How the operation ended on each host; with the plan, and what was verified, beside it."""
    # The lease of a host that is lost now was renewed some time before.
    ends = clock.later(clock.now(), float(lease_ttl)).text[:16].replace("T", " ") + " UTC"
    return fleet.outcomes({host: hostvars[host] for host in hosts}, ends)


def _checked(results: Any) -> Any:
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"this filter takes results by host name, not {type(results).__name__}")
    return results


def _orders(orders: Mapping[str, Any]) -> fleet.Orders:
    return fleet.Orders(**{**orders, "batch": operation_batches(orders.get("batch", ""))})


def operation_batches(batch: Any) -> list[str]:
    try:
        return fleet.batch_sizes(batch)
    except fleet.BatchInvalid as error:
        raise AnsibleFilterError(shown(str(error))) from error


def operation_target(hosts: Sequence[str], target: str) -> list[str]:
    # Procedures have asked ops.runbook.operation_call before; a listing and a syntax check may be without hosts.
    only_read = any(context.CLIARGS.get(name) for name in ("syntax", "listtasks", "listtags", "listhosts"))
    if not hosts and not only_read:
        raise AnsibleFilterError(
            f"target is '{shown(target)}'; the inventory has no such host or group. Nothing was contacted."
        )
    # This is asked by the keyword of the guard's first play, before any worker is forked; in no other playbook.
    _lighten_workers()
    return ["100%"]


def operation_decision(results: Any, orders: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    return fleet.decision(_checked(results), _orders(orders), check_mode, _stopped())


def operation_halted(results: Any) -> bool:
    return fleet.halted(_checked(results), _stopped())


def _stopped() -> bool:
    """True if the command that started this run was asked to end: it makes this file, and waits."""
    named = os.environ.get("OPS_RUNBOOK_STOP")
    return bool(named) and os.path.exists(str(named))


def operation_course(results: Any, applied: Any, orders: Mapping[str, Any]) -> dict[str, Any]:
    return fleet.course(_checked(results), _checked(applied), _orders(orders))


def operation_plan(results: Any, migrate_on: str = "each") -> str:
    return joined(report.plan_lines(_checked(results), migrate_on))


def operation_refusals(results: Any, together: RefusalRecord | None = None) -> str:
    # `ops-runbook` says so to the run that it starts.
    return joined(report.refusal_lines(_checked(results), together, "OPS_RUNBOOK_STOP" in os.environ))


def operation_summary(results: Any, system: str = "") -> str:
    return joined(report.summary_lines(_checked(results), system))


def operation_trouble(results: Any, system: str = "") -> str:
    return joined(report.trouble_lines(_checked(results), system))


def operation_history(results: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.console import status_report

    return joined(status_report.history_lines(_checked(results)))


def operation_history_document(results: Any, text: bool = False) -> dict[str, Any] | str:
    from ansible_collections.ops.runbook.plugins.module_utils.console import status_report

    found = status_report.history_document(_checked(results))
    # Ansible looks at each value of what a filter returns, but not at each part of a text.
    return json.dumps(found, ensure_ascii=False) + "\n" if text else found


def _lighten_workers() -> None:
    """Leave what Ansible has loaded out of its workers' garbage collections, and make these rarer.

    Each task of each host is a fork. A collection there walks through all that was inherited, and so copies its pages,
    while the module is put together: that was an eighth of the time of a rollback. A run is short; nothing piles up.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


class FilterModule:
    """Filters of the guard."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "operation_results": operation_results,
            "operation_outcomes": operation_outcomes,
            "operation_batches": operation_batches,
            "operation_target": operation_target,
            "operation_decision": operation_decision,
            "operation_halted": operation_halted,
            "operation_course": operation_course,
            "operation_plan": operation_plan,
            "operation_refusals": operation_refusals,
            "operation_summary": operation_summary,
            "operation_trouble": operation_trouble,
            "operation_history": operation_history,
            "operation_history_document": operation_history_document,
        }
