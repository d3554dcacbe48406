"""Random histories with fixed seeds, and those that were red once."""

from __future__ import annotations

import pytest
from histories.draw import History
from histories.replay import SEEDS, kept, prove, sample
from lab import OWN

SYSTEM = "laravel"
pytestmark = pytest.mark.usefixtures("lab")


@pytest.mark.core("histories")
@pytest.mark.parametrize("seed", SEEDS[SYSTEM])
def test_a_history_of_a_fixed_seed(seed: int) -> None:
    prove(sample(SYSTEM, seed), OWN)


@pytest.mark.parametrize("history", kept(__file__))
def test_a_history_that_was_red_once(history: History) -> None:
    prove(history, OWN)
