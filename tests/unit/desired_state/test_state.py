# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thing is brought to its state, read back, and told, whatever system it is of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Brought, Change, Plan, State
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


@dataclass(frozen=True)
class Turn:
    to: int

    def line(self) -> str:
        return f"turn {self.to}"


@dataclass
class Dial:
    """A client. deaf: it takes what it is told, and does nothing."""

    at: int = 0
    deaf: bool = False
    turned: list[int] = field(default_factory=list)

    def turn(self, to: int) -> None:
        self.turned.append(to)
        self.at = self.at if self.deaf else to


@dataclass(frozen=True)
class Setting(State[Dial, Turn, int]):
    """lost: the answer of the dial does not arrive."""

    wanted: int
    lost: bool = False

    def read(self, dial: Dial) -> int:
        return dial.at

    def plan(self, present: int) -> Plan[Turn]:
        if present == self.wanted:
            return Plan()
        return Plan((Change("dial", str(present), str(self.wanted)),), (Turn(self.wanted),), ("mind the dial",))

    def apply(self, dial: Dial, plan: Plan[Turn], present: int) -> None:
        for act in plan.acts:
            dial.turn(act.to)

    def carry_out(self, dial: Dial, plan: Plan[Turn], present: int) -> Problem | None:
        super().carry_out(dial, plan, present)
        return Problem("uncertain", "no answer") if self.lost else None

    def not_taken(self, still: str, doubt: Problem | None) -> Problem:
        return Problem("uncertain" if doubt else "not_taken", still, touched=True)


def refuse() -> None:
    raise Problem("refused", "not today")


def test_a_state_is_reached_and_read_back() -> None:
    dial = Dial()
    brought = desired_state.bring(dial, Setting(7))
    assert brought == Brought(Setting(7).plan(0), 0, 7, ("mind the dial",)) and brought.changed
    again = desired_state.bring(dial, Setting(7))
    assert not again.changed and dial.turned == [7]


def test_check_mode_changes_nothing() -> None:
    dial = Dial()
    brought = desired_state.bring(dial, Setting(7), check_mode=True)
    assert brought.changed and brought.after == 0 and brought.warnings and dial.turned == []


@pytest.mark.parametrize(("lost", "code"), [(False, "not_taken"), (True, "uncertain")])
def test_that_a_system_reports_no_error_is_no_proof(lost: bool, code: str) -> None:
    with pytest.raises(Problem) as found:
        desired_state.bring(Dial(deaf=True), Setting(7, lost))
    assert (found.value.code, str(found.value)) == (code, "dial: 0 -> 7")


def test_an_answer_that_was_lost_is_no_failure_where_the_state_is_right() -> None:
    brought = desired_state.bring(Dial(), Setting(7, lost=True))
    assert brought.warnings == ("mind the dial", "no answer; read back, it was carried out.")


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_following_step_is_refused_before_anything_is_changed(check_mode: bool) -> None:
    dial = Dial()
    with pytest.raises(Problem, match="not today"):
        desired_state.bring(dial, Setting(7), check_mode, refuse)
    assert dial.turned == [] and not desired_state.bring(dial, Setting(0), check_mode, refuse).changed


@pytest.mark.parametrize(
    ("wanted", "check_mode", "kept"), [(7, False, ["dial: 0 -> 7"]), (7, True, []), (0, False, [])]
)
def test_only_a_change_that_is_made_is_recorded(wanted: int, check_mode: bool, kept: list[str]) -> None:
    told: list[str] = []

    def keep(lines: Sequence[str], change: Callable[[], Brought[Turn, int]]) -> Brought[Turn, int]:
        told.extend(lines)
        return change()

    desired_state.bring(Dial(), Setting(wanted), check_mode, keep=keep)
    assert told == kept


def test_the_result_of_a_module() -> None:
    result = desired_state.result(desired_state.bring(Dial(), Setting(7)), "the dial", "turns")
    assert result == {
        "changed": True,
        "changes": [{"subject": "dial", "before": "0", "after": "7"}],
        "turns": ["turn 7"],
        "warnings": ["mind the dial"],
        "diff": {"before": "dial: 0\n", "after": "dial: 7\n", "before_header": "the dial", "after_header": "the dial"},
    }


def test_a_difference_has_only_what_is_there() -> None:
    found = desired_state.diff([Change("a", "", "x"), Change("b", "y", "")], "shop")
    assert found == {"before": "b: y\n", "after": "a: x\n", "before_header": "shop", "after_header": "shop"}
    assert Change("a", "", "x").line() == "a: not set -> x"
