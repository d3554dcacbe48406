# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release is the previous good one, read from the ledger and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import blame
from ansible_collections.ops.runbook.plugins.module_utils.excerpt import cut

#: Procedures that bring a release to the host.
_ARRIVALS = ("deploy", "adopt")


class NoRelease(Exception):
    """There is no release to go back to. `code` is stable, the text says why; details: a line for each passed over."""

    def __init__(self, code: str, text: str, details: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.code, self.details = code, tuple(details)


@dataclass(frozen=True)
class Release:
    """A release in deploy order. good: an operation to it succeeded, and none condemned it since. why: it is not."""

    id: str
    name: str
    good: bool
    since: str
    operation: str
    condemned_by: str = ""
    why: str = ""


@dataclass(frozen=True)
class History:
    """order: releases, oldest first. left: where the last recorded operation left the host (None: unknown).

    never: releases whose deploy did not succeed, and which were good on this host at no time, oldest first.
    """

    order: tuple[Release, ...]
    left: str | None
    never: tuple[Release, ...] = ()

    def find(self, release: str) -> Release | None:
        return next((entry for entry in self.order if entry.id == release), None)

    def position(self, release: str) -> int | None:
        return next((index for index, entry in enumerate(self.order) if entry.id == release), None)


def history(records: Iterable[Mapping[str, Any]]) -> History:
    """Fold a ledger's records into deploy order.

    A successful deploy puts its release last. A successful rollback condemns the release it left and
    leaves the order alone, so the next rollback goes further back and never in a circle. A release that
    an operation failed to bring up is condemned until an operation to it succeeds, unless what failed was about the
    surroundings, which no release can influence.
    """
    order: list[Release] = []
    never: dict[str, Release] = {}
    left: str | None = None
    for record in records:
        outcome, procedure = record.get("outcome"), record.get("procedure")
        source, target = _id(record.get("from")), _id(record.get("to"))
        # An operation killed in its first step finished none, and nobody knows where it left the host.
        acted = record.get("steps") or record.get("continues") or record.get("left") is None
        if outcome in ("refused", "unchanged") or not target or not acted:
            continue
        if procedure not in (*_ARRIVALS, "rollback"):
            # Maintenance of a host that was changed by hand must not make that change look recorded.
            continue
        left = _id(record.get("left")) or None
        if source == target and outcome != "succeeded":
            # It was about other settings: the release itself is what it was before.
            continue
        about = "" if outcome == "succeeded" else blame.of_record(record)
        never.pop(target, None)
        if procedure in _ARRIVALS:
            if outcome == "succeeded":
                order = [entry for entry in order if entry.id != target] + [_release(record, True)]
            else:
                if not (about == blame.SURROUNDINGS or (about == blame.CUT and outcome == "reverted")):
                    order = _condemn(order, target, record, _not_brought_up(record))
                if all(entry.id != target for entry in order):
                    never[target] = replace(_release(record, False), why=_not_brought_up(record))
                if left != source:
                    # The host may run it now: what ran before it comes before it.
                    condemned = [entry for entry in order if entry.id == target]
                    order = [entry for entry in order if entry.id != target] + condemned
        elif procedure == "rollback":
            if outcome == "succeeded":
                order = _arrive(_condemn(order, source, record, _left_by(record)), record, source)
            else:
                # A cut says nothing of a release that was good before.
                if about == blame.RELEASE:
                    order = _condemn(order, target, record, _not_brought_up(record))
                if outcome == "failed" and not (left == source and about == blame.SURROUNDINGS):
                    order = _condemn(order, source, record, _left_by(record))
    return History(tuple(order), left, tuple(entry for entry in never.values()))


def named(records: Iterable[Mapping[str, Any]]) -> set[str]:
    """Every release that a ledger names, whatever became of it: what is of none of them is somebody else's."""
    return {_id(record.get(side)) for record in records for side in ("from", "to", "left")} - {""}


def _id(release: Any) -> str:
    return str(release.get("id") or "") if isinstance(release, Mapping) else ""


def _not_brought_up(record: Mapping[str, Any]) -> str:
    error = str(record.get("error") or "no reason was recorded")
    return f"{record.get('procedure')} {record.get('id')} could not bring it up: {cut(error, 200)}"


def _left_by(record: Mapping[str, Any]) -> str:
    return f"rollback {record.get('id')} left it"


def _release(record: Mapping[str, Any], good: bool) -> Release:
    target = record["to"]
    return Release(_id(target), str(target.get("name") or ""), good, str(record.get("finished")), str(record.get("id")))


def _condemn(order: list[Release], release: str, record: Mapping[str, Any], why: str) -> list[Release]:
    return [
        replace(entry, good=False, condemned_by=str(record.get("id")), why=why) if entry.id == release else entry
        for entry in order
    ]


def _arrive(order: list[Release], record: Mapping[str, Any], source: str) -> list[Release]:
    """A rollback reached its target: it is good. One that was never deployed here comes before its source."""
    arrived = _release(record, True)
    for index, entry in enumerate(order):
        if entry.id == arrived.id:
            return [*order[:index], arrived, *order[index + 1 :]]
    place = next((index for index, entry in enumerate(order) if entry.id == source), len(order))
    return [*order[:place], arrived, *order[place:]]


def previous(past: History, current: str) -> Release:
    """The newest good release before the current one. Raises NoRelease."""
    if not past.order:
        raise NoRelease("no_ledger", "no release was ever recorded on this host")
    if past.left is not None and past.left != current:
        raise NoRelease(
            "drift",
            f"the ledger says that this host is at {past.left[:10]}, but it is at {current[:10]}: "
            "somebody changed it without a record",
        )
    for entry in reversed(_before(past, current)):
        if entry.good:
            return entry
    raise NoRelease(
        "nothing_before",
        f"no good release before {current[:10]} is recorded on this host",
        passed_over(past, current, None),
    )


def _before(past: History, current: str) -> list[Release]:
    place = past.position(current)
    return [entry for entry in (past.order if place is None else past.order[:place]) if entry.id != current]


def passed_over(past: History, current: str, chosen: Release | None) -> list[str]:
    """Why each newer release is not `previous`, a line for each, the newest first."""
    before = _before(past, current)
    after = before[before.index(chosen) + 1 :] if chosen in before else before
    since = chosen.since if chosen is not None else ""
    over = [entry for entry in after if not entry.good]
    over += [entry for entry in past.never if entry.id != current and entry.since >= since]
    return [f"{_label(entry)}: {entry.why}" for entry in sorted(over, key=lambda entry: entry.since, reverse=True)]


def _label(release: Release) -> str:
    return f"{release.name} ({release.id[:10]})" if release.name else release.id[:10]


def kept(past: History, current: str, count: int) -> list[str]:
    """The releases whose material is kept: the newest `count` good ones, the current and the previous good."""
    good = [entry.id for entry in reversed(past.order) if entry.good]
    wanted = dict.fromkeys(good[: max(count, 0)])
    wanted[current] = None
    with contextlib.suppress(NoRelease):
        wanted[previous(past, current).id] = None
    return list(wanted)
