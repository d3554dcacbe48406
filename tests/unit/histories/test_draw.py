# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories that are drawn: the same from the same seed, each one line, and no kind left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import draw, systems
from hypothesis import given
from hypothesis import strategies as st

SYSTEMS = sorted(systems.SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_seed_gives_the_same_histories(system: str) -> None:
    kinds = systems.kinds_of(system)
    assert draw.drawn(kinds, 7, 20) == draw.drawn(kinds, 7, 20)
    assert draw.drawn(kinds, 7, 20) != draw.drawn(kinds, 8, 20)


@pytest.mark.parametrize("system", SYSTEMS)
@given(seed=st.integers(0, 10**6))
def test_the_line_of_a_history_replays_it(system: str, seed: int) -> None:
    for history in draw.drawn(systems.kinds_of(system), seed, 2):
        assert replace(draw.parse(str(history)), seed=history.seed) == history


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("seed", [1, 1000])
def test_two_hundred_histories_draw_every_kind_twenty_times(system: str, seed: int) -> None:
    chooser = draw.Draw(systems.kinds_of(system))
    for number in range(200):
        chooser.history(seed + number)
    assert min(chooser.counts.values()) >= 20, sorted(chooser.counts.items(), key=lambda pair: pair[1])[:5]


@pytest.mark.parametrize(
    "line", ["deploy:v1", "laravel/in_place deploy!", "laravel/in_place deploy?x", "x/y deploy:a:b!c d@e"]
)
def test_a_line_that_is_not_a_history_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="history|step"):
        draw.parse(line)


def test_a_step_counts_for_its_act_and_its_fault() -> None:
    step = draw.parse("laravel/in_place deploy:good=v1.0.0!kill_module@after.3?9").steps[0]
    assert step.kinds == ("operation deploy good", "fault kill_module")
    assert draw.Step(draw.BY_HAND, "checkout").kinds == ("change checkout",)
