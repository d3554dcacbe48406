# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of an operation gathered while it runs, and its look in 80 columns, in 160 and in a log."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console import report
from ansible_collections.ops.runbook.plugins.module_utils.console.screen import (
    BAD,
    GOOD,
    WARNING,
    block,
    duration,
    folded,
    outcome_tone,
    plan_screen,
    summary_screen,
)
from ansible_collections.ops.runbook.plugins.module_utils.console.watch import Watch, phase_of
from ansible_collections.ops.runbook.plugins.module_utils.text.ways import typed

OLD, NEW = {"id": "a" * 40, "name": "v1.4.0"}, {"id": "b" * 40, "name": "v1.5.0"}
ID = "20261121T031502Z-4f2a9c"
REQUEST = "a3b015f8-34a9-4ee8-be35-57979dba3d5e"
LARAVEL, CLOSE, FACT = "ops.runbook.laravel_operation", "ops.runbook.operation_close", "ansible.builtin.set_fact"


def plan(**more: Any) -> dict[str, Any]:
    return {
        "procedure": "rollback",
        "from": NEW,
        "to": OLD,
        "chosen": "previous: the newest good release before the present one",
        "steps": [{"id": "code", "title": "git reset --hard v1.4.0"}, {"id": "php", "title": "reload php8.3-fpm"}],
        "undo": [],
        "migrations": {"verdict": "same", "down": [], "run": [], "ahead": [], "behind": [], "mode": "refuse"},
        **more,
    }


def planned(**more: Any) -> dict[str, Any]:
    return {"operation": ID, "direction": "forward", "opened": True, "refusal": None, "plan": plan(**more)}


def applied(outcome: str = "succeeded", error: str = "") -> dict[str, Any]:
    health = [{"request_id": REQUEST}]
    record = {
        "id": ID,
        "outcome": outcome,
        "from": NEW,
        "to": OLD,
        "left": OLD,
        "steps": [{"id": "code", "seconds": 1}],
    }
    closed = {"outcome": outcome, "error": error, "settled": True, "record": {**record, "health": health}}
    return {"healthy": outcome == "succeeded", "reverted": outcome == "reverted", "closed": closed}


def watched() -> Watch:
    watch = Watch()
    named = {"operation": ID, "actor": {"user": "anna", "controller": "bastion"}}
    watch.take("open", "ops.runbook.operation_begin", "web1", named)
    watch.take("plan", LARAVEL, "web1", planned())
    watch.take("plan", LARAVEL, "web2", planned())
    decision = {"ansible_facts": {"operation_decision": {"go": True, "planned": True}}}
    watch.take("open", FACT, "web1", decision)
    return watch


# -- what is gathered ----------------------------------------------------------------------------


def test_an_operation_is_known_by_what_its_tasks_found() -> None:
    watch = watched()
    assert (watch.operation, watch.procedure, list(watch.planned)) == (ID, "rollback", ["web1", "web2"])
    assert watch.decision["go"]
    watch.take("apply", LARAVEL, "web1", applied("failed", "status 500"))
    course = {"ansible_facts": {"operation_course": {"untouched": ["web2"], "why": "web1 failed", "back": {}}}}
    watch.take("settle", FACT, "web1", course)
    watch.take("settle", CLOSE, "web2", {"outcome": "refused", "settled": True, "record": {"id": "x"}})
    assert watch.outcomes["web1"]["outcome"] == "failed"
    assert watch.outcomes["web2"]["untouched"] == "web1 failed"


NOTHING = {
    "a task of somebody else": ("plan", "community.general.operation", planned()),
    "a task that was skipped": ("apply", LARAVEL, {"skipped": True}),
    "a fact of another task": ("plan", FACT, {"ansible_facts": {"x": 1}}),
    "the lease given back after a refusal": ("refuse", CLOSE, {"outcome": "refused"}),
    "what was censored": ("open", FACT, {"censored": "hidden"}),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_else_is_taken_for_the_guard(name: str) -> None:
    watch = Watch()
    task, action, result = NOTHING[name]
    assert watch.take(task, action, "web1", result) == ""
    assert watch.known == {}


PATHS = {
    "/usr/share/ansible/collections/ansible_collections/ops/runbook/roles/laravel/tasks/plan.yml:2": "plan",
    "roles/ssh_key/tasks/apply.yml": "apply",
    "/home/deploy/site/playbooks/apply.yml:7": "",
    "/home/deploy/apply.yml/notes.txt:1": "",
    "": "",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_task_belongs_to_the_phase_whose_file_it_lies_in(path: str) -> None:
    assert phase_of(path) == PATHS[path]


# -- layout --------------------------------------------------------------------------------------

LONG = [
    (
        "to=" + ",".join(f"registry.example.com:5000/acme/shop-{name}@sha256:{'0a' * 32}" for name in ("api", "jobs")),
        "x",
    ),
    ("to=rel-1", "the images that were good here on 2026-11-30, by their digests, wherever the tag went since"),
    ("cp '/var/lib/a b/files/20260704T091500Z-abcdef/compose.yaml' /srv/shop/compose.yaml", "puts the file back " * 9),
    ("compose_deploy with to=sha-c0ffee1", "goes on"),
]


@pytest.mark.parametrize("width", [30, 60, 80, 120, 300])
@pytest.mark.parametrize("ways", [LONG, LONG[1:2], LONG[:1], LONG[2:]])
def test_a_command_is_one_line_that_can_be_copied(width: int, ways: list[tuple[str, str]]) -> None:
    refusal = {"code": "x", "text": "no", "ways": [{"input": way, "effect": effect} for way, effect in ways]}
    lines = [line.text for line in block("\n".join(report.refusal_lines({"web1": {"refusal": refusal}})), width)]
    for way, effect in ways:
        whole = f"    {typed(way, effect)}"
        assert any(line == whole or line.startswith(f"{whole}  ") for line in lines), (whole, lines)
    said = " ".join(" ".join(lines).split())
    assert all(" ".join(effect.split()) in said for _, effect in ways) or width < 60


def test_a_folded_line_continues_under_its_text() -> None:
    assert folded(["steps     1. " + "word " * 6 + "end"], 30) == [
        "steps     1. word word word",
        "             word word word",
        "             end",
    ]


@given(st.lists(st.text("ab c", max_size=120), max_size=5), st.integers(20, 160))
def test_folding_loses_no_word(lines: list[str], width: int) -> None:
    assert " ".join(folded(lines, width)).split() == " ".join(lines).split()


# -- the screens ---------------------------------------------------------------------------------


def text(lines: list[Any]) -> str:
    return "\n".join(line.text for line in lines)


def test_the_plan_in_a_wide_terminal() -> None:
    row = "v1.5.0 (bbbbbbbbbb)  v1.4.0 (aaaaaaaaaa)  previous: the newest good release before the present one  "
    assert text(plan_screen(watched().planned, 160)).splitlines() == [
        "host  from                 to                   chosen" + " " * 52 + "migrations  lease",
        f"web1  {row}none        taken",
        f"web2  {row}none        taken",
        "",
        "database  the database is where the target expects it",
        "steps     1. git reset --hard v1.4.0",
        "          2. reload php8.3-fpm",
    ]


def test_the_plan_in_a_narrow_terminal() -> None:
    lines = plan_screen({"web1": planned()}, 80)
    assert text(lines).splitlines()[:3] == [
        "host  from                 to                   migrations  lease",
        "web1  v1.5.0 (bbbbbbbbbb)  v1.4.0 (aaaaaaaaaa)  none        taken",
        "  chosen  previous: the newest good release before the present one",
    ]


def test_differences_between_hosts_are_shown_for_each() -> None:
    found = text(plan_screen({"web1": planned(), "web2": planned(steps=[{"id": "x", "title": "nothing"}])}, 120))
    assert "on web1:" in found and "on web2:" in found


ALIKE: dict[str, Any] = {"down": [], "run": [], "mode": "", "ahead": [], "behind": [], "losses": [], "sql": {}}
MIGRATIONS = {
    "none": {**ALIKE, "verdict": "same"},
    "2 undone": {**ALIKE, "verdict": "ahead", "down": ["a", "b"], "ahead": ["a", "b"]},
    "1 run": {**ALIKE, "verdict": "behind", "run": ["a"], "behind": ["a"]},
    "ahead, none run": {**ALIKE, "verdict": "ahead", "mode": "keep", "ahead": ["a"]},
    "-": None,
}


@pytest.mark.parametrize("word", MIGRATIONS)
def test_the_change_of_the_database_is_one_word(word: str) -> None:
    lines = plan_screen({"web1": planned(migrations=MIGRATIONS[word])}, 160)
    assert f"  {word}  " in lines[1].text + "  "


def test_a_warning_is_loud() -> None:
    lines = plan_screen({"web1": planned(warnings=["that release was condemned"])}, 80)
    assert [line.tone for line in lines if line.text.startswith("WARNING")] == [WARNING]


def test_the_summary_keeps_ids_whole_where_they_do_not_fit() -> None:
    watch = watched()
    watch.take("apply", LARAVEL, "web1", applied())
    watch.take("apply", LARAVEL, "web2", applied("reverted", "status 500"))
    lines = summary_screen(watch.outcomes, 80)
    assert text(lines).splitlines()[:3] == [
        "host  outcome    seconds  ledger id",
        f"web1  succeeded  1.0      {ID}",
        f"  request ids  {REQUEST}",
    ]
    assert [line.tone for line in lines if line.text.startswith("web")] == [GOOD, WARNING]
    assert all(len(line.text) <= 80 for line in lines)


def test_a_refusal_is_loud_in_its_first_line_only() -> None:
    lines = block("REFUSED on web1 (drift): somebody\n  To go on:\n    -e to=v1  goes there\nNothing was changed.", 80)
    assert [line.tone for line in lines] == [BAD, "", "", ""]


@pytest.mark.parametrize(
    ("outcome", "tone"),
    [("succeeded", GOOD), ("unchanged", GOOD), ("reverted", WARNING), ("failed", BAD), ("unknown", BAD)],
)
def test_how_loud_an_outcome_is(outcome: str, tone: str) -> None:
    assert outcome_tone(outcome) == tone


@pytest.mark.parametrize(("seconds", "said"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (61.0, "1 min 01 s")])
def test_seconds_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
