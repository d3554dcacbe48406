"""Missing WAL files: holes in a timeline, between two timelines, at the wrap of a log; and what is not a hole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive, wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.wal import Segment
from unit.postgres.repository import BEGIN, archived, listing, stored, wal_name

HISTORY = "17-1/00000002.history"
PARTIAL = "17-1/0000000100000000/00000001000000000000000A.partial-" + "b" * 40 + ".gz"
MIB = 2**20

CASES = {
    "nothing": ((), (), []),
    "one file": (((1, range(1, 2)),), (), []),
    "in sequence": (((1, range(1, 9)),), (), []),
    "begins late, since older ones are expired": (((1, range(200, 209)),), (), []),
    "over the end of a log": (((1, range(250, 260)),), (), []),
    "one is missing": (((1, range(1, 5)), (1, range(6, 9))), (), [(1, 5, 5)]),
    "the last of a log is missing": (((1, range(250, 255)), (1, range(256, 260))), (), [(1, 255, 255)]),
    "the first of a log is missing": (((1, range(250, 256)), (1, range(257, 260))), (), [(1, 256, 256)]),
    "several, twice": (((1, range(1, 3)), (1, range(5, 6)), (1, range(9, 10))), (), [(1, 3, 4), (1, 6, 8)]),
    "promoted within a file": (((1, range(1, 10)), (2, range(10, 14))), (PARTIAL, HISTORY), []),
    "promoted, and the old server wrote on": (((1, range(1, 14)), (2, range(10, 14))), (HISTORY,), []),
    "promoted, and the new one stored nothing yet": (((1, range(1, 10)),), (PARTIAL, HISTORY), []),
    "the end of the old timeline is missing": (((1, range(1, 8)), (2, range(10, 14))), (HISTORY,), [(1, 8, 9)]),
    "the end of the old one is missing, with its cut-off file": (
        ((1, range(1, 8)), (2, range(10, 14))),
        (PARTIAL, HISTORY),
        [(1, 8, 9)],
    ),
    "the begin of the new timeline is missing": (
        ((1, range(1, 10)), (2, range(12, 14))),
        (PARTIAL, HISTORY),
        [(2, 10, 11)],
    ),
    "both sides of the fork are missing": (
        ((1, range(1, 9)), (2, range(12, 14))),
        (PARTIAL, HISTORY),
        [(1, 9, 9), (2, 10, 11)],
    ),
    "a hole behind the fork": (((1, range(1, 10)), (2, range(10, 12)), (2, range(13, 14))), (HISTORY,), [(2, 12, 12)]),
    "a hole before the fork, and the old server wrote on": (
        ((1, range(1, 9)), (1, range(10, 14)), (2, range(10, 14))),
        (HISTORY,),
        [(1, 9, 9)],
    ),
    "a third timeline from the first": (((1, range(1, 8)), (2, range(7, 9)), (3, range(5, 9))), (HISTORY,), []),
    "the old timeline is expired": (((2, range(10, 14)),), (HISTORY,), []),
    "another time in the old timeline": (((1, range(50, 60)), (2, range(10, 14))), (HISTORY,), []),
}


@pytest.mark.parametrize(("spans", "besides", "expected"), CASES.values(), ids=CASES)
def test_missing_files_are_found(
    spans: tuple[tuple[int, range], ...], besides: tuple[str, ...], expected: list[tuple[int, int, int]]
) -> None:
    found = archive.gaps(archived(*spans, besides=besides))
    assert [(gap.first.timeline, gap.first.number, gap.last.number) for gap in found] == expected
    assert all(gap.last.timeline == gap.first.timeline and gap.count > 0 for gap in found)


numbers = st.sets(st.integers(0, 600), min_size=1, max_size=60)


@given(numbers, st.sampled_from([MIB, 16 * MIB, 64 * MIB]))
def test_gaps_and_files_are_the_whole_span(kept: set[int], size: int) -> None:
    found = archived(*((1, range(one, one + 1)) for one in kept), size=size)
    lost = {number for gap in archive.gaps(found) for number in range(gap.first.number, gap.last.number + 1)}
    assert lost.isdisjoint(kept)
    assert lost | kept == set(range(min(kept), max(kept) + 1))


@given(st.integers(1, 500), st.integers(2, 30), st.data())
def test_each_removed_file_is_seen_but_the_first_and_the_last(begin: int, count: int, data: st.DataObject) -> None:
    removed = data.draw(st.integers(begin, begin + count - 1))
    kept = [number for number in range(begin, begin + count) if number != removed]
    gaps = archive.gaps(archived(*((1, range(one, one + 1)) for one in kept)))
    inner = begin < removed < begin + count - 1
    assert [gap.first.number for gap in gaps] == ([removed] if inner else [])


@pytest.mark.parametrize(
    ("acknowledged", "seconds", "expected"),
    [
        (None, 1, [9]),
        (Segment(1, 8), 1, []),
        (Segment(1, 8), archive.IN_FLIGHT, [9]),
        (Segment(1, 9), 1, [9]),
        (Segment(1, 20), 1, [9]),
        (Segment(2, 8), 1, [9]),
    ],
)
def test_a_file_that_is_under_way_is_not_missing_yet(
    acknowledged: Segment | None, seconds: float, expected: list[int]
) -> None:
    """Several files are archived at once; the server has not heard yet of the one that is late."""
    found = archived((1, range(1, 9)), (1, range(10, 11)))
    now = found.times[Segment(1, 10)] + seconds
    assert [gap.first.number for gap in archive.gaps(found, acknowledged, now)] == expected


def test_a_timeline_without_its_history_file_is_named() -> None:
    spans = ((1, range(1, 10)), (2, range(10, 14)), (3, range(14, 15)))
    assert archive.without_history(archived(*spans, besides=[HISTORY])) == [3]
    assert archive.without_history(archived((1, range(1, 9)))) == []


def test_two_servers_that_archive_into_one_repository_are_seen() -> None:
    again = stored(wal_name(1, 3), "b")
    found = archived((1, range(1, 5)), besides=[again])
    assert found.twice == (wal_name(1, 3),)
    assert archived((1, range(1, 5))).twice == ()


def test_times_and_the_newest_file_are_read() -> None:
    found = archived((1, range(1, 4)), (2, range(3, 5)))
    assert found.newest() == Segment(2, 4) and found.newest(1) == Segment(1, 3) and found.newest(7) is None
    assert found.times[Segment(1, 2)] == BEGIN + 60
    assert archived().newest() is None


def test_the_own_files_of_a_backup_are_looked_for() -> None:
    found = archived((1, range(1, 4)), (1, range(5, 9)))
    assert archive.missing(found, Segment(1, 2), Segment(1, 6)) == [Segment(1, 4)]
    assert archive.missing(found, Segment(1, 5), Segment(1, 6)) == []
    assert archive.missing(found, Segment(2, 5), Segment(2, 5)) == [Segment(2, 5)]


@pytest.mark.parametrize(
    "other",
    ["16-1/0000000100000000/" + "0" * 24 + "-" + "a" * 40 + ".gz", "17-1/0000000100000000/notes.txt", "17-10/x"],
)
def test_files_of_others_are_passed_over(other: str) -> None:
    assert archived((1, range(1, 3)), besides=[other]).files == archived((1, range(1, 3))).files


def test_a_backup_label_file_is_not_a_wal_file() -> None:
    label = "17-1/0000000100000000/000000010000000000000007.00000028.backup"
    assert archived((1, range(1, 3)), besides=[label]).files == {1: frozenset({1, 2})}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", json.dumps({"17-1/x": 5}), listing(["000000010000000000000100"])],
)
def test_a_listing_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        archive.of_listing(text, "17-1", wal.USUAL_SIZE)
