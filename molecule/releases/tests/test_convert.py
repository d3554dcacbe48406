"""A deployment in place turned into releases, and back: nobody notices, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import APP, DATABASE, OWN, Lab

OUTSIDE = "/etc/nginx /etc/systemd/system /var/spool/cron /etc/php"


@pytest.fixture
def before() -> Iterator[Lab]:
    """The host with a deployment in place that was adopted."""
    host = Lab(OWN)
    host.at("v1.0.0")
    yield host


def outside(lab: Lab) -> str:
    return lab.root(f"find {OUTSIDE} -type f -exec sha256sum {{}} + | sort | sha256sum")


@pytest.mark.core("deploy", "rollback")
def test_converts_without_touching_anything_outside(before: Lab) -> None:
    etc, rows = outside(before), before.sql("select count(*) from orders")
    before.deploy(f"echo 'a line from before' >> {APP}/storage/logs/laravel.log; echo kept > {APP}/storage/app/upload")
    environment = before.root(f"sha256sum < {APP}/.env")
    run = before.play("laravel_convert")
    assert run.green, run.text
    after = Lab(before.name, "releases")
    assert (after.version(), after.commit()) == ("1.0.0", after.id("v1.0.0"))
    assert outside(after) == etc
    assert after.root(f"sha256sum < {APP}/shared/.env") == environment
    assert "a line from before" in after.root(f"cat {APP}/current/storage/logs/laravel.log")
    assert after.root(f"cat {APP}/storage/app/upload") == "kept"
    assert after.sql("select count(*) from orders") == rows
    # What people and cron type still works, and the worker runs the release.
    assert "Laravel" in after.deploy(f"cd {APP} && php artisan --version")
    assert after.root("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/") == "200"
    assert (after.ledger()[-1]["procedure"], after.ledger()[-1]["outcome"]) == ("convert", "succeeded")
    again = after.play("laravel_convert")
    assert again.green, again.text
    assert again.changed == 0
    # The first release of before is still the one to go back to.
    assert after.play("laravel_deploy", to="v1.1.0").green
    assert after.play("laravel_rollback").green
    assert after.version() == "1.0.0"


def test_goes_back_to_a_checkout_in_place_with_the_release_that_runs(before: Lab) -> None:
    assert before.play("laravel_convert").green
    after = Lab(before.name, "releases")
    for tag in ("v1.1.0", "v1.2.0"):
        assert after.play("laravel_deploy", to=tag).green
    after.deploy(f"echo 'a line of a release' >> {APP}/current/storage/logs/laravel.log")
    run = after.play("laravel_convert", state="in_place")
    assert run.green, run.text
    assert (before.version(), before.commit()) == ("1.2.0", before.id("v1.2.0"))
    assert before.get("/api/v1/health")[1]["greeter"] == "1.1.0"
    assert before.root(f"test -d {APP}/public -a ! -L {APP}/public -a ! -L {APP}/storage && echo yes") == "yes"
    assert "a line of a release" in before.root(f"cat {APP}/storage/logs/laravel.log")
    assert before.deploy(f"git -C {APP} status --porcelain --untracked-files=no") == ""
    # Both strategies go on from here.
    assert before.play("laravel_rollback", migrations="down").green
    assert before.version() == "1.1.0"
    assert before.play("laravel_convert").green
    assert after.version() == "1.1.0"
    assert after.play("laravel_deploy", to="v1.7.0").green
    assert after.version() == "1.7.0"


def test_files_that_no_release_would_have_are_named_then_shared(before: Lab) -> None:
    before.deploy(f"mkdir {APP}/public/uploads; echo photo > {APP}/public/uploads/a.jpg")
    run = before.play("laravel_convert")
    assert not run.green
    assert "untracked_files" in run.text
    assert "public/uploads" in run.text
    # What is printed survives a shell, which took the quotes of a bare list.
    assert """-e '{"laravel_shared": [".env", "storage", "public/uploads/"]}'""" in run.text
    torn = before.play("laravel_convert", laravel_shared="[.env,storage,public/uploads/]", discard_local_changes=True)
    assert not torn.green
    assert "a shell took the list apart" in torn.text
    assert before.version() == "1.0.0"
    shared = [".env", "storage", "public/uploads/"]
    assert before.play("laravel_convert", laravel_shared=shared).green
    after = Lab(before.name, "releases")
    assert after.root("curl -s http://127.0.0.1/uploads/a.jpg") == "photo"
    assert after.play("laravel_deploy", to="v1.1.0", laravel_shared=shared).green
    assert after.root("curl -s http://127.0.0.1/uploads/a.jpg") == "photo"


def test_strategy_and_host_that_do_not_fit_are_refused(before: Lab) -> None:
    wrong = before.play("laravel_deploy", to="v1.1.0", laravel_strategy="releases")
    assert not wrong.green
    assert "not_converted" in wrong.text
    assert "laravel_convert" in wrong.text
    assert before.play("laravel_convert").green
    wrong = before.play("laravel_deploy", to="v1.1.0")
    assert not wrong.green
    assert "is_converted" in wrong.text


def test_conversion_that_is_not_healthy_goes_back(before: Lab) -> None:
    fingerprint = before.root(f"cat {APP}/.env; find {APP}/public {APP}/app -type f -exec sha256sum {{}} +")
    checks = [{"url": "http://127.0.0.1/api/v1/health", "contains": "releases/"}]
    run = before.play("laravel_convert", laravel_health=checks, laravel_health_deadline=1)
    assert not run.green
    assert before.version() == "1.0.0"
    assert before.root(f"cat {APP}/.env; find {APP}/public {APP}/app -type f -exec sha256sum {{}} +") == fingerprint
    assert before.root(f"test ! -L {APP}/public -a ! -L {APP}/storage -a ! -e {APP}/current && echo yes") == "yes"
    assert before.root(f"ls {DATABASE}")


def test_check_shows_the_way_and_changes_no_byte(before: Lab) -> None:
    fingerprint = before.fingerprint()
    run = before.play("laravel_convert", "--check")
    assert run.green, run.text
    assert "move storage to shared/" in run.text
    assert before.fingerprint() == fingerprint
