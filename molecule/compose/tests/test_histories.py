"""Random histories with fixed seeds, and those that were red once."""

from __future__ import annotations

import pytest
from histories.replay import kept, playable, sample
from lab import OWN

SYSTEM = "compose"


@pytest.mark.parametrize("number", range(3))
def test_a_history_of_a_fixed_seed(number: int) -> None:
    assert playable(SYSTEM, OWN, sample(SYSTEM, number)).problems == []


@pytest.mark.parametrize("line", kept(__file__))
def test_a_history_that_was_red_once(line: str) -> None:
    assert playable(SYSTEM, OWN, line).problems == []
