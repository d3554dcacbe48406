# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the database with the release that runs after a change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Found:
    """Migrations as the running release reports them. applied: None if they are not known; error says why.

    known: the migrations that its own migrator finds; None where the release did not boot. broken: it does not boot.
    """

    applied: Sequence[str] | None
    known: Sequence[str] | None
    error: str = ""
    broken: bool = False

    @property
    def pending(self) -> tuple[str, ...] | None:
        """Migrations of the release that the database lacks; None if that is not known."""
        if self.applied is None or self.known is None:
            return None
        return tuple(sorted(set(self.known) - set(self.applied)))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Migrations of the database that the release does not know."""
        if self.applied is None or self.known is None:
            return ()
        return tuple(name for name in self.applied if name not in set(self.known))


@dataclass(frozen=True)
class Judged:
    """problem: why the result is not good; empty where it is. notes: what a person should know all the same.

    of_release: the problem is one of the release, and not of a database that does not answer.
    """

    problem: str = ""
    notes: tuple[str, ...] = ()
    of_release: bool = True


def found(answer: Mapping[str, Any]) -> Found:
    """Migrations from an application's answer, see ask() of laravel/probe.py."""
    database = answer.get("database") or {}
    why = answer.get("boot_error") or answer.get("unanswered") or database.get("error") or answer.get("error")
    files = database.get("files")
    applied = database.get("applied")
    return Found(
        None if applied is None else list(applied),
        None if files is None or answer.get("boot_error") or answer.get("unanswered") else list(files),
        str(why or ""),
        bool(answer.get("boot_error")),
    )


def judge(now: Found, planned: Mapping[str, Any] | None, procedure: str, direction: str) -> Judged:
    """Compare what is pending and unknown now with what the plan meant to leave.

    planned: the plan's record of migrations; None or without `pending` where an older plan wrote none, or where nothing
    was to be changed. Then it is only said.
    """
    record = planned or {}
    back = direction == "back"
    # With `keep` or `skip` the user has accepted the pending migrations.
    bound = not back and procedure in ("deploy", "rollback") and "pending" in record
    strict = bound and record.get("mode") not in ("skip", *(("keep",) if procedure == "rollback" else ()))
    pending = now.pending
    if pending is None:
        text = f"which migrations are pending can't be told: {now.error or 'the application does not say'}"
        return Judged(text, of_release=now.broken) if strict else Judged("", (text,) if record else ())
    notes = []
    if now.unknown and record:
        notes.append(f"the database has migrations that this release does not know: {_names(now.unknown)}")
    if not pending:
        return Judged("", tuple(notes))
    if strict:
        who = "it" if record.get("here", True) else "another host"
        what = f"although {who} should have run them" if procedure == "deploy" else "and a rollback runs none"
        return Judged(f"{len(pending)} migrations of this release are pending, {what}: {_names(pending)}", tuple(notes))
    fresh = [name for name in pending if name not in (record.get("pending") or ())]
    if back and "pending" in record and fresh:
        text = f"{len(fresh)} migrations are pending that were not before: {_names(fresh)}"
        return Judged(text, tuple(notes))
    return Judged("", (*notes, f"{len(pending)} migrations of this release are pending: {_names(pending)}"))


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
