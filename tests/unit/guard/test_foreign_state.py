# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is in a state folder or a store: it is read, or refused in one way, and hides nothing that is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.guard import journal, lease, ledger, release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.host.clock import Now
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
DEEP = b"[" * 200_000

GOOD: dict[str, Any] = {
    "schema": 1,
    "id": "20261129T010000Z-aaaaaa",
    "app": "shop",
    "host": "h",
    "environment": "production",
    "made": "2026-11-29T01:00:00.000Z",
    "reason": "requested",
    "recipient": "",
    "versions": {"dokku": "0.38"},
    "release": {"number": "5"},
    "parts": [
        {
            "kind": "database",
            "name": "shop",
            "file": "database",
            "size": 1,
            "sha256": "0" * 64,
            "key": "",
            "facts": {"rows": {"a": 1}, "keys": {"db0": [1, 2]}, "image": "mysql:8", "variables": ["A_URL"]},
        }
    ],
    "left_out": ["x: why"],
}
FIELDS = [name for name in GOOD if name not in ("schema",)]
FACTS = ["rows", "keys", "image", "variables", "links", "views", "routines", "events", "server"]


def either(content: bytes) -> manifest.Manifest | None:
    try:
        found = manifest.parse(content)
    except manifest.BadManifest as error:
        assert str(error).isprintable() and len(str(error)) < 1000
        return None
    json.dumps(found.to_dict())
    for part in found.parts:
        sum((part.facts.get("rows") or {}).values())
        assert all(low <= high or low > high for low, high in (part.facts.get("keys") or {}).values())
    return found


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_manifest_of_any_bytes_is_one_or_is_bad(content: bytes) -> None:
    either(content)


@given(st.sampled_from(FIELDS), VALUES)
def test_a_manifest_with_any_value_is_one_or_is_bad(field: str, value: Any) -> None:
    either(json.dumps({**GOOD, field: value}).encode())


@given(st.sampled_from(["kind", "name", "file", "size", "sha256", "key", "facts"]), VALUES)
def test_a_part_with_any_value_is_one_or_is_bad(field: str, value: Any) -> None:
    either(json.dumps({**GOOD, "parts": [{**GOOD["parts"][0], field: value}]}).encode())


@given(st.sampled_from(FACTS), VALUES)
def test_a_fact_with_any_value_is_one_or_is_bad(field: str, value: Any) -> None:
    part = GOOD["parts"][0]
    either(json.dumps({**GOOD, "parts": [{**part, "facts": {**part["facts"], field: value}}]}).encode())


def test_a_good_manifest_is_one() -> None:
    assert either(json.dumps(GOOD).encode())


BAD = {
    "rows of a list": {"parts": [{**GOOD["parts"][0], "facts": {"rows": [1]}}]},
    "rows of a text": {"parts": [{**GOOD["parts"][0], "facts": {"rows": "x"}}]},
    "a number for what was left out": {"left_out": 5},
    "letters that move a cursor": {"host": "\x1b]0;x\x07"},
    "a size of 400 digits": {"parts": [{**GOOD["parts"][0], "size": 10**400}]},
    "an impossible date": {"made": "2026-13-99T00:00:00Z"},
    "digits of another script": {"made": "२०२६-11-29T01:00:00Z"},
}


@pytest.mark.parametrize("name", [*BAD, "deep", "large"])
def test_one_bad_manifest_hides_no_good_one(tmp_path: Path, name: str) -> None:
    content = json.dumps({**GOOD, **BAD.get(name, {})}).encode()
    if name == "deep":
        content = b'{"a":' + DEEP
    elif name == "large":
        content = b" " * (17 << 20)
    for folder, text in ((GOOD["id"], json.dumps(GOOD).encode()), ("20261129T020000Z-bbbbbb", content)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "manifest.json").write_bytes(text)
    found, bad = Store(str(tmp_path)).look()
    assert [one.id for one in found] == [GOOD["id"]] and list(bad) == ["20261129T020000Z-bbbbbb"]


# -- the ledger ----------------------------------------------------------------------------------

RECORD = {"id": "a", "procedure": "deploy", "outcome": "succeeded", "from": {"id": "1"}, "to": {"id": "2"}, "steps": []}


@given(st.binary(max_size=200) | st.sampled_from([DEEP, DEEP + b"\n", b"{}\n" + DEEP + b"\n{}\n"]))
def test_a_ledger_of_any_bytes_is_read(content: bytes) -> None:
    ledger.parse(content)


@given(st.sampled_from([*RECORD, "left", "health", "error", "actor", "facts", "notes", "started"]), VALUES)
def test_a_record_with_any_value_is_read_or_named(field: str, value: Any) -> None:
    line = json.dumps({**RECORD, field: value, ledger.PREVIOUS: ledger.GENESIS}).encode() + b"\n"
    book = ledger.parse(line)
    assert bool(book.problems) is not bool(book.records)
    release_choice.history(book.records)


# -- the lease -----------------------------------------------------------------------------------

LEASE: dict[str, Any] = {
    "operation": "a",
    "procedure": "deploy",
    "reason": "",
    "actor": {},
    "since": "",
    "expires": "",
    "boot": "x",
    "expires_uptime": 5.0,
}


@given(st.sampled_from([*LEASE, "more"]), VALUES)
def test_a_lease_with_any_value_is_one_or_none(field: str, value: Any) -> None:
    found = lease.parse(json.dumps({**LEASE, field: value}).encode())
    assert lease.standing(found, False, False, Now(0.0, "x", 1.0))
    if field != "more":
        assert lease.parse(json.dumps(LEASE).encode()) is not None


@given(st.binary(max_size=100) | st.just(DEEP))
def test_a_lease_of_any_bytes_is_one_or_none(content: bytes) -> None:
    lease.parse(content)


# -- the journal ---------------------------------------------------------------------------------

STEP = {"id": "code", "title": "x", "repeatable": False, "data": {}}
EVENTS: list[dict[str, Any]] = [
    {"event": "open", "operation": "op-1", "procedure": "deploy"},
    {"event": "plan", "plan": {"steps": [STEP, {**STEP, "id": "link"}], "undo": [STEP], "from": {}, "to": {"id": "2"}}},
    {"event": "phase", "phase": "apply", "direction": "forward"},
    {"event": "begin", "step": "code"},
    {"event": "done", "step": "code", "seconds": 1.0},
    {"event": "begin", "step": "link"},
    {"event": "done", "step": "link", "seconds": 1.0},
    {"event": "phase_end"},
    {"event": "verified", "result": {"ok": True}},
]


def lines(events: list[Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def folded(content: bytes) -> journal.Progress | None:
    try:
        return journal.fold(journal.parse(content))
    except journal.JournalDamaged:
        return None


@given(st.binary(max_size=200) | st.just(DEEP))
def test_a_journal_of_any_bytes_is_read_or_damaged(content: bytes) -> None:
    folded(content)
    folded(lines(EVENTS) + content)
    folded(lines(EVENTS[:1]) + content + lines(EVENTS[1:]))


@given(st.integers(0, len(EVENTS) - 1), st.data())
def test_an_event_with_any_value_is_read_or_damaged(place: int, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from([*EVENTS[place], "direction", "note", "error"]))
    found = folded(lines([*EVENTS[:place], {**EVENTS[place], field: data.draw(VALUES)}, *EVENTS[place + 1 :]]))
    if found is not None:
        journal.classify(found)
        journal.ending(found)


@pytest.mark.parametrize("damaged", [[0], [3], [3, 4], [5, 6], [2, 3, 4], [1]])
def test_a_damaged_line_in_the_midst_is_no_lost_step(tmp_path: Path, damaged: list[int]) -> None:
    rows = lines(EVENTS).splitlines(keepends=True)
    for place in damaged:
        rows[place] = b"#" + rows[place][1:]
    guard = Guard(str(tmp_path))
    (tmp_path / "journal.jsonl").write_bytes(b"".join(rows))
    with pytest.raises(Problem) as refused:
        guard.progress()
    assert refused.value.code == "journal_damaged"
    assert f"mv {tmp_path}/journal.jsonl {tmp_path}/journal.jsonl.damaged" in str(refused.value.ways)


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_line_that_a_power_cut_tore_is_left_out(cut: int) -> None:
    torn = lines(EVENTS[:6])[:-cut] if cut < 28 else lines(EVENTS[:5]) + b"\0" * 40
    assert folded(torn) is not None
    found = folded(torn + b"\n" + lines([{"event": "phase", "phase": "apply", "direction": "back"}]))
    assert found is not None and found.direction == "back"


def test_an_invalid_number_is_not_json() -> None:
    for text in ("NaN", "[Infinity]", "[" * 101 + "]" * 101):
        with pytest.raises(ValueError, match="not a number|deep"):
            foreign_json.loads(text)
    assert foreign_json.loads("[" * 90 + "]" * 90)
