"""Rollbacks through the guard: to the previous release, by number, twice, in an emergency; and the configuration."""

from __future__ import annotations

import json
import re
import secrets

import pytest
from dokku_lab import STATE, DokkuLab

MAIN = "restant-main"


@pytest.fixture(autouse=True)
def deployed(lab: DokkuLab) -> None:
    """restant-main runs v2, with v1 before it."""
    lab.reset("apps")


def test_previous_goes_further_back_each_time_and_never_in_a_circle(lab: DokkuLab) -> None:
    assert lab.push(MAIN, "v3").rc == 0
    planned = lab.play("dokku_rollback", "--check", migrations="keep")
    assert planned.green and planned.changed == 1 and "release 2" in planned.text and lab.serves(MAIN) == "3"
    for version in ("2", "1"):
        run = lab.play("dokku_rollback", migrations="keep", reason="INC-421")
        assert run.green and run.changed == 1, run.text
        assert (lab.serves(MAIN), lab.latest(MAIN)) == (version, lab.live(MAIN))
    end = lab.play("dokku_rollback", migrations="keep")
    assert not end.green and "nothing_before" in end.text and lab.serves(MAIN) == "1"
    newest = lab.ok("releases:info", MAIN, str(lab.numbers(MAIN)[-1]), "--format", "json").json()
    assert newest["rollback"]["reason"].startswith("INC-421 (operation ")


def test_a_number_is_gone_to_once(lab: DokkuLab) -> None:
    assert lab.play("dokku_rollback", to=1, migrations="keep").green and lab.serves(MAIN) == "1"
    again = lab.play("dokku_rollback", to=1, migrations="keep")
    assert again.green and again.changed == 0 and len(lab.releases(MAIN)) == 3, again.text


def test_an_emergency_goes_to_the_previous_good_one_without_a_stop(lab: DokkuLab) -> None:
    assert lab.push(MAIN, "v3").rc == 0
    run = lab.play("dokku_rollback", emergency=True)
    # Release 1 is the oldest one, not the last good one.
    assert run.green and lab.serves(MAIN) == "2" and "nobody looked at the database" in run.text, run.text
    assert json.loads(lab.root(f"tail -n 1 {STATE}/ledger.jsonl"))["facts"] == {"release": 2, "emergency": True}


#: Calls of dokku that an operation makes at most, with the one that masks the line which a person sees meanwhile.
LIMITS: dict[str, tuple[str, dict[str, object], int]] = {
    "an emergency rollback": ("dokku_rollback", {"emergency": True}, 5),
    "a rollback": ("dokku_rollback", {"migrations": "keep"}, 8),
    "a deploy": ("dokku_deploy", {"to": "v3", "hotfix": True}, 11),
    "a status": ("dokku_status", {}, 18),
}


def test_an_operation_asks_dokku_for_everything_once(lab: DokkuLab) -> None:
    """By sudo's log: each call starts a program that takes a third of a second of a processor."""
    assert lab.push(MAIN, "v3").rc == 0
    for what, (procedure, inputs, limit) in LIMITS.items():
        lab.root("logger -t sudo-mark begin")
        run = lab.play(procedure, **inputs)
        assert run.green or procedure == "dokku_status", run.text
        log = lab.root("journalctl --no-pager -o cat -t sudo -t sudo-mark").rpartition("begin")[2]
        calls = [line.partition("COMMAND=/usr/bin/dokku ")[2] for line in log.splitlines() if "deploy : " in line]
        assert 0 < len([call for call in calls if call]) <= limit, (what, calls)


def test_a_rollback_mends_what_a_failed_deploy_left(lab: DokkuLab) -> None:
    assert lab.deploy_image(MAIN, "crash").rc != 0 and lab.latest(MAIN) != lab.live(MAIN)
    run = lab.play("dokku_rollback", to=2, migrations="keep")
    assert run.green and lab.latest(MAIN) == lab.live(MAIN) and lab.serves(MAIN) == "2", run.text


@pytest.mark.core("plan", "rollback", "canary")
def test_configuration_moves_back_with_the_code_and_no_value_is_seen(lab: DokkuLab) -> None:
    canaries = {name: f"canary{secrets.token_hex(8)}" for name in ("OLD_TOKEN", "NEW_TOKEN", "DB_PASSWORD")}
    rotated = f"canary{secrets.token_hex(8)}"
    for name in ("OLD_TOKEN", "DB_PASSWORD"):
        lab.root(f"runuser -u dokku -- dokku config:set --no-restart {MAIN} {name}={canaries[name]}")
    assert lab.push(MAIN, "v3").rc == 0
    lab.root(f"runuser -u dokku -- dokku config:unset --no-restart {MAIN} OLD_TOKEN")
    for name, value in (("NEW_TOKEN", canaries["NEW_TOKEN"]), ("DB_PASSWORD", rotated)):
        lab.root(f"runuser -u dokku -- dokku config:set --no-restart {MAIN} {name}={value}")
    assert lab.push(MAIN, "v4").rc == 0
    told = lab.play("dokku_rollback", "--check", "--diff", "-vvv", migrations="keep", keep="DB_PASSWORD").text
    run = lab.play("dokku_rollback", "-vvv", migrations="keep", keep="DB_PASSWORD")
    assert run.green and lab.serves(MAIN) == "3", run.text
    # One call plans, one applies, verifies and closes.
    assert len(re.findall(r"SSH: EXEC .*?python3", run.text)) == 2
    assert lab.ok("config:get", MAIN, "OLD_TOKEN").out.strip() == canaries["OLD_TOKEN"]
    assert lab.run("config:get", MAIN, "NEW_TOKEN").rc == 1
    assert lab.ok("config:get", MAIN, "DB_PASSWORD").out.strip() == rotated
    state = lab.root(f"cat {STATE}/*.json*")
    for place, text in (("plan", told), ("run", run.text), ("state", state)):
        for value in (*canaries.values(), rotated):
            assert value not in text, place
    for name in ("OLD_TOKEN", "NEW_TOKEN"):
        assert name in told


def test_scale_stays_and_is_put_back_when_asked(lab: DokkuLab) -> None:
    lab.ok("ps:scale", MAIN, "web=2")
    stays = lab.play("dokku_rollback", "--check", to=1, migrations="keep")
    assert "scale stays" in stays.text and "restore=scale" in stays.text
    run = lab.play("dokku_rollback", to=1, migrations="keep", restore="scale")
    assert run.green and "status-web.2" not in lab.ok("ps:report", MAIN, "--format", "json").json(), run.text


def test_the_database_decides_and_a_person_may_overrule_it(lab: DokkuLab) -> None:
    unknown = lab.play("dokku_rollback")
    assert not unknown.green and "migrations_unknown" in unknown.text and "-e migrations=keep" in unknown.text
    # Releases that came through here wrote down what they know.
    assert lab.play("dokku_deploy", to="v3", hotfix=True).green
    assert lab.play("dokku_deploy", to="v4", hotfix=True).green
    ahead = lab.play("dokku_rollback")
    assert not ahead.green and "migrations_ahead" in ahead.text, ahead.text
    assert "2026_01_26_000001_create_notes_table" in ahead.text and "migrations=down" not in ahead.text
    assert lab.serves(MAIN) == "4"
    kept = lab.play("dokku_rollback", migrations="keep")
    assert kept.green and lab.serves(MAIN) == "3" and "stays ahead by" in kept.text, kept.text
