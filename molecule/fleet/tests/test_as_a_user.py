"""A release of all hosts and the way back, and a refusal, in each way that a person has to run them."""

from __future__ import annotations

from pathlib import Path

import pytest
from as_a_user import WAYS, Way
from journeys import Journey, Leg, Refusal
from lab import APP, Lab


@pytest.fixture(scope="module")
def journey(fleet_of_file: list[Lab]) -> Journey:
    return Journey(
        hosts=fleet_of_file,
        serves=lambda host: host.version(),
        there=Leg("laravel_deploy", {"to": "v1.7.0", "batch": "1,50%,100%"}, "1.7.0"),
        back=Leg("laravel_rollback", {"batch": "100%"}, "1.1.0"),
        # The first digits of a commit are a number of YAML, and the text of that number is another one.
        refusal=Refusal("laravel_deploy", {"to": "0123456"}, "unknown_release", ["0123456"]),
        secrets=[host.root(f"grep ^APP_KEY= {APP}/.env | cut -d= -f2-") for host in fleet_of_file],
        rights=["Laravel"],
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_release_and_the_way_back(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.goes(way, tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.core("refusal", "screen", "callback", "runner", only=("screen", "default callback", "runner"))
def test_a_refusal(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.is_refused(way, tmp_path)
