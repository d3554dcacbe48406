# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The migrations of an app's database, as far as Dokku shows them. Pure.

The app's own command (`php artisan migrate:status`) lists the migrations of the database and of the code that runs.
Only the code of an earlier release knows that release's migrations, and it does not run. So each deploy writes down
those of its release, and a rollback to a release without such a note has the verdict `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict
from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import Migrations
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison, Position, Undoing

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import MigrationsRecord

#: A line of `artisan migrate:status`: "  2024_05_01_000000_add_note ...... [2] Ran", or as a table of older versions.
_NEW = re.compile(r"^\s*(\d{4}_\d{2}_\d{2}_\d{6}_\w+)\s\.*\s*(?:\[\d+\]\s*)?(Ran|Pending)\s*$")
_OLD = re.compile(r"^\|\s*(Yes|No)\s*\|\s*(\d{4}_\d{2}_\d{2}_\d{6}_\w+)\s*\|")

_NOT_UNDONE = (
    "a rollback of Dokku runs none; dokku run {app} php artisan migrate:rollback before it, on the host, "
    "while the newer code is live"
)


@dataclass(frozen=True)
class Status:
    """The command's list: migrations of the running code, in order, and those that the database lacks."""

    known: tuple[str, ...]
    pending: tuple[str, ...]

    @property
    def ran(self) -> tuple[str, ...]:
        return tuple(name for name in self.known if name not in self.pending)


def parse(text: str) -> Status | None:
    """The list of a command's output; None if its form is not known."""
    known: dict[str, bool] = {}
    for line in text.splitlines():
        new, old = _NEW.match(line), _OLD.match(line)
        if new:
            known[new[1]] = new[2] == "Pending"
        elif old:
            known[old[2]] = old[1] == "No"
    if not known and "No migrations found" not in text:
        return None
    return Status(tuple(known), tuple(name for name, waits in known.items() if waits))


def note(status: Status, app: str) -> dict[str, Any]:
    """The ledger's note of a release, and the work left to do."""
    left = [f"{app} has migrations that the database lacks: {', '.join(status.pending)}"] if status.pending else []
    return {"known": list(status.known), "pending": list(status.pending), **({"left_to_do": left} if left else {})}


def known_by(records: Iterable[Mapping[str, Any]], identity: str) -> tuple[str, ...] | None:
    """The migrations that a release brings, as its newest good operation wrote down; None where none did."""
    found: tuple[str, ...] | None = None
    for record in records:
        target, written = record.get("to") or {}, (record.get("notes") or {}).get("migrations") or {}
        if record.get("outcome") == "succeeded" and target.get("id") == identity and "known" in written:
            found = tuple(written["known"])
    return found


def judge(
    app: str, status: Status | None, error: str, known: Sequence[str] | None, target: str, typed: str, mode: str
) -> Migrations:
    """Migrations of a rollback. status: None if the command did not tell; error: why. known: by the target."""
    if status is None:
        comparison = Comparison("unknown", error=error)
    elif known is None:
        comparison = Comparison(
            "unknown", error=f"no operation wrote down which migrations {target} has, and only its own code can tell"
        )
    else:
        found = verdict.compare(Position(status.ran, status.known, known))
        # A migration that the target brings and the database lacks was pending before, too.
        comparison = Comparison("ahead" if found.ahead else "same", found.ahead, foreign=found.foreign)
    irreversible = dict.fromkeys(comparison.ahead, _NOT_UNDONE.format(app=app))
    undoing = Undoing(comparison.ahead, irreversible, {}, ())
    return Migrations("dokku", "rollback", mode, target, typed, comparison, undoing)


def skipped(mode: str, why: str, target: str, typed: str) -> MigrationsRecord:
    """The record where nobody looked."""
    known = Migrations(
        "dokku", "rollback", mode, target, typed, Comparison("unknown", error=why), Undoing((), {}, {}, ())
    )
    return migration_plan.record(known)
