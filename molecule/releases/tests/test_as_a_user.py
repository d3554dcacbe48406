"""A release and the way back, and a refusal, in each way that a person has to run them."""

from __future__ import annotations

from pathlib import Path

import pytest
from as_a_user import WAYS, Way
from journeys import Journey, Leg, Refusal
from lab import APP, Lab


@pytest.fixture(scope="module")
def journey(lab: Lab) -> Journey:
    lab.at("v1.0.0")
    return Journey(
        hosts=[lab],
        serves=lambda host: host.version(),
        there=Leg("laravel_deploy", {"to": "v1.1.0"}, "1.1.0"),
        back=Leg("laravel_rollback", {}, "1.0.0"),
        refusal=Refusal("laravel_deploy", {"to": "0123456"}, "unknown_release", ["0123456"]),
        secrets=[lab.root(f"grep ^APP_KEY= {APP}/current/.env | cut -d= -f2-")],
        rights=["Laravel"],
        variables={"laravel_strategy": lab.strategy},
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_release_and_the_way_back(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.goes(way, tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_refusal(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.is_refused(way, tmp_path)
