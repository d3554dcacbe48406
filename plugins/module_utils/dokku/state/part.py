# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired state of one part of a Dokku app, and the commands that bring it there.

Each part (its configuration, its domains, its limits ...) has a file beside this one with one class. The modules bring
one part to a state; the procedures bring several, each as one step of their journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state
from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Present
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


@dataclass(frozen=True)
class Command:
    """One call of dokku. What goes over standard input may be secret."""

    arguments: tuple[str, ...]
    stdin: str | None = field(default=None, repr=False)
    timeout: float | None = None

    def line(self) -> str:
        return " ".join(("dokku", *self.arguments))


Plan = state.Plan[Command]


class State(state.State[Dokku, Command, Present]):
    """A wanted state of one part of an app. Its methods raise DokkuError, or Problem."""

    app: str

    def apply(self, dokku: Dokku, plan: Plan, present: Present) -> None:
        for command in plan.acts:
            dokku.run(*command.arguments, stdin=command.stdin, timeout=command.timeout)

    def not_taken(self, still: str, doubt: Problem | None) -> Problem:
        return Problem(
            "not_taken",
            f"dokku reported no error, and yet {self.app} is not in the wanted state: {still}",
            [("the same again", "tries again; dokku events shows what else happened")],
            touched=True,
        )


def text_of(report: Mapping[str, Any], key: str) -> str:
    """A value of a report, which holds texts alone; empty where an older Dokku has no such key."""
    return str(report.get(key, "") or "").strip()


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a sentence."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
