# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beginning and ending maintenance mode, from each state in which it may be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.maintenance import now, problem, steps

UP: dict[str, Any] = {"down": False}
DOWN: dict[str, Any] = {"down": True, "down_unreadable": False}
HALF: dict[str, Any] = {"down": True, "down_unreadable": True}
BARE: dict[str, Any] = {"down": True}


@pytest.mark.parametrize(
    ("answer", "state", "forward", "back"),
    [
        (UP, "up", [], []),
        (DOWN, "down", [], []),
        (BARE, "down", [], []),
        (UP, "down", ["artisan down"], ["artisan up"]),
        (DOWN, "up", ["artisan up"], ["artisan down"]),
        (HALF, "down", ["artisan down"], ["artisan up"]),
        (HALF, "up", ["artisan up"], ["artisan up"]),
    ],
)
def test_the_way_to_a_state_and_back(answer: dict[str, Any], state: str, forward: list[str], back: list[str]) -> None:
    there, again = steps(answer, {"state": state, "retry": 60, "refresh": None})
    assert [step.title for step in there] == forward
    assert [step.title for step in again] == back
    assert [step.data["state"] for step in again] == [title.split()[1] for title in back]
    if forward == ["artisan down"]:
        assert there[0].data == {"state": "down", "retry": 60}


def test_no_release_is_brought_while_each_answer_is_an_error() -> None:
    assert [now(answer) for answer in (UP, DOWN, BARE, HALF)] == ["up", "down", "down", "half down"]
    assert problem(UP) is None and problem(DOWN) is None and problem(BARE) is None
    refusal = problem(HALF)
    assert refusal is not None and refusal.code == "half_down"
