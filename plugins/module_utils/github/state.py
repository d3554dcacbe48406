# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A setting on GitHub: how it is, how it is to be, the writes between the two, and whether they were taken.

Each kind of setting has a file `github_<kind>.py` with a pure part (the state now and the wanted one give the changes
and the writes) and one class that reads. The modules bring one setting to its state.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, Uncertain
from ansible_collections.ops.runbook.plugins.module_utils.github.record import Keep, unrecorded

Present = TypeVar("Present")


@dataclass(frozen=True)
class Change:
    """One difference. before and after are for people, without secrets; empty for "not set"."""

    subject: str
    before: str
    after: str

    def line(self) -> str:
        return f"{self.subject}: {self.before or 'not set'} -> {self.after or 'not set'}"


@dataclass(frozen=True)
class Write:
    """One request that changes something. What it sends may be secret."""

    method: str
    path: str
    body: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Plan:
    """changes: what differs. writes: what makes it so, in their order. warnings: what a person should know."""

    changes: tuple[Change, ...] = ()
    writes: tuple[Write, ...] = ()
    warnings: tuple[str, ...] = ()


class State(ABC, Generic[Present]):
    """A wanted state of one setting. what: the thing, as an error calls it."""

    what: str

    @abstractmethod
    def read(self, github: GitHub) -> Present:
        """How it is now. Raises GitHubError."""

    @abstractmethod
    def plan(self, present: Present) -> Plan:
        """The differences from the wanted state, and the writes. Pure. Raises GitHubError."""

    def apply(self, github: GitHub, plan: Plan) -> None:
        for write in plan.writes:
            github.send(write.method, write.path, write.body)

    def left(self, before: Present, after: Present) -> Sequence[Change]:
        """The differences that are left after the writes. Pure."""
        return self.plan(after).changes


@dataclass(frozen=True)
class Brought(Generic[Present]):
    """The result of a change. after: as it was read back; in check mode the state before."""

    plan: Plan
    before: Present
    after: Present
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.plan.changes)


def bring(
    github: GitHub, state: State[Present], check_mode: bool = False, keep: Keep[Brought[Present]] = unrecorded
) -> Brought[Present]:
    """Bring a setting to its state, and read it back: GitHub's "yes" proves nothing. Raises GitHubError."""
    before = state.read(github)
    plan = state.plan(before)
    if check_mode or not plan.changes:
        return Brought(plan, before, before, plan.warnings)
    told = [f"{state.what}: {change.line()}" for change in plan.changes]
    return keep(told, lambda: _written(github, state, before, plan))


def _written(github: GitHub, state: State[Present], before: Present, plan: Plan) -> Brought[Present]:
    warnings = plan.warnings
    doubt: Uncertain | None = None
    try:
        state.apply(github, plan)
    except Uncertain as error:
        doubt = error
    except GitHubError as error:
        raise _interrupted(github, state, before, error) from None
    after = state.read(github)
    left = state.left(before, after)
    if not left:
        if doubt:
            warnings = (*warnings, f"{doubt}; read back, it was carried out.")
        return Brought(plan, before, after, warnings)
    still = "; ".join(change.line() for change in left)
    if doubt:
        raise GitHubError(
            "uncertain",
            f"{doubt}. Read back, {state.what} is not as wanted: {still}",
            doubt.ways,
            touched=True,
        )
    raise GitHubError(
        "not_taken",
        f"GitHub reported no error, and yet {state.what} is not in the wanted state: {still}",
        [("the plan and the organisation's policies", "may forbid it silently; see its settings on the web")],
        touched=True,
    )


def _interrupted(github: GitHub, state: State[Present], before: Present, error: GitHubError) -> GitHubError:
    """A refusal of one write, with what the writes before it left: the ways stay, the claim is read back."""
    try:
        touched = state.read(github) != before
    except GitHubError:
        touched = True
    text = f"{error}. The writes before it were carried out" if touched else str(error)
    return replace(error, text=text, touched=touched)


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


def diff(changes: Iterable[Change], header: str) -> dict[str, str]:
    """The changes as Ansible shows them."""
    found = list(changes)
    sides = {
        side: "".join(f"{change.subject}: {getattr(change, side)}\n" for change in found if getattr(change, side))
        for side in ("before", "after")
    }
    return {**sides, "before_header": header, "after_header": header}


def result(brought: Brought[Any], what: str) -> dict[str, Any]:
    """The result of every module of a setting."""
    plan = brought.plan
    return {
        "changed": brought.changed,
        "changes": [{"subject": one.subject, "before": one.before, "after": one.after} for one in plan.changes],
        "requests": [f"{write.method} {write.path}" for write in plan.writes],
        "warnings": list(brought.warnings),
        "diff": diff(plan.changes, what),
    }
