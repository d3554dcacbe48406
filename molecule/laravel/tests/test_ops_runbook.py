"""The command `ops-runbook` on a real host: each ending by its exit code, and told or made to end at each phase."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from lab import INVENTORIES, ROOT, Lab, operator_environment

BROKEN, GOOD = "v1.4.0", "v1.1.0"
# The tasks at whose beginning a phase is met for certain.
PHASES = {
    "named": "open | Check the inputs and name the operation",
    "planned": "open | Decide for all hosts together",
    "applying": "apply | Do the steps, verify the result, go back where it is not good",
    "closing": "close | Show what happened",
}


@dataclass(frozen=True)
class Ran:
    """code: as a shell sees it. document: what --json printed, if anything."""

    code: int
    document: Mapping[str, Any]
    text: str

    def host(self, lab: Lab) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["hosts"][lab.name]
        return found


class Command:
    """The command as a person or a job of CI types it."""

    def __init__(self, lab: Lab, state: Path) -> None:
        self._lab = lab
        self._environment = {**operator_environment(), "XDG_STATE_HOME": str(state)}

    def __call__(self, verb: str, procedure: str, *words: str, at: str = "", send: str = "") -> Ran:
        faults = {
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "molecule/shared/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "die_at",
            "LAB_DIE_AT": at,
            "LAB_DIE_AT_NTH": "1",
            "LAB_DIE_SIGNAL": send,
            "LAB_DIE_WHOM": "parent",
        }
        inventories = [part for inventory in INVENTORIES for part in ("-i", str(ROOT / inventory))]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ops_runbook",
                verb,
                procedure,
                *words,
                *inventories,
                "-l",
                self._lab.name,
                "--json",
            ],
            cwd=ROOT,
            env={**self._environment, **(faults if at else {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        document = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        return Ran(done.returncode, document, done.stdout + done.stderr)


@pytest.fixture
def command(lab: Lab, tmp_path: Path) -> Command:
    lab.at("v1.0.0")
    return Command(lab, tmp_path)


def test_a_plan_changes_nothing(lab: Lab, command: Command) -> None:
    before = lab.fingerprint()
    ran = command("plan", "laravel_deploy", f"to={GOOD}")
    assert ran.code == 0, ran.text
    assert ran.host(lab)["to"]["name"] == GOOD and ran.host(lab)["steps"]
    assert lab.fingerprint() == before


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
    ran = command(
        "run", "laravel_deploy", f"to={BROKEN}", f"on_unhealthy={on_unhealthy}", "-e", "laravel_health_deadline=2"
    )
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
            env=operator_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return done.returncode, [finding for finding in found if not finding["ok"] and finding["what"] != "ssh agent"]

    assert ask() == (0, [])
    (rule,) = [path for path in lab.root("ls /etc/sudoers.d").split() if path != "README"]
    lab.root(f"mv /etc/sudoers.d/{rule} /root/")
    try:
        code, (bad,) = ask()
    finally:
        lab.root(f"mv /root/{rule} /etc/sudoers.d/")
    assert (code, bad["what"], bad["where"]) == (1, "sudo", lab.name)
    assert "NOPASSWD: /usr/bin/systemctl reload php8.4-fpm.service" in bad["remedy"]


# -- told, or made, to end -----------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_sigterm_ends_the_run_in_order(lab: Lab, command: Command, phase: str) -> None:
    ran = command("run", "laravel_deploy", f"to={GOOD}", at=PHASES[phase], send="TERM")
    done = lab.version() == GOOD.removeprefix("v") or lab.version() == GOOD
    # What was begun was brought to its end; what was not, was left.
    assert ran.code == (0 if done else 7), ran.text
    assert "SIGTERM" in ran.text
    assert not lab.has_lease(), ran.text
    if phase in ("named", "planned"):
        assert not done and lab.outcomes()[-1] == ("deploy", "refused"), ran.text
    if phase == "closing":
        assert done
    assert command("run", "laravel_deploy", f"to={GOOD}").code == 0


@pytest.mark.parametrize("phase", PHASES)
def test_after_sigkill_the_next_run_goes_on(lab: Lab, command: Command, phase: str) -> None:
    killed = command("run", "laravel_deploy", f"to={GOOD}", at=PHASES[phase], send="KILL")
    assert killed.code == -9, killed.text
    time.sleep(3)
    again = command("run", "laravel_deploy", f"to={GOOD}")
    if again.code:
        assert again.code == 3, again.text
        ways = [way["input"].split() for way in again.host(lab)["refusal"]["ways"]]
        # Where nothing had been changed there is nothing to resume, and the lease is all that is to be taken.
        way = next((way for way in ways if "interrupted=resume" in way), None) or next(
            way for way in ways if any(word.startswith("lock_takeover=") for word in way)
        )
        again = command("run", "laravel_deploy", f"to={GOOD}", *way)
    assert again.code == 0, again.text
    assert lab.commit() == lab.id(GOOD) and not lab.has_lease()


def test_a_job_that_is_killed_leaves_no_secret_behind(lab: Lab, command: Command, tmp_path: Path) -> None:
    command("run", "laravel_maintenance", "state=down", "secret=canary-5d1c", at=PHASES["planned"], send="TERM")
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if "canary-5d1c" in path.read_text(errors="replace")]
    assert os.path.isdir(tmp_path / "ops-runbook/runs")
