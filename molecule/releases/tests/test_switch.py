"""Deploys and rollbacks between release folders, as the person on call sees them."""

from __future__ import annotations

import json
import re

import pytest
from lab import APP, DATABASE, SOON, Lab

NOTE = "2026_01_19_000001_add_note_to_orders_table"
REFUNDS = "2026_01_19_000002_create_refunds_table"


def releases(lab: Lab) -> list[str]:
    return lab.root(f"ls {APP}/releases").split()


def steps(lab: Lab) -> list[str]:
    return [step["step"] for step in lab.ledger()[-1]["steps"]]


@pytest.mark.core("rollback", "refusal")
def test_rollback_is_a_switch_and_the_next_goes_further_back(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    first = lab.play("laravel_rollback", reason="INC-1 totals are wrong")
    assert first.green, first.text
    assert (lab.version(), lab.commit()) == ("1.1.0", lab.id("v1.1.0"))
    assert steps(lab) == ["switch", "reload_php"]
    # The web server passes the real path, so php-fpm served the release at once and was left alone.
    assert "not needed" in lab.ledger()[-1]["notes"]["reload_php"]
    assert lab.play("laravel_rollback").green
    assert (lab.version(), lab.get("/api/v1/health")[1]["greeter"]) == ("1.0.0", "1.0.0")
    third = lab.play("laravel_rollback")
    assert not third.green
    assert "nothing_before" in third.text
    assert lab.version() == "1.0.0"
    assert not lab.has_lease()


def test_rollback_asks_little_of_the_host(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    run = lab.play("laravel_rollback", "-vvv")
    assert run.green
    calls = re.findall(r"SSH: EXEC .*?python3", run.text)
    assert 0 < len(calls) <= 5, len(calls)


def test_web_server_that_passes_the_link_serves_the_release_too(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    site = "/etc/nginx/sites-available/vertex"
    lab.root(f"cp {site} {site}.kept; sed -i 's/$realpath_root/$document_root/' {site}; systemctl reload nginx")
    try:
        # Each worker of php-fpm remembers for itself where the link led to.
        assert {lab.version() for _ in range(12)} == {"1.1.0"}
        run = lab.play("laravel_rollback", laravel_realpath_root=False)
        assert run.green, run.text
        assert {lab.version() for _ in range(12)} == {"1.0.0"}
        assert "reload_php" not in lab.ledger()[-1].get("notes", {})
    finally:
        lab.root(f"mv {site}.kept {site}; systemctl reload nginx")


def test_broken_deploy_switches_back_and_is_never_chosen(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    run = lab.play("laravel_deploy", to="v1.4.0", **SOON)
    assert not run.green
    assert lab.version() == "1.1.0"
    record = lab.ledger()[-1]
    assert (record["outcome"], record["left"]["name"]) == ("reverted", "v1.1.0")
    assert "expected status 200, got 500" in record["error"]
    assert lab.play("laravel_rollback").green
    assert lab.version() == "1.0.0"


def test_a_release_that_fails_before_the_switch_is_never_served(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    started = lab.root("systemctl show -p ExecMainStartTimestampMonotonic php8.4-fpm")
    # php-fpm has one worker less while it serves a release that does not boot; here it must not notice anything.
    run = lab.play("laravel_deploy", to="v1.5.0")
    assert not run.green
    assert "migrate" in run.text
    assert lab.version() == "1.1.0"
    assert lab.ledger()[-1]["outcome"] == "reverted"
    assert "switch" not in [step["step"] for step in lab.ledger()[-1]["steps"] if step.get("direction") != "back"]
    assert lab.root("systemctl show -p ExecMainStartTimestampMonotonic php8.4-fpm") == started


def test_migrations_are_undone_by_the_release_that_has_them(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.2.0")
    refused = lab.play("laravel_rollback")
    assert not refused.green
    assert "migrations_ahead" in refused.text
    run = lab.play("laravel_rollback", migrations="down")
    assert run.green, run.text
    assert lab.version() == "1.1.0"
    assert {NOTE, REFUNDS}.isdisjoint(lab.migrations())
    assert steps(lab)[:3] == [f"migrate_down:{REFUNDS}", f"migrate_down:{NOTE}", "switch"]


def test_rollback_builds_the_caches_anew_when_the_settings_changed(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    before = lab.get("/api/v1/orders")
    # The database moved since v1.0.0 was built. With its old settings it would come back to the old one.
    lab.deploy(f"cp {DATABASE}/database.sqlite {DATABASE}/moved.sqlite; chmod g+w {DATABASE}/moved.sqlite")
    lab.deploy(f"sqlite3 {DATABASE}/moved.sqlite 'delete from orders'")
    lab.deploy(f"sed -i 's/database.sqlite/moved.sqlite/' {APP}/shared/.env")
    assert lab.get("/api/v1/orders") == before
    run = lab.play("laravel_rollback")
    assert run.green, run.text
    assert steps(lab)[0] == "caches"
    status, orders = lab.get("/api/v1/orders")
    assert status == 200
    assert orders != before[1]


def test_release_that_was_removed_is_made_again(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    lab.root(f"rm -rf {APP}/releases/{lab.id('v1.1.0')[:12]}")
    run = lab.play("laravel_rollback")
    assert run.green, run.text
    assert (lab.version(), lab.get("/api/v1/health")[1]["greeter"]) == ("1.1.0", "1.1.0")
    assert steps(lab)[:4] == ["release", "vendor", "caches", "seal"]


def test_half_made_release_is_never_chosen_and_is_removed_by_the_next_deploy(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    # What a killed deploy leaves: newer than everything else, and not whole.
    orphan = f"{APP}/releases/ffffffffffff"
    lab.deploy(f"cp -a $(readlink -f {APP}/current) {orphan}; touch {orphan} {orphan}.half-made")
    lab.deploy(f"rm {APP}/releases/{lab.id('v1.0.0')[:12]}/.ops-runbook-release.json")
    run = lab.play("laravel_rollback")
    assert run.green, run.text
    assert lab.version() == "1.0.0"
    # Without its mark the release was not whole either, and was made anew.
    assert steps(lab)[0] == "release"
    assert lab.play("laravel_deploy", to="v1.1.0").green
    assert "ffffffffffff" not in " ".join(releases(lab))


def test_retention_keeps_what_is_served_the_previous_good_one_and_so_many_more(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    run = lab.play("laravel_deploy", to="v1.2.0", laravel_keep_releases=1)
    assert run.green, run.text
    kept = {lab.id(tag)[:12] for tag in ("v1.2.0", "v1.7.0", "v1.1.0")}
    assert set(releases(lab)) == kept
    # What went is still a commit of the repository, and can be made again.
    back = lab.play("laravel_rollback", to="v1.0.0", migrations="keep")
    assert back.green, back.text
    assert lab.version() == "1.0.0"


def test_full_disk_is_refused_before_anything_is_made(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    before = lab.root(f"ls -R {APP} | sha256sum")
    run = lab.play("laravel_deploy", to="v1.7.0", laravel_disk_reserve=100_000_000)
    assert not run.green
    assert "disk_space" in run.text
    assert lab.root(f"ls -R {APP} | sha256sum") == before
    # A rollback makes nothing, so a full disk does not stand in its way.
    assert lab.play("laravel_rollback", laravel_disk_reserve=100_000_000).green


def test_compiled_views_of_the_served_release_are_left_alone(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    views = f"{APP}/shared/storage/framework/views/{lab.id('v1.1.0')[:12]}"
    before = lab.root(f"cd {views} && stat -c '%n %Y %i' *")
    assert before
    assert lab.play("laravel_deploy", to="v1.7.0").green
    assert lab.root(f"cd {views} && stat -c '%n %Y %i' *") == before


def test_edited_release_is_left_as_it_is_and_named(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    folder = lab.root(f"readlink -f {APP}/current")
    lab.deploy(f"echo '// by hand' >> {folder}/routes/web.php")
    run = lab.play("laravel_deploy", to="v1.7.0")
    assert run.green, run.text
    assert "routes/web.php" in run.text
    assert "by hand" in lab.root(f"tail -1 {folder}/routes/web.php")


@pytest.mark.parametrize("procedure", ["laravel_deploy", "laravel_rollback"])
@pytest.mark.core("plan")
def test_check_changes_no_byte(lab: Lab, procedure: str) -> None:
    lab.at("v1.0.0", "v1.1.0")
    before = lab.fingerprint()
    inputs = {"to": "v1.2.0"} if procedure == "laravel_deploy" else {}
    run = lab.play(procedure, "--check", "--diff", **inputs)
    assert run.green, run.text
    assert lab.fingerprint() == before


def test_second_identical_run_changes_nothing(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    for procedure in ("laravel_deploy", "laravel_rollback"):
        run = lab.play(procedure, to="v1.1.0")
        assert run.green, run.text
        assert run.changed == 0


def test_link_that_somebody_moved_is_refused(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.deploy(f"ln -sfn releases/{lab.id('v1.0.0')[:12]} {APP}/current")
    run = lab.play("laravel_rollback")
    assert not run.green
    assert "drift" in run.text
    lab.deploy(f"rm {APP}/current; ln -s /tmp {APP}/current")
    run = lab.play("laravel_rollback")
    assert not run.green
    assert "not_converted" in run.text


@pytest.mark.core("canary")
def test_secrets_of_a_release_stay_secret(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    canary = "canary-4f1d9a7be2"
    lab.deploy(f"echo 'MAIL_PASSWORD={canary}' >> {APP}/shared/.env")
    # The application itself says it: in an error of the release that is being made.
    run = lab.play("laravel_deploy", "-vvv", to="v1.7.0", laravel_extra_commands=["sh -c 'cat .env >&2; exit 3'"])
    assert not run.green
    assert "ended with 3" in run.text
    assert canary not in run.text
    assert canary not in json.dumps(lab.ledger())
    assert canary not in lab.root(f"cat {APP}/releases/*/.ops-runbook-release.json")
    assert lab.version() == "1.1.0"
