# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses the backup of a service that is meant, and those that may be removed. Pure.

A folder may hold backups of several services and hosts. A rule counts and removes only those of its own service that
the ledger of this service names; the ledger also has the order in which they were made. A date is what a clock said,
and a clock that was wrong once says it for years.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Named
from ansible_collections.ops.runbook.plugins.module_utils.host import clock

#: Seconds. The clocks of two hosts differ by less; a backup that claims a later time was made by a wrong clock.
CLOCK_MARGIN = 3600.0

_BEFORE = "-before"


@dataclass(frozen=True)
class Keep:
    """How many backups stay: the newest ones, and the newest of each day, week and month that has one.

    before_restore: days for which what stood before a restore stays.
    """

    last: int = 7
    daily: int = 7
    weekly: int = 4
    monthly: int = 6
    before_restore: int = 30


@dataclass(frozen=True)
class Owner:
    """The service, host and ledger whose backups are looked at, and the present time.

    operations: those in the ledger of this service, asked by id, or their ids, the oldest first. now: RFC 3339.
    running: ids of operations that are not in the ledger yet.
    """

    app: str
    operations: Named | Sequence[str]
    now: str
    running: tuple[str, ...] = ()

    def made(self, identity: str) -> bool:
        """True if an operation of this ledger made the backup of this id, half or whole."""
        return operation_of(identity) in self.operations or operation_of(identity) in self.running

    def rank(self, identity: str) -> tuple[int, int]:
        """A number that grows with the order in which the operations of this ledger made their backups."""
        operation = operation_of(identity)
        if operation not in self.operations:
            return 1, self.running.index(operation)
        if isinstance(self.operations, Named):
            return 0, self.operations.place(operation) or 0
        return 0, self.operations.index(operation)


def operation_of(identity: str) -> str:
    """The operation that made a backup; what stood before its restore has its id too."""
    return identity[: -len(_BEFORE)] if identity.endswith(_BEFORE) else identity


def ahead(manifests: Iterable[Manifest], owner: Owner) -> list[Manifest]:
    """The backups of this service that claim to be of the future: a clock was wrong, or is wrong now."""
    limit = (clock.seconds(owner.now) or 0.0) + CLOCK_MARGIN
    return [one for one in manifests if one.app == owner.app and (clock.seconds(one.made) or 0.0) > limit]


def ahead_lines(manifests: Iterable[Manifest], owner: Owner) -> list[str]:
    """A warning for each backup of the future."""
    return [
        f"backup {one.id} says that it was made {one.made}, which is later than now ({owner.now[:16]}Z): the clock of "
        f"{one.host} was wrong then, or this one is now. It is never taken as the latest, and no rule counts or "
        "removes it"
        for one in ahead(manifests, owner)
    ]


def in_order(manifests: Iterable[Manifest], owner: Owner) -> list[Manifest]:
    """The backups of this service, the oldest first, without those of the future.

    Those of this ledger are in its order, whatever their dates say. One from elsewhere comes before the first of them
    that has a later date.
    """
    several = list(manifests)
    wrong = {one.id for one in ahead(several, owner)}
    own = [one for one in several if one.app == owner.app and one.id not in wrong]
    known = sorted((one for one in own if owner.made(one.id)), key=lambda one: (owner.rank(one.id), one.id))
    found = list(known)
    for one in sorted((one for one in own if not owner.made(one.id)), key=lambda one: (one.made, one.id)):
        place = next((number for number, other in enumerate(found) if other.made > one.made), len(found))
        found.insert(place, one)
    return found


def choose(manifests: Iterable[Manifest], wanted: str, owner: Owner) -> Manifest | None:
    """The backup that is asked for: an id, or `latest`, which is never one that a restore made for its way back."""
    several = list(manifests)
    if wanted == "latest":
        return next((one for one in reversed(in_order(several, owner)) if one.reason != "before_restore"), None)
    return next((one for one in several if one.app == owner.app and one.id == wanted), None)


def elsewhere(manifests: Iterable[Manifest], owner: Owner) -> list[str]:
    """The ids of this service's backups that no operation of this ledger made: brought here, or of another host."""
    return [one.id for one in manifests if one.app == owner.app and not owner.made(one.id)]


def expired(manifests: Iterable[Manifest], keep: Keep, owner: Owner, protected: Iterable[str] = ()) -> list[str]:
    """The ids of whole backups that no rule keeps, oldest first: of this service, and made by its operations, only.

    The newest requested one always stays, whatever the rules say, and so do the protected ones. A half-made backup is
    not among the manifests, and so is never counted.
    """
    spared = set(protected)
    own = [one for one in in_order(manifests, owner) if owner.made(one.id)]
    requested = [one for one in reversed(own) if one.reason != "before_restore"]
    staying = spared | {one.id for one in requested[: max(keep.last, 1)]}
    for length, wanted in ((10, keep.daily), (0, keep.weekly), (7, keep.monthly)):
        periods: dict[str, str] = {}
        for one in requested:
            periods.setdefault(one.made[:length] if length else _week(one.made), one.id)
        staying |= set(list(periods.values())[: max(wanted, 0)])
    # Days are counted up to the newest backup that was there before this operation: a clock that is wrong just now
    # makes nothing old.
    newest = next((one.made for one in requested if one.id not in spared), "")
    limit = (clock.seconds(newest) or 0.0) - keep.before_restore * 86400
    staying |= {one.id for one in own if one.reason == "before_restore" and (clock.seconds(one.made) or 0.0) >= limit}
    return [one.id for one in own if one.id not in staying]


def _week(made: str) -> str:
    year, week, _ = date(int(made[:4]), int(made[5:7]), int(made[8:10])).isocalendar()
    return f"{year}-{week:02d}"
