# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release is the previous good one, read from the ledger and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Procedures that bring a release to the host.
_ARRIVALS = ("deploy", "adopt")


class NoRelease(Exception):
    """There is no release to go back to. `code` is stable, the text says why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Release:
    """A release in deploy order. good: an operation to it succeeded, and none condemned it since."""

    id: str
    name: str
    good: bool
    since: str
    operation: str
    condemned_by: str = ""


@dataclass(frozen=True)
class History:
    """order: releases, oldest first. left: where the last recorded operation left the host (None: unknown)."""

    order: tuple[Release, ...]
    left: str | None

    def find(self, release: str) -> Release | None:
        return next((entry for entry in self.order if entry.id == release), None)

    def position(self, release: str) -> int | None:
        return next((index for index, entry in enumerate(self.order) if entry.id == release), None)


def history(records: Iterable[Mapping[str, Any]]) -> History:
    """Fold a ledger's records into deploy order.

    A successful deploy puts its release last. A successful rollback condemns the release it left and
    leaves the order alone, so the next rollback goes further back and never in a circle. A release that
    an operation failed to bring up is condemned until an operation to it succeeds.
    """
    order: list[Release] = []
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
        if procedure in _ARRIVALS:
            if outcome == "succeeded":
                order = [entry for entry in order if entry.id != target] + [_release(record, True)]
            else:
                order = _condemn(order, target, record)
                if left != source:
                    # The host may run it now: what ran before it comes before it.
                    condemned = [entry for entry in order if entry.id == target]
                    order = [entry for entry in order if entry.id != target] + condemned
        elif procedure == "rollback":
            if outcome == "succeeded":
                order = _arrive(_condemn(order, source, record), record, source)
            else:
                if _blames(record):
                    order = _condemn(order, target, record)
                if outcome == "failed":
                    order = _condemn(order, source, record)
    return History(tuple(order), left)


def _id(release: Any) -> str:
    return str(release.get("id") or "") if isinstance(release, Mapping) else ""


def _blames(record: Mapping[str, Any]) -> bool:
    """Whether a rollback that did not succeed speaks against its target, which was good before.

    A wrong answer or a failed step does; a cut, a stopped worker or a missing crontab line does not.
    """
    answers = record.get("failed_health") or record.get("health") or []
    error = str(record.get("error"))
    return any(not answer.get("ok") for answer in answers) or (error.startswith("step '") and "cut off" not in error)


def _release(record: Mapping[str, Any], good: bool) -> Release:
    target = record["to"]
    return Release(_id(target), str(target.get("name") or ""), good, str(record.get("finished")), str(record.get("id")))


def _condemn(order: list[Release], release: str, record: Mapping[str, Any]) -> list[Release]:
    return [
        Release(entry.id, entry.name, False, entry.since, entry.operation, str(record.get("id")))
        if entry.id == release
        else entry
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
    place = past.position(current)
    before = past.order if place is None else past.order[:place]
    for entry in reversed(before):
        if entry.good and entry.id != current:
            return entry
    raise NoRelease("nothing_before", f"no good release before {current[:10]} is recorded on this host")


def kept(past: History, current: str, count: int) -> list[str]:
    """The releases whose material is kept: the newest `count` good ones, the current and the previous good."""
    good = [entry.id for entry in reversed(past.order) if entry.good]
    wanted = dict.fromkeys(good[: max(count, 0)])
    wanted[current] = None
    with contextlib.suppress(NoRelease):
        wanted[previous(past, current).id] = None
    return list(wanted)
