# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of a database in the history of two images' Alembic scripts. Pure.

An image brings a graph of revisions: several branches, merges, and revisions that depend on others. The database
holds the heads of the applied revisions: everything at or below those heads was applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Position


class NotExact(Exception):
    """The revisions can't be undone by `alembic downgrade` without undoing others, or everything."""


@dataclass(frozen=True)
class Revision:
    """One migration. down: the revisions it follows. depends: those that it needs besides."""

    id: str
    down: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    title: str = ""

    @property
    def below(self) -> tuple[str, ...]:
        return (*self.down, *self.depends)


Graph = Mapping[str, Revision]


def graph(raw: Iterable[Mapping[str, Any]]) -> dict[str, Revision]:
    """The revisions as an image listed them."""
    return {
        str(entry["id"]): Revision(
            str(entry["id"]),
            tuple(entry.get("down") or ()),
            tuple(entry.get("depends") or ()),
            str(entry.get("title") or ""),
        )
        for entry in raw
    }


def heads(known: Graph) -> tuple[str, ...]:
    """The revisions that none follows."""
    followed = {below for revision in known.values() for below in revision.down}
    return tuple(sorted(name for name in known if name not in followed))


def applied(known: Graph, at: Iterable[str]) -> list[str]:
    """Everything at or below some revisions, each after those it depends on; equals by name."""
    found: set[str] = set()
    waiting = [name for name in at if name in known]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [below for below in known[name].below if below in known]
    return ordered(known, found)


def ordered(known: Graph, names: Iterable[str]) -> list[str]:
    """Names, each after those it depends on."""
    left, result = set(names), list[str]()
    while left:
        ready = sorted(name for name in left if not left & set(known[name].below))
        # A circle is not possible in Alembic; a broken image must not hang the plan.
        ready = ready or sorted(left)
        result += ready
        left -= set(ready)
    return result


def position(
    database: Sequence[str] | None, error: str, current: Graph | None, target: Graph | None, newer: str = "this image"
) -> Position:
    """The three schema positions, as the verdict wants them.

    database: the heads that it holds, None where it can't be read. current: None where nobody had to ask.
    """
    if target is None:
        return Position(None, (), (), error=error or "the target's migrations can't be read")
    known: dict[str, Revision] = {**target, **(current or {})}
    if database is None:
        return Position(None, known, target, error=error)
    strange = [name for name in database if name not in known]
    if strange:
        return Position(
            None,
            known,
            target,
            error=f"it is at {', '.join(strange)}, and neither {newer} nor the target knows that revision",
        )
    return Position(applied(known, database), tuple(current if current is not None else target), tuple(target))


def behind_in_order(known: Graph, names: Iterable[str]) -> tuple[str, ...]:
    """Revisions in the order in which an upgrade runs them."""
    return tuple(ordered(known, [name for name in names if name in known]))


def downgrade_targets(known: Graph, at: Iterable[str], undo: Iterable[str]) -> tuple[str, ...]:
    """Arguments for `alembic downgrade`, one after the other, so that exactly these revisions are undone.

    `alembic downgrade X` undoes everything applied that stands on X, on each branch; `X@base` undoes X, which has
    nothing below it, and everything that stands on it. Raises NotExact if that would undo more than these.
    """
    active, wanted = set(applied(known, at)), set(undo)
    lowest = [name for name in ordered(known, wanted) if not wanted & set(known[name].down)]
    targets: dict[str, None] = {}
    covered: set[str] = set()
    for name in lowest:
        if name in covered:
            continue
        # An id names a branch as well as a label does.
        parent = known[name].down[0] if known[name].down else f"{name}@base"
        dropped = _dropped(known, active, parent) if known[name].down else _standing_on(known, active, [name])
        if not dropped <= wanted:
            more = ", ".join(ordered(known, dropped - wanted))
            raise NotExact(f"going down to {parent} would undo {more} too, which the target has")
        covered |= dropped
        targets[parent] = None
    if covered != wanted:
        raise NotExact(f"{', '.join(ordered(known, wanted - covered))} would stay")
    return tuple(targets)


def _dropped(known: Graph, active: set[str], parent: str) -> set[str]:
    """Revisions that `alembic downgrade parent` undoes: its successors, and all that depend on those."""
    return _standing_on(known, active, [name for name in active if parent in known[name].down])


def _standing_on(known: Graph, active: set[str], names: Iterable[str]) -> set[str]:
    """These applied revisions, and all that depend on them."""
    found: set[str] = set()
    waiting = [name for name in names if name in active]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in active if name in known[other].below]
    return found
