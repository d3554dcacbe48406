# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker of histories: each thing that must hold is judged red once it does not, and only then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from histories import check
from histories.check import Facts, Run, Surroundings

A, B = "a" * 40, "b" * 40
NAMES = {A: "v1.0.0", B: "v1.1.0"}


def ledger(*records: dict[str, Any]) -> bytes:
    head, lines = check.FIRST, []
    for record in records:
        line = json.dumps({**record, "previous_hash": head}).encode()
        head = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
    return b"".join(lines)


def record(operation: str, outcome: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {"id": operation, "procedure": "deploy", "outcome": outcome, **more}


FIRST = record("1", to={"id": A}, left={"id": A})
SECOND = record("2", to={"id": B}, left={"id": B}, **{"from": {"id": A}})
BEFORE = Facts(((200, "1.0.0"),) * 3, A, {"refunds": frozenset({1, 2})}, ledger(FIRST), names=NAMES)
AFTER = replace(BEFORE, answers=((200, "1.1.0"),) * 3, release=B, ledger=ledger(FIRST, SECOND))
GREEN = Run(True, False, "succeeded", "", "2", "", True)
REFUSED = Run(False, True, "", "migrations_ahead", "", "", True)
KILLED = Run(False, False, "", "", "", "", False, True)
BEGUN = b'{"event":"open","operation":"2"}\n{"event":"begin","step":"code"}\n'

RED: dict[str, tuple[Facts, Facts, Run | None, str]] = {
    "two releases answer": (BEFORE, replace(AFTER, answers=((200, "1.0.0"), (200, "1.1.0"))), GREEN, "answers:"),
    "nothing answers after a green run": (BEFORE, replace(AFTER, answers=((502, ""),)), GREEN, "answers:"),
    "another release answers": (BEFORE, replace(AFTER, answers=BEFORE.answers), GREEN, "answers:"),
    "an unasked page": (BEFORE, replace(AFTER, page=True, answers=((503, ""),)), GREEN, "answers:"),
    "rows are gone": (BEFORE, replace(AFTER, rows={"refunds": frozenset({2})}), GREEN, "rows:"),
    "a table is gone": (BEFORE, replace(AFTER, rows={}), GREEN, "rows:"),
    "a record is changed": (
        BEFORE,
        replace(AFTER, ledger=ledger({**FIRST, "outcome": "failed"}, SECOND)),
        GREEN,
        "chain:",
    ),
    "the chain is cut": (BEFORE, replace(AFTER, ledger=ledger(FIRST) + ledger(SECOND)), GREEN, "chain:"),
    "the end is not recorded": (BEFORE, replace(AFTER, ledger=BEFORE.ledger), GREEN, "record:"),
    "another outcome is recorded": (
        BEFORE,
        replace(AFTER, ledger=ledger(FIRST, {**SECOND, "outcome": "reverted"})),
        GREEN,
        "record:",
    ),
    "the record says another release": (
        BEFORE,
        replace(AFTER, ledger=ledger(FIRST, {**SECOND, "left": {"id": A}})),
        GREEN,
        "record:",
    ),
    "a journal is left": (BEFORE, replace(AFTER, journal=BEGUN), GREEN, "record:"),
    "a lease is left": (BEFORE, replace(AFTER, lease={"operation": "2"}), GREEN, "lease:"),
    "a refusal without a way": (BEFORE, BEFORE, replace(REFUSED, names_a_way=False), "ways:"),
    "an operation vanishes": (replace(BEFORE, journal=BEGUN), BEFORE, REFUSED, "journal:"),
    "a change before its line": (
        BEFORE,
        replace(BEFORE, release=B, journal=b'{"event":"open","operation":"2"}\n'),
        replace(REFUSED, refused=False, killed=True),
        "journal:",
    ),
    "a record in an edited ledger": (
        replace(BEFORE, ledger=ledger(FIRST) + ledger(FIRST)),
        replace(AFTER, ledger=ledger(FIRST) + ledger(FIRST) + ledger(SECOND)),
        GREEN,
        "ledger:",
    ),
}


def nothing(_text: str, _table: str) -> int:
    return 0


@pytest.mark.parametrize("name", RED)
def test_it_is_red(name: str) -> None:
    before, after, run, begins = RED[name]
    found = check.judge(before, after, run, Surroundings(), nothing)
    assert any(problem.startswith(begins) for problem in found), found


GOOD: dict[str, tuple[Facts, Facts, Run | None, Surroundings]] = {
    "a deploy": (BEFORE, AFTER, GREEN, Surroundings()),
    "a refusal": (BEFORE, BEFORE, REFUSED, Surroundings()),
    "a deploy that went back by itself": (
        BEFORE,
        replace(BEFORE, ledger=ledger(FIRST, {**SECOND, "outcome": "reverted", "left": {"id": A}})),
        replace(GREEN, green=False, outcome="reverted", names_a_way=False),
        Surroundings(),
    ),
    "a kill": (
        BEFORE,
        replace(AFTER, answers=((502, ""),), ledger=BEFORE.ledger, journal=BEGUN),
        KILLED,
        Surroundings(),
    ),
    "a lease of a living process": (
        BEFORE,
        replace(BEFORE, lease={"operation": "3"}, lease_lives=True),
        REFUSED,
        Surroundings(),
    ),
    "a lease of an operation about which somebody has to decide": (
        replace(BEFORE, journal=BEGUN, lease={"operation": "2"}),
        replace(BEFORE, journal=BEGUN, lease={"operation": "2"}),
        replace(REFUSED, code="interrupted"),
        Surroundings(),
    ),
    "a page that was asked for": (
        BEFORE,
        replace(AFTER, page=True, answers=((503, ""),)),
        GREEN,
        Surroundings(paged=True),
    ),
    "an edited ledger": (
        BEFORE,
        replace(BEFORE, ledger=ledger({**FIRST, "outcome": "failed"}) + ledger(SECOND)),
        None,
        Surroundings(edited=True),
    ),
    "a ledger that was set aside": (
        BEFORE,
        replace(AFTER, ledger=ledger(SECOND), aside=(BEFORE.ledger,)),
        GREEN,
        Surroundings(),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_it_is_green(name: str) -> None:
    before, after, run, around = GOOD[name]
    assert check.judge(before, after, run, around, nothing) == []


def test_an_announced_loss_is_not_red() -> None:
    gone = replace(AFTER, rows={})
    assert check.judge(BEFORE, gone, GREEN, Surroundings(), lambda _text, table: 2 * (table == "refunds")) == []
    found = check.judge(BEFORE, gone, GREEN, Surroundings(), lambda _text, _table: 1)
    assert found == ["rows: 2 rows of refunds are missing, and the plans announced 1"]


def test_the_previous_release_is_the_newest_good_one_before() -> None:
    third = record("3", to={"id": "c"}, left={"id": "c"}, **{"from": {"id": B}})
    back = {**record("4", to={"id": B}, left={"id": B}, **{"from": {"id": "c"}}), "procedure": "rollback"}
    assert check.previous([FIRST]) == ""
    assert check.previous([FIRST, SECOND, third]) == B
    assert check.previous([FIRST, SECOND, third, back]) == A


def test_an_operation_that_was_let_in_too_early_is_seen_by_the_order_of_the_records() -> None:
    assert check.overtaken(ledger(SECOND, FIRST), "1", "2")
    assert not check.overtaken(ledger(FIRST, SECOND), "1", "2")
    assert check.overtaken(ledger(SECOND), "1", "2")
    assert check.overtaken(ledger({**FIRST, "outcome": "interrupted"}, SECOND), "1", "2")
    assert not check.overtaken(ledger(FIRST), "1", "2")
    assert not check.overtaken(ledger(FIRST, SECOND), "", "")


def went(
    operation: str, procedure: str, source: str, target: str, left: str, outcome: str, **more: Any
) -> dict[str, Any]:
    ends = {"from": {"id": source}, "to": {"id": target}, "left": {"id": left}}
    return {**record(operation, outcome, steps=[{"step": "code"}], **ends), "procedure": procedure, **more}


PREVIOUS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a rollback to what was never deployed here puts it before what it left": (
        [FIRST, went("2", "rollback", A, "m", "m", "succeeded"), went("3", "deploy", "m", B, B, "succeeded")],
        "m",
    ),
    "a deploy that went back condemns its target": (
        [FIRST, SECOND, went("3", "deploy", B, A, B, "reverted", about="release")],
        "",
    ),
    "one that failed for its surroundings does not": (
        [FIRST, SECOND, went("3", "deploy", B, A, B, "reverted", about="surroundings")],
        A,
    ),
    "one that was cut off and undone does not": (
        [FIRST, SECOND, went("3", "deploy", B, A, B, "reverted", about="cut")],
        A,
    ),
    "a refusal changes nothing": ([FIRST, SECOND, went("3", "deploy", B, A, B, "refused")], A),
    "the same release that was not well is what it was": ([FIRST, SECOND, went("3", "deploy", B, B, B, "failed")], A),
}


@pytest.mark.parametrize("name", PREVIOUS)
def test_the_previous_release_after(name: str) -> None:
    found, expected = PREVIOUS[name]
    assert check.previous(found) == expected


def test_a_history_of_other_records_is_red() -> None:
    told = {"records": [{"id": "1"}, {"id": "2"}], "chain": {"ok": True}, "previous": {"id": A}}
    assert check.history(AFTER, told) == []
    assert check.history(AFTER, {**told, "records": [{"id": "2"}]})
    assert check.history(AFTER, {**told, "chain": {"ok": False}})
    assert check.history(AFTER, {**told, "previous": {"id": B}})
