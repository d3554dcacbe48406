# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database after a change, compared with what was meant."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.migrations.gate import Found, Judged, found, judge

DONE = {"database": {"applied": ["a", "b"], "files": {"a": "x", "b": "y"}}}
PENDING = {"database": {"applied": ["a"], "files": {"a": "x", "b": "y"}}}
UNKNOWN = {"database": {"applied": ["a", "b", "c"], "files": {"a": "x", "b": "y"}}}
BROKEN = {"boot_error": "ParseError", "database": {"applied": ["a"]}}
SLOW = {"unanswered": "PHP gave no answer within 60 s", "database": {"applied": ["a"]}}
DOWN = {"database": {"error": "connection refused"}}
NO_PHP = {"error": "php is not installed"}


def plan(mode: str, **more: Any) -> dict[str, Any]:
    return {"mode": mode, "pending": [], **more}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str, str, str, str]] = {
    # answer, plan, procedure, direction, problem, note
    "a deploy that ran everything": (DONE, plan("run"), "deploy", "forward", "", ""),
    "a deploy that left one": (
        PENDING,
        plan("run"),
        "deploy",
        "forward",
        "1 migrations of this release are pending",
        "",
    ),
    "a deploy whose migrations another host should have run": (
        PENDING,
        plan("run", here=False),
        "deploy",
        "forward",
        "although another host should have run them: b",
        "",
    ),
    "a deploy with keep runs them too": (PENDING, plan("keep"), "deploy", "forward", "should have run them: b", ""),
    "a deploy that skips them": (PENDING, plan("skip"), "deploy", "forward", "", "are pending: b"),
    "a rollback to what the database lacks": (
        PENDING,
        plan("refuse"),
        "rollback",
        "forward",
        "a rollback runs none",
        "",
    ),
    "a rollback with down": (PENDING, plan("down"), "rollback", "forward", "a rollback runs none", ""),
    "a rollback with keep": (PENDING, plan("keep"), "rollback", "forward", "", "are pending: b"),
    "what only the database knows": (UNKNOWN, plan("run"), "deploy", "forward", "", "this release does not know: c"),
    "can't boot": (BROKEN, plan("run"), "deploy", "forward", "can't be told: ParseError", ""),
    "too slow": (SLOW, plan("run"), "deploy", "forward", "can't be told: PHP gave no answer within 60 s", ""),
    "no database": (DOWN, plan("refuse"), "rollback", "forward", "can't be told: connection refused", ""),
    "no php": (NO_PHP, plan("run"), "deploy", "forward", "can't be told: php is not installed", ""),
    "no database, and nobody asked for more": (DOWN, plan("keep"), "rollback", "forward", "", "can't be told"),
    "going back, where they waited before": (PENDING, plan("run", pending=["b"]), "deploy", "back", "", "pending: b"),
    "going back, and one is missing now": (PENDING, plan("down"), "rollback", "back", "not before: b", ""),
    "going back, and nobody can say": (DOWN, plan("run"), "deploy", "back", "", "can't be told"),
    "a plan of an older version": (PENDING, {"mode": "run"}, "deploy", "forward", "", "are pending: b"),
    "nothing was to be done": (PENDING, None, "deploy", "forward", "", "are pending: b"),
    "nothing was to be done, and nobody can say": (DOWN, None, "deploy", "forward", "", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_pending_migrations_after_a_change_are_found(name: str) -> None:
    answer, planned, procedure, direction, problem, note = CASES[name]
    judged = judge(found(answer), planned, procedure, direction)
    assert (problem in judged.problem) and bool(judged.problem) is bool(problem)
    assert note in " ".join(judged.notes)


@pytest.mark.parametrize("answer", [PENDING, BROKEN, SLOW, DOWN, NO_PHP])
def test_a_release_that_should_have_run_its_migrations_is_never_green_over_pending_or_untold_ones(answer: Any) -> None:
    for procedure, mode in product(("deploy", "rollback"), ("run", "keep", "skip", "refuse", "down")):
        judged = judge(found(answer), plan(mode), procedure, "forward")
        lenient = mode == "skip" or (procedure, mode) == ("rollback", "keep")
        assert bool(judged.problem) is not lenient
        assert judged.problem or judged.notes


def test_unknown_migrations_are_not_taken_for_none() -> None:
    assert Found(None, ["a"]).pending is None
    assert Found(["a"], None).pending is None
    assert Found([], []).pending == ()


#: With files, as a release has them whose application did not answer.
FILES = {"applied": ["a"], "files": {"a": "x"}}

READ: dict[str, tuple[dict[str, Any], Found]] = {
    "an answer": ({"database": FILES}, Found(["a"], ["a"], "", False)),
    "a release that does not boot": (
        {"boot_error": "ParseError", "database": FILES},
        Found(["a"], None, "ParseError", True),
    ),
    "a release that gave no answer": (
        {"unanswered": "no answer", "database": FILES},
        Found(["a"], None, "no answer", False),
    ),
    "no files": ({"database": {"applied": ["a"]}}, Found(["a"], None, "", False)),
    "no answer at all": ({}, Found(None, None, "", False)),
}


@pytest.mark.parametrize("name", READ)
def test_an_answer_is_read_whole(name: str) -> None:
    answer, expected = READ[name]
    assert found(answer) == expected


WHOLE: dict[str, tuple[Found, dict[str, Any] | None, str, str, Judged]] = {
    "of a release that does not boot": (
        Found(["a"], None, "ParseError", True),
        plan("run"),
        "deploy",
        "forward",
        Judged("which migrations are pending can't be told: ParseError", (), True),
    ),
    "of a database that does not answer": (
        Found(None, ["a"], "", False),
        plan("run"),
        "deploy",
        "forward",
        Judged("which migrations are pending can't be told: the application does not say", (), False),
    ),
    "untold, where nothing was to be changed": (Found(None, None), None, "deploy", "forward", Judged("", (), True)),
    "known, where nothing was to be changed": (Found(["a", "c"], ["a"]), None, "deploy", "forward", Judged()),
    "nothing unknown": (Found(["a"], ["a"]), plan("run"), "deploy", "forward", Judged()),
    "here": (
        Found([], ["b"]),
        plan("run"),
        "deploy",
        "forward",
        Judged("1 migrations of this release are pending, although it should have run them: b"),
    ),
    "another host": (
        Found([], ["b"]),
        plan("run", here=False),
        "deploy",
        "forward",
        Judged("1 migrations of this release are pending, although another host should have run them: b"),
    ),
    "pending and unknown ones": (
        Found(["c"], ["b"]),
        plan("run"),
        "rollback",
        "forward",
        Judged(
            "1 migrations of this release are pending, and a rollback runs none: b",
            ("the database has migrations that this release does not know: c",),
        ),
    ),
    "going back, with unknown ones": (
        Found(["c"], ["b"]),
        plan("run"),
        "deploy",
        "back",
        Judged(
            "1 migrations are pending that were not before: b",
            ("the database has migrations that this release does not know: c",),
        ),
    ),
    "five have their names": (
        Found([], list("abcde")),
        plan("skip"),
        "deploy",
        "forward",
        Judged("", ("5 migrations of this release are pending: a, b, c, d, e",)),
    ),
    "of six, one is counted": (
        Found([], list("abcdef")),
        plan("skip"),
        "deploy",
        "forward",
        Judged("", ("6 migrations of this release are pending: a, b, c, d, e and 1 more",)),
    ),
    "of seven, two are counted": (
        Found([], list("abcdefg")),
        plan("skip"),
        "deploy",
        "forward",
        Judged("", ("7 migrations of this release are pending: a, b, c, d, e and 2 more",)),
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_judgement_is_whole(name: str) -> None:
    now, planned, procedure, direction, expected = WHOLE[name]
    assert judge(now, planned, procedure, direction) == expected
