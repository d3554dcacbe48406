# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired state of a setting on GitHub, the writes that bring it there, and what a lost answer means for it.

Each kind of setting has a file beside this one with a pure part (the state now and the wanted one give the changes and
the writes) and one class that reads. The modules bring one setting to its state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state
from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change, Present
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, Uncertain
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


@dataclass(frozen=True)
class Write:
    """One request that changes something. What it sends may be secret."""

    method: str
    path: str
    body: Any = field(default=None, repr=False)

    def line(self) -> str:
        return f"{self.method} {self.path}"


Plan = state.Plan[Write]


class State(state.State[GitHub, Write, Present]):
    """A wanted state of one setting. what: the thing, as an error calls it. Its methods raise GitHubError."""

    what: str

    def apply(self, github: GitHub, plan: Plan, present: Present) -> None:
        for write in plan.acts:
            github.send(write.method, write.path, write.body)

    def carry_out(self, github: GitHub, plan: Plan, present: Present) -> Problem | None:
        try:
            self.apply(github, plan, present)
        except Uncertain as error:
            return error
        except GitHubError as error:
            raise self._interrupted(github, present, error) from None
        return None

    def _interrupted(self, github: GitHub, before: Present, error: GitHubError) -> GitHubError:
        """A refusal of one write, with what the writes before it left: the ways stay, the claim is read back."""
        try:
            touched = self.read(github) != before
        except GitHubError:
            touched = True
        text = f"{error}. The writes before it were carried out" if touched else str(error)
        return replace(error, text=text, touched=touched)

    def not_taken(self, still: str, doubt: Problem | None) -> Problem:
        if doubt:
            text = f"{doubt}. Read back, {self.what} is not as wanted: {still}"
            return GitHubError("uncertain", text, doubt.ways, touched=True)
        return GitHubError(
            "not_taken",
            f"GitHub reported no error, and yet {self.what} is not in the wanted state: {still}",
            [("the plan and the organisation's policies", "may forbid it silently; see its settings on the web")],
            touched=True,
        )

    def told(self, lines: Iterable[str]) -> list[str]:
        """Changes of it for a record, in which there are others beside it."""
        return [f"{self.what}: {line}" for line in lines]


def shown(value: Any) -> str:
    """A value as a change shows it: yes and no, lists joined, nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int)) for item in value):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, sort_keys=True)
    return str(value)


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Differences between two records of the same keys; in after, None is "as it is"."""
    return tuple(
        Change(key, shown(before.get(key)), shown(value))
        for key, value in after.items()
        if value is not None and before.get(key) != value
    )
