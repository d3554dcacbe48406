# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: what was appended reads back, what was edited shows, and a power cut costs at most one record."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import (
    GENESIS,
    PREVIOUS,
    LedgerDamaged,
    digest,
    parse,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_book import append
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import cleaned

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
one_record = st.fixed_dictionaries(
    {"id": st.text(max_size=6)},
    optional={
        "to": st.none() | st.dictionaries(st.text(max_size=6), values, max_size=3),
        "reason": st.none() | st.text(max_size=12),
        "steps": st.lists(st.dictionaries(st.text(max_size=6), values, max_size=2), max_size=2),
        "migrations": values,
    },
)
operations = st.lists(one_record, min_size=1, max_size=4)


def written(records: list[dict[str, Any]]) -> bytes:
    """The bytes of a ledger with these records."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ledger.jsonl")
        for record in records:
            append(path, record)
        return Path(path).read_bytes()


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what the ledger adds."""
    return {name: value for name, value in record.items() if name not in (PREVIOUS, "schema")}


def test_a_record_holds_no_letter_that_a_screen_obeys() -> None:
    record = {"id": "a", "error": "x\x1b[2J\x07y", "notes": {"n": ["\u202eb", 1]}, "reason": "two\nlines"}
    kept = parse(written([record])).records[0]
    assert plain(kept) == {"id": "a", "error": "x?y", "notes": {"n": ["b", 1]}, "reason": "two\nlines"}


THREE = [{"id": "a", "to": {"id": "1"}}, {"id": "b", "to": {"id": "2"}}, {"id": "c", "reason": "Übung"}]


@settings(max_examples=25)
@given(operations)
def test_appended_records_read_back(records: list[dict[str, Any]]) -> None:
    book = parse(written(records))
    assert [plain(record) for record in book.records] == cleaned(records)
    assert (book.problems, book.torn) == ((), b"")


def test_each_record_holds_the_hash_of_the_line_before() -> None:
    lines = written(THREE).splitlines()
    assert [json.loads(line)[PREVIOUS] for line in lines] == [GENESIS, digest(lines[0]), digest(lines[1])]
    assert parse(written(THREE)).head == digest(lines[2])


def test_a_record_cannot_choose_its_own_chain() -> None:
    record = parse(written([{"id": "a", PREVIOUS: "f" * 64, "schema": 99}])).records[0]
    assert record == {"id": "a", PREVIOUS: GENESIS, "schema": ledger.SCHEMA}


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    book = ledger.read(str(tmp_path / "ledger.jsonl"))
    assert (book.records, book.head, book.problems) == ((), GENESIS, ())


def edit(lines: list[bytes], place: int) -> list[bytes]:
    record = json.loads(lines[place])
    record["outcome"] = "succeeded"
    return [*lines[:place], ledger.durable_file.encode(record), *lines[place + 1 :]]


TAMPERING = {
    "a record edited": lambda lines: edit(lines, 1),
    "the first record edited": lambda lines: edit(lines, 0),
    "one byte of a record changed": lambda lines: [lines[0].replace(b'"1"', b'"9"'), *lines[1:]],
    "a blank within a record": lambda lines: [lines[0], lines[1].replace(b":", b": ", 1), lines[2]],
    "the first record removed": lambda lines: lines[1:],
    "a record in the midst removed": lambda lines: [lines[0], lines[2]],
    "two records swapped": lambda lines: [lines[1], lines[0], lines[2]],
    "the last two swapped": lambda lines: [lines[0], lines[2], lines[1]],
    "a record doubled": lambda lines: [lines[0], lines[0], *lines[1:]],
    "the last record doubled": lambda lines: [*lines, lines[-1]],
    "an empty line in between": lambda lines: [lines[0], b"", *lines[1:]],
    "a line that is not a record": lambda lines: [lines[0], b"[1]", *lines[1:]],
    "a line of rubbish": lambda lines: [lines[0], b"\xff\xfe", *lines[1:]],
    "a record cut short in the midst": lambda lines: [lines[0], lines[1][:-5], lines[2]],
    "a line of rubbish at the end": lambda lines: [*lines, b"rubbish"],
    "a forged record at the end": lambda lines: [*lines, b'{"id":"x","previous_hash":"' + b"0" * 64 + b'"}'],
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_a_problem_and_stops_the_next_append(name: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"\n".join(TAMPERING[name](written(THREE).splitlines())) + b"\n")
    was = path.read_bytes()
    assert parse(was).problems
    with pytest.raises(LedgerDamaged, match="line"):
        append(str(path), {"id": "next"})
    assert path.read_bytes() == was


@settings(max_examples=60)
@given(operations.filter(lambda records: len(records) > 1), st.data())
def test_any_edit_deletion_or_swap_of_a_line_but_the_last_shows(records: list[dict[str, Any]], data: Any) -> None:
    lines = written(records).splitlines()
    place = data.draw(st.integers(0, len(lines) - 2))
    act = data.draw(st.sampled_from(["edit", "delete", "swap"]))
    if act == "edit":
        position = data.draw(st.integers(0, len(lines[place]) - 1))
        byte = bytes([data.draw(st.integers(32, 126).filter(lambda code: code != lines[place][position]))])
        lines[place] = lines[place][:position] + byte + lines[place][position + 1 :]
    elif act == "delete":
        del lines[place]
    else:
        lines[place], lines[place + 1] = lines[place + 1], lines[place]
    assert parse(b"\n".join(lines) + b"\n").problems


def test_a_ledger_cut_at_any_byte_goes_on(tmp_path: Path) -> None:
    """A power cut within the last append, at each byte: at most that record is lost, and its bytes are kept."""
    whole = written(THREE)
    path, start = tmp_path / "ledger.jsonl", whole.rindex(b"\n", 0, -1) + 1
    for cut in range(len(whole) + 1):
        for entry in tmp_path.iterdir():
            entry.unlink()
        path.write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n")
        book = ledger.read(str(path))
        assert not book.problems
        # A record whose newline alone is missing is whole.
        whole_lines = len(whole[: cut + 1].splitlines()) if whole[cut : cut + 1] == b"\n" else complete
        assert [plain(record) for record in book.records] == THREE[: max(complete, whole_lines)]
        if cut < start:
            continue
        append(str(path), {"id": "next"})
        after = ledger.read(str(path))
        assert not after.problems and not after.torn
        assert [record["id"] for record in after.records] == [*(r["id"] for r in book.records), "next"]
        assert after.records[: len(book.records)] == book.records
        kept = [entry.read_bytes() for entry in tmp_path.iterdir() if ".torn-" in entry.name]
        assert kept == ([book.torn + b"\n"] if book.torn else [])


@settings(max_examples=20)
@given(operations, st.integers(0, 400))
def test_any_file_cut_anywhere_is_readable_and_goes_on(records: list[dict[str, Any]], lost: int) -> None:
    whole = written(records)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ledger.jsonl")
        Path(path).write_bytes(whole[: max(len(whole) - lost, 0)])
        before = ledger.read(path)
        assert not before.problems
        assert [plain(record) for record in before.records] == cleaned(records[: len(before.records)])
        append(path, {"id": "next"})
        after = ledger.read(path)
        assert (len(after.records), after.problems, after.torn) == (len(before.records) + 1, (), b"")


@pytest.mark.parametrize("torn", [b"", b'{"id": "to'], ids=["whole", "with a torn line"])
@pytest.mark.parametrize("room", [0, 1, 40])
def test_an_append_on_a_full_disk_changes_no_record(tmp_path: Path, room: int, torn: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(written(THREE) + torn)
    before = ledger.read(str(path))
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before.size + room, before.size + room))
        try:
            append(str(path), {"id": "next", "reason": "x" * 100})
        except OSError:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    after = ledger.read(str(path))
    assert (after.records, after.head, after.problems) == (before.records, before.head, ())
    append(str(path), {"id": "next"})
    assert [record["id"] for record in ledger.read(str(path)).records] == ["a", "b", "c", "next"]
