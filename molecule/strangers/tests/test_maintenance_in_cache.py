"""An application that keeps its maintenance in a cache store (app.maintenance.driver=cache)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foreign_releases import numbered, release
from lab import OWN, Lab

DRIVER = "sed -i \"s/'driver' => 'file'/'driver' => 'cache', 'store' => 'file'/\" config/app.php"


@pytest.fixture(params=["in_place", "releases"])
def cached(request: pytest.FixtureRequest) -> Iterator[Lab]:
    host = Lab(OWN, request.param)
    host.at("v1.0.0")
    release(host, "v2.0.0", "v1.0.0", f"{DRIVER} && {numbered('v2.0.0')}")
    release(host, "v2.1.0", "v2.0.0", numbered("v2.1.0"))
    assert host.play("laravel_deploy", to="v2.0.0").green
    yield host


def status(lab: Lab) -> str:
    return lab.root("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/api/v1/health")


def test_maintenance_is_kept_by_a_deploy_and_ended_on_demand(cached: Lab) -> None:
    run = cached.play("laravel_maintenance", state="down")
    assert run.green, run.text
    assert status(cached) == "503"
    assert "DOWN" in cached.play("laravel_status").text
    run = cached.play("laravel_deploy", to="v2.1.0")
    assert run.green, run.text
    assert status(cached) == "503"
    assert cached.play("laravel_rollback").green
    assert status(cached) == "503"
    run = cached.play("laravel_maintenance", state="up")
    assert run.green, run.text
    assert (status(cached), cached.version()) == ("200", "2.0.0")
