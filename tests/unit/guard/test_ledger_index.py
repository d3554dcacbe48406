# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark of a ledger and its index: their files to the byte, and which of two records of a key is found."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_index, ledger_keys, ledger_mark
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_index import (
    Identity,
    Index,
    Missing,
    OpenFile,
    Segment,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_mark import Mark

# -- the mark ----------------------------------------------------------------------------------------

MARK = Mark(
    Identity(1, 2, 3, 4),
    head="h",
    last=5,
    count=6,
    verified="03:00",
    segments=(Segment("ledger.keys-a", 7, Identity(8, 9, 10, 11)),),
    recent={b"\x01\xff": 12},
    past={"left": "r1"},
)
BODY = (
    b'{"count":6,"head":"h","last":5,"ledger":[1,2,3,4],"past":{"left":"r1"},"recent":{"01ff":12},"schema":%d,'
    b'"segments":[["ledger.keys-a",7,[8,9,10,11]]],"verified":"03:00"}' % ledger_mark.SCHEMA
)


def marked(body: bytes) -> bytes:
    """A file of a mark whose sum is right."""
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"


def test_a_mark_is_written_and_read_back_to_the_byte(tmp_path: Path) -> None:
    assert MARK.to_bytes() == marked(BODY)
    assert ledger_mark.parse(marked(BODY)) == MARK
    ledger_mark.write(str(tmp_path), MARK)
    assert (tmp_path / "ledger.mark").read_bytes() == marked(BODY)
    assert ledger_mark.read(str(tmp_path)) == MARK
    none = replace(MARK, past=None, segments=(), recent={})
    assert ledger_mark.parse(none.to_bytes()) == none


NO_MARK = {
    "nothing": b"",
    "another sum": marked(BODY)[1:],
    "a byte more": marked(BODY) + b"\n",
    "no line end": marked(BODY)[:-1],
    "another version": marked(BODY.replace(b'"schema":', b'"schema":1')),
    "no version": marked(BODY.replace(b'"schema"', b'"other"')),
    "not JSON": marked(BODY[1:]),
    "a list": marked(b"[]"),
    "an identity that is too short": marked(BODY.replace(b"[1,2,3,4]", b"[1,2,3]")),
    "a head that is missing": marked(BODY.replace(b'"head"', b'"tail"')),
    "a count that is a text": marked(BODY.replace(b'"count":6', b'"count":"six"')),
    "keys that are a list": marked(BODY.replace(b'{"01ff":12}', b"[]")),
    "a key that is not hexadecimal": marked(BODY.replace(b"01ff", b"01fg")),
    "files that are a number": marked(BODY.replace(b'[["ledger.keys-a",7,[8,9,10,11]]]', b"7")),
}


@pytest.mark.parametrize("content", NO_MARK.values(), ids=NO_MARK)
def test_a_broken_mark_or_one_of_another_version_is_none(content: bytes, tmp_path: Path) -> None:
    assert ledger_mark.parse(content) is None
    (tmp_path / "ledger.mark").write_bytes(content)
    assert ledger_mark.read(str(tmp_path)) is None


def test_without_a_mark_there_is_none(tmp_path: Path) -> None:
    assert ledger_mark.read(str(tmp_path)) is None
    os.symlink(tmp_path / "other", tmp_path / "ledger.mark")
    (tmp_path / "other").write_bytes(marked(BODY))
    assert ledger_mark.read(str(tmp_path)) is None


# -- a file that is read at places -------------------------------------------------------------------


def test_a_file_is_read_from_one_place_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    file, found = OpenFile(str(path)), path.stat()
    assert file.identity == Identity(found.st_ino, 6, found.st_mtime_ns, found.st_ctime_ns)
    assert file.identity.to_list() == [found.st_ino, 6, found.st_mtime_ns, found.st_ctime_ns]
    pread = os.pread
    for at_most in (1, 4, 99):
        # A file system may give less than it was asked for.
        monkeypatch.setattr(os, "pread", lambda fd, size, place, most=at_most: pread(fd, min(size, most), place))
        read = [file.read(start, end) for start, end in ((0, 6), (1, 5), (4, 9), (2, 2), (9, 12))]
        assert read == [b"abcdef", b"bcde", b"ef", b"", b""]


# -- the index ---------------------------------------------------------------------------------------

FIRST, NEWEST = ledger_keys.hashed("operation", "x"), ledger_keys.hashed("release", "x")


def entry(key: bytes, place: int) -> bytes:
    return key + place.to_bytes(8, "big")


def test_a_file_of_the_index_is_its_keys_in_order() -> None:
    one, two = sorted((FIRST, NEWEST))
    content = ledger_index.packed({two: 258, one: 7})
    assert content == entry(one, 7) + entry(two, 258)
    assert list(ledger_index.unpacked(content)) == [(one, 7), (two, 258)]
    assert ledger_index.packed({}) == b"" and list(ledger_index.unpacked(b"")) == []


def test_of_two_files_the_right_record_of_a_key_is_kept() -> None:
    older, newer = ({FIRST: place, NEWEST: place, bytes([place]) * 16: place} for place in (2, 4))
    merged = dict(ledger_index.unpacked(ledger_index.merge(ledger_index.packed(older), ledger_index.packed(newer))))
    assert merged == {FIRST: 2, NEWEST: 4, b"\2" * 16: 2, b"\4" * 16: 4}


def test_a_place_has_the_byte_of_the_record_and_the_order_of_the_key() -> None:
    made_by = {f"n{number}": {"backup": f"b{number}"} for number in range(300)}
    places: dict[bytes, int] = {}
    ledger_index.add_keys(places, {"id": "op-1", "notes": made_by}, 3)
    assert places[ledger_keys.hashed("record", "op-1")] == 3 * 256
    assert places[ledger_keys.hashed("operation", "b299")] == 3 * 256
    assert places[ledger_keys.hashed("operation", "b298")] == 3 * 256 + 1
    assert places[ledger_keys.hashed("operation", "b44")] == 3 * 256 + 255
    assert places[ledger_keys.hashed("operation", "b43")] == 3 * 256 + 255
    assert {ledger_index.begin_of(place) for place in places.values()} == {3}


def test_the_first_or_the_newest_record_of_a_key_counts_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    monkeypatch.setattr(ledger_index, "_MERGED", 0)
    index = Index(str(tmp_path))
    for begins in (1, 2, 3):
        index.recent = {FIRST: begins, NEWEST: begins}
        index.settle()
    assert len(index.segments) == 3
    index.recent = {FIRST: 4, NEWEST: 4, b"\4" * 16: 4}
    assert (index.place(FIRST), index.place(NEWEST)) == (1, 4)
    assert (index.place(b"\4" * 16), index.place(b"\5" * 16), index.place(b"\6" * 16)) == (4, None, None)
    index.recent = {}
    assert (index.place(FIRST), index.place(NEWEST)) == (1, 3)


def test_the_last_entries_become_a_file_once_they_are_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 2)
    index = Index(str(tmp_path), recent={b"a" * 16: 1, b"b" * 16: 2})
    index.settle()
    assert (index.segments, index.recent) == ([], {b"a" * 16: 1, b"b" * 16: 2})
    index.recent[b"c" * 16] = 3
    index.settle()
    [segment] = index.segments
    assert (segment.count, index.recent) == (3, {})
    assert (tmp_path / segment.name).read_bytes() == b"".join(
        entry(letter * 16, number) for number, letter in enumerate((b"a", b"b", b"c"), start=1)
    )
    assert segment.to_list() == [segment.name, 3, OpenFile(str(tmp_path / segment.name)).identity.to_list()]


def settled(folder: Path, *lengths: int) -> list[int]:
    """The lengths of the files of an index to which so many keys were added, one after the other."""
    index, number = Index(str(folder)), 0
    for length in lengths:
        for _ in range(length):
            number += 1
            index.recent[number.to_bytes(16, "big")] = number
        index.settle()
        index.tidy()
    names = sorted(name.name for name in folder.iterdir())
    assert names == sorted(segment.name for segment in index.segments)
    assert [index.place(at.to_bytes(16, "big")) for at in range(number + 1)] == [None, *range(1, number + 1)]
    return [segment.count for segment in index.segments]


def test_a_file_takes_in_those_before_it_that_are_not_much_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    for number, (lengths, files) in enumerate(
        [((4, 1), [5]), ((5, 1), [5, 1]), ((5, 1, 1), [7]), ((20, 3, 1), [20, 4]), ((20, 4, 1), [25])]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert settled(folder, *lengths) == files, lengths


def test_each_key_of_a_long_file_is_found_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    for count in (1, 15, 16, 17, 33, 100):
        index = Index(
            str(tmp_path), recent={(2 * at).to_bytes(16, "big"): at + (1 << 40) for at in range(1, count + 1)}
        )
        index.settle()
        found = [index.place(at.to_bytes(16, "big")) for at in range(2 * count + 3)]
        assert found == [
            at // 2 + (1 << 40) if at and not at % 2 and at <= 2 * count else None for at in range(len(found))
        ]


def test_a_look_up_reads_little_of_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    index = Index(str(tmp_path), recent={at.to_bytes(16, "big"): at for at in range(1000)})
    index.settle()
    reads: list[int] = []
    read = OpenFile.read
    monkeypatch.setattr(
        OpenFile,
        "read",
        lambda file, start, end: reads.append(end - start) or read(file, start, end),  # type: ignore[func-returns-value]
    )
    assert index.place((999).to_bytes(16, "big")) == 999
    assert reads[:-1] == [16] * 6 and reads[-1] == 16 * 24


CHANGED: dict[str, Any] = {
    "gone": lambda path: path.unlink(),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "another": lambda path: (path.rename(path.with_name("x")), path.write_bytes(path.with_name("x").read_bytes())),
    "a link": lambda path: (path.rename(path.with_name("x")), path.symlink_to(path.with_name("x"))),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_a_file_that_is_not_the_one_that_was_written_is_missing(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    index = Index(str(tmp_path), recent={FIRST: 1})
    index.settle()
    [segment] = index.segments
    Index(str(tmp_path), [segment]).check()
    change(tmp_path / segment.name)
    with pytest.raises(Missing, match=f"^{segment.name}$"):
        Index(str(tmp_path), [segment]).check()
    with pytest.raises(Missing):
        Index(str(tmp_path), [segment]).place(FIRST)


def test_a_file_of_another_length_than_its_keys_have_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    index = Index(str(tmp_path), recent={FIRST: 1})
    index.settle()
    with pytest.raises(Missing):
        Index(str(tmp_path), [replace(index.segments[0], count=2)]).check()


def test_a_file_is_looked_for_in_the_state_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    index = Index(str(tmp_path), recent={FIRST: 1})
    index.settle()
    [segment] = index.segments
    folder = tmp_path / "other"
    folder.mkdir()
    with pytest.raises(Missing):
        Index(str(folder), [replace(segment, name=f"../{segment.name}")]).check()


def test_only_files_of_the_index_that_nobody_needs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_index, "RECENT", 0)
    index = Index(str(tmp_path), recent={FIRST: 1})
    index.settle()
    for name in ("ledger.keys-old", "ledger.mark", "ledger.jsonl", "other.keys-old"):
        (tmp_path / name).touch()
    index.tidy()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"ledger.mark", "ledger.jsonl", "other.keys-old", index.segments[0].name}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=12))
def test_a_merged_index_answers_as_one_that_was_never_a_file(added: list[tuple[str, bool]]) -> None:
    before = ledger_index.RECENT
    with tempfile.TemporaryDirectory() as folder:
        ledger_index.RECENT = 1
        try:
            index, plain = Index(folder), Index(folder)
            for begins, (name, continues) in enumerate(added):
                record: Any = {"id": name, **({"continues": "a"} if continues else {})}
                index.add(record, begins)
                plain.add(record, begins)
                index.settle()
            for kind in ("operation", "record"):
                keys = [ledger_keys.hashed(kind, name) for name in "abcde"]
                assert [index.place(key) for key in keys] == [plain.place(key) for key in keys]
        finally:
            ledger_index.RECENT = before
