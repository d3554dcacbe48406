"""The rollback of the runbook, typed as it stands there: what it does to a release that carried two migrations.

It pins the old image first and steps back one migration in it. The old image has not the files of the newer
migrations, so Alembic knows no way; and once the last command has been run, the code and the database do not fit.
"""

from __future__ import annotations

import pytest
from compose_lab import COMPOSE, ComposeLab, tag

RUN = f"cd /srv/shop && docker compose --progress quiet -f {COMPOSE}"


def pin(lab: ComposeLab, old: str, new: str) -> None:
    """Step 2 of the runbook: the tags of backend and worker, in an editor."""
    lab.deploy(f"sed -i 's/{tag(old)}/{tag(new)}/' {COMPOSE}")


def by_hand(lab: ComposeLab, name: str) -> None:
    """The runbook's deploy."""
    pin(lab, "good", name)
    lab.deploy(
        "docker login --username ops --password-stdin registry.example.com:5000 <<'END'\n" + lab.password() + "\nEND"
    )
    lab.deploy(
        f"{RUN} pull --quiet && {RUN} run --rm -T backend alembic upgrade head && {RUN} up -d --remove-orphans --wait"
    )
    assert lab.schema() == "0004"
    assert lab.get("/api/v1/orders")[0] == 200


@pytest.fixture
def deployed(lab: ComposeLab) -> ComposeLab:
    lab.reset()
    by_hand(lab, "two")
    return lab


def test_rollback_as_written_can_not_step_back(deployed: ComposeLab) -> None:
    pin(deployed, "two", "good")
    step = f'{RUN} run --rm -T backend alembic downgrade -1; echo "exit $?"'
    said = deployed.deploy(f"({step}) 2>&1")
    assert said.endswith("exit 255"), said
    assert "Can't locate revision identified by '0004'" in said
    deployed.deploy(f"{RUN} pull --quiet && {RUN} up -d --remove-orphans --wait")
    # Health is green, and the shop is down.
    assert deployed.version() == "0.1.0"
    assert deployed.schema() == "0004"
    assert deployed.get("/api/v1/orders")[0] == 500


def test_one_step_from_the_newer_image_is_not_enough(deployed: ComposeLab) -> None:
    """Even where somebody steps back before pinning: `-1` leaves the database one migration ahead."""
    deployed.deploy(f"{RUN} run --rm -T backend alembic downgrade -1")
    assert deployed.schema() == "0003"
    assert "refunds" in deployed.sql("select tablename from pg_tables where schemaname = 'public'")
    pin(deployed, "two", "good")
    deployed.deploy(f"{RUN} up -d --remove-orphans --wait")
    assert "Can't locate revision" in deployed.deploy(f"{RUN} run --rm -T backend alembic current 2>&1", check=False)


def test_ours_steps_back_from_the_newer_image_before_the_switch(lab: ComposeLab) -> None:
    lab.at("good", "two")
    assert lab.schema() == "0004"
    refused = lab.play("compose_rollback")
    assert not refused.green
    for text in ("migrations_ahead", "migrations=down", "migrations=keep", "0003", "0004"):
        assert text in refused.text, refused.text
    assert lab.runs("two")
    run = lab.play("compose_rollback", migrations="down")
    assert run.green, run.text
    assert "DROP TABLE refunds" in run.text, "the plan shows the SQL"
    assert (lab.version(), lab.schema(), lab.runs("good")) == ("0.1.0", "0001", True)
    assert lab.get("/api/v1/orders") == (200, {"count": 3, "total": 1000})
    assert "legacy_code" in lab.columns("orders")
    assert lab.worker_release().startswith("c0ffee1")
    assert lab.outcomes()[-1] == ("rollback", "succeeded")
    # Until the schema is back, the release that fits it keeps running.
    assert [step["step"] for step in lab.ledger()[-1]["steps"]][:4] == ["images", "migrate_down", "pin", "up"]
