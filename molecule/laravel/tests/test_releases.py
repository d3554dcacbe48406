"""Deploys and rollbacks as the person on call sees them: the answer, the code, the database, the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lab import APP, SOON, STATE, Lab

NOTE = "2026_01_19_000001_add_note_to_orders_table"
REFUNDS = "2026_01_19_000002_create_refunds_table"


def test_rollback_goes_to_the_previous_good_release_and_then_further_back(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    # A text of a template is a text: Blade writes variables so, and what was pasted must not run on the controller.
    reason = 'INC-1 mails show {{ $user->name }}, {{ lookup("ansible.builtin.pipe", "exit 1") }} and {{ 1/0 }}'
    first = lab.play("laravel_rollback", reason=reason)
    assert first.green, first.text
    assert lab.version() == "1.1.0"
    second = lab.play("laravel_rollback")
    assert second.green, second.text
    assert lab.version() == "1.0.0"
    third = lab.play("laravel_rollback")
    assert not third.green
    assert "nothing_before" in third.text
    assert lab.version() == "1.0.0"
    records = lab.ledger()[-3:]
    assert [record["outcome"] for record in records] == ["succeeded", "succeeded", "refused"]
    assert records[0]["reason"] == reason
    assert records[0]["health"][0]["request_id"]
    assert not lab.has_lease()


def test_rollback_of_a_rollback_by_name(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    assert lab.play("laravel_rollback").green
    again = lab.play("laravel_rollback", to="v1.7.0")
    assert again.green, again.text
    assert lab.version() == "1.7.0"
    # v1.1.0 was left by a rollback, so it is condemned: the next one goes to v1.0.0.
    assert lab.play("laravel_rollback").green
    assert lab.version() == "1.0.0"


@pytest.mark.parametrize("form", ["tag", "sha", "short"])
def test_rollback_to_a_named_release(lab: Lab, form: str) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    commit = lab.id("v1.0.0")
    run = lab.play("laravel_rollback", to={"tag": "v1.0.0", "sha": commit, "short": commit[:8]}[form])
    assert run.green, run.text
    assert (lab.commit(), lab.version()) == (commit, "1.0.0")


def test_rollback_needs_neither_remote_nor_packagist(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.root("mv /srv/git /srv/git.away; chmod 000 /usr/bin/composer /usr/share/php/Composer 2>/dev/null || true")
    try:
        run = lab.play("laravel_rollback", laravel_composer="/nonexistent/composer")
        assert run.green, run.text
        assert lab.version() == "1.0.0"
        assert lab.get("/api/v1/health")[1]["greeter"] == "1.0.0"
    finally:
        lab.root("mv /srv/git.away /srv/git; chmod 755 /usr/bin/composer /usr/share/php/Composer 2>/dev/null || true")


def test_second_identical_run_changes_nothing_and_is_verified(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    records = len(lab.ledger())
    for procedure in ("laravel_deploy", "laravel_rollback"):
        run = lab.play(procedure, to="v1.1.0")
        assert run.green, run.text
        assert run.changed == 0
        assert "nothing to do" in run.text
    assert len(lab.ledger()) == records
    assert not lab.has_lease()


def test_no_op_is_not_green_over_a_site_that_is_down(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.root("systemctl stop nginx")
    try:
        run = lab.play("laravel_deploy", to="v1.1.0", laravel_health_deadline=1)
        assert not run.green
        assert "nginx" in run.text
    finally:
        lab.root("systemctl start nginx")


@pytest.mark.core("alone")
def test_broken_deploy_goes_back_by_itself(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    run = lab.play("laravel_deploy", to="v1.4.0", **SOON)
    assert not run.green
    assert "reverted" in run.text
    assert "v1.1.0" in run.text
    assert lab.version() == "1.1.0"
    record = lab.ledger()[-1]
    assert (record["outcome"], record["left"]["name"]) == ("reverted", "v1.1.0")
    assert "expected status 200, got 500" in record["error"]
    # A release that failed is never the previous one.
    assert lab.play("laravel_rollback").green
    assert lab.version() == "1.0.0"


def test_broken_deploy_is_held_when_asked(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    run = lab.play("laravel_deploy", to="v1.4.0", on_unhealthy="hold", laravel_health_deadline=1)
    assert not run.green
    assert lab.commit() == lab.id("v1.4.0")
    assert lab.ledger()[-1]["outcome"] == "failed"
    back = lab.play("laravel_rollback")
    assert back.green, back.text
    assert lab.version() == "1.1.0"


def test_migration_that_throws_halfway_goes_back_and_says_what_it_left(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    before = lab.migrations()
    run = lab.play("laravel_deploy", to="v1.5.0")
    assert not run.green
    assert lab.version() == "1.1.0"
    assert lab.migrations() == before
    record = lab.ledger()[-1]
    assert record["outcome"] == "reverted"
    assert "may have left a part of its changes" in record["error"]


def test_deploy_runs_migrations_and_shows_their_sql(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.2.0")
    assert {NOTE, REFUNDS} <= set(lab.migrations())
    plan = lab.play("laravel_deploy", "--check", to="v1.3.0")
    assert plan.green, plan.text
    assert re.search(r"drop column .legacy_code", plan.text)
    assert "destroys column orders.legacy_code" in plan.text


def test_migrations_ahead_are_refused_then_kept(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.2.0")
    refused = lab.play("laravel_rollback")
    assert not refused.green
    for expected in ("migrations_ahead", NOTE, "-e migrations=keep", "-e migrations=down", "drop table", "orders.note"):
        assert expected in refused.text
    assert lab.version() == "1.2.0"
    kept = lab.play("laravel_rollback", migrations="keep")
    assert kept.green, kept.text
    assert lab.version() == "1.1.0"
    assert {NOTE, REFUNDS} <= set(lab.migrations())
    assert "stays ahead" in kept.text


def test_migrations_are_stepped_down_exactly_before_the_switch(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.2.0")
    lab.sql("update orders set note = 'keep me' where id = (select min(id) from orders)")
    before = lab.migrations()
    run = lab.play("laravel_rollback", migrations="down")
    assert run.green, run.text
    assert lab.version() == "1.1.0"
    assert lab.migrations() == [name for name in before if name not in (NOTE, REFUNDS)]
    assert "note" not in lab.columns("orders")
    assert "column orders.note (1 rows)" in run.text
    steps = [step["step"] for step in lab.ledger()[-1]["steps"]]
    assert steps[:3] == [f"migrate_down:{REFUNDS}", f"migrate_down:{NOTE}", "code"]


def test_rollback_forward_over_missing_migrations_is_refused(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.2.0")
    assert lab.play("laravel_rollback", migrations="down").green
    run = lab.play("laravel_rollback", to="v1.2.0")
    assert not run.green
    assert "migrations_behind" in run.text
    assert "laravel_deploy" in run.text
    assert lab.version() == "1.1.0"


def test_irreversible_migrations_are_refused(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.6.0")
    fingerprint = lab.migrations()
    run = lab.play("laravel_rollback", migrations="down")
    assert not run.green
    assert "migrations_irreversible" in run.text
    assert "it has no down()" in run.text
    assert "its down() does nothing" in run.text
    assert (lab.migrations(), lab.version()) == (fingerprint, "1.6.0")
    plain = lab.play("laravel_rollback")
    assert "-e migrations=down" not in plain.text


def test_rollback_works_although_the_present_release_does_not_boot(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    lab.deploy(
        f"cd {APP} && echo '<?php syntax error' > bootstrap/app.php"
        " && git -c user.name=x -c user.email=x@example.com commit -qam broken"
    )
    broken = lab.commit()
    refused = lab.play("laravel_rollback")
    assert "drift" in refused.text
    run = lab.play("laravel_rollback", to="v1.1.0")
    assert run.green, run.text
    assert lab.version() == "1.1.0"
    assert lab.ledger()[-1]["from"]["id"] == broken


def test_check_changes_no_byte(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    # Missing manifests would be written by the first look at the application.
    lab.root(f"rm -f {APP}/bootstrap/cache/packages.php {APP}/bootstrap/cache/services.php")
    lab.root("systemctl stop vertex-queue cron php8.4-fpm")
    try:
        before = lab.fingerprint()
        deploy = lab.play("laravel_deploy", "--check", "--diff", to="v1.2.0")
        assert deploy.green, deploy.text
        assert "2026_01_19_000002_create_refunds_table" in deploy.text
        rollback = lab.play("laravel_rollback", "--check", "--diff")
        assert rollback.green, rollback.text
        assert "git reset --hard v1.0.0" in rollback.text
        for procedure, inputs in (
            ("laravel_adopt", {}),
            ("laravel_maintenance", {"state": "down"}),
            ("laravel_status", {}),
            ("operation_history", {}),
            ("health_check", {}),
        ):
            lab.play(procedure, "--check", **inputs)
        assert lab.fingerprint() == before
    finally:
        lab.root("systemctl start vertex-queue cron php8.4-fpm")


def test_settings_and_storage_are_never_touched(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.deploy(f"echo upload > {APP}/storage/app/upload.txt")
    before = lab.root(f"sha256sum {APP}/.env {APP}/storage/app/upload.txt")
    assert lab.play("laravel_deploy", to="v1.2.0").green
    assert lab.play("laravel_rollback", migrations="down").green
    assert lab.root(f"sha256sum {APP}/.env {APP}/storage/app/upload.txt") == before
    refused = lab.play("laravel_deploy", to="bad-env")
    assert "env_tracked" in refused.text
    assert lab.root(f"sha256sum {APP}/.env {APP}/storage/app/upload.txt") == before


def test_local_changes_are_refused_and_saved_when_discarded(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.deploy(f"echo '# edited at night' >> {APP}/routes/api.php")
    refused = lab.play("laravel_rollback")
    assert not refused.green
    assert "routes/api.php" in refused.text
    assert "discard_local_changes=true" in refused.text
    run = lab.play("laravel_rollback", discard_local_changes="true")
    assert run.green, run.text
    assert lab.version() == "1.0.0"
    saved = lab.root(f"cat {STATE}/discarded/*/changes.patch")
    assert "# edited at night" in saved


def test_hotfix_wants_a_reason_and_proves_the_login(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    refused = lab.play("laravel_deploy", to="v1.7.0", hotfix="true")
    assert not refused.green
    assert "reason" in refused.text
    assert lab.version() == "1.1.0"
    run = lab.play("laravel_deploy", to="v1.7.0", hotfix="true", reason="INC-2 login loop")
    assert run.green, run.text
    assert {check["name"] for check in lab.ledger()[-1]["health"]} == {"health", "login"}


@pytest.fixture
def hotfix(lab: Lab) -> Iterator[str]:
    """A branch of the remote with a commit that neither main nor staging has; gives that commit."""
    lab.at("v1.0.0", "v1.1.0")
    git = "GIT_INDEX_FILE=/tmp/hotfix-index git -C /srv/git/vertex-laravel-api.git"
    named = "-c user.name=Ada -c user.email=ada@example.com"
    commit = lab.deploy(
        f"set -e; {git} read-tree v1.7.0; "
        f"blob=$(echo fixed | {git} hash-object -w --stdin); "
        f"{git} update-index --add --cacheinfo 100644,$blob,HOTFIX.md; "
        f"{git} {named} commit-tree $({git} write-tree) -p v1.7.0^0 -m 'Mend the login'"
    )
    lab.deploy(f"{git} update-ref refs/heads/hotfix/login {commit}; {git} update-ref refs/heads/staging v1.7.0^0")
    main = lab.deploy(f"{git} rev-parse main")
    yield commit
    lab.deploy(
        f"{git} update-ref refs/heads/main {main}; {git} update-ref -d refs/heads/staging; "
        f"{git} update-ref -d refs/heads/hotfix/login; rm -f /tmp/hotfix-index"
    )


def test_hotfix_from_its_branch_warns_until_it_is_merged(lab: Lab, hotfix: str) -> None:
    origin = "git -C /srv/git/vertex-laravel-api.git"
    wish = {"to": "hotfix/login", "hotfix": "true", "reason": "INC-3"}
    plan = lab.play("laravel_deploy", "--check", **wish)
    assert plan.green and "due into main: git fetch origin" in plan.text, plan.text
    run = lab.play("laravel_deploy", **wish)
    assert run.green and "to merge  into main: " in run.text and "into staging: " in run.text, run.text
    facts = lab.ledger()[-1]["facts"]
    assert (facts["hotfix"], facts["branch"], facts["commit"]) == (True, "hotfix/login", hotfix)
    assert lab.commit() == hotfix
    status = lab.play("laravel_status")
    assert "is not on main and staging" in status.text, status.text
    lab.deploy(f"{origin} update-ref refs/heads/main {hotfix}")
    assert "is not on staging" in lab.play("laravel_status").text
    lab.deploy(f"{origin} update-ref refs/heads/staging {hotfix}")
    assert "takes it away" not in lab.play("laravel_status").text
    # A release that is older says what it takes away.
    assert "does not have the hotfix hotfix/login" in lab.play("laravel_deploy", "--check", to="v1.7.0").text


def test_secret_values_reach_neither_the_output_nor_the_ledger(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    canary = "canary-7f3a9c1e5b"
    lab.deploy(f"printf '\\nPROBE_API_TOKEN={canary}\\n' >> {APP}/.env")
    run = lab.play(
        "laravel_deploy",
        "-vvv",
        to="v1.7.0",
        hotfix="true",
        reason="canary",
        # Prints the whole of .env, as a careless error handler might, and fails.
        laravel_extra_commands=["php -r 'fwrite(STDERR, file_get_contents(\".env\")); exit(3);'"],
    )
    assert not run.green
    assert "extra:1" in run.text
    assert "PROBE_API_TOKEN=********" in run.text
    assert canary not in run.text
    assert "lab-only" not in run.text
    assert "lab-only" not in lab.root(f"cat {STATE}/*.json* ")
    assert canary not in lab.root(f"cat {STATE}/*.json*")
    assert lab.version() == "1.1.0"


def test_round_trips_of_a_rollback(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    run = lab.play("laravel_rollback", "-vvv")
    assert run.green, run.text
    # With pipelining one module call is one command sent over the connection.
    calls = re.findall(r"SSH: EXEC .*?python3", run.text)
    assert 0 < len(calls) <= 5, len(calls)


def test_old_code_is_not_served_after_the_switch(lab: Lab) -> None:
    """PHP keeps the old code in OPcache until it is reloaded; without the reload the gate says so."""
    lab.at("v1.0.0", "v1.1.0")
    assert lab.version() == "1.1.0"
    run = lab.play("laravel_rollback", laravel_php_fpm_unit="", laravel_health_deadline=1)
    assert not run.green
    assert lab.ledger()[-1]["outcome"] == "failed"


def test_module_that_is_killed_under_a_living_controller_goes_back(lab: Lab) -> None:
    lab.reset()
    assert lab.play("laravel_adopt").green
    # It goes on until the controller asks the host again.
    asked = "while kill -0 $PPID 2>/dev/null || ! pgrep -u deploy -x python3 >/dev/null; do sleep 0.1; done"
    script = f'if rm /tmp/kill-once 2>/dev/null; then kill -9 $PPID; {asked}; fi\nexec composer "$@"'
    lab.root(
        f"printf '%b\\n' '#!/bin/bash\\n{script}' > /usr/local/bin/killing-composer;"
        " chmod 755 /usr/local/bin/killing-composer; rm -f /tmp/kill-once"
    )
    lab.deploy("touch /tmp/kill-once")
    run = lab.play("laravel_deploy", to="v1.1.0", laravel_composer="/usr/local/bin/killing-composer")
    assert not run.green
    assert lab.root("ls /tmp/kill-once", check=False) == "", "nothing was killed"
    assert (lab.version(), lab.commit()) == ("1.0.0", lab.id("v1.0.0"))
    record = lab.ledger()[-1]
    assert (record["outcome"], record["error"]) == ("reverted", "step 'vendor': cut off")
    assert not lab.has_lease()
