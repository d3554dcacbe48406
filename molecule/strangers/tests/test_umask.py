"""A hardened host, whose logins hide new files from php-fpm: what a procedure makes is served all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import APP, OWN, SOON, Lab


@pytest.fixture(params=["077", "027"])
def hardened(request: pytest.FixtureRequest) -> Iterator[Lab]:
    host = Lab(OWN)
    host.at("v1.0.0")
    host.root("cp ~deploy/.bashrc /srv/lab/bashrc 2>/dev/null; true")
    host.root(f"{{ echo umask {request.param}; cat /srv/lab/bashrc 2>/dev/null; }} > ~deploy/.bashrc; true")
    host.root("pkill -u deploy sshd; true")
    yield host
    host.root("if [ -e /srv/lab/bashrc ]; then cp /srv/lab/bashrc ~deploy/.bashrc; else rm ~deploy/.bashrc; fi")


def test_a_release_is_served_and_so_is_the_one_before(hardened: Lab) -> None:
    run = hardened.play("laravel_deploy", to="v1.2.0")
    assert run.green, run.text
    assert hardened.version() == "1.2.0"
    # The worker's and php-fpm's user reads what was made.
    files = f"{APP}/bootstrap/cache/config.php {APP}/app/Version.php {APP}/vendor/composer/autoload_real.php"
    for file in files.split():
        hardened.root(f"runuser -u www-data -- cat {file} > /dev/null")
    run = hardened.play("laravel_rollback", migrations="down")
    assert run.green, run.text
    assert hardened.version() == "1.0.0"


def test_releases_are_made_and_switched(hardened: Lab) -> None:
    run = hardened.play("laravel_convert")
    assert run.green, run.text
    after = Lab(hardened.name, "releases")
    run = after.play("laravel_deploy", to="v1.1.0")
    assert run.green, run.text
    assert after.version() == "1.1.0"
    assert after.play("laravel_rollback").green
    assert after.version() == "1.0.0"


def test_a_release_that_does_not_start_is_taken_back_to_one_that_is_served(hardened: Lab) -> None:
    run = hardened.play("laravel_deploy", to="v1.4.0", **SOON)
    assert not run.green
    assert hardened.version() == "1.0.0"
    assert hardened.outcomes()[-1] == ("deploy", "reverted")
