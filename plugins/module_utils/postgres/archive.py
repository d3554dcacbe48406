# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WAL files that a repository of pgBackRest holds, and those that are missing. Pure.

`pgbackrest info`, `check` and `verify` look for no missing file; the names tell. A server that is promoted begins a
timeline: its first file has the number of the file that it was in, the old timeline keeps that one as `.partial`, and a
history file says where the two part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.postgres import wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.wal import Segment
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: Seconds in which a file may be behind one that follows it.
IN_FLIGHT = 600.0
_FILE = re.compile(r"(?P<wal>[0-9A-F]{24})(?P<partial>\.partial)?-[0-9a-f]{40}(?:\.[0-9a-z]{1,8})?")
_HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history")


@dataclass(frozen=True)
class Archive:
    """The WAL files of one cluster in a repository.

    files: numbers of whole files by timeline. partial: files that a promotion cut off. histories: timelines with a
    history file. times: unix time at which each whole file was stored. twice: names of which there are two files with
    different content.
    """

    size: int = wal.USUAL_SIZE
    files: Mapping[int, frozenset[int]] = field(default_factory=dict)
    partial: frozenset[Segment] = frozenset()
    histories: frozenset[int] = frozenset()
    times: Mapping[Segment, float] = field(default_factory=dict)
    twice: tuple[str, ...] = ()

    def has(self, segment: Segment) -> bool:
        """True for a file that is there as a whole."""
        return segment.number in self.files.get(segment.timeline, ())

    def newest(self, timeline: int = 0) -> Segment | None:
        """The last file of a timeline; of the newest one where none is named."""
        timeline = timeline or max(self.files, default=0)
        numbers = self.files.get(timeline)
        return Segment(timeline, max(numbers)) if numbers else None

    def name(self, segment: Segment) -> str:
        return wal.name(segment, self.size)


@dataclass(frozen=True, order=True)
class Gap:
    """WAL files that are missing, one after the other, on one timeline."""

    first: Segment
    last: Segment

    @property
    def count(self) -> int:
        return self.last.number - self.first.number + 1


def of_listing(text: str, folder: str, size: int) -> Archive:
    """The files of `repo-ls --recurse --output json`. folder: of the cluster, such as 17-1. Raises ValueError."""
    times: dict[Segment, float] = {}
    files: dict[int, set[int]] = {}
    partial, histories, twice = set(), set(), set()
    for name, moment in _named(foreign_json.load_object(text), folder):
        found, history = _FILE.fullmatch(name), _HISTORY.fullmatch(name)
        if history:
            histories.add(int(history["timeline"], 16))
        if not found:
            continue
        segment = wal.parse(found["wal"], size)
        if found["partial"]:
            partial.add(segment)
            continue
        if segment in times:
            twice.add(found["wal"])
        files.setdefault(segment.timeline, set()).add(segment.number)
        times[segment] = max(moment, times.get(segment, 0.0))
    whole = {timeline: frozenset(numbers) for timeline, numbers in files.items()}
    return Archive(size, whole, frozenset(partial), frozenset(histories), times, tuple(sorted(twice)))


def _named(listing: Mapping[str, Any], folder: str) -> Iterator[tuple[str, float]]:
    """Name and unix time of each file of a cluster."""
    for path, entry in listing.items():
        if not isinstance(entry, Mapping):
            raise ValueError(f"the entry {path!r} is not an object")
        if path.startswith(f"{folder}/") and entry.get("type") == "file":
            moment = entry.get("time", 0)
            yield path.rpartition("/")[2], float(moment) if isinstance(moment, (int, float)) else 0.0


# -- what is missing -------------------------------------------------------------------------------


def gaps(archive: Archive, acknowledged: Segment | None = None, now: float = 0.0) -> list[Gap]:
    """The missing files, in the order of their names.

    acknowledged: the last file that the server knows to be archived; None where that is not known. now: unix time.
    Several files are archived at once, so a later one may be there first: that is not a gap for some minutes.
    """
    found = [gap for timeline in archive.files for gap in _inside(timeline, archive.files[timeline])]
    found += [gap for timeline in archive.files for gap in _before(archive, timeline)]
    return sorted(gap for gap in found if not _in_flight(archive, gap, acknowledged, now))


def _in_flight(archive: Archive, gap: Gap, acknowledged: Segment | None, now: float) -> bool:
    if acknowledged is None or gap.first.timeline != acknowledged.timeline or gap.first <= acknowledged:
        return False
    after = Segment(gap.last.timeline, gap.last.number + 1)
    return now - archive.times.get(after, 0.0) < IN_FLIGHT


def _inside(timeline: int, numbers: Iterable[int]) -> Iterator[Gap]:
    """Holes between the first and the last file of a timeline."""
    ordered = sorted(numbers)
    for before, after in zip(ordered, ordered[1:]):
        if after - before > 1:
            yield Gap(Segment(timeline, before + 1), Segment(timeline, after - 1))


def _before(archive: Archive, timeline: int) -> Iterator[Gap]:
    """Files that are missing between an older timeline and the begin of this one."""
    begin = min(archive.files[timeline])
    older = {one: numbers for one, numbers in archive.files.items() if one < timeline}
    if any(begin in numbers for numbers in older.values()):
        return
    reached = max((number for numbers in older.values() for number in numbers if number < begin), default=-1)
    if reached < 0:
        # The older timelines are of another time: files before the oldest backup are expired.
        return
    parent = max(one for one, numbers in older.items() if reached in numbers)
    cut_off = [one.number for one in archive.partial if one.timeline in older and reached < one.number < begin]
    fork = min(cut_off, default=begin)
    if reached + 1 < fork:
        yield Gap(Segment(parent, reached + 1), Segment(parent, fork - 1))
    if fork < begin:
        yield Gap(Segment(timeline, fork), Segment(timeline, begin - 1))


def without_history(archive: Archive) -> list[int]:
    """Timelines after the first one that have no history file: a restore does not find the way to them."""
    return sorted(timeline for timeline in archive.files if timeline > 1 and timeline not in archive.histories)


def missing(archive: Archive, first: Segment, last: Segment) -> list[Segment]:
    """The files from one to another one, on the timeline of the first, that are not there."""
    return [
        segment
        for segment in (Segment(first.timeline, number) for number in range(first.number, last.number + 1))
        if not archive.has(segment)
    ]
