# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the state folder of a service says: its records, its releases, who operates it, what was left unfinished."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import journal, release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.journal import Progress
from ansible_collections.ops.runbook.plugins.module_utils.lease import Lease
from ansible_collections.ops.runbook.plugins.module_utils.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.opening import Refused, describe_holder


class StateUnreadable(Exception):
    """The state folder is there, but this user may not read it."""


def read(guard: Guard) -> dict[str, Any]:
    """Everything the state folder says, changing nothing. Raises StateUnreadable.

    Keys: exists, records (all, oldest first), chain, lease, interrupted, releases, current, previous.
    """
    try:
        # A test for existence would call a folder absent that this user is not allowed to see.
        exists = os.stat(guard.state_dir) is not None
        os.listdir(guard.state_dir)
    except FileNotFoundError:
        exists = False
    except OSError as error:
        raise _unreadable(guard.state_dir, error) from error
    if not exists:
        return picture(Ledger(), None, "free", None, exists=False)
    try:
        # The standing before the journal: an operation that ends in between is then seen as ended.
        lease, standing = guard.lease(), guard.standing()
        return picture(guard.ledger(), lease, standing, guard.progress())
    except OSError as error:
        raise _unreadable(guard.state_dir, error) from error
    except Refused as refused:
        refusal = refused.refusal
        raise StateUnreadable("; ".join([refusal.text, *(f"{way} ({why})" for way, why in refusal.ways)])) from refused


def _unreadable(folder: str, error: OSError) -> StateUnreadable:
    user, owner = _name(os.geteuid()), ""
    with contextlib.suppress(OSError):
        owner = _name(os.stat(folder).st_uid)
    way = f"connect as {owner or 'the user who operates the service'} (-u {owner or '<user>'}, or ansible_user)"
    return StateUnreadable(f"{user} can't read the state folder {folder}: {error.strerror}; {way}")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def picture(
    book: Ledger, lease: Lease | None, standing: str, progress: Progress | None, exists: bool = True
) -> dict[str, Any]:
    """The same from what was read. Pure."""
    past = release_choice.history(book.records)
    previous, why_none = _previous(past, bool(book.problems))
    images = _images(book.records)
    return {
        "exists": exists,
        "records": list(book.records),
        "total": len(book.records),
        "chain": {
            "ok": not book.problems,
            "problems": list(book.problems),
            "torn": book.torn.decode("utf-8", "replace"),
        },
        "lease": None if lease is None else {**asdict(lease), "standing": standing, "holder": describe_holder(lease)},
        "interrupted": interrupted(progress, standing),
        "releases": [
            {
                **asdict(release),
                "images": images.get(release.id, {}),
                "current": release.id == past.left,
                "previous": previous is not None and release.id == previous.id,
            }
            for release in past.order
        ],
        "current": past.left,
        "never": [asdict(release) for release in past.never],
        "previous": {
            "passed_over": release_choice.passed_over(past, past.left or "", previous),
            "id": previous.id if previous else None,
            "name": previous.name if previous else "",
            "why_none": why_none,
        },
    }


def _images(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The images of each release that is made of them, by its id."""
    targets = [record["to"] for record in records if isinstance(record.get("to"), Mapping)]
    return {str(target.get("id")): target["images"] for target in targets if target.get("images")}


def _previous(past: release_choice.History, damaged: bool) -> tuple[release_choice.Release | None, str]:
    if damaged:
        return None, "the ledger is damaged; laravel_adopt with set_aside_ledger=true begins a new one"
    if past.order and past.left is None:
        return None, "the ledger does not say which release the last operation left"
    try:
        return release_choice.previous(past, past.left or ""), ""
    except release_choice.NoRelease as none:
        return None, str(none)


def interrupted(progress: Progress | None, standing: str) -> dict[str, Any] | None:
    """An operation without an end, and what can be done about it; None while its owner may be at work."""
    if progress is None or standing in ("running", "waiting"):
        return None
    verdict, plan = journal.classify(progress), progress.plan or {}
    if verdict.kind == "untouched":
        # The next operation buries it by itself.
        return None
    return {
        "operation": progress.operation,
        "procedure": progress.opened.get("procedure"),
        "actor": progress.opened.get("actor"),
        "started": progress.opened.get("started"),
        "from": plan.get("from"),
        "to": plan.get("to"),
        "direction": progress.direction,
        "done": list(progress.done),
        "remaining": [step.id for step in progress.remaining(progress.direction)],
        "verdict": verdict.kind,
        "ways": list(verdict.ways),
        "text": verdict.text,
    }


def select(
    records: Sequence[Mapping[str, Any]], limit: int = 0, procedure: str = "", outcome: str = ""
) -> list[Mapping[str, Any]]:
    """The newest so many records of a procedure and an outcome, oldest first; empty and 0 mean all."""
    found = [
        record
        for record in records
        if (not procedure or record.get("procedure") == procedure) and (not outcome or record.get("outcome") == outcome)
    ]
    return found[-limit:] if limit > 0 else found
