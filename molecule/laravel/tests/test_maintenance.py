"""Maintenance mode: entered, kept through a deploy and a rollback, verified behind its page, and left."""

from __future__ import annotations

import pytest
from lab import APP, SOON, STATE, Lab

SECRET = "canary-5c0ffee5e7"


@pytest.mark.core("canary", "deploy", "rollback")
def test_down_is_remembered_kept_and_left(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    down = lab.play(
        "laravel_maintenance", "-vvv", state="down", retry="60", refresh="15", secret=SECRET, reason="INC-3"
    )
    assert down.green, down.text
    assert lab.get("/api/v1/orders")[0] == 503
    headers = lab.root("curl -s -o /dev/null -D - http://127.0.0.1/api/v1/orders").lower()
    assert "retry-after: 60" in headers
    assert "refresh: 15" in headers
    record = lab.ledger()[-1]
    assert (record["procedure"], record["outcome"]) == ("maintenance", "succeeded")
    assert record["facts"] == {"maintenance": "down"}
    # The secret was typed for this test; beside that, only Laravel's own file holds it.
    assert SECRET not in down.text.replace(f"secret={SECRET}", "")
    assert SECRET not in lab.root(f"cat {STATE}/*.json*")
    assert SECRET in lab.root(f"cat {APP}/storage/framework/down")

    again = lab.play("laravel_maintenance", state="down")
    assert (again.green, again.changed) == (True, 0), again.text

    deploy = lab.play("laravel_deploy", to="v1.7.0")
    assert deploy.green, deploy.text
    assert lab.get("/api/v1/orders")[0] == 503
    assert lab.ledger()[-1]["health"][0]["status"] == 200, "the gate looked behind the page"
    rollback = lab.play("laravel_rollback")
    assert rollback.green, rollback.text
    assert lab.get("/api/v1/orders")[0] == 503

    up = lab.play("laravel_maintenance", state="up")
    assert up.green, up.text
    assert lab.get("/api/v1/orders")[0] == 200
    assert lab.version() == "1.1.0"


def test_down_by_hand_without_a_secret_is_kept_and_said(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.deploy(f"cd {APP} && php artisan down")
    run = lab.play("laravel_rollback")
    assert run.green, run.text
    assert "only the maintenance page could be verified" in run.text
    assert lab.get("/api/v1/orders")[0] == 503
    assert lab.play("laravel_maintenance", state="up").green
    assert lab.version() == "1.0.0"


def test_broken_release_behind_the_page_still_goes_back(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    assert lab.play("laravel_maintenance", state="down").green
    run = lab.play("laravel_deploy", to="v1.4.0", **SOON)
    assert not run.green
    assert lab.ledger()[-1]["outcome"] == "reverted"
    assert lab.play("laravel_maintenance", state="up").green
    assert lab.version() == "1.1.0"
