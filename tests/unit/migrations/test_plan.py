# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change continues or is refused by what is known, and not known, of its migrations."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import MODES, Migrations, record, refuse
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import (
    KNOWS,
    LACKS,
    UNTOLD,
    Position,
    compare,
    undoing,
)

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
