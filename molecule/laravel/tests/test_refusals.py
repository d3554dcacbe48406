"""Bad input, one case each: a clear error, the way forward, and nothing changed."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field

import pytest
from controller import Controller
from lab import APP, STATE, Lab
from waiting import wait_for


@dataclass(frozen=True)
class Case:
    """prepare and restore are run as root on the host. expect: what a person must read."""

    procedure: str
    inputs: dict[str, str]
    expect: tuple[str, ...]
    prepare: str = ""
    restore: str = ""
    options: tuple[str, ...] = field(default=())
    contacted: bool = True


CASES = {
    "unknown commit": Case("laravel_rollback", {"to": "deadbeef00"}, ("unknown_release", "deadbeef00")),
    "ambiguous commit": Case(
        "laravel_rollback",
        {"to": "AMBIGUOUS"},
        ("ambiguous_release",),
        prepare=f"cd {APP} && runuser -u deploy -- bash -c 'for i in $(seq 1200); do "
        'git -c user.name=x -c user.email=x@example.com commit-tree "HEAD^{tree}" -m $i; done\' '
        "| cut -c1-4 | sort | uniq -d | head -1 > /tmp/ambiguous",
    ),
    "tag on neither host nor remote": Case(
        "laravel_rollback", {"to": "v9.9.9"}, ("unknown_release", "nor on the remote")
    ),
    "tag, and the remote is gone": Case(
        "laravel_deploy",
        {"to": "v9.9.9"},
        ("remote_unreachable", "can't be asked"),
        prepare="mv /srv/git /srv/git.away",
        restore="mv /srv/git.away /srv/git",
    ),
    "a name that is an option": Case("laravel_deploy", {"to": "--upload-pack=x"}, ("bad_release_name",)),
    "no path": Case("laravel_rollback", {"laravel_path": "/var/www/nowhere"}, ("no_such_path", "/var/www/nowhere")),
    "no checkout": Case(
        "laravel_rollback",
        {"laravel_path": "/home/deploy/plain"},
        # What the records of the service are of is known before the folder is looked at.
        ("state_of_another", "/home/deploy/plain", f"sudo rm {STATE}/service.json"),
        prepare="install -d -o deploy /home/deploy/plain",
        restore="rm -r /home/deploy/plain",
    ),
    "another repository": Case(
        "laravel_rollback",
        {"laravel_repository": "git@example.com:team/other.git"},
        ("wrong_repository", "git@example.com:team/other.git"),
    ),
    "no php": Case("laravel_rollback", {"laravel_php": "/usr/bin/php9"}, ("php_failed", "laravel_php=<path>")),
    "no artisan": Case(
        "laravel_rollback",
        {},
        ("no_artisan",),
        prepare=f"mv {APP}/artisan /tmp/artisan",
        restore=f"mv /tmp/artisan {APP}/artisan",
    ),
    "no write permission": Case(
        "laravel_rollback",
        {},
        ("not_writable",),
        prepare=f"chown root:root {APP}/.git; chmod 755 {APP}/.git",
        restore=f"chown deploy:deploy {APP}/.git; chmod 775 {APP}/.git",
    ),
    "another user's checkout": Case(
        "laravel_rollback",
        {},
        ("wrong_user", "ansible_user=root"),
        prepare=f"chown root {APP}",
        restore=f"chown deploy {APP}",
    ),
    "state folder not writable": Case(
        "laravel_rollback",
        {},
        ("state_dir_not_writable", "sudo chown -R deploy:"),
        prepare=f"chown root {STATE}",
        restore=f"chown deploy {STATE}",
    ),
    "no sudo right": Case(
        "laravel_rollback",
        {},
        ("no_sudo_right", "/etc/sudoers.d/ops-runbook"),
        prepare="mv /etc/sudoers.d/ops-runbook /root/ops-runbook",
        restore="mv /root/ops-runbook /etc/sudoers.d/ops-runbook",
    ),
    "git is locked": Case(
        "laravel_rollback",
        {},
        ("git_locked", "index.lock"),
        prepare=f"touch {APP}/.git/index.lock; chown deploy {APP}/.git/index.lock",
        restore=f"rm {APP}/.git/index.lock",
    ),
    "destructive composer scripts": Case(
        "laravel_deploy", {"to": "bad-scripts"}, ("destructive_scripts", "migrate:fresh")
    ),
    "a resume of nothing": Case("laravel_rollback", {"interrupted": "resume"}, ("nothing_interrupted",)),
    "unknown migrations value": Case(
        "laravel_rollback", {"migrations": "bogus"}, ("bogus", "refuse", "keep", "down"), contacted=False
    ),
    "unknown interrupted value": Case(
        "laravel_rollback", {"interrupted": "maybe"}, ("maybe", "resume"), contacted=False
    ),
    "a mistyped input": Case("laravel_rollback", {"too": "v1.0.0"}, ("did you mean 'to'",), contacted=False),
    "no such target": Case(
        "laravel_rollback", {"target": "laravel9"}, ("target is 'laravel9'", "Nothing was contacted"), contacted=False
    ),
    "deploy without a release": Case("laravel_deploy", {}, ("-e to=",), contacted=False),
    "maintenance without a state": Case("laravel_maintenance", {}, ("down", "up"), contacted=False),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_and_changes_nothing(lab: Lab, name: str) -> None:
    case = CASES[name]
    lab.at("v1.0.0", "v1.1.0")
    commit, migrations, records = lab.commit(), lab.migrations(), lab.ledger()
    if case.prepare:
        lab.root(case.prepare)
    inputs = dict(case.inputs)
    if inputs.get("to") == "AMBIGUOUS":
        inputs["to"] = lab.root("cat /tmp/ambiguous")
        assert inputs["to"], "no ambiguous beginning was made"
    try:
        run = lab.play(case.procedure, *case.options, **inputs)
    finally:
        if case.restore:
            lab.root(case.restore)
    assert not run.green
    for text in case.expect:
        assert text in run.text, run.text
    assert (lab.commit(), lab.migrations(), lab.version()) == (commit, migrations, "1.1.0")
    assert not lab.has_lease()
    new = lab.ledger()[len(records) :]
    assert [record["outcome"] for record in new] == (["refused"] if new else [])
    if not case.contacted:
        assert new == []


def test_no_ledger(lab: Lab) -> None:
    lab.reset()
    run = lab.play("laravel_rollback")
    assert not run.green
    assert "no_ledger" in run.text
    assert "laravel_adopt" in run.text


def test_unreachable_host_is_named(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    run = lab.play("laravel_rollback", ansible_port="1")
    assert not run.green
    assert "can't be reached" in run.text
    assert "Nothing was changed" in run.text


def test_live_lease_is_refused_with_its_holder_and_can_be_taken(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    other = "20260101T000000Z-aaaaaa"
    lease = {
        "operation": other,
        "procedure": "deploy",
        "reason": "INC-9",
        "actor": {"user": "sam", "controller": "bastion2"},
        "since": "2026-01-01T00:00:00.000Z",
        "expires": "2099-01-01T00:00:00.000Z",
        "boot": lab.root("cat /proc/sys/kernel/random/boot_id"),
        "expires_uptime": 1e12,
    }
    lab.deploy(f"cat > {STATE}/lease.json <<'END'\n{json.dumps(lease)}\nEND")
    refused = lab.play("laravel_rollback")
    assert not refused.green
    for text in ("lease_held", "sam", "bastion2", "INC-9", f"lock_takeover={other}", "lock_wait=300"):
        assert text in refused.text
    assert lab.version() == "1.1.0"
    assert other in lab.root(f"cat {STATE}/lease.json")
    wrong = lab.play("laravel_rollback", lock_takeover="20260101T000000Z-bbbbbb")
    assert "takeover_of_another" in wrong.text
    taken = lab.play("laravel_rollback", lock_takeover=other)
    assert taken.green, taken.text
    assert lab.version() == "1.0.0"


def test_expired_lease_of_a_dead_operation_is_no_obstacle(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lease = {
        "operation": "20260101T000000Z-aaaaaa",
        "procedure": "deploy",
        "reason": "",
        "actor": {},
        "since": "2026-01-01T00:00:00.000Z",
        "expires": "2026-01-01T00:15:00.000Z",
        "boot": lab.root("cat /proc/sys/kernel/random/boot_id"),
        "expires_uptime": 1.0,
    }
    lab.deploy(f"cat > {STATE}/lease.json <<'END'\n{json.dumps(lease)}\nEND")
    run = lab.play("laravel_rollback")
    assert run.green, run.text


def test_lease_is_waited_for(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lease = {
        "operation": "20260101T000000Z-aaaaaa",
        "procedure": "deploy",
        "reason": "",
        "actor": {"user": "sam"},
        "since": "2026-01-01T00:00:00.000Z",
        "expires": "2026-01-01T00:15:00.000Z",
        "boot": lab.root("cat /proc/sys/kernel/random/boot_id"),
        "expires_uptime": 1.0,
    }
    lab.deploy(f"cat > {STATE}/lease.json <<'END'\n{json.dumps(lease)}\nEND")
    hold = f"exec 9>>{STATE}/running.lock; flock 9; echo held; read end"
    line = ["docker", "exec", "-i", "-u", "deploy", lab.name, "bash", "-c", hold]
    inputs = {"lock_wait": 1800, "laravel_strategy": lab.strategy}
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout is not None and holding.stdout.readline() == "held\n"
        # Whoever looks at the lease makes this file, and holds it as long as they look.
        looks = f"{STATE}/state.lock"
        lab.deploy(f"rm -f {looks}")
        with Controller(lab.name, "laravel_rollback", **inputs) as waiting:
            looked = f"test -e {looks} && flock --nonblock {looks} true && echo yes"
            wait_for("the run has looked at the lease", lambda: lab.root(looked, check=False), "yes")
            assert not waiting.ended and lab.version() == "1.1.0"
            holding.communicate("\n")
            run = waiting.wait()
    assert run.green, run.text
    assert lab.version() == "1.0.0"


def test_truncated_ledger_is_set_aside_and_used(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.deploy(f"head -c 200 {STATE}/ledger.jsonl > /tmp/part; cat /tmp/part >> {STATE}/ledger.jsonl")
    run = lab.play("laravel_rollback")
    assert run.green, run.text
    assert lab.ledger()[-1]["outcome"] == "succeeded"
    assert lab.root(f"ls {STATE}/ledger.jsonl.torn-*")


def test_edited_ledger_is_refused_until_it_is_set_aside(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.deploy(f"sed -i '1s/succeeded/failed/' {STATE}/ledger.jsonl")
    refused = lab.play("laravel_rollback")
    assert not refused.green
    assert "ledger_damaged" in refused.text
    assert "set_aside_ledger=true" in refused.text
    assert not lab.play("operation_history").green
    adopted = lab.play("laravel_adopt", set_aside_ledger="true")
    assert adopted.green, adopted.text
    assert lab.root(f"ls {STATE}/ledger.jsonl.damaged-*")
    assert lab.outcomes() == [("adopt", "succeeded")]


WELL = {"name": "health", "url": "http://127.0.0.1/api/v1/health"}
GATES = {
    "never answers": ({**WELL, "url": "http://127.0.0.1:81/health"}, "refused"),
    "wrong JSON": ({**WELL, "json": {"status": "splendid"}}, "splendid"),
    "redirects to a login page": ({**WELL, "url": "http://127.0.0.1:82/health"}, "302"),
    "bad certificate": ({**WELL, "url": "https://127.0.0.1:8443/health"}, "certificate"),
}


@pytest.mark.parametrize("name", GATES)
def test_bad_health_answers_end_a_deploy_where_it_came_from(lab: Lab, name: str) -> None:
    lab.at("v1.0.0", "v1.1.0")
    lab.root(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        " -keyout /etc/nginx/t.key -out /etc/nginx/t.crt"
        " 2>/dev/null; printf 'server { listen 82; return 302 /login; }\\n"
        "server { listen 8443 ssl; ssl_certificate /etc/nginx/t.crt;"
        " ssl_certificate_key /etc/nginx/t.key; return 200 ok; }\\n'"
        " > /etc/nginx/conf.d/gates.conf; systemctl reload nginx"
    )
    check, expected = GATES[name]
    try:
        # The gate can't be satisfied by the old release either: the run says so, and the site answers.
        run = lab.play("laravel_deploy", to="v1.7.0", laravel_health=[check], laravel_health_deadline=1)
    finally:
        lab.root("rm /etc/nginx/conf.d/gates.conf; systemctl reload nginx")
    assert not run.green
    assert expected in run.text
    assert lab.version() == "1.1.0"
    assert lab.ledger()[-1]["outcome"] == "failed"
