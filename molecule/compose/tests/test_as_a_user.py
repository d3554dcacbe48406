"""A release and the way back, and a refusal, in each way that a person has to run them."""

from __future__ import annotations

from pathlib import Path

import pytest
from as_a_user import WAYS, Way
from compose_lab import ComposeLab
from journeys import Journey, Leg, Refusal


@pytest.fixture(scope="module")
def journey(lab: ComposeLab) -> Journey:
    lab.at("good")
    return Journey(
        hosts=[lab],
        serves=lambda host: host.version(),
        there=Leg("compose_deploy", {"to": "0.2.0"}, "0.2.0"),
        back=Leg("compose_rollback", {}, "0.1.0"),
        # The first digits of a commit are a number of YAML, and the text of that number is another one.
        refusal=Refusal("compose_deploy", {"to": "0123456"}, "image_not_found", ["0123456"]),
        secrets=[lab.password()],
        rights=["Docker Compose"],
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_release_and_the_way_back(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.goes(way, tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.core("refusal", "callback", "runner", only=("default callback", "runner"))
def test_a_refusal(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.is_refused(way, tmp_path)
