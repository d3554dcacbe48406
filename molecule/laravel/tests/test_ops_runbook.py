"""The command `ops-runbook` on a real host: each ending by its exit code, and told or made to end at each phase."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pexpect
import pytest
from controller import wait_for
from gate import Gate
from lab import APP, INVENTORIES, ROOT, STATE, Lab, operator_environment
from lab import command as typed_line

BROKEN, GOOD = "v1.4.0", "v1.1.0"
DECIDE = "open | Decide for all hosts together"


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
        return ended(self.start(verb, procedure, *words, at=at, send=send))

    def start(
        self, verb: str, procedure: str, *words: str, at: str = "", send: str = "", **variables: object
    ) -> subprocess.Popen[str]:
        """at, send: the task at whose beginning the command gets a signal."""
        faults = {
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "molecule/shared/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "die_at",
            "LAB_DIE_AT": at,
            "LAB_DIE_AT_NTH": "1",
            "LAB_DIE_SIGNAL": send,
            "LAB_DIE_WHOM": "parent",
        }
        inventories = [part for inventory in INVENTORIES for part in ("-i", str(ROOT / inventory))]
        given = ["-e", json.dumps(variables)] if variables else []
        typed = [verb, procedure, *words, *given, *inventories, "-l", self._lab.name, "--json"]
        return subprocess.Popen(
            [sys.executable, "-m", "ops_runbook", *typed],
            cwd=ROOT,
            env={**self._environment, **(faults if at else {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[str]:
        """What it started and still runs, but for the connections that Ansible keeps for the next run."""
        mark = f"XDG_STATE_HOME={self._environment['XDG_STATE_HOME']}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if mark in (folder / "environ").read_bytes().split(b"\0") and "[mux]" not in line:
                    found.append(line)
        return found


def ended(running: subprocess.Popen[str]) -> Ran:
    out, errors = running.communicate(timeout=300)
    document = json.loads(out) if out.startswith("{") else {}
    return Ran(running.returncode, document, out + errors)


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


SLOW = "/usr/local/bin/lab-slow"


def test_a_terminal_has_the_last_line_of_a_long_step(lab: Lab) -> None:
    """The key of the application is printed by the step, and is nowhere on the screen."""
    lab.at("v1.0.0")
    key = lab.root(f"sed -n 's/^APP_KEY=//p' {APP}/.env")
    said = 'echo "warming 1 of 2"; echo "with key $(cat .env | sed -n s/^APP_KEY=//p)"; sleep 20'
    lab.root(f"cat > {SLOW} <<'END'\n#!/bin/sh\n{said}\nEND\nchmod 755 {SLOW}")
    program, *words = typed_line("laravel_deploy", "-l", lab.name, to=GOOD, laravel_extra_commands=[SLOW])
    environment = {**operator_environment(), "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator", "TERM": "xterm"}
    # They would come before the size of this terminal.
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    seen = io.StringIO()
    with pexpect.spawn(
        program, words, cwd=ROOT, env=environment, dimensions=(24, 160), timeout=120, encoding="utf-8"
    ) as running:
        running.logfile_read = seen
        running.expect(r"lab-slow: with key \*{8}")
        assert lab.root(f"stat -c %a:%U {STATE}/last_line") == "600:deploy"
        running.expect(pexpect.EOF)
    assert running.exitstatus == 0, seen.getvalue()
    assert key not in seen.getvalue() and len(key) > 20
    assert "last_line" not in lab.root(f"ls {STATE}")


# -- told, or made, to end -----------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """Where a rollback is met: at the beginning of a task, at a place on the host that is held, or after a step there.

    goes_on: whether the rollback is brought to its end by a run that is told to end; None where it may be told before
    or after it looks. alone: by the host, after a kill.
    """

    task: str = ""
    held: str = ""
    after: str = ""
    goes_on: bool | None = True
    alone: bool = False


MOMENTS = {
    "before the lease": Moment(task="open | Check the inputs and name the operation", goes_on=False),
    "planning": Moment(held="php", goes_on=False),
    "planned": Moment(task=DECIDE, goes_on=False),
    "applying": Moment(task="apply | Do the steps, verify the result, go back where it is not good", goes_on=None),
    "switching": Moment(held="extra", alone=True),
    "verifying": Moment(after="reload_php", alone=True),
    "closing": Moment(task="close | Settle what the hosts have not settled by themselves", alone=True),
    "summing up": Moment(task="close | Show what happened", alone=True),
}
#: The others with KILLS=all.
USUAL = {
    ("planned", "TERM"),
    ("switching", "TERM"),
    ("closing", "TERM"),
    ("planned", "KILL"),
    ("switching", "KILL"),
    ("verifying", "KILL"),
}
KILLS = [
    (moment, send)
    for send in ("TERM", "KILL")
    for moment in MOMENTS
    if os.environ.get("KILLS") == "all" or (moment, send) in USUAL
]


def met(lab: Lab, command: Command, moment: Moment, send: str) -> Ran:
    """A rollback that gets a signal at a moment. What the host does by itself has come to its end then."""
    asked = ("run", "laravel_rollback", "to=v1.0.0", "reason=INC-7")
    if moment.task:
        return ended(command.start(*asked, at=moment.task, send=send))
    if moment.held:
        with Gate(lab, moment.held) as gate:
            running = command.start(*asked, **gate.inputs)
            gate.reached()
            running.send_signal(signal.Signals[f"SIG{send}"])
            if send == "KILL":
                running.wait(30)
            gate.open()
        return ended(running)
    running = command.start(*asked, laravel_health_successes=3, laravel_health_interval=1)
    done = f"grep -q '\"done\".*{moment.after}' {STATE}/journal.jsonl && echo yes"
    wait_for(moment.after, lambda: lab.root(done, check=False) == "yes")
    running.send_signal(signal.Signals[f"SIG{send}"])
    return ended(running)


def way_on(refused: Ran, lab: Lab) -> list[str]:
    """The inputs that a refusal names. Where nothing had been changed, the lease is all that is to be taken."""
    ways = [way["input"].split() for way in refused.host(lab)["refusal"]["ways"]]
    resume = next((way for way in ways if "interrupted=resume" in way), None)
    return resume or next(way for way in ways if any(word.startswith("lock_takeover=") for word in way))


@pytest.mark.parametrize(("name", "send"), KILLS)
def test_a_rollback_is_killed(lab: Lab, tmp_path: Path, name: str, send: str) -> None:
    lab.at("v1.0.0", "v1.1.0")
    command, moment = Command(lab, tmp_path), MOMENTS[name]
    ran = met(lab, command, moment, send)
    if send == "TERM":
        # What was begun is brought to its end; what was not, is left.
        went_on = lab.commit() == lab.id("v1.0.0")
        assert moment.goes_on in (None, went_on), ran.text
        assert ran.code == (0 if went_on else 7), ran.text
        assert "SIGTERM" in ran.text
        assert went_on or lab.commit() == lab.id("v1.1.0")
        assert lab.outcomes()[-1] == ("rollback", "succeeded" if went_on else "refused")
        assert not lab.has_lease(), ran.text
    else:
        assert ran.code == -signal.SIGKILL, ran.text
        if moment.alone:
            wait_for("the host finished by itself", lambda: not lab.has_lease())
            assert lab.outcomes()[-1] == ("rollback", "succeeded")
    wait_for("nothing that it started is left", lambda: not command.processes(), 30)
    left = lab.root(f"cd {STATE}; ls lease.json journal.jsonl 2>/dev/null | tr '\\n' ' '", check=False)
    again, typed = command("run", "laravel_rollback", "to=v1.0.0"), ""
    if again.code:
        assert send == "KILL" and not moment.alone and again.code == 3, again.text
        way = way_on(again, lab)
        typed = " " + " ".join(word.partition("=")[0] + "=…" if "lock" in word else word for word in way)
        again = command("run", "laravel_rollback", "to=v1.0.0", *way)
    assert again.code == 0, again.text
    assert lab.commit() == lab.id("v1.0.0") and not lab.has_lease()
    assert not [*tmp_path.glob("ops-runbook/private/*")]
    print(f"| {name} | SIG{send} | {ran.code} | {left or 'nothing'} | the same{typed} |")


@pytest.mark.parametrize("send", ["TERM", "KILL"])
def test_a_job_that_is_killed_leaves_no_secret_behind(lab: Lab, command: Command, tmp_path: Path, send: str) -> None:
    command("run", "laravel_maintenance", "state=down", "secret=canary-5d1c", at=DECIDE, send=send)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if "canary-5d1c" in path.read_text(errors="replace")]
