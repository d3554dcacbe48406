"""A rotation on two hosts, from its plan to its record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab import INVENTORIES, OPERATOR, ROOT, operator_environment
from ssh_keys_lab import KEYS, OTHERS, World


def test_a_key_is_rotated_on_both_hosts_and_the_next_audit_knows_it(world: World) -> None:
    plan = world.rotate("--check")
    assert plan.green, plan.text
    for word in (world.old.fingerprint, f"{KEYS} line 5", "no-pty", "run 5000 of deploy.yml", "secret PROD_SSH_KEY"):
        assert word in plan.text, plan.text
    world.as_before()
    assert not world.kept() and not world.hub.writes()
    before = [host.root(f"stat -c '%a %U %G' {KEYS}") for host in world.hosts]

    run = world.rotate(reason="quarterly")

    assert run.green, run.text
    new = world.rotated()
    assert [one.split(" ")[0] for one in world.hub.writes()] == ["PUT", "POST"]
    for host, mode in zip(world.hosts, before, strict=True):
        # The options of the old key are those of the new one, to the letter, and no other line was touched.
        first, last = host.read().rstrip("\n").rpartition("\n")[::2]
        assert first == f"{OTHERS}{world.operator}"
        assert last.startswith(world.line().partition(" ssh-")[0] + " ssh-ed25519 ")
        assert "ci deploy 20" in last and "2026-08-01" not in last
        assert host.root(f"stat -c '%a %U %G' {KEYS}") == mode
        assert host.root("ls -A /home/deploy/.ssh") == "authorized_keys"
        record = host.ledger()[-1]
        assert (record["procedure"], record["outcome"], record["reason"]) == ("rotate", "succeeded", "quarterly")
        assert (record["from"]["id"], record["to"]["id"]) == (world.old.fingerprint, new.fingerprint)
        for pair in (world.old, new):
            assert pair.public.split()[1] not in host.root(f"cat {host.state}/*")
            assert pair.public.split()[1] not in run.text
    (kept,) = world.kept()
    assert kept.read_text().startswith("$ANSIBLE_VAULT")
    assert kept.stat().st_mode & 0o777 == 0o600

    again = world.rotate()
    assert again.green, again.text
    assert world.rotated().fingerprint != new.fingerprint
    assert len(world.kept()) == 2


@pytest.mark.core("plan", "deploy", "screen")
def test_the_screen_of_a_person_shows_the_plan_and_the_end(world: World) -> None:
    """Tasks of a rotation hide their output, and the screen knows the operation all the same."""
    plan = world.rotate("--check", screen=OPERATOR)
    assert plan.green, plan.text
    for word in ("rotate, operation 2", world.old.fingerprint, "steps     1. "):
        assert word in plan.text, plan.text
    run = world.rotate(screen=OPERATOR)
    assert run.green, run.text
    for host in world.hosts:
        assert f"{host.name}: verified" in run.text, run.text
        assert [line for line in run.text.splitlines() if line.split()[:2] == [host.name, "succeeded"]], run.text
        assert run.text.count(f"{host.name}: apply and verify") == 1, run.text
    assert "unknown" not in run.text and "hidden" not in run.text, run.text


def test_the_command_ends_verified_and_says_nothing_of_going_on(world: World, tmp_path: Path) -> None:
    inventories = [part for one in INVENTORIES for part in ("-i", str(ROOT / one))]
    given = [f"-e{name}={value}" for name, value in world.inputs.items()]
    ran = subprocess.run(
        [sys.executable, "-m", "ops_runbook", "run", "ssh_key_rotate", *inventories, *given, "--json"],
        cwd=ROOT,
        env={
            **operator_environment(),
            "ANSIBLE_VAULT_IDENTITY_LIST": world.command[1],
            "XDG_STATE_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(ran.stdout)
    assert (found["exit_code"], found["meaning"], found["again"]) == (0, "verified", None), ran.stderr
    assert {host["outcome"] for host in found["hosts"].values()} == {"succeeded"}
    assert all(host["from"]["id"] == world.old.fingerprint and host["steps"] for host in found["hosts"].values())
    assert ran.returncode == 0
