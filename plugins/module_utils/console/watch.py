# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of one operation while it runs, gathered from the results of its tasks as they come.

A task belongs to the phase whose file it lies in: the guard runs `tasks/apply.yml` of a role to apply, and so on. Both
what Ansible gives to a callback and what ansible-runner and AWX write down of a task have the path of that file. Its
name is for people, and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.console import fleet
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Outcomes
from ansible_collections.ops.runbook.plugins.module_utils.console.unanswered import understood
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import NO_PLAN

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Planned

#: The part of an operation as a person calls it, by the file that its tasks lie in.
PHASES = {
    "plan": "plan",
    "refuse": "give the lease back",
    "apply": "apply and verify",
    "recover": "go back",
    "settle": "close",
}

#: The phases in which a host is changed.
CHANGING = ("apply", "recover")

_REGISTERED = {"plan": "operation_planned", "apply": "operation_applied", "recover": "operation_recovered"}


_TASKS = re.compile(r"(?:^|/)roles/\w+/tasks/(\w+)\.yml(?::\d+)?")


def phase_of(path: str) -> str:
    """The file of a role that a task lies in: `plan` of `roles/any/tasks/plan.yml:3`; empty outside of roles.

    path: the file of the task, and perhaps its line, as Ansible says it.
    """
    found = _TASKS.search(path)
    return found[1] if found else ""


@dataclass
class Watch:
    """One operation. known: by host, what the guard registers, under the names that it registers it."""

    operation: str = ""
    actor: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, phase: str, action: str, host: str, result: Mapping[str, Any]) -> str:
        """Keep what a task of the guard found; the name of what that was, or empty where it is nothing of the guard.

        phase: of the task, see phase_of.
        """
        name = self._named(phase, action, result)
        if not name or result.get("skipped"):
            return ""
        # An answer is censored where Ansible may not show it; nothing can be read from it then.
        if name == "operation_named":
            self.operation = self.operation or str(result.get("operation") or "")
            self.actor = self.actor or result.get("actor") or {}
        elif name == "operation_decision":
            self.decision = result["ansible_facts"]["operation_decision"]
        elif name == "operation_course":
            for known in self.known.values():
                known[name] = result["ansible_facts"]["operation_course"]
        self.known.setdefault(host, {})
        if name not in ("operation_decision", "operation_course"):
            self.known[host][name] = understood(result)
        return name

    @staticmethod
    def _named(phase: str, action: str, result: Mapping[str, Any]) -> str:
        if not action.startswith(("ops.runbook.", "ansible.builtin.set_fact", "set_fact")):
            return ""
        if action.endswith("set_fact"):
            facts = result.get("ansible_facts") or {}
            return next((name for name in ("operation_decision", "operation_course") if name in facts), "")
        if action == "ops.runbook.operation_begin":
            return "operation_named"
        if action == "ops.runbook.operation_close":
            return "operation_closed" if phase == "settle" else ""
        # What a hidden task found is shown by another one.
        found = action.endswith("_operation") or action == "ops.runbook.operation_shown"
        return _REGISTERED.get(phase, "") if found else ""

    @property
    def planned(self) -> dict[str, Planned]:
        """Plans and refusals by host, in the order of the hosts."""
        return {host: known.get("operation_planned", {}) for host, known in self.known.items()}

    @property
    def outcomes(self) -> Outcomes:
        """How it ended on each host."""
        return fleet.outcomes(self.known)

    @property
    def procedure(self) -> str:
        plans = [result.get("plan") or NO_PLAN for result in self.planned.values()]
        return next((str(plan["procedure"]) for plan in plans if plan.get("procedure")), "")
