"""The command `ops-runbook` on a real host: each ending by its exit code. How it is killed: the scenario `command`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from lab import INVENTORIES, ROOT, Lab, operator_environment
from typed import Command

BROKEN, GOOD = "v1.4.0", "v1.1.0"


@pytest.fixture
def command(lab: Lab, tmp_path: Path) -> Command:
    lab.at("v1.0.0")
    return Command(lab, tmp_path)


@pytest.mark.core("plan")
def test_a_plan_changes_nothing(lab: Lab, command: Command) -> None:
    before = lab.fingerprint()
    ran = command("plan", "laravel_deploy", f"to={GOOD}")
    assert ran.code == 0, ran.text
    assert ran.host(lab)["to"]["name"] == GOOD and ran.host(lab)["steps"]
    assert lab.fingerprint() == before


@pytest.mark.core("deploy")
def test_a_run_is_verified(lab: Lab, command: Command, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    ran = command("run", "laravel_deploy", f"to={GOOD}", "reason=INC-421 login loop", "--junit", str(report))
    assert (ran.code, ran.document["meaning"]) == (0, "verified"), ran.text
    (record,) = lab.ledger()[-1:]
    assert ran.host(lab)["ledger_id"] == record["id"] and record["reason"] == "INC-421 login loop"
    assert record["actor"]["via"] == "ansible-runner"
    assert ran.host(lab)["request_ids"]
    assert ElementTree.parse(report).getroot().get("failures") == "0"


def test_a_refusal_has_its_ways(lab: Lab, command: Command) -> None:
    ran = command("run", "laravel_rollback")
    assert ran.code == 3, ran.text
    assert ran.host(lab)["refusal"]["code"] == "nothing_before"
    assert ran.host(lab)["refusal"]["ways"]


@pytest.mark.parametrize(("on_unhealthy", "code", "outcome"), [("revert", 4, "reverted"), ("hold", 5, "failed")])
def test_a_broken_release(lab: Lab, command: Command, on_unhealthy: str, code: int, outcome: str) -> None:
    ran = command("run", "laravel_deploy", f"to={BROKEN}", f"on_unhealthy={on_unhealthy}")
    assert (ran.code, ran.host(lab)["outcome"]) == (code, outcome), ran.text
    assert "500" in ran.host(lab)["error"]


def test_a_host_that_is_not_reached(lab: Lab, command: Command) -> None:
    ran = command("run", "laravel_deploy", f"to={GOOD}", "-e", "ansible_port=9")
    assert (ran.code, ran.host(lab)["outcome"]) == (6, "unreachable"), ran.text


def test_the_doctor_finds_a_right_that_is_missing(lab: Lab, command: Command) -> None:
    inventories = [part for inventory in INVENTORIES for part in ("-i", str(ROOT / inventory))]

    def ask() -> tuple[int, list[dict[str, Any]]]:
        done = subprocess.run(
            [sys.executable, "-m", "ops_runbook", "doctor", *inventories, "-l", lab.name, "--json"],
            cwd=ROOT,
            # An agent that is gone is one more finding, of whoever runs this.
            env={name: value for name, value in operator_environment().items() if name != "SSH_AUTH_SOCK"},
            capture_output=True,
            text=True,
            check=False,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return done.returncode, [finding for finding in found if not finding["ok"]]

    assert ask() == (0, [])
    (rule,) = [path for path in lab.root("ls /etc/sudoers.d").split() if path != "README"]
    lab.root(f"mv /etc/sudoers.d/{rule} /root/")
    try:
        code, (bad,) = ask()
    finally:
        lab.root(f"mv /root/{rule} /etc/sudoers.d/")
    assert (code, bad["what"], bad["where"]) == (1, "sudo", lab.name)
    assert "NOPASSWD: /usr/bin/systemctl reload php8.4-fpm.service" in bad["remedy"]
