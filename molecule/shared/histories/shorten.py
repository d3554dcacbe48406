"""Shortens a failing history by replaying parts of it. Pure over the predicate that replays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from histories.draw import History, Step

Fails = Callable[[History], bool]


def shortened(history: History, fails: Fails, most: int = 30) -> History:
    """The shortest history found whose replay still fails. fails: replays one. most: replays that are tried."""
    left = [most]

    def still(steps: tuple[Step, ...]) -> bool:
        if left[0] <= 0 or not steps:
            return False
        left[0] -= 1
        return fails(replace(history, steps=steps))

    steps = _fewer(history.steps, still)
    steps = _plainer(steps, still)
    return replace(history, steps=steps)


def _fewer(steps: tuple[Step, ...], still: Callable[[tuple[Step, ...]], bool]) -> tuple[Step, ...]:
    """Delta debugging: leave out halves, then smaller parts, as long as what is left fails."""
    parts = 2
    while len(steps) > 1:
        size = max(1, len(steps) // parts)
        # The later a step, the likelier that the failure needs it: the first ones are left out first.
        for begin in range(0, len(steps), size):
            rest = steps[:begin] + steps[begin + size :]
            if rest and still(rest):
                steps, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(steps), parts * 2)
    return steps


def _plainer(steps: tuple[Step, ...], still: Callable[[tuple[Step, ...]], bool]) -> tuple[Step, ...]:
    """Leave out the faults that the failure does not need."""
    for place, step in enumerate(steps):
        if step.fault:
            plain = (*steps[:place], replace(step, fault="", moment=""), *steps[place + 1 :])
            if still(plain):
                steps = plain
    return steps
