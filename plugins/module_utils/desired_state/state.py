# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired state of one thing: what it is, what it is to be, the acts between the two, and whether they were taken.

A system says what an act is (a command, a request) and what its client is. Each of its things is a class that reads
and plans; `bring` does the rest, for every one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


class Act(Protocol):
    """One call that changes something. What it sends may be secret."""

    def line(self) -> str:
        """The call as a result shows it, without secrets."""


Client = TypeVar("Client")
Acts = TypeVar("Acts", bound=Act)
Present = TypeVar("Present")
Came = TypeVar("Came")

#: Does a change and records it: what differs in lines, and what makes it so.
Keep = Callable[[Sequence[str], Callable[[], Came]], Came]


def unrecorded(_changes: Sequence[str], change: Callable[[], Came]) -> Came:
    return change()


@dataclass(frozen=True)
class Change:
    """One difference. before and after are for people, without secrets; empty for "not set"."""

    subject: str
    before: str
    after: str

    def line(self) -> str:
        return f"{self.subject}: {self.before or 'not set'} -> {self.after or 'not set'}"


@dataclass(frozen=True)
class Plan(Generic[Acts]):
    """changes: what differs. acts: what makes it so, in their order. warnings: what a person should know."""

    changes: tuple[Change, ...] = ()
    acts: tuple[Acts, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        return [change.line() for change in self.changes]


class State(ABC, Generic[Client, Acts, Present]):
    """A wanted state of one thing. Each method raises Problem, or what the client of the system raises."""

    @abstractmethod
    def read(self, client: Client, /) -> Present:
        """The present state. Changes nothing."""

    @abstractmethod
    def plan(self, present: Present) -> Plan[Acts]:
        """The differences from the wanted state, and the acts. Pure."""

    @abstractmethod
    def apply(self, client: Client, plan: Plan[Acts], present: Present, /) -> None:
        """Do the acts."""

    def carry_out(self, client: Client, plan: Plan[Acts], present: Present, /) -> Problem | None:
        """Make it so. A problem that is returned is a doubt: only reading back tells whether the acts were done."""
        self.apply(client, plan, present)
        return None

    def left(self, before: Present, after: Present) -> Sequence[Change]:
        """The differences that are left after the acts. Pure."""
        return self.plan(after).changes

    @abstractmethod
    def not_taken(self, still: str, doubt: Problem | None) -> Problem:
        """The problem that the acts left differences. still: those, in one line."""


@dataclass(frozen=True)
class Brought(Generic[Acts, Present]):
    """The result of a change. before and after: as they were read; in check mode after is the state before."""

    plan: Plan[Acts]
    before: Present
    after: Present
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.plan.changes)


def bring(
    client: Client,
    state: State[Client, Acts, Present],
    check_mode: bool = False,
    beforehand: Callable[[], object] = lambda: None,
    keep: Keep[Brought[Acts, Present]] = unrecorded,
) -> Brought[Acts, Present]:
    """Bring a thing to its state, and read it again: that a system reports no error proves nothing.

    beforehand: if there is something to change, refuses by Problem what would follow. keep: records the change.
    Raises Problem, or what the client raises.
    """
    before = state.read(client)
    plan = state.plan(before)
    if plan.changes:
        beforehand()
    if check_mode or not plan.changes:
        return Brought(plan, before, before, plan.warnings)
    return keep(plan.lines(), lambda: _proven(client, state, plan, before))


def _proven(
    client: Client, state: State[Client, Acts, Present], plan: Plan[Acts], before: Present
) -> Brought[Acts, Present]:
    doubt = state.carry_out(client, plan, before)
    after = state.read(client)
    left = state.left(before, after)
    if left:
        raise state.not_taken("; ".join(change.line() for change in left), doubt)
    told = (f"{doubt}; read back, it was carried out.",) if doubt else ()
    return Brought(plan, before, after, (*plan.warnings, *told))


def diff(changes: Iterable[Change], header: str) -> dict[str, str]:
    """The changes as Ansible shows them."""
    found = list(changes)
    sides = {
        side: "".join(f"{change.subject}: {getattr(change, side)}\n" for change in found if getattr(change, side))
        for side in ("before", "after")
    }
    return {**sides, "before_header": header, "after_header": header}


def result(brought: Brought[Acts, Any], header: str, acts: str) -> dict[str, Any]:
    """The result of a module. header: the thing, above its diff. acts: the key that the acts have in the result."""
    plan = brought.plan
    return {
        "changed": brought.changed,
        "changes": [{"subject": one.subject, "before": one.before, "after": one.after} for one in plan.changes],
        acts: [act.line() for act in plan.acts],
        "warnings": list(brought.warnings),
        "diff": diff(plan.changes, header),
    }
