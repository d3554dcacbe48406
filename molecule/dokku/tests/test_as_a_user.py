"""A release and the way back, and a refusal, in each way that a person has to run them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from as_a_user import WAYS, Way
from dokku_lab import DokkuLab
from journeys import Journey, Leg, Refusal

RIGHT_OF_BACKUPS = "/etc/sudoers.d/ops-runbook-parts"
CANARY = f"canary-{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def journey(lab: DokkuLab) -> Iterator[Journey]:
    lab.reset("apps")
    # The right of backups is there where another test has set them up. This operator has none.
    lab.root(f"test ! -e {RIGHT_OF_BACKUPS} || mv {RIGHT_OF_BACKUPS} /root/")
    lab.ok("config:set", "--no-restart", "restant-main", f"CANARY={CANARY}")
    yield Journey(
        hosts=[lab],
        serves=lambda host: lab.serves("restant-main"),
        there=Leg("dokku_deploy", {"to": "v3", "hotfix": "yes"}, "3"),
        back=Leg("dokku_rollback", {"migrations": "keep"}, "2"),
        refusal=Refusal("dokku_rollback", {"to": "0123456", "migrations": "keep"}, "release_missing", ["123456"]),
        secrets=[CANARY],
        rights=["Dokku"],
    )
    lab.root(f"test ! -e /root/ops-runbook-parts || mv /root/ops-runbook-parts {RIGHT_OF_BACKUPS}")


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_release_and_the_way_back(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.goes(way, tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.core("refusal", "callback", "runner", only=("default callback", "runner"))
def test_a_refusal(journey: Journey, way: Way, tmp_path: Path) -> None:
    journey.is_refused(way, tmp_path)
