# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if the migrations between two releases let a change continue, which are run or undone, and the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison, Undoing
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import MigrationsRecord

#: The state that a failed or killed migration leaves in a database without transactions for it (MySQL, SQLite).
LEFT_HALF_DONE = "may have left a part of its changes: this database can't take them back by itself"


def cut(transactional: bool) -> dict[str, str]:
    """For the data of a step that migrates: what it may have left where it was cut off. See journal.Step."""
    return {} if transactional else {"cut": f"The migration under way {LEFT_HALF_DONE}"}


#: Allowed values of the operator input `migrations`, by procedure; the first is the default.
MODES = {"rollback": ("refuse", "keep", "down"), "deploy": ("run", "skip", "keep")}


@dataclass(frozen=True)
class Migrations:
    """Migrations of one operation.

    system: the prefix of its procedures' names, such as laravel. target: the release to go to, for people.
    typed: the same as it is typed. here: migrations are run and undone on this host. ups: the SQL of those that a
    deploy would run, by name. row_counts: how many rows a loss concerns, by its text. pending: migrations of the
    present release that the database lacks. unasked: questions about the target that got no answer, as sentences.
    """

    system: str
    procedure: str
    mode: str
    target: str
    typed: str
    comparison: Comparison
    undoing: Undoing
    here: bool = True
    ups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    row_counts: Mapping[str, str] = field(default_factory=dict)
    pending: Sequence[str] = ()
    unasked: Sequence[str] = ()

    @property
    def migrates(self) -> bool:
        """True if this operation lets the target run what is pending then, whether it is known by now or not."""
        return self.procedure == "deploy" and self.mode != "skip" and self.here

    @property
    def runs(self) -> Sequence[str]:
        """Migrations that this operation runs, oldest first."""
        return self.comparison.behind if self.migrates else ()

    @property
    def undoes(self) -> Sequence[str]:
        """Migrations that this operation undoes, newest first."""
        wanted = self.procedure == "rollback" and self.mode == "down" and self.here
        return self.comparison.ahead if wanted else ()

    @property
    def cost(self) -> list[str]:
        """Data that undoing destroys."""
        untried = self.undoing.untried
        return [
            f"{loss.text} ({self.row_counts[loss.text]})" if loss.text in self.row_counts else loss.text
            for loss in self.undoing.losses
        ] + ([f"what can't be told of {', '.join(untried)}"] if untried else [])


def refuse(known: Migrations) -> Problem | None:
    """The migration verdict, before anything moves."""
    comparison, mode = known.comparison, known.mode
    if known.procedure == "deploy":
        return _refuse_deploy(known)
    if mode == "keep" or comparison.verdict == "same":
        return None
    if comparison.verdict == "unknown":
        return Problem(
            "migrations_unknown",
            f"where the database stands can't be told: {comparison.error}",
            (("migrations=keep", f"you assert that {known.target} works with the database as it is"),),
            tuple(f"the target does not know: {name}" for name in comparison.ahead),
        )
    if comparison.verdict == "behind":
        return Problem(
            "migrations_behind",
            f"{known.target} expects {len(comparison.behind)} migrations that the database does not have, "
            "and a rollback runs none",
            (
                (f"{known.system}_deploy with to={known.typed}", "goes there and runs them"),
                ("migrations=keep", f"you assert that {known.target} works without them"),
            ),
            tuple(f"not in the database: {name}" for name in comparison.behind),
        )
    if mode == "down":
        return _refuse_down(known)
    ways = [
        (
            "migrations=keep",
            f"you assert that {known.target} works with the newer schema; no data is lost",
        )
    ]
    if not known.undoing.irreversible and comparison.verdict == "ahead":
        cost = ", ".join(known.cost) or "no table and no column is dropped"
        ways.append(("migrations=down", f"undoes them from the newer code, before the switch; destroys: {cost}"))
    return Problem(
        "migrations_ahead",
        f"the database has {len(comparison.ahead)} migrations that {known.target} does not know",
        tuple(ways),
        tuple(_describe_downs(known)),
    )


def _refuse_down(known: Migrations) -> Problem | None:
    keep = (("migrations=keep", f"you assert that {known.target} works with the newer schema"),)
    if known.comparison.verdict == "diverged":
        return Problem(
            "migrations_diverged",
            "the database has migrations that the target does not know, and lacks some that it expects",
            keep,
            tuple(f"not in the database: {name}" for name in known.comparison.behind),
        )
    if known.undoing.irreversible:
        return Problem(
            "migrations_irreversible",
            f"{len(known.undoing.irreversible)} of {len(known.comparison.ahead)} migrations can't be undone",
            keep,
            tuple(f"{name}: {why}" for name, why in known.undoing.irreversible.items()),
        )
    return None


def _refuse_deploy(known: Migrations) -> Problem | None:
    comparison = known.comparison
    if known.mode == "keep":
        return None
    # Migrations of the target's packages are known once they are installed: then it migrates, and the gate looks again.
    if comparison.verdict == "unknown" and not comparison.unsure and known.mode != "skip":
        return Problem(
            "migrations_unknown",
            f"where the database stands can't be told: {comparison.error}",
            (
                ("migrations=skip", "deploys without running migrations"),
                (
                    "migrations=keep",
                    f"you assert that {known.target} works with the database as it is",
                ),
            ),
        )
    if comparison.ahead:
        return Problem(
            "migrations_ahead",
            f"the database has {len(comparison.ahead)} migrations that {known.target} does not know",
            (
                ("migrations=keep", f"you assert that {known.target} works with the newer schema"),
                (
                    f"{known.system}_rollback with to={known.typed}",
                    "says which of them can be undone, and at what cost",
                ),
            ),
            tuple(comparison.ahead),
        )
    return None


def _describe_downs(known: Migrations) -> list[str]:
    lines: list[str] = []
    for name in known.comparison.ahead:
        why = known.undoing.irreversible.get(name)
        untried = known.undoing.untried.get(name)
        end = f" can't be undone: {why}" if why else f" its down() was not tried: {untried}" if untried else ""
        lines.append(f"{name}:{end}")
        lines += [f"  {statement}" for statement in known.undoing.sql.get(name, ())]
    return lines


def record(known: Migrations) -> MigrationsRecord:
    """The migrations as the plan and the ledger record them."""
    comparison = known.comparison
    sql: dict[str, list[str]] = {}
    if known.undoes:
        sql = {name: list(statements) for name, statements in known.undoing.sql.items()}
    elif known.runs:
        sql = {name: list(statements) for name, statements in known.ups.items()}
    return {
        "mode": known.mode,
        "verdict": comparison.verdict,
        "ahead": list(comparison.ahead),
        "behind": list(comparison.behind),
        "foreign": list(comparison.foreign),
        "unsure": list(comparison.unsure),
        "error": comparison.error,
        "unasked": list(known.unasked),
        "pending": list(known.pending),
        "migrate": known.migrates,
        "run": list(known.runs),
        "down": list(known.undoes),
        "here": known.here,
        "sql": sql,
        "losses": known.cost if known.undoes else [],
    }
