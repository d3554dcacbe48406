# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A failing history is shortened to the steps that the failure needs."""

from __future__ import annotations

import pytest
from histories.draw import History, Step
from histories.shorten import shortened
from hypothesis import given
from hypothesis import strategies as st

STEPS = tuple(Step(name, fault="reboot", moment="after.1") for name in "abcdefg")


def failing(*needed: str) -> object:
    def fails(history: History) -> bool:
        left = iter(step.act for step in history.steps)
        return all(name in left for name in needed)

    return fails


@pytest.mark.parametrize("needed", ["a", "g", "ag", "bcf", "abcdefg"])
def test_the_steps_that_the_failure_needs_keep_their_order(needed: str) -> None:
    short = shortened(History("toy", "", STEPS), failing(*needed), most=200)  # type: ignore[arg-type]
    assert [step.act for step in short.steps] == list(needed)
    assert not any(step.fault for step in short.steps)


def test_a_fault_that_the_failure_needs_is_kept() -> None:
    short = shortened(History("toy", "", STEPS), lambda history: any(step.fault for step in history.steps), most=200)
    assert len(short.steps) == 1
    assert short.steps[0].fault


@given(st.sets(st.sampled_from("abcdefg"), min_size=1), st.integers(0, 40))
def test_a_shortened_history_still_fails_however_few_replays_there_are(needed: set[str], most: int) -> None:
    tried: list[History] = []
    predicate = failing(*sorted(needed))

    def fails(history: History) -> bool:
        tried.append(history)
        return predicate(history)  # type: ignore[operator,no-any-return]

    short = shortened(History("toy", "", STEPS), fails, most)
    assert predicate(short)  # type: ignore[operator]
    assert len(tried) <= most
