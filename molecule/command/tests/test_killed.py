"""The command `ops-runbook` is told, or made, to end at each phase of a rollback; then one command goes on."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from gate import Gate
from lab import STATE, Lab
from typed import Command, Ran, ended
from waiting import END, wait_for

DECIDE = "open | Decide for all hosts together"


@dataclass(frozen=True)
class Moment:
    """The moment at which a rollback is met: the beginning of a task, a held place on the host, or after a step there.

    goes_on: a run that is asked to end still ends the rollback; None if it may be asked before or after it looks.
    alone: by the host, after a kill.
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
    "applying": Moment(task="apply | Do the steps, verify the result, go back if it is not good", goes_on=None),
    "switching": Moment(held="extra", alone=True),
    "verifying": Moment(after="reload_php", alone=True),
    "closing": Moment(task="close | Close the operations that a host could not close itself", alone=True),
    "summing up": Moment(task="close | Show what happened", alone=True),
}


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
                running.wait(END)
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


@pytest.mark.parametrize("send", ["TERM", "KILL"])
@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.core("rollback", "resume", only="planned-KILL")
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
    wait_for("nothing that it started is left", command.processes, lambda left: not left)
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
@pytest.mark.core("canary", only="KILL")
def test_a_job_that_is_killed_leaves_no_secret_behind(lab: Lab, tmp_path: Path, send: str) -> None:
    lab.at("v1.0.0")
    Command(lab, tmp_path)("run", "laravel_maintenance", "state=down", "secret=canary-5d1c", at=DECIDE, send=send)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if "canary-5d1c" in path.read_text(errors="replace")]
