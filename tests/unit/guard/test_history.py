# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a service: what a state folder says, and what a person and a program read of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console import status_report
from ansible_collections.ops.runbook.plugins.module_utils.guard import history, journal, ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.lease import Lease
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_book import append

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
STEPS = [{"id": "code", "title": "git reset"}, {"id": "reload", "title": "reload", "repeatable": True}]


def record(number: int, procedure: str, outcome: str, source: str, target: str, **more: Any) -> dict[str, Any]:
    left = target if outcome == "succeeded" else source
    return {
        "id": f"op{number}",
        "procedure": procedure,
        "outcome": outcome,
        "from": {"id": source, "name": ""} if source else None,
        "to": {"id": target, "name": f"v{target[0]}"},
        "left": {"id": left, "name": ""},
        "steps": [{"step": "code", "seconds": 0.1}],
        "finished": f"2026-11-21T03:{number:02d}:00.000Z",
        "actor": {"user": "ana"},
        "error": "",
        "reason": "",
        **more,
    }


DEPLOYS = [
    record(1, "deploy", "succeeded", "", A),
    record(2, "deploy", "succeeded", A, B),
    record(3, "deploy", "succeeded", B, C),
]
ROLLED_BACK = [*DEPLOYS, record(4, "rollback", "succeeded", C, B)]


def book(records: list[dict[str, Any]], tmp_path: Path) -> ledger.Ledger:
    path = str(tmp_path / "ledger.jsonl")
    for entry in records:
        append(path, entry)
    return ledger.read(path)


def whole(records: list[dict[str, Any]]) -> ledger.Ledger:
    return ledger.Ledger(records=tuple(records))


def lease(operation: str = "op9") -> Lease:
    actor = {"user": "ana", "controller": "bastion"}
    return Lease(operation, "deploy", "INC-1", actor, "2026-11-21T03:10:00Z", "2026-11-21T03:25:00Z", "boot", 1.0)


def progress(*events: dict[str, Any]) -> journal.Progress:
    opened = {"event": "open", "operation": "op9", "procedure": "deploy", "actor": {"user": "ana"}}
    plan = {"event": "plan", "plan": {"from": {"id": A}, "to": {"id": B, "name": "vb"}, "steps": STEPS}}
    folded = journal.fold([opened, plan, *events])
    assert folded is not None
    return folded


CUT = progress(
    {"event": "begin", "step": "code"}, {"event": "done", "step": "code"}, {"event": "begin", "step": "reload"}
)


def releases(found: dict[str, Any]) -> dict[str, list[str]]:
    marks = ("current", "previous", "good")
    return {release["name"]: [mark for mark in marks if release[mark]] for release in found["releases"]}


@pytest.mark.parametrize(
    ("records", "marks", "previous", "why"),
    [
        ([], {}, None, "no release was ever recorded"),
        (DEPLOYS[:1], {"va": ["current", "good"]}, None, "no good release before"),
        (DEPLOYS, {"va": ["good"], "vb": ["previous", "good"], "vc": ["current", "good"]}, B, ""),
        (ROLLED_BACK, {"va": ["previous", "good"], "vb": ["current", "good"], "vc": []}, A, ""),
    ],
    ids=["nothing", "one", "three", "rolled back"],
)
def test_releases_are_marked(
    records: list[dict[str, Any]], marks: dict[str, list[str]], previous: str | None, why: str, tmp_path: Path
) -> None:
    found = history.picture(book(records, tmp_path), None, "free", None)
    assert releases(found) == marks
    assert found["previous"]["id"] == previous
    assert why in found["previous"]["why_none"]


def test_a_damaged_ledger_sends_no_rollback_anywhere(tmp_path: Path) -> None:
    content = b"\n".join(json.dumps(entry).encode() for entry in DEPLOYS) + b"\n"
    found = history.picture(ledger.parse(content), None, "free", None)
    assert not found["chain"]["ok"]
    assert found["previous"]["id"] is None
    assert "says what to type" in found["previous"]["why_none"]
    text = "\n".join(status_report.history_lines({"web1": found}))
    assert "EDITED OR IS INCOMPLETE" in text
    assert "previous: a rollback goes here" not in text


def test_the_table_marks_where_a_rollback_goes_and_what_it_never_goes_to(tmp_path: Path) -> None:
    found = history.picture(book(ROLLED_BACK, tmp_path), None, "free", None)
    lines = {line.split()[0]: line for line in status_report.history_lines({"web1": found}) if line.startswith("v")}
    assert lines["va"].endswith("good  previous: a rollback goes here")
    assert lines["vb"].endswith("good  current")
    assert lines["vc"].endswith("BAD   condemned by op4")


def test_a_torn_line_is_told_and_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    book(DEPLOYS, tmp_path)
    path.write_bytes(path.read_bytes() + b'{"half')
    found = history.picture(ledger.read(str(path)), None, "free", None)
    assert found["chain"] == {"ok": True, "problems": [], "torn": '{"half', "verified": ""}
    assert "cut short" in "\n".join(status_report.history_lines({"web1": found}))


@pytest.mark.parametrize(
    ("standing", "seen"), [("running", False), ("waiting", False), ("died", True), ("expired", True), ("free", True)]
)
def test_only_an_abandoned_operation_is_called_interrupted(standing: str, seen: bool) -> None:
    found = history.interrupted(CUT, standing)
    assert (found is not None) is seen
    if found:
        assert found["verdict"] == "resumable"
        assert found["ways"] == ["resume", "undo", "accept"]
        assert (found["done"], found["remaining"]) == (["code"], ["reload"])


def test_an_operation_that_changed_nothing_is_not_interrupted() -> None:
    assert history.interrupted(progress(), "died") is None
    assert history.interrupted(None, "free") is None


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        ("running", "is at work on this host now"),
        ("waiting", "holds the lease, until 2026-11-21 03:25:00 UTC"),
        ("died", "the next operation may take it"),
        ("expired", "the next operation may take it"),
    ],
)
def test_a_lease_is_shown_with_its_holder(standing: str, words: str) -> None:
    found = history.picture(ledger.Ledger(), lease(), standing, None)
    text = "\n".join(status_report.history_lines({"web1": found}))
    assert "op9 (deploy by ana from bastion" in text
    assert words in text


def test_the_ways_out_of_an_interruption_are_shown_as_they_are_typed(tmp_path: Path) -> None:
    found = history.picture(book(DEPLOYS, tmp_path), lease(), "died", CUT)
    text = "\n".join(status_report.history_lines({"web1": found}))
    assert "-e interrupted=resume or -e interrupted=undo or -e interrupted=accept" in text


@pytest.mark.parametrize(
    ("limit", "procedure", "outcome", "ids"),
    [
        (0, "", "", ["op1", "op2", "op3", "op4"]),
        (2, "", "", ["op3", "op4"]),
        (9, "", "", ["op1", "op2", "op3", "op4"]),
        (1, "deploy", "", ["op3"]),
        (0, "rollback", "", ["op4"]),
        (0, "", "failed", []),
    ],
)
def test_records_are_selected(limit: int, procedure: str, outcome: str, ids: list[str]) -> None:
    wanted = history.Wanted(limit=limit, procedure=procedure, outcome=outcome)
    found = history.picture(whole(ROLLED_BACK), None, "free", None, wanted)
    assert [entry["id"] for entry in found["records"]] == ids


@given(st.lists(st.sampled_from(["deploy", "rollback", "adopt"])), st.integers(0, 30))
def test_a_limit_keeps_the_newest_in_their_order(procedures: list[str], limit: int) -> None:
    records = [{"id": number, "procedure": procedure} for number, procedure in enumerate(procedures)]
    wanted = history.Wanted(limit=limit, procedure="deploy")
    found = history.picture(whole(records), None, "free", None, wanted)
    matching = [entry for entry in records if entry["procedure"] == "deploy"]
    assert found["records"] == (matching if limit == 0 else matching[-limit:])


def many(count: int) -> list[dict[str, Any]]:
    commits = ["", *(f"{at:040x}" for at in range(1, count + 1))]
    return [
        record(number, "deploy", "succeeded", commits[number - 1], commits[number]) for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("limit", [1, 5, 20])
def test_a_limit_holds_for_the_releases_too_and_the_screen_says_what_it_left_out(limit: int, tmp_path: Path) -> None:
    """Two thousand deployments once filled as many lines, whatever the limit was."""
    wanted = history.Wanted(limit=limit)
    found = history.picture(whole(many(300)), None, "free", None, wanted)
    # The one that a rollback goes to is shown, however few they are.
    shown = max(limit, 2)
    assert (len(found["records"]), len(found["releases"])) == (limit, shown)
    assert found["left_out"] == {"records": 300 - limit, "releases": 300 - shown, "never": 0}
    lines = status_report.history_lines({"web1": found})
    assert f"{300 - limit} older records not shown; -e limit=0 shows all" in lines
    assert f"{300 - shown} older releases not shown; -e limit=0 shows all" in lines
    assert len(lines) < 2 * limit + 12
    assert status_report.history_document({"web1": found})["hosts"]["web1"]["left_out"] == found["left_out"]


def test_records_of_other_procedures_are_not_counted_as_left_out(tmp_path: Path) -> None:
    wanted = history.Wanted(limit=1, procedure="deploy")
    found = history.picture(whole(ROLLED_BACK), None, "free", None, wanted)
    assert found["left_out"]["records"] is None
    assert "there may be older ones; -e limit=0 shows all" in status_report.history_lines({"web1": found})


def test_without_a_limit_nothing_is_left_out(tmp_path: Path) -> None:
    found = history.picture(whole(many(300)), None, "free", None)
    assert found["left_out"] == {"records": 0, "releases": 0, "never": 0}
    assert "not shown" not in "\n".join(status_report.history_lines({"web1": found}))


def test_the_list_of_ignored_problems_ends_on_the_screen() -> None:
    failed = [record(number, "deploy", "reverted", C, f"{number:040x}") for number in range(4, 54)]
    broken = [{**entry, "error": "step 'caches': failed"} for entry in failed]
    found = history.picture(whole([*DEPLOYS, *broken]), None, "free", None)
    assert len(found["previous"]["passed_over"]) == 50
    assert "  and 30 more" in status_report.history_lines({"web1": found})


def test_a_status_sees_the_last_operation_behind_refusals_and_the_last_maintenance(tmp_path: Path) -> None:
    refused = [record(number, "deploy", "refused", C, A) for number in range(10, 40)]
    records = [record(1, "maintenance", "succeeded", C, C), *many(40), *refused]
    found = history.picture(whole(records), None, "free", None, history.LATELY)
    shown = [(entry["procedure"], entry["outcome"]) for entry in found["records"]]
    assert shown == [("maintenance", "succeeded"), ("deploy", "succeeded"), *[("deploy", "refused")] * 20]


def test_records_that_came_packed_are_shown_alike(tmp_path: Path) -> None:
    found = history.picture(whole(ROLLED_BACK), None, "free", None)
    lists = ("records", "releases", "never")
    packed = {name: value for name, value in found.items() if name not in lists}
    packed["packed"] = json.dumps({name: found[name] for name in lists})
    assert status_report.history_lines({"web1": packed}) == status_report.history_lines({"web1": found})
    assert status_report.history_document({"web1": packed}) == status_report.history_document({"web1": found})


def test_a_host_without_a_state_folder_has_no_history(tmp_path: Path) -> None:
    folder = tmp_path / "vertex"
    found = history.read(Guard(str(folder)))
    assert not found["exists"]
    assert found["chain"]["ok"]
    assert status_report.history_lines({"web1": found}) == ["web1: no operation was ever recorded here"]
    assert not folder.exists()


def test_reading_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    book(ROLLED_BACK, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    found = history.read(Guard(str(tmp_path)))
    assert found["total"] == 4
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_a_file_in_place_of_the_folder_is_not_called_empty(tmp_path: Path) -> None:
    file = tmp_path / "vertex"
    file.write_text("")
    with pytest.raises(history.StateUnreadable, match="Not a directory"):
        history.read(Guard(str(file)))


def test_the_document_is_json_and_names_hosts_that_were_not_read(tmp_path: Path) -> None:
    found = {**history.picture(book(ROLLED_BACK, tmp_path), lease(), "died", CUT), "invocation": {}}
    document = json.loads(
        json.dumps(status_report.history_document({"web1": found, "web2": {"unreachable": True, "msg": "no route"}}))
    )
    assert set(document) == {"schema", "hosts"}
    assert "invocation" not in document["hosts"]["web1"]
    assert [entry["id"] for entry in document["hosts"]["web1"]["records"]] == ["op1", "op2", "op3", "op4"]
    assert document["hosts"]["web2"] == {"unreachable": True, "msg": "no route"}


def test_a_host_that_was_not_read_is_a_line() -> None:
    lines = status_report.history_lines({"web1": {"unreachable": True, "msg": "no route"}, "web2": {}})
    assert "web1 can't be reached: no route" in lines
    assert "web2 was not read: it did not answer" in lines
