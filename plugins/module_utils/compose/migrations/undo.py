# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations that going back from a deploy undoes: those that it ran, or that its images ran when they started. Pure.

They are minutes old. Those that can be undone exactly and without a loss are undone, from the newer image. Others are
left, unless the release before would not start on them: then the way back holds until a person has decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.compose import alembic
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison


@dataclass(frozen=True)
class New:
    """The migrations that the database has now and had not before.

    names: newest first. targets: what to give to `alembic downgrade`. stays: what is applied afterwards. why_not: why
    they can't be undone exactly; empty where they can. losses: what undoing them destroys.
    """

    names: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    why_not: str = ""
    losses: tuple[verdict.Loss, ...] = ()


def new(known: alembic.Graph, before: Sequence[str], answer: Answer) -> New:
    """Compare the database's position now with the one before. before: the heads that it had."""
    heads = answer.heads or ()
    now = alembic.applied(known, heads)
    names = newer(known, before, heads)
    if not names:
        return New()
    strange = [name for name in heads if name not in known]
    if strange:
        return New(names, why_not=f"the database is at {', '.join(strange)}, which the new image does not know")
    undoing = verdict.undoing(Comparison("ahead", names), answer.downs)
    if undoing.irreversible:
        reasons = "; ".join(f"{name}: {why}" for name, why in undoing.irreversible.items())
        return New(names, why_not=f"can't be undone: {reasons}")
    try:
        targets = alembic.downgrade_targets(known, heads, names)
    except alembic.NotExact as error:
        return New(names, why_not=f"alembic downgrade can't undo exactly these: {error}")
    return New(names, targets, tuple(sorted(set(now) - set(names))), "", tuple(undoing.losses))


def newer(known: alembic.Graph, before: Sequence[str], heads: Sequence[str]) -> tuple[str, ...]:
    """The migrations that the database has at its heads now, and had not at those before; newest first."""
    had = set(alembic.applied(known, before))
    return tuple(name for name in reversed(alembic.applied(known, heads)) if name not in had)


def moved(known: alembic.Graph, before: Sequence[str], heads: Sequence[str]) -> dict[str, list[str]] | None:
    """The note of an operation that ran no migration, and whose database moved all the same; None where it did not.

    Keys: by_itself (the migrations, oldest first), before and heads (the positions).
    """
    if set(before) == set(heads):
        return None
    names = list(reversed(newer(known, before, heads)))
    return {"by_itself": names, "before": sorted(before), "heads": sorted(heads)}


def by_itself(found: New, planned: Sequence[str] | None, itself: str) -> str:
    """The sign that the images migrate when they start; empty without one.

    planned: the migrations that the deploy itself was to run, None where its plan does not say. itself: the sign that
    the plan found in their entrypoint. The new images ran a migration of the database that nobody planned.
    """
    if itself or planned is None:
        return itself
    unplanned = [name for name in found.names if name not in planned]
    return f"the database has {', '.join(unplanned)}, which this deploy did not run" if unplanned else ""


@dataclass(frozen=True)
class Decision:
    """kind: nothing, undo, leave or hold. why: for people, of what is left or held."""

    kind: str
    why: str = ""


def decide(found: New, counts: Mapping[str, str], itself: str, shared: bool, mode: str) -> Decision:
    """The decision of going back. counts: rows of each loss, by its text; one that was not counted may hold anything.

    itself: the sign that the images migrate when they start. shared: other hosts use the database. mode: the
    operator's input `migrations`: down undoes whatever is lost, keep leaves them.
    """
    if not found.names:
        return Decision("nothing")
    names = ", ".join(found.names)
    if mode == "keep":
        return Decision("leave", "migrations=keep")
    lost = [loss.text for loss in found.losses if counts.get(loss.text) != _NONE]
    if found.why_not:
        return _left(itself, f"{names} {found.why_not}", may_undo=False)
    if mode == "down" or not (lost or shared):
        return Decision("undo")
    if shared:
        return _left(itself, "other hosts share the database", may_undo=True)
    cost = ", ".join(f"{text} ({counts.get(text, 'rows not counted')})" for text in lost)
    return _left(itself, f"undoing {names} would destroy {cost}", may_undo=True)


_NONE = "0 rows"


def _left(itself: str, why: str, may_undo: bool) -> Decision:
    if not itself:
        return Decision("leave", why)
    undo = "interrupted=undo migrations=down undoes them from the new image and goes back; " if may_undo else ""
    return Decision(
        "hold",
        f"the release before migrates by itself when it starts ({itself}) and would not start on this database: {why}. "
        f"The new release is left running. {undo}interrupted=undo migrations=keep goes back and leaves them; "
        "interrupted=accept stays here",
    )
