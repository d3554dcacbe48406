"""Repositories with submodules, and with vendor/ in git: the release is whole, and the checkout stays clean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foreign_releases import numbered, release
from lab import OWN, Lab

LIBRARY = "/srv/git/library"
ALLOW = "git config --global protocol.file.allow always"


def commit(lab: Lab, text: str) -> None:
    lab.deploy(
        f"cd {LIBRARY} && echo {text} > text && git add text && "
        f"git -c user.name=Ada -c user.email=ada@example.com commit --quiet -m {text}"
    )


@pytest.fixture(params=["in_place", "releases"])
def host(request: pytest.FixtureRequest) -> Iterator[Lab]:
    host = Lab(OWN, request.param)
    host.at("v1.0.0")
    host.deploy(f"{ALLOW}; git init --quiet --initial-branch=main {LIBRARY}")
    yield host
    host.deploy("rm -f ~/.gitconfig")


def clean(lab: Lab) -> str:
    excluded = "-- . ':(exclude)storage'"
    return lab.deploy(f"git -C {lab.app} status --porcelain --untracked-files=no {excluded}")


def test_a_submodule_is_brought_on_every_way(host: Lab) -> None:
    commit(host, "one")
    add = f"{ALLOW}; git submodule --quiet add {LIBRARY} lib"
    release(host, "v2.0.0", "v1.0.0", f"{add} && {numbered('v2.0.0')}")
    commit(host, "two")
    pull = "git submodule --quiet update --init && git -C lib pull --quiet origin main"
    release(host, "v2.1.0", "v2.0.0", f"{pull} && {numbered('v2.1.0')}")
    for tag, text in (("v2.0.0", "one"), ("v2.1.0", "two")):
        run = host.play("laravel_deploy", to=tag)
        assert run.green, run.text
        assert (host.root(f"cat {host.app}/lib/text"), clean(host)) == (text, "")
    host.deploy(f"mv {LIBRARY} {LIBRARY}.gone")
    run = host.play("laravel_rollback")
    assert run.green, run.text
    assert (host.version(), host.root(f"cat {host.app}/lib/text"), clean(host)) == ("2.0.0", "one", "")


def test_a_committed_vendor_is_left_to_git(host: Lab) -> None:
    vendored = "composer install --quiet --no-dev --no-interaction && sed -i '/vendor/d' .gitignore"
    release(host, "v3.0.0", "v1.0.0", f"{vendored} && {numbered('v3.0.0')}")
    other = "composer config extra.other 1 && composer update --quiet --lock --no-interaction"
    release(
        host,
        "v3.1.0",
        "v3.0.0",
        f"{other} && composer install --quiet --no-dev --no-interaction && {numbered('v3.1.0')}",
    )
    first = host.play("laravel_deploy", to="v3.0.0", discard_local_changes=True)
    assert first.green, first.text
    for procedure, inputs, version in (
        ("laravel_deploy", {"to": "v3.1.0"}, "3.1.0"),
        ("laravel_rollback", {}, "3.0.0"),
        ("laravel_deploy", {"to": "v3.1.0"}, "3.1.0"),
    ):
        run = host.play(procedure, "--check", **inputs)
        assert "Composer is left alone" in run.text or host.strategy == "releases"
        run = host.play(procedure, **inputs)
        assert run.green, run.text
        assert (host.version(), clean(host)) == (version, "")
