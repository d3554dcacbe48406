"""A release and the way back, and a refusal, in each way that a person has to run them."""

from __future__ import annotations

from pathlib import Path

import journeys
import pytest
from as_a_user import WAYS, Way
from lab import Lab


@pytest.fixture(scope="module")
def journey(lab: Lab) -> journeys.Journey:
    return journeys.laravel(lab)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_release_and_the_way_back(journey: journeys.Journey, way: Way, tmp_path: Path) -> None:
    journey.goes(way, tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.core("refusal", "callback", "runner", only=("default callback", "runner"))
def test_a_refusal(journey: journeys.Journey, way: Way, tmp_path: Path) -> None:
    journey.is_refused(way, tmp_path)
