# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: all that is read of its bytes, the types of a record, the record of an operation, and the look-ups."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import journal, ledger, ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Ending, Progress
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import GENESIS, Chain, Ledger, digest

Record = dict[str, Any]


def lines(*records: Record) -> list[bytes]:
    """The lines of a ledger with these records."""
    found: list[bytes] = []
    for record in records:
        found.append(ledger.line_of(record, digest(found[-1]) if found else GENESIS)[1])
    return found


# -- the chain, whole --------------------------------------------------------------------------------

ONE, TWO, THREE = lines({"id": "a"}, {"id": "b"}, {"id": "c"})
WRONG = lines({"id": "a"}, {"id": 1})[1]
CHAINS: dict[str, tuple[bytes, Chain, list[str]]] = {
    # the bytes, the chain, the ids of the records
    "empty": (b"", Chain(0, GENESIS, b"", (), 0, True, 0), []),
    "two records": (
        ONE + b"\n" + TWO + b"\n",
        Chain(2, digest(TWO), b"", (), len(ONE) + len(TWO) + 2, True, len(ONE) + 1),
        ["a", "b"],
    ),
    "the last newline is missing": (
        ONE + b"\n" + TWO,
        Chain(2, digest(TWO), b"", (), len(ONE) + len(TWO) + 1, False, len(ONE) + 1),
        ["a", "b"],
    ),
    "a torn line": (
        ONE + b"\n" + TWO[:-1],
        Chain(1, digest(ONE), TWO[:-1], (), len(ONE) + 1, True, 0),
        ["a"],
    ),
    "a torn line alone": (b"{", Chain(0, GENESIS, b"{", (), 0, True, 0), []),
    "a line of rubbish": (
        ONE + b"\nx\n" + TWO + b"\n",
        Chain(
            2,
            digest(TWO),
            b"",
            ("line 2 is not a record", "line 3 does not follow from the line before it"),
            len(ONE) + len(TWO) + 4,
            True,
            len(ONE) + 3,
        ),
        ["a", "b"],
    ),
    "a line of rubbish at the end": (
        ONE + b"\nx\n",
        Chain(1, digest(b"x"), b"", ("line 2 is not a record",), len(ONE) + 3, True, len(ONE) + 1),
        ["a"],
    ),
    "an empty line at the beginning": (
        b"\n" + ONE,
        Chain(
            1,
            digest(ONE),
            b"",
            ("line 1 is not a record", "line 2 does not follow from the line before it"),
            len(ONE) + 1,
            False,
            1,
        ),
        ["a"],
    ),
    "a record is missing": (
        ONE + b"\n" + THREE + b"\n",
        Chain(
            2,
            digest(THREE),
            b"",
            ("line 2 does not follow from the line before it",),
            len(ONE) + len(THREE) + 2,
            True,
            len(ONE) + 1,
        ),
        ["a", "c"],
    ),
    "a field of another type": (
        ONE + b"\n" + WRONG + b"\n",
        Chain(
            1,
            digest(WRONG),
            b"",
            ("line 2 is not a record of an operation: its field id is of another type",),
            len(ONE) + len(WRONG) + 2,
            True,
            len(ONE) + 1,
        ),
        ["a"],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_bytes_of_a_ledger_are_read_as(name: str) -> None:
    content, expected, ids = CHAINS[name]
    visited: list[tuple[str, int]] = []
    assert ledger.walk(content, lambda record, begins: visited.append((record["id"], begins))) == expected
    assert visited == [(one, content.index(b'{"id":"%s"' % one.encode())) for one in ids]
    read = ledger.parse(content)
    assert [(record["id"], begins) for record, begins in zip(read.records, read.places)] == visited
    of_chain = (read.count, read.head, read.torn, read.problems, read.size, read.ends_with_newline, read.last)
    assert of_chain == tuple(vars(expected).values())


def test_a_ledger_in_memory_answers_as_the_one_that_was_read() -> None:
    records = tuple(ledger.parse(b"\n".join([ONE, TWO, THREE])).records)
    for book in (Ledger(records), ledger.parse(b"\n".join([ONE, TWO, THREE]))):
        assert (book.count, book.verified) == (3, "")
        assert [record["id"] for record in book.backwards()] == ["c", "b", "a"]
        assert [book.find(ledger_keys.RECORD, name) for name in ("a", "b", "c", "d")] == [*records, None]


# -- the types of a record ---------------------------------------------------------------------------

TEXTS = ("id", "service", "environment", "procedure", "reason", "outcome", "error", "about")
TIMES = ("started", "finished", "continues")
MAPPINGS = ("from", "to", "left", "actor", "facts", "notes")
LISTS = ("steps", "health", "failed_health")
RIGHT: Record = {
    **dict.fromkeys((*TEXTS, *TIMES), "x"),
    **{name: {"x": 1} for name in MAPPINGS},
    **{name: [{"x": 1}, {}] for name in LISTS},
}


def test_a_record_of_an_operation_has_no_wrong_field() -> None:
    assert ledger.wrong_field(RIGHT) == ""
    assert ledger.wrong_field(dict.fromkeys(RIGHT)) == ""
    assert ledger.wrong_field({}) == ""
    assert ledger.wrong_field({"more": 1}) == ""


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("value", [0, 1, False, "", "x", [], {}, [1]], ids=repr)
def test_a_field_of_another_type_is_named(name: str, value: object) -> None:
    right = {**dict.fromkeys((*TEXTS, *TIMES), str), **dict.fromkeys(MAPPINGS, dict), **dict.fromkeys(LISTS, list)}
    wrong = not isinstance(value, right[name]) or value == [1]
    assert ledger.wrong_field({**RIGHT, name: value}) == (name if wrong else "")


@pytest.mark.parametrize(("line", "good"), [(ONE, True), (WRONG, False), (b"x", False), (b"[]", False), (b"", False)])
def test_a_good_record_is_one_of_an_operation(line: bytes, good: bool) -> None:
    found = ledger.good_record(line)
    assert found == ({"id": "a", "schema": 1, "previous_hash": GENESIS} if good else None)


def test_a_line_is_what_was_written_of_its_record() -> None:
    written, line = ledger.line_of({"id": "a\x07", "schema": 9}, "h")
    assert written == {"id": "a?", "schema": 1, "previous_hash": "h"}
    assert line == b'{"id":"a?","previous_hash":"h","schema":1}'


# -- the record of an operation ----------------------------------------------------------------------

OPENED = {
    "operation": "op-1",
    "service": "shop",
    "environment": "production",
    "procedure": "deploy",
    "actor": {"user": "ada"},
    "reason": "INC-7",
    "started": "03:00",
}
PLAN: Record = {"from": {"id": "1"}, "to": {"id": "2"}, "migrations": {"mode": "keep"}, "steps": [], "undo": []}
PLAIN = {
    "id": "op-1",
    "service": "shop",
    "environment": "production",
    "procedure": "deploy",
    "actor": {"user": "ada"},
    "reason": "INC-7",
    "started": "03:00",
    "finished": "04:00",
    "from": {"id": "1"},
    "to": {"id": "2"},
    "left": {"id": "2"},
    "migrations": {"mode": "keep"},
    "steps": [],
    "health": [],
    "outcome": "succeeded",
    "error": "",
}
WELL = Ending("succeeded", True, "to")
CUT = Ending("interrupted", False, None, "cut off")
RECORDS: dict[str, tuple[Record, Ending, Record]] = {
    # fields of the progress, the end, what the record has beside the plain one
    "well": ({}, WELL, {}),
    "without anything": (
        {"opened": {"operation": "op-2"}, "plan": None},
        Ending("refused", True, None, "no"),
        {
            **dict.fromkeys(PLAIN),
            "id": "op-2",
            "finished": "04:00",
            "steps": [],
            "health": [],
            "outcome": "refused",
            "error": "no",
        },
    ),
    "steps there and back": (
        {"past": [("code", 1.5, "forward"), ("code", 2.5, BACK)]},
        WELL,
        {"steps": [{"step": "code", "seconds": 1.5}, {"step": "code", "seconds": 2.5, "direction": "back"}]},
    ),
    "verified": (
        {"verified": {"ok": True, "health": [{"name": "up"}], "surroundings": ["the queue is down"]}},
        WELL,
        {"health": [{"name": "up"}], "surroundings": ["the queue is down"]},
    ),
    "went back": (
        {"direction": BACK, "cause_about": "release", "failed_health": [{"name": "up"}]},
        Ending("reverted", True, "from", "status 500"),
        {
            "left": {"id": "1"},
            "outcome": "reverted",
            "error": "status 500",
            "about": "release",
            "failed_health": [{"name": "up"}],
        },
    ),
    "cut off": ({}, CUT, {"left": None, "outcome": "interrupted", "error": "cut off", "about": "cut"}),
    "failed for its surroundings": (
        {"verified": {"ok": False, "about": "surroundings"}},
        Ending("failed", True, "to", "disk full"),
        {"outcome": "failed", "error": "disk full", "about": "surroundings"},
    ),
    "failed, and nobody knows for what": (
        {"verified": {"ok": False}},
        Ending("failed", True, "to", "disk full"),
        {"outcome": "failed", "error": "disk full"},
    ),
    "continues another": ({"opened": {**OPENED, "continues": "op-0"}}, WELL, {"continues": "op-0"}),
    "continues another that saved something": (
        {"opened": {**OPENED, "continues": "op-0"}, "plan": {**PLAN, "saved_as": "op-9"}},
        WELL,
        {"continues": "op-0", "saved_as": "op-9"},
    ),
    "saved something": ({"plan": {**PLAN, "saved_as": "op-9"}}, WELL, {}),
    "facts and notes": (
        {"plan": {**PLAN, "facts": {"strategy": "rebuild"}}, "notes": {"code": {"x": 1}}},
        WELL,
        {"facts": {"strategy": "rebuild"}, "notes": {"code": {"x": 1}}},
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_the_record_of_an_operation_is(name: str) -> None:
    fields, end, more = RECORDS[name]
    progress = Progress(**{"opened": OPENED, "plan": PLAN, **fields})
    assert ledger.record_of(progress, end, "04:00") == {**PLAIN, **more}


def test_the_record_of_a_journal_is_the_one_of_its_end() -> None:
    progress = journal.fold([{"event": "open", "operation": "op-1"}])
    assert progress is not None
    record = ledger.record_of(progress, journal.ending(progress), "now")
    assert (record["outcome"], record["error"]) == ("interrupted", "it ended before there was a plan")


# -- look-ups ----------------------------------------------------------------------------------------

BOOK = ledger.parse(
    b"\n".join(
        lines(
            {"id": "op-1", "continues": "op-0", "to": {"id": "r1"}},
            {"id": "op-2", "to": {"id": "r2"}, "from": {"id": "r1"}},
            {"id": "op-3", "to": {"id": "r1"}},
        )
    )
)


def test_records_of_several_keys_come_once_and_the_oldest_first() -> None:
    releases = [(ledger_keys.RELEASE, name) for name in ("r1", "r2", "r3")]
    assert [record["id"] for record in BOOK.of(releases)] == ["op-2", "op-3"]
    operations = [(ledger_keys.OPERATION, name) for name in ("op-1", "op-0")]
    assert [record["id"] for record in BOOK.of([*operations, *releases])] == ["op-1", "op-2", "op-3"]
    assert BOOK.of([]) == []


def test_names_are_asked_for_in_the_order_in_which_they_came() -> None:
    named = BOOK.named(ledger_keys.OPERATION)
    assert [name for name in ("op-3", "op-2", "op-1", "op-0", "op-4") if name in named] == [
        "op-3",
        "op-2",
        "op-1",
        "op-0",
    ]
    places = [named.place(name) for name in ("op-0", "op-1", "op-2", "op-3")]
    assert None not in places and places == sorted(places, key=lambda place: place or 0) and len(set(places)) == 4
    assert named.place("op-4") is None and 4 not in named
    assert BOOK.named(ledger_keys.RELEASE).place("op-1") is None


def test_the_releases_are_those_of_the_ledger_and_of_what_is_not_in_it_yet() -> None:
    def deploy(name: str) -> Any:
        end = {"to": {"id": name}, "left": {"id": name}, "steps": [{"step": "code"}]}
        return {"id": f"op-{name}", "procedure": "deploy", "outcome": "succeeded", **end}

    book = ledger.parse(lines(deploy("r1"))[0])
    assert book.history().left == "r1"
    assert book.history(deploy("r2")).left == "r2"
    assert [release.id for release in book.history(deploy("r2")).order] == ["r1", "r2"]
