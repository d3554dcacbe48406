# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the previous good release, from the ledger and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record

#: Procedures that bring a release to the host.
_ARRIVALS = ("deploy", "adopt")


@dataclass(frozen=True)
class Release:
    """A release in deploy order. good: an operation to it succeeded, and none condemned it since. why: it is not.

    number: of the record that brought it. Clocks jump, so no order is taken from `since`.
    """

    id: str
    name: str
    good: bool
    since: str
    operation: str
    condemned_by: str = ""
    why: str = ""
    number: int = 0


@dataclass(frozen=True)
class History:
    """order: releases, oldest first. left: release at which the last recorded operation left the host (None: unknown).

    never: releases whose deploy did not succeed, and which were good on this host at no time, oldest first.
    whole: reads the whole history if this one has only the newest releases; None if it has all of them.
    arrived: True if a release ever came to this host, for those that this one does not have.
    dropped: the number of the newest release that `never` does not have any more; 0 where it has all.
    older: how many releases `order` leaves out.
    moved: True if an operation is recorded that may have changed the release, whether it came to its end or not.
    """

    order: tuple[Release, ...]
    left: str | None
    never: tuple[Release, ...] = ()
    whole: Callable[[], History] | None = None
    arrived: Callable[[str], bool] = bool
    dropped: int = 0
    older: int = 0
    moved: bool = False

    def find(self, release: str) -> Release | None:
        found = next((entry for entry in self.order if entry.id == release), None)
        if found is None and self.whole is not None and self.arrived(release):
            return self.whole().find(release)
        return found

    def position(self, release: str) -> int | None:
        return next((index for index, entry in enumerate(self.order) if entry.id == release), None)


#: The releases of a history that are written down beside a ledger: the newest ones.
NEWEST = 50


class TooOld(Exception):
    """A record is about a release that is older than those of a shortened history."""


class Course:
    """Folds a ledger's records into deploy order, one after the other, each at the same cost.

    A successful deploy puts its release last. A successful rollback condemns the release it left and
    leaves the order alone, so the next rollback goes further back and never in a circle. A release that
    an operation failed to bring up is condemned until an operation to it succeeds, unless what failed was about the
    surroundings, which no release can influence.
    """

    def __init__(self, arrived: Callable[[str], bool] = bool) -> None:
        self.left: str | None = None
        self.short = self.moved = False
        self._dropped = self._older = self._number = 0
        self._releases: dict[str, Release] = {}
        self._never: dict[str, Release] = {}
        self._arrived = arrived
        # Neighbours in the order; the empty name is before the first and after the last.
        self._before: dict[str, str] = {"": ""}
        self._after: dict[str, str] = {"": ""}

    # -- written down --------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The newest releases, so that from_dict can continue from here."""
        order, never = list(self._in_order()), list(self._never.values())
        dropped = [release.number for release in never[:-NEWEST]]
        return {
            "left": self.left,
            "moved": self.moved,
            "number": self._number,
            "order": [list(astuple(release)) for release in order[-NEWEST:]],
            "never": [list(astuple(release)) for release in never[-NEWEST:]],
            "older": self._older + max(len(order) - NEWEST, 0),
            "dropped": max([self._dropped, *dropped]),
            "short": self.short or len(order) > NEWEST or bool(dropped),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], arrived: Callable[[str], bool]) -> Course:
        """Raises TypeError, KeyError or ValueError for what to_dict did not write."""
        course = cls(arrived)
        course.left, course.moved, course.short = raw["left"], bool(raw["moved"]), bool(raw["short"])
        course._dropped, course._older, course._number = raw["dropped"], raw["older"], raw["number"]
        for release in (Release(*entry) for entry in raw["order"]):
            course._put(release, "")
        course._never = {release.id: release for release in (Release(*entry) for entry in raw["never"])}
        return course

    def history(self, whole: Callable[[], History] | None = None) -> History:
        return History(
            tuple(self._in_order()),
            self.left,
            tuple(self._never.values()),
            whole if self.short else None,
            self._arrived,
            self._dropped,
            self._older,
            self.moved,
        )

    # -- the order -----------------------------------------------------------------------------

    def _in_order(self) -> Iterator[Release]:
        here = self._after[""]
        while here:
            yield self._releases[here]
            here = self._after[here]

    def _put(self, release: Release, following: str) -> None:
        """Put a release before another one; before the empty name it is the last."""
        before = self._before[following]
        self._releases[release.id] = release
        self._after[before], self._before[following] = release.id, release.id
        self._before[release.id], self._after[release.id] = before, following

    def _take(self, release: str) -> Release | None:
        found = self._releases.pop(release, None)
        if found is not None:
            before, after = self._before.pop(release), self._after.pop(release)
            self._after[before], self._before[after] = after, before
        return found

    def _must_be_known(self, *releases: str) -> None:
        for release in releases:
            if self.short and release and release not in self._releases and self._arrived(release):
                raise TooOld(release)

    # -- one record ----------------------------------------------------------------------------

    def add(self, record: Record) -> None:
        """Go on with a later record. Raises TooOld; then nothing can be said without all records."""
        self._number += 1
        outcome, procedure = record.get("outcome"), record.get("procedure")
        source, target = _id(record.get("from")), _id(record.get("to"))
        # An operation killed in its first step finished none, and nobody knows where it left the host.
        acted = record.get("steps") or record.get("continues") or record.get("left") is None
        if outcome in ("refused", "unchanged") or not target or not acted:
            return
        if procedure not in (*_ARRIVALS, "rollback"):
            # Maintenance of a host that was changed by hand must not make that change look recorded.
            return
        self._must_be_known(target, source)
        self.left, self.moved = _id(record.get("left")) or None, True
        if source == target and outcome != "succeeded":
            # It was about other settings: the release itself is what it was before.
            return
        self._never.pop(target, None)
        about = "" if outcome == "succeeded" else blame.of_record(record)
        if procedure in _ARRIVALS:
            self._add_arrival(record, source, target, about)
        else:
            self._add_rollback(record, source, target, about)

    def _add_arrival(self, record: Record, source: str, target: str, about: str) -> None:
        outcome = record.get("outcome")
        if outcome == "succeeded":
            self._take(target)
            self._put(self._release(record, True), "")
            return
        if not (about == blame.SURROUNDINGS or (about == blame.CUT and outcome == "reverted")):
            self._condemn(target, record, _not_brought_up(record))
        if target not in self._releases:
            self._never[target] = replace(self._release(record, False), why=_not_brought_up(record))
        if self.left != source:
            # The host may run it now: what ran before it comes before it.
            former = self._take(target)
            if former is not None:
                self._put(former, "")

    def _add_rollback(self, record: Record, source: str, target: str, about: str) -> None:
        outcome = record.get("outcome")
        if outcome == "succeeded":
            self._condemn(source, record, _left_by(record))
            self._arrive(record, source)
            return
        # A cut says nothing of a release that was good before.
        if about == blame.RELEASE:
            self._condemn(target, record, _not_brought_up(record))
        if outcome == "failed" and not (self.left == source and about == blame.SURROUNDINGS):
            self._condemn(source, record, _left_by(record))

    def _release(self, record: Record, good: bool) -> Release:
        target, since, operation = record["to"], str(record.get("finished")), str(record.get("id"))
        return Release(_id(target), str(target.get("name") or ""), good, since, operation, number=self._number)

    def _condemn(self, release: str, record: Record, why: str) -> None:
        found = self._releases.get(release)
        if found is not None:
            self._releases[release] = replace(found, good=False, condemned_by=str(record.get("id")), why=why)

    def _arrive(self, record: Record, source: str) -> None:
        """A rollback reached its target: it is good. One that was never deployed here comes before its source."""
        arrived = self._release(record, True)
        if arrived.id in self._releases:
            self._releases[arrived.id] = arrived
        else:
            self._put(arrived, source if source in self._releases else "")


def history(records: Iterable[Record]) -> History:
    """Fold all records of a ledger into deploy order; see Course."""
    course = Course()
    for record in records:
        course.add(record)
    return course.history()


def _id(release: Any) -> str:
    return str(release.get("id") or "") if isinstance(release, Mapping) else ""


def _not_brought_up(record: Record) -> str:
    error = str(record.get("error") or "no reason was recorded")
    return f"{record.get('procedure')} {record.get('id')} could not bring it up: {cut(error, 200)}"


def _left_by(record: Record) -> str:
    return f"rollback {record.get('id')} left it"


def previous(past: History, current: str) -> Release:
    """The newest good release before the current one. Raises Problem."""
    if not past.order:
        raise Problem("no_ledger", "no release was ever recorded on this host")
    if past.left is not None and past.left != current:
        raise Problem(
            "drift",
            f"the ledger says that this host is at {past.left[:10]}, but it is at {current[:10]}: "
            "somebody changed it without a record",
        )
    for entry in reversed(_before(past, current)):
        if entry.good:
            return entry
    if past.whole is not None:
        return previous(past.whole(), current)
    raise Problem(
        "nothing_before",
        f"no good release before {current[:10]} is recorded on this host",
        details=tuple(passed_over(past, current, None)),
    )


def doubt(past: History, current: str) -> str:
    """Why the ledger does not say that an operation has left the host at this release, and well; empty if it does.

    Empty too without any record: nothing was ever proven there, and to adopt it is another procedure.
    """
    if not past.order and not past.moved:
        return ""
    if past.left is None:
        return f"an operation was cut off here, and nobody has verified {current[:10]} since"
    if past.left != current:
        return f"the ledger left this host at {past.left[:10]}, but it is at {current[:10]}"
    found = past.find(current)
    if found is not None and found.good:
        return ""
    return (
        f"{_label(found)} is not a good release: {found.why}" if found else f"{current[:10]} was good here at no time"
    )


def _before(past: History, current: str) -> list[Release]:
    place = past.position(current)
    if place is None and past.whole is not None and past.arrived(current):
        return _before(past.whole(), current)
    return [entry for entry in (past.order if place is None else past.order[:place]) if entry.id != current]


def passed_over(past: History, current: str, chosen: Release | None) -> list[str]:
    """Why each newer release is not `previous`, a line for each, the newest first."""
    before = _before(past, current)
    since = chosen.number if chosen is not None else 0
    if past.whole is not None and (chosen not in before or past.dropped > since):
        return passed_over(past.whole(), current, chosen)
    after = before[before.index(chosen) + 1 :] if chosen in before else before
    over = [entry for entry in after if not entry.good]
    over += [entry for entry in past.never if entry.id != current and entry.number > since]
    return [f"{_label(entry)}: {entry.why}" for entry in sorted(over, key=lambda entry: entry.number, reverse=True)]


def _label(release: Release) -> str:
    return f"{release.name} ({release.id[:10]})" if release.name else release.id[:10]


def kept(past: History, current: str, count: int) -> list[str]:
    """The releases whose material is kept: the newest `count` good ones, the current and the previous good."""
    good = [entry.id for entry in reversed(past.order) if entry.good]
    if past.whole is not None and len(good) < count:
        return kept(past.whole(), current, count)
    wanted = dict.fromkeys(good[: max(count, 0)])
    wanted[current] = None
    with contextlib.suppress(Problem):
        wanted[previous(past, current).id] = None
    return list(wanted)
