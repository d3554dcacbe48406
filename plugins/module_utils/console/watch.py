# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of one operation while it runs, gathered from the results of its tasks as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import fleet
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Results
from ansible_collections.ops.runbook.plugins.module_utils.console.unanswered import understood

#: What a person calls the part of an operation that a task belongs to, by the first word of the task's name.
PHASES = {
    "plan": "plan",
    "refuse": "give the lease back",
    "apply": "apply and verify",
    "recover": "go back",
    "settle": "close",
}

_REGISTERED = {"plan": "operation_planned", "apply": "operation_applied", "recover": "operation_recovered"}


def first_word(task: str) -> str:
    """The file that a task is from: `plan` of `ops.runbook.laravel : plan | Take the lease`."""
    return task.rpartition(" : ")[2].partition(" | ")[0].strip()


@dataclass
class Watch:
    """One operation. known: by host, what the guard registers, under the names that it registers it."""

    operation: str = ""
    actor: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, task: str, action: str, host: str, result: Mapping[str, Any]) -> str:
        """Keep what a task of the guard found; the name of what that was, or empty where it is nothing of the guard."""
        name = self._named(first_word(task), action, result)
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
    def _named(word: str, action: str, result: Mapping[str, Any]) -> str:
        if not action.startswith(("ops.runbook.", "ansible.builtin.set_fact", "set_fact")):
            return ""
        if action.endswith("set_fact"):
            facts = result.get("ansible_facts") or {}
            return next((name for name in ("operation_decision", "operation_course") if name in facts), "")
        if action == "ops.runbook.operation_begin":
            return "operation_named"
        if action == "ops.runbook.operation_close":
            return "operation_closed" if word == "settle" else ""
        # What a hidden task found is shown by another one.
        found = action.endswith("_operation") or action == "ops.runbook.operation_shown"
        return _REGISTERED.get(word, "") if found else ""

    @property
    def planned(self) -> dict[str, dict[str, Any]]:
        """Plans and refusals by host, in the order of the hosts."""
        return {host: known.get("operation_planned", {}) for host, known in self.known.items()}

    @property
    def outcomes(self) -> Results:
        """How it ended on each host."""
        return fleet.outcomes(self.known)

    @property
    def procedure(self) -> str:
        plans = [result.get("plan") or {} for result in self.planned.values()]
        return next((str(plan["procedure"]) for plan in plans if plan.get("procedure")), "")
