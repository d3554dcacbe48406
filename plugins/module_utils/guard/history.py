# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state folder of a service: its records, its releases, its operator, its unfinished operation."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import journal, ledger_keys, release_choice, state_owner
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Progress
from ansible_collections.ops.runbook.plugins.module_utils.guard.lease import Lease
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers, Ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.opening import describe_holder
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record


class StateUnreadable(Problem):
    """A state folder that is there, and is not read: this user may not, or its records are of another service."""


@dataclass(frozen=True)
class Wanted:
    """The part of a ledger that is shown.

    limit: how many records, the newest; 0 means all. releases: how many releases; None means as many as records.
    procedure and outcome: of the records; empty means any. also: keys of older records that are shown too, see
    ledger_keys. acted: at least one of the records is not of a refusal. verify: all of the ledger is read.
    """

    limit: int = 0
    releases: int | None = None
    procedure: str = ""
    outcome: str = ""
    also: tuple[tuple[str, str], ...] = ()
    acted: bool = False
    verify: bool = False


#: Records that a status reads: the last operations, and the last maintenance, backup and hotfix, however long ago.
LATELY = Wanted(
    limit=20,
    also=(
        (ledger_keys.ENDED, "maintenance/succeeded"),
        (ledger_keys.ENDED, "maintenance/failed"),
        (ledger_keys.ENDED, "backup/succeeded"),
        (ledger_keys.HOTFIX, ledger_keys.LATEST),
    ),
    acted=True,
)


def of(guard: Guard, subject: Subject) -> dict[str, Any]:
    """The facts of a state folder for a status. Raises StateUnreadable, also if it is the folder of another subject."""
    try:
        other = state_owner.refusal(guard.path(state_owner.NAME), subject)
    except OSError as error:
        raise _unreadable(guard.state_dir, error) from error
    if other is not None:
        raise StateUnreadable("state_unreadable", other.text, other.ways)
    return read(guard, LATELY)


def read(guard: Guard, wanted: Wanted = Wanted()) -> dict[str, Any]:  # noqa: B008 (it is frozen)
    """The facts of the state folder, without changing anything. Raises StateUnreadable.

    Keys: exists, subject (of whom the records are), records (oldest first), total, chain, lease, interrupted, releases,
    current, never, previous, and left_out: how many records, releases and releases that never were good are not shown
    for `limit`.
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
        return {**picture(Ledger(), None, "free", None, exists=False), "subject": None}
    try:
        # The standing before the journal: an operation that ends in between is then seen as ended.
        lease, standing = guard.lease(), guard.standing()
        found = picture(guard.ledger(wanted.verify), lease, standing, guard.progress(), wanted)
        owner = state_owner.parse(durable_file.read_state(guard.path(state_owner.NAME)))
        return {**found, "subject": None if owner is None else asdict(owner)}
    except OSError as error:
        raise _unreadable(guard.state_dir, error) from error
    except Problem as refused:
        raise StateUnreadable("state_unreadable", refused.text, refused.ways) from refused


def _unreadable(folder: str, error: OSError) -> StateUnreadable:
    user, owner = user_name(), "<user>"
    with contextlib.suppress(OSError):
        owner = user_name(os.stat(folder).st_uid)
    way = f"-u {owner}", "connects as whose folder it is, like ansible_user in the inventory"
    return StateUnreadable("state_unreadable", f"{user} can't read the state folder {folder}: {error.strerror}", (way,))


def picture(
    book: Answers,
    lease: Lease | None,
    standing: str,
    progress: Progress | None,
    wanted: Wanted = Wanted(),  # noqa: B008 (it is frozen)
    exists: bool = True,
) -> dict[str, Any]:
    """The same from what was read."""
    past = book.history()
    previous, why_none = _previous(past, bool(book.problems))
    count = wanted.limit if wanted.releases is None else wanted.releases
    records, more = _shown_records(book, wanted)
    releases, all_releases = _shown_releases(past, previous, count)
    never = past.never[-count:] if count else past.never
    return {
        "exists": exists,
        "records": records,
        "total": book.count,
        "left_out": {
            "records": more,
            "releases": all_releases - len(releases),
            "never": len(past.never) - len(never),
        },
        "chain": {
            "ok": not book.problems,
            "problems": list(book.problems),
            "torn": book.torn.decode("utf-8", "replace"),
            "verified": book.verified,
        },
        "lease": None if lease is None else {**asdict(lease), "standing": standing, "holder": describe_holder(lease)},
        "interrupted": interrupted(progress, standing),
        "releases": [
            {
                **_as_shown(release),
                "images": _images(book, release.id),
                "current": release.id == past.left,
                "previous": previous is not None and release.id == previous.id,
            }
            for release in releases
        ],
        "current": past.left,
        "never": [_as_shown(release) for release in never],
        "previous": {
            "passed_over": release_choice.passed_over(past, past.left or "", previous),
            "id": previous.id if previous else None,
            "name": previous.name if previous else "",
            "why_none": why_none,
        },
    }


def _shown_records(book: Answers, wanted: Wanted) -> tuple[list[Record], int | None]:
    """The records to show, and how many of their kind are not; None where nobody counted those."""
    fitting = (record for record in book.backwards() if fits(record, wanted.procedure, wanted.outcome))
    found = list(islice(fitting, wanted.limit or None))
    full = 0 < wanted.limit <= len(found)
    if wanted.acted and all(record.get("outcome") == "refused" for record in found):
        found += islice((record for record in fitting if record.get("outcome") != "refused"), 1)
    ids = {record.get("id") for record in found}
    older = [record for record in book.of(wanted.also) if record.get("id") not in ids]
    found = [*older, *found[::-1]]
    if not full:
        return found, 0
    return found, None if wanted.procedure or wanted.outcome else book.count - len(found)


def _shown_releases(
    past: release_choice.History, previous: release_choice.Release | None, limit: int
) -> tuple[list[release_choice.Release], int]:
    """The newest releases, with the present one and the previous one, however old; and how many there are."""
    if past.whole is not None and not 0 < limit <= len(past.order):
        past = past.whole()
    total, order = past.older + len(past.order), list(past.order)
    if not 0 < limit < len(order):
        return order, total
    marked = {past.left, previous.id if previous else None}
    return [release for release in order[:-limit] if release.id in marked] + order[-limit:], total


def _as_shown(release: release_choice.Release) -> dict[str, Any]:
    return {name: value for name, value in asdict(release).items() if name != "number"}


def _images(book: Answers, release: str) -> dict[str, Any]:
    """The images of a release that is made of them."""
    found = book.find(ledger_keys.IMAGES, release)
    return {} if found is None else dict(found["to"]["images"])


def _previous(past: release_choice.History, damaged: bool) -> tuple[release_choice.Release | None, str]:
    if damaged:
        return None, "the ledger is damaged; the next operation refuses, and says what to type"
    if past.order and past.left is None:
        return None, "the ledger does not say which release the last operation left"
    try:
        return release_choice.previous(past, past.left or ""), ""
    except Problem as none:
        return None, str(none)


def interrupted(progress: Progress | None, standing: str) -> dict[str, Any] | None:
    """An operation without an end, and what can be done about it; None while its owner may be at work."""
    if progress is None or standing in ("running", "waiting"):
        return None
    verdict, plan = journal.classify(progress), progress.plan or journal.NO_PLAN
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


def fits(record: Record, procedure: str = "", outcome: str = "") -> bool:
    """True if a record is of a procedure and an outcome; an empty name is any."""
    return (not procedure or record.get("procedure") == procedure) and (not outcome or record.get("outcome") == outcome)
