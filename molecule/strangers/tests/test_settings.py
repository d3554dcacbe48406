"""A .env that was edited on the host: a deploy of the release that runs gives it effect, and can go back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import APP, OWN, Lab


@pytest.fixture(params=["in_place", "releases"])
def host(request: pytest.FixtureRequest) -> Iterator[Lab]:
    host = Lab(OWN, request.param)
    host.at("v1.0.0")
    yield host


def settings(lab: Lab) -> str:
    """The name of the application by its cached configuration."""
    return lab.deploy(f'cd {lab.app} && php -r \'echo (require "bootstrap/cache/config.php")["app"]["name"];\'')


def edit(lab: Lab, line: str) -> None:
    name = line.partition("=")[0]
    lab.deploy(f"{{ grep -v ^{name}= {APP}/.env; echo {line}; }} > /tmp/env && cat /tmp/env > {APP}/.env")


def test_an_edited_env_has_effect_after_a_deploy_of_the_release_that_runs(host: Lab) -> None:
    edit(host, "APP_NAME=Edited")
    assert "older than .env" in host.play("laravel_status").text
    assert settings(host) == "Vertex"
    run = host.play("laravel_deploy", to="v1.0.0")
    assert run.green, run.text
    assert (settings(host), host.version()) == ("Edited", "1.0.0")
    assert "older than .env" not in host.play("laravel_status").text
    again = host.play("laravel_deploy", to="v1.0.0")
    assert again.green and again.changed == 0


def test_settings_with_which_the_site_is_not_well_are_taken_back(host: Lab) -> None:
    before = host.root(f"sha256sum < {host.app}/bootstrap/cache/config.php")
    edit(host, "DB_DATABASE=/var/lib/vertex/none.sqlite")
    run = host.play("laravel_deploy", to="v1.0.0", laravel_health=[{"url": "http://127.0.0.1/ready"}])
    assert not run.green
    assert host.version() == "1.0.0"
    assert host.root(f"sha256sum < {host.app}/bootstrap/cache/config.php") == before
    assert host.outcomes()[-1] == ("deploy", "reverted")
