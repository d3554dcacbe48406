# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of one part of a Dokku app: what it is, what it is to be, and the commands between the two.

Each part (its configuration, its domains, its limits ...) has a file `dokku_state_<part>.py` with one class. The
modules bring one part to a state; the procedures bring several, each as one step of their journal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

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
class Command:
    """One call of dokku. What goes over standard input may be secret."""

    arguments: tuple[str, ...]
    stdin: str | None = field(default=None, repr=False)
    timeout: float | None = None


@dataclass(frozen=True)
class Plan:
    """changes: what differs. commands: what makes it so, in their order. warnings: what a person should know."""

    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        return [change.line() for change in self.changes]


class State(ABC, Generic[Present]):
    """A wanted state of one part of an app."""

    app: str

    @abstractmethod
    def read(self, dokku: Dokku) -> Present:
        """The present state. Changes nothing. Raises DokkuError, or Problem."""

    @abstractmethod
    def plan(self, present: Present) -> Plan:
        """The differences from the wanted state, and the commands. Pure. Raises Problem."""

    def apply(self, dokku: Dokku, plan: Plan, present: Present) -> None:
        """Make it so. Raises DokkuError, or Problem."""
        for command in plan.commands:
            dokku.run(*command.arguments, stdin=command.stdin, timeout=command.timeout)

    def left(self, after: Present) -> Sequence[Change]:
        """The differences that are left after the commands."""
        return self.plan(after).changes


@dataclass(frozen=True)
class Brought(Generic[Present]):
    """The result of a change. before and after: as they were read; in check mode after is the state before."""

    plan: Plan
    before: Present
    after: Present

    @property
    def changed(self) -> bool:
        return bool(self.plan.changes)


def bring(
    dokku: Dokku,
    state: State[Present],
    check_mode: bool = False,
    beforehand: Callable[[], object] = lambda: None,
) -> Brought[Present]:
    """Bring a part of an app to a state, and read it again: dokku's own "0" proves nothing.

    beforehand: if there is something to change, refuses by Problem what would follow.
    Raises DokkuError, or Problem.
    """
    before = state.read(dokku)
    plan = state.plan(before)
    if plan.changes:
        beforehand()
    if check_mode or not plan.changes:
        return Brought(plan, before, before)
    state.apply(dokku, plan, before)
    after = state.read(dokku)
    left = state.left(after)
    if left:
        raise Problem(
            "not_taken",
            f"dokku reported no error, and yet {state.app} is not in the wanted state: "
            f"{'; '.join(change.line() for change in left)}",
            [("the same again", "tries again; dokku events shows what else happened")],
            touched=True,
        )
    return Brought(plan, before, after)


def diff(changes: Iterable[Change], header: str) -> dict[str, str]:
    """The changes as Ansible shows them."""
    found = list(changes)
    sides = {
        side: "".join(f"{change.subject}: {getattr(change, side)}\n" for change in found if getattr(change, side))
        for side in ("before", "after")
    }
    return {**sides, "before_header": header, "after_header": header}


def result(brought: Brought[Any], header: str) -> dict[str, Any]:
    """The result of every module of a part."""
    plan = brought.plan
    return {
        "changed": brought.changed,
        "changes": [{"subject": one.subject, "before": one.before, "after": one.after} for one in plan.changes],
        "commands": [" ".join(("dokku", *command.arguments)) for command in plan.commands],
        "warnings": list(plan.warnings),
        "diff": diff(plan.changes, header),
    }


def text_of(report: Mapping[str, Any], key: str) -> str:
    """A value of a report, which holds texts alone; empty where an older Dokku has no such key."""
    return str(report.get(key, "") or "").strip()


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a sentence."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
