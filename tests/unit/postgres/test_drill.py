"""A restore drill: what is restored, why none is begun, and what each answer of a restored cluster proves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill import decide, ladder, procedure, report
from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill.decide import Database
from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill.ladder import BAD, GOOD, NOT_CLIMBED
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Database as Named
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import drilled
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass
from unit.postgres.repository import BEGIN, archived, wal_name

NOW = BEGIN + 100_000.0
#: Made a minute, two and ten minutes after the begin of the archive.
OLD, NEW, LAST = (
    Backup(
        f"20261130-0{number}0000F", "full", stop - 30, stop, (wal_name(1, number), wal_name(1, number)), 2**30, False, 1
    )
    for number, stop in ((1, BEGIN + 60.0), (2, BEGIN + 120.0), (9, BEGIN + 540.0))
)
STANZA = Stanza("shop", 0, "ok", database=1, system="77", folder="17-1", backups=(OLD, NEW, LAST))
ARCHIVE = archived((1, range(1, 12)))


def code_of(call: Any) -> str:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.ways
    return caught.value.code


# -- what is restored ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "target", "expected"),
    [
        ("latest", None, LAST),
        (OLD.label, None, OLD),
        ("latest", BEGIN + 130.0, NEW),
        ("latest", BEGIN + 120.0, NEW),
        (OLD.label, BEGIN + 130.0, OLD),
    ],
)
def test_the_newest_backup_before_the_target_is_restored(asked: str, target: float | None, expected: Backup) -> None:
    assert decide.chosen(STANZA, ARCHIVE, asked, target) == expected


@pytest.mark.parametrize(
    ("stanza", "asked", "target", "code"),
    [
        (replace(STANZA, backups=()), "latest", None, "no_backup"),
        (replace(STANZA, backups=(replace(OLD, database=2),)), "latest", None, "no_backup"),
        (replace(STANZA, backups=(replace(OLD, repository=2),)), "latest", None, "no_backup"),
        (STANZA, "20200101-000000F", None, "no_backup"),
        (STANZA, "latest", BEGIN + 59.0, "to_time_before_window"),
        (STANZA, LAST.label, BEGIN + 130.0, "to_time_before_window"),
        (STANZA, "latest", BEGIN + 10_000.0, "to_time_after_window"),
    ],
)
def test_a_backup_or_a_time_that_is_not_there_is_refused(
    stanza: Stanza, asked: str, target: float | None, code: str
) -> None:
    assert code_of(lambda: decide.chosen(stanza, ARCHIVE, asked, target)) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-11-30T14:00:00", "to_time_without_zone"),
        ("yesterday", "to_time_unreadable"),
        ("2999-01-01T00:00:00Z", "to_time_in_future"),
    ],
)
def test_a_time_that_may_mean_another_one_is_refused(text: str, code: str) -> None:
    assert code_of(lambda: decide.until(text, NOW)) == code


@given(st.floats(min_value=0, max_value=NOW))
def test_a_time_means_the_same_in_every_zone(seconds: float) -> None:
    target = decide.as_target(seconds)
    assert target.endswith("+00")
    again = decide.until(f"{target}:00", NOW + 1)
    assert again is not None and abs(again - seconds) < 0.00001


@pytest.mark.parametrize(
    "raw",
    [
        [],
        [{"name": "shop"}],
        [{"name": "shop", "expect": {}}],
        [{"name": "shop", "expect": {"orders": "1"}, "empty": True}],
        [{"name": "shop", "expect": {"orders": "0"}}],
        [{"name": "shop", "expect": {"orders": "many"}}],
    ],
)
def test_a_drill_that_would_prove_nothing_is_refused(raw: list[dict[str, Any]]) -> None:
    assert code_of(lambda: decide.databases([Named(**one) for one in raw])) == "drill_databases"


def test_a_cluster_of_dumps_is_not_drilled() -> None:
    assert code_of(lambda: must_pass(decide.refuse_dumps(True))) == "drill_of_dumps"
    assert decide.refuse_dumps(False) is None


# -- the host --------------------------------------------------------------------------------------

LOOKED: dict[str, Any] = {
    "setup": {"stanza": "shop", "folder": "/var/lib/postgres-drill/shop"},
    "trouble": "",
    "rests": [],
    "strangers": [],
    "free": 10 * 2**30,
    "units": [],
    "processes": [],
    "servers": ["/var/lib/postgresql/17/main"],
}
IN_DATA = {"stanza": "shop", "folder": "/var/lib/postgresql/17/main/drill"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another stanza": ({"setup": {"stanza": "b", "folder": "/a/b"}}, "drill_other_stanza"),
    "a folder in the data folder": ({"setup": IN_DATA}, "drill_is_production"),
    "the data folder itself": ({"setup": {**IN_DATA, "folder": "/var/lib/postgresql/17/main"}}, "drill_is_production"),
    "a folder around the data folder": ({"setup": {**IN_DATA, "folder": "/var/lib"}}, "drill_is_production"),
    "a folder that others may write": ({"trouble": "somebody else than root may write /x"}, "drill_folder"),
    "a folder with other files": ({"strangers": ["notes.txt"]}, "drill_folder_not_empty"),
    "an earlier drill": ({"rests": [{"id": "20261130T000000Z-aaaaaa", "begun": NOW}]}, "drill_rests"),
    "an earlier drill without a record": ({"rests": [{"id": "20261130T000000Z-aaaaaa"}]}, "drill_rests"),
}


@pytest.mark.parametrize(("changed", "code"), REFUSED.values(), ids=REFUSED)
def test_a_folder_that_is_not_the_drill_s_alone_is_refused(changed: dict[str, Any], code: str) -> None:
    problem = decide.refusal({**LOOKED, **changed}, "shop", "shop")
    assert problem is not None and problem.code == code and problem.ways


def test_a_folder_beside_production_is_used() -> None:
    assert decide.refusal(LOOKED, "shop", "shop") is None
    beside = {"setup": {"stanza": "shop", "folder": "/var/lib/postgresql/17/main2"}}
    assert decide.refusal({**LOOKED, **beside}, "shop", "shop") is None


@pytest.mark.parametrize(("free", "refused"), [(2**30, True), (int(3.1 * 2**30) - 2, True), (int(3.2 * 2**30), False)])
def test_a_disk_keeps_its_reserve(free: int, refused: bool) -> None:
    assert (decide.room({**LOOKED, "free": free}, NEW, 2) is not None) is refused


def test_a_repository_that_took_a_canary_is_refused() -> None:
    problem = procedure.writable({"wrote": True, "said": ""})
    assert problem is not None and problem.code == "repository_writable" and problem.ways
    assert procedure.writable({"wrote": False, "said": "403"}) is None


def test_a_gap_after_the_backup_is_a_trouble_and_one_before_it_is_none() -> None:
    holed = archived((1, [one for one in range(1, 12) if one != 5]))
    assert "1 WAL file is missing" in decide.repository_gap(holed, NEW)
    assert decide.repository_gap(holed, LAST) == ""
    assert "lacks its own WAL" in decide.repository_gap(archived((1, range(3, 12))), NEW)


# -- the rungs -------------------------------------------------------------------------------------

SHOP, NOTHING = Database("shop", {"orders": 10}, False), Database("nothing", {}, True)
PLAIN = {"encoding": "UTF8", "collation": "C", "recorded": "1", "actual": "1", "extensions": ["plpgsql 1.0"]}
FACTS: dict[str, Any] = {
    "recovery": False,
    "roles": ["postgres"],
    "databases": [{"name": "shop", **PLAIN}, {"name": "nothing", **PLAIN}],
}


def with_shop(**changed: Any) -> dict[str, Any]:
    return {**FACTS, "databases": [{**FACTS["databases"][0], **changed}, FACTS["databases"][1]]}


@pytest.mark.parametrize(
    ("answer", "before", "said"),
    [
        (FACTS, {}, ""),
        (FACTS, FACTS, ""),
        ({**FACTS, "recovery": True}, {}, "still in recovery"),
        ({**FACTS, "databases": FACTS["databases"][:1]}, {}, "database nothing is missing"),
        (with_shop(encoding="SQL_ASCII"), {}, "takes any byte"),
        (with_shop(actual="2"), {}, "collation version 1, and this host 2"),
        (FACTS, with_shop(encoding="LATIN1"), "was LATIN1 in the last drill"),
        (FACTS, with_shop(extensions=["plpgsql 1.0", "pgcrypto 1.3"]), "lacks the extension pgcrypto"),
        (FACTS, {**FACTS, "roles": ["postgres", "shop"]}, "role shop of the last drill is missing"),
    ],
)
def test_a_cluster_is_compared_with_the_inventory_and_the_last_drill(
    answer: Mapping[str, Any], before: Mapping[str, Any], said: str
) -> None:
    rung = ladder.databases(answer, [SHOP, NOTHING], before)
    assert (rung.verdict, said in rung.text) == (BAD if said else GOOD, True), rung


@pytest.mark.parametrize(
    ("answer", "filled", "said"),
    [
        ({"shop": {"orders": {"rows": 10}}}, {"nothing": []}, ""),
        ({"shop": {"orders": {"rows": 9}}}, {"nothing": []}, "has 9 rows, at least 10"),
        ({"shop": {"orders": {"problem": "no such table"}}}, {"nothing": []}, "no such table"),
        ({}, {"nothing": []}, "not counted"),
        ({"shop": {"orders": {"rows": 10}}}, {"nothing": ["public.a"]}, "declared empty, and public.a has rows"),
        ({"shop": {"orders": {"rows": 10}}}, {}, "was not looked through"),
    ],
)
def test_a_table_has_its_rows_and_an_empty_database_has_none(
    answer: Mapping[str, Any], filled: Mapping[str, list[str]], said: str
) -> None:
    rung = ladder.rows(answer, [SHOP, NOTHING], filled)
    assert (rung.verdict, said in rung.text) == (BAD if said else GOOD, True), rung


@pytest.mark.parametrize(
    ("newest", "goal", "verdict", "rpo"),
    [
        (NOW - 30, 60, GOOD, 30.0),
        (NOW - 90, 60, BAD, 90.0),
        (NOW - 90, 0, GOOD, 90.0),
        (NOW + 30, 60, GOOD, -30.0),
        (NOW + 90, 60, BAD, -90.0),
        (None, 0, BAD, None),
    ],
)
def test_lost_time_is_measured_by_the_heartbeat(
    newest: float | None, goal: int, verdict: str, rpo: float | None
) -> None:
    rung, found = ladder.heartbeat(newest, NOW, 60, goal)
    assert (rung.verdict, found) == (verdict, rpo)


@pytest.mark.parametrize(("goal", "verdict"), [(0, GOOD), (20, GOOD), (9, BAD)])
def test_the_time_until_a_cluster_is_ready_is_held_against_its_goal(goal: int, verdict: str) -> None:
    rung, rto = ladder.ready({"begun": NOW, "ready": NOW + 10}, goal)
    assert (rung.verdict, rto) == (verdict, 10.0)


@pytest.mark.parametrize(("code", "verdict"), [(0, GOOD), (2, BAD), (None, NOT_CLIMBED)])
def test_a_program_that_did_not_run_proves_nothing(code: int | None, verdict: str) -> None:
    assert ladder.tool("amcheck", {"code": code, "said": "x"}, "well").verdict == verdict


def test_another_cluster_and_a_sequence_that_is_behind_are_bad() -> None:
    assert ladder.restored({"system": "78", "timeline": "2"}, "77").verdict == BAD
    assert ladder.restored({"system": "77", "timeline": "2"}, "77").verdict == GOOD
    assert ladder.sequences({"shop": ["public.orders_id_seq"]}).verdict == BAD
    assert ladder.sequences({"shop": []}).verdict == GOOD


@pytest.mark.parametrize(
    ("looked", "kept", "said"),
    [
        (LOOKED, False, ""),
        ({**LOOKED, "rests": [{"id": "a"}]}, False, "the folder a"),
        ({**LOOKED, "rests": [{"id": "a"}]}, True, ""),
        ({**LOOKED, "units": ["x.service"]}, False, "the unit x.service"),
        ({**LOOKED, "processes": [7]}, False, "the process 7"),
    ],
)
def test_a_drill_is_gone_when_nothing_of_it_is_left(looked: dict[str, Any], kept: bool, said: str) -> None:
    found = ladder.gone(looked, "a", kept)
    assert said in found and bool(found) is bool(said)


# -- the report and the status ---------------------------------------------------------------------

PLAN = {
    "saved_as": "20261201T000000Z-aaaaaa",
    "drill": {"label": NEW.label, "target": "", "rto_goal": 0, "rpo_goal": 0, "first": []},
}


def noted(verdict: str) -> dict[str, Any]:
    return {
        "start": {"rungs": [ladder.Rung("ready", GOOD, "ready", 1.0).document()], "rto": 12.0},
        "rows": {"rungs": [ladder.Rung("rows", verdict, "a | b\nc", 1.0).document()]},
    }


@pytest.mark.parametrize("verdict", [GOOD, BAD])
def test_a_report_is_as_good_as_its_worst_rung_and_names_what_was_not_climbed(verdict: str) -> None:
    found = report.of(PLAN, noted(verdict))
    assert found["verdict"] == verdict and {*ladder.NEVER} <= {*found["not_climbed"]}
    page = report.markdown(found)
    assert f"| rows | {verdict} | 1 | a / b c |" in page.splitlines() and "RTO 12 s" in page and "RPO not known" in page


def record(outcome: str, days: float, **more: Any) -> dict[str, Any]:
    finished = decide.as_target(NOW - days * 86400).replace(" ", "T") + ":00"
    notes = {
        "report": {"backup": NEW.label, "rto": 12.0, "rpo": 3.0, "climbed": ["rows"], "not_climbed": ["application"]}
    }
    return {"procedure": "restore_drill", "outcome": outcome, "finished": finished, "notes": notes, **more}


@pytest.mark.parametrize(
    ("records", "level", "said"),
    [
        ([], "warn", "no backup was ever proven"),
        ([record("refused", 1)], "warn", "no backup was ever proven"),
        ([record("succeeded", 1)], "ok", "RTO 12 s, RPO 3 s, 1 rungs good"),
        ([record("succeeded", 16)], "bad", "overdue"),
        ([record("succeeded", 1), record("failed", 0, error="rows: too few")], "bad", "rows: too few"),
        ([record("failed", 2), record("succeeded", 1)], "ok", "was restored 24 h ago"),
        ([record("succeeded", 1), record("refused", 0)], "ok", "was restored"),
        ([{**record("succeeded", 1), "finished": "x"}], "bad", "overdue"),
    ],
)
def test_the_status_says_how_the_last_drill_ended(records: list[dict[str, Any]], level: str, said: str) -> None:
    row = drilled.row(records, 15, NOW)
    assert row.level == level and said in row.text, row
