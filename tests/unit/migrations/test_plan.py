# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change continues or is refused by what is known, and not known, of its migrations."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import (
    LEFT_HALF_DONE,
    MODES,
    Migrations,
    cut,
    record,
    refuse,
)
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import (
    KNOWS,
    LACKS,
    UNTOLD,
    Comparison,
    Loss,
    Position,
    Undoing,
    compare,
    undoing,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

SAYS = (KNOWS, LACKS, UNTOLD)
#: Every position of up to two migrations: (applied, the present code, the target).
PLACES = list(product((True, False), SAYS, SAYS))
PAIRS = [(first, second) for first in PLACES for second in PLACES]


def position(*places: tuple[bool, str, str]) -> Position:
    named = [(f"m{number}", *place) for number, place in enumerate(places)]
    return Position(
        applied=[name for name, applied, _, _ in named if applied],
        current=[name for name, _, here, _ in named if here == KNOWS],
        target=[name for name, _, _, there in named if there == KNOWS],
        unsure=[name for name, _, _, there in named if there == UNTOLD],
        unsure_here=[name for name, _, here, _ in named if here == UNTOLD],
        why="nobody could be asked",
    )


def asked(procedure: str, mode: str, where: Position, **more: Any) -> Migrations:
    comparison = compare(where)
    return Migrations("laravel", procedure, mode, "v1", "v1", comparison, undoing(comparison, {}), **more)


@pytest.mark.parametrize(
    ("procedure", "mode"), [(procedure, mode) for procedure, modes in MODES.items() for mode in modes]
)
def test_no_rollback_goes_on_over_what_cannot_be_told_unless_somebody_answers_for_it(procedure: str, mode: str) -> None:
    for places in PAIRS:
        known = asked(procedure, mode, position(*places))
        refusal = refuse(known)
        verdict = known.comparison.verdict
        if procedure == "rollback" and mode != "keep":
            assert (refusal is None) is (
                verdict == "same" or (mode == "down" and verdict == "ahead" and refusal is None)
            )
        if procedure == "deploy" and mode != "keep":
            # What can't be told yet is seen by the gate, once the target's own migrator has run.
            assert (refusal is None) is not bool(known.comparison.ahead)
        said = record(known)
        assert said["unsure"] == list(known.comparison.unsure)
        assert (said["verdict"] == "unknown") is bool(said["unsure"])
        if said["unsure"]:
            assert "nobody could be asked" in said["error"]


@pytest.mark.parametrize(("procedure", "modes"), MODES.items())
def test_a_database_that_cannot_be_read_refuses_what_depends_on_it(procedure: str, modes: tuple[str, ...]) -> None:
    for mode in modes:
        refusal = refuse(asked(procedure, mode, Position(None, [], [], error="connection refused")))
        assert (refusal is None) is (mode in ("keep", "skip"))
        assert refusal is None or "connection refused" in refusal.text


def test_a_foreign_migration_is_recorded_and_never_undone() -> None:
    known = asked("rollback", "down", position((True, LACKS, LACKS), (True, KNOWS, KNOWS)))
    assert (record(known)["foreign"], record(known)["down"], refuse(known)) == (["m0"], [], None)


def test_only_a_migration_outside_of_a_transaction_leaves_something() -> None:
    assert cut(True) == {}
    assert cut(False) == {"cut": f"The migration under way {LEFT_HALF_DONE}"}


AHEAD = Comparison("ahead", ahead=("m3", "m2"))
DIVERGED = Comparison("diverged", ahead=("m2",), behind=("m3", "m4"))
BEHIND = Comparison("behind", behind=("m3", "m4"))
UNKNOWN = Comparison("unknown", ahead=("m2",), error="connection refused")
UNSURE = Comparison("unknown", behind=("m3",), error="nobody could be asked: m2", unsure=("m2",))
SQL = {"m3": ("drop table `t`", "drop table `u`")}
UNDONE = Undoing(("m3", "m2"), {}, SQL, (Loss("t"), Loss("u", "note")))
NOT_TRIED = Undoing(("m3", "m2"), {}, SQL, (), {"m2": "it uses Storage", "m1": "so does it"})
STUCK = Undoing(("m3", "m2"), {"m2": "it has no down()"}, SQL, ())
KEEP = "you assert that v1 works with"


def migrations(procedure: str, mode: str, comparison: Comparison, undone: Undoing = UNDONE, **more: Any) -> Migrations:
    return Migrations("laravel", procedure, mode, "v1", "v1.0", comparison, undone, **more)


REFUSALS: dict[str, tuple[Migrations, Problem | None]] = {
    "a deploy that keeps": (migrations("deploy", "keep", AHEAD), None),
    "a deploy behind": (migrations("deploy", "run", BEHIND), None),
    "a deploy over what is unknown": (
        migrations("deploy", "run", UNKNOWN),
        Problem(
            "migrations_unknown",
            "where the database stands can't be told: connection refused",
            (
                ("migrations=skip", "deploys without running migrations"),
                ("migrations=keep", f"{KEEP} the database as it is"),
            ),
        ),
    ),
    "a deploy over what its packages may bring": (migrations("deploy", "run", UNSURE), None),
    "a deploy that skips what is unknown": (migrations("deploy", "skip", replace(UNKNOWN, ahead=())), None),
    "a deploy below the database": (
        migrations("deploy", "skip", AHEAD),
        Problem(
            "migrations_ahead",
            "the database has 2 migrations that v1 does not know",
            (
                ("migrations=keep", f"{KEEP} the newer schema"),
                ("laravel_rollback with to=v1.0", "says which of them can be undone, and at what cost"),
            ),
            ("m3", "m2"),
        ),
    ),
    "a rollback over what is unknown": (
        migrations("rollback", "down", UNKNOWN),
        Problem(
            "migrations_unknown",
            "where the database stands can't be told: connection refused",
            (("migrations=keep", f"{KEEP} the database as it is"),),
            ("the target does not know: m2",),
        ),
    ),
    "a rollback that keeps": (migrations("rollback", "keep", AHEAD), None),
    "a rollback to the same": (migrations("rollback", "refuse", Comparison("same")), None),
    "a rollback to what the database lacks": (
        migrations("rollback", "down", BEHIND),
        Problem(
            "migrations_behind",
            "v1 expects 2 migrations that the database does not have, and a rollback runs none",
            (
                ("laravel_deploy with to=v1.0", "goes there and runs them"),
                ("migrations=keep", f"{KEEP}out them"),
            ),
            ("not in the database: m3", "not in the database: m4"),
        ),
    ),
    "a rollback that undoes": (migrations("rollback", "down", AHEAD), None),
    "a rollback that would undo and run": (
        migrations("rollback", "down", DIVERGED),
        Problem(
            "migrations_diverged",
            "the database has migrations that the target does not know, and lacks some that it expects",
            (("migrations=keep", f"{KEEP} the newer schema"),),
            ("not in the database: m3", "not in the database: m4"),
        ),
    ),
    "a rollback that can't undo": (
        migrations("rollback", "down", AHEAD, STUCK),
        Problem(
            "migrations_irreversible",
            "1 of 2 migrations can't be undone",
            (("migrations=keep", f"{KEEP} the newer schema"),),
            ("m2: it has no down()",),
        ),
    ),
    "a rollback below the database": (
        migrations("rollback", "refuse", AHEAD, row_counts={"table t": "5 rows", "table u": "no rows"}),
        Problem(
            "migrations_ahead",
            "the database has 2 migrations that v1 does not know",
            (
                ("migrations=keep", f"{KEEP} the newer schema; no data is lost"),
                (
                    "migrations=down",
                    "undoes them from the newer code, before the switch; destroys: table t (5 rows), column u.note",
                ),
            ),
            ("m3:", "  drop table `t`", "  drop table `u`", "m2:"),
        ),
    ),
    "a rollback that destroys nothing": (
        migrations("rollback", "refuse", AHEAD, replace(UNDONE, losses=(), sql={})),
        Problem(
            "migrations_ahead",
            "the database has 2 migrations that v1 does not know",
            (
                ("migrations=keep", f"{KEEP} the newer schema; no data is lost"),
                (
                    "migrations=down",
                    "undoes them from the newer code, before the switch; destroys: no table and no column is dropped",
                ),
            ),
            ("m3:", "m2:"),
        ),
    ),
    "a rollback whose cost can't be told": (
        migrations("rollback", "refuse", AHEAD, NOT_TRIED),
        Problem(
            "migrations_ahead",
            "the database has 2 migrations that v1 does not know",
            (
                ("migrations=keep", f"{KEEP} the newer schema; no data is lost"),
                (
                    "migrations=down",
                    "undoes them from the newer code, before the switch; destroys: what can't be told of m2, m1",
                ),
            ),
            ("m3:", "  drop table `t`", "  drop table `u`", "m2: its down() was not tried: it uses Storage"),
        ),
    ),
    "a rollback that could not undo either": (
        migrations("rollback", "refuse", AHEAD, STUCK),
        Problem(
            "migrations_ahead",
            "the database has 2 migrations that v1 does not know",
            (("migrations=keep", f"{KEEP} the newer schema; no data is lost"),),
            ("m3:", "  drop table `t`", "  drop table `u`", "m2: can't be undone: it has no down()"),
        ),
    ),
    "a rollback that would also have to run some": (
        migrations("rollback", "refuse", DIVERGED, replace(UNDONE, sql={})),
        Problem(
            "migrations_ahead",
            "the database has 1 migrations that v1 does not know",
            (("migrations=keep", f"{KEEP} the newer schema; no data is lost"),),
            ("m2:",),
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_whole(name: str) -> None:
    known, expected = REFUSALS[name]
    refusal = refuse(known)
    assert (refusal is None) is (expected is None)
    if refusal is not None and expected is not None:
        assert {
            field: tuple(value) if isinstance(value, list) else value for field, value in vars(refusal).items()
        } == vars(expected)


RECORDS: dict[str, tuple[Migrations, dict[str, Any]]] = {
    "a deploy that runs": (
        migrations(
            "deploy",
            "run",
            BEHIND,
            ups={"m3": ("create table `t`",)},
            pending=("m0",),
            unasked=("nobody could be asked",),
        ),
        {
            "verdict": "behind",
            "behind": ["m3", "m4"],
            "unasked": ["nobody could be asked"],
            "pending": ["m0"],
            "migrate": True,
            "run": ["m3", "m4"],
            "sql": {"m3": ["create table `t`"]},
        },
    ),
    "a deploy on another host": (
        migrations("deploy", "keep", BEHIND, ups={"m3": ("x",)}, here=False),
        {"mode": "keep", "verdict": "behind", "behind": ["m3", "m4"], "here": False},
    ),
    "a deploy that skips": (
        migrations("deploy", "skip", BEHIND, ups={"m3": ("x",)}),
        {"mode": "skip", "verdict": "behind", "behind": ["m3", "m4"]},
    ),
    "a rollback that undoes": (
        migrations("rollback", "down", AHEAD, row_counts={"table t": "5 rows"}),
        {
            "mode": "down",
            "verdict": "ahead",
            "ahead": ["m3", "m2"],
            "down": ["m3", "m2"],
            "sql": {"m3": ["drop table `t`", "drop table `u`"]},
            "losses": ["table t (5 rows)", "column u.note"],
        },
    ),
    "a rollback whose migrations another host undoes": (
        migrations("rollback", "down", AHEAD, here=False),
        {"mode": "down", "verdict": "ahead", "ahead": ["m3", "m2"], "here": False},
    ),
    "a rollback that keeps": (
        migrations("rollback", "keep", replace(DIVERGED, foreign=("f",), unsure=("u",), error="e")),
        {
            "mode": "keep",
            "verdict": "diverged",
            "ahead": ["m2"],
            "behind": ["m3", "m4"],
            "foreign": ["f"],
            "unsure": ["u"],
            "error": "e",
        },
    ),
}
EMPTY: dict[str, Any] = {
    "mode": "run",
    "ahead": [],
    "behind": [],
    "foreign": [],
    "unsure": [],
    "error": "",
    "unasked": [],
    "pending": [],
    "migrate": False,
    "run": [],
    "down": [],
    "here": True,
    "sql": {},
    "losses": [],
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_whole(name: str) -> None:
    known, expected = RECORDS[name]
    assert record(known) == {**EMPTY, **expected}
