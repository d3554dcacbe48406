"""SIGKILL of ansible-playbook with all that belongs to it, at every phase; and the SSH connection cut during apply.

The process on the host is not hit: it loses whoever waits for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from controller import Controller
from gate import Gate
from lab import STATE, Lab, play
from observer import code, settled, start, typed
from waiting import wait_for

SAME = "`laravel_deploy` -e to=v1.1.0"


@dataclass(frozen=True)
class Kill:
    """A kill before the host knows of the operation to its end; held: whether a lease stays."""

    when: str
    die_at: str
    held: bool


BETWEEN = {
    "before open": Kill("before it opens", "plan | Take the lease and plan the deploy", False),
    "before apply": Kill(
        "between plan and apply", "apply | Do the steps, verify the result, go back if it is not good", True
    ),
    "after apply": Kill("after apply", "close | Close the operations that a host could not close itself", False),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_controller_killed_between_two_tasks(lab: Lab, row: Callable[..., None], name: str) -> None:
    kill = BETWEEN[name]
    start(lab, "v1.0.0")
    with Controller(lab.name, "laravel_deploy", die_at=kill.die_at, to="v1.1.0", reason="INC-7") as killed:
        assert killed.wait().code == -signal.SIGKILL
        killed.kill()
    applied = name == "after apply"
    assert lab.version() == ("1.1.0" if applied else "1.0.0")
    assert lab.has_lease() is kill.held
    command, seen = SAME, "nothing was changed, no lease"
    if kill.held:
        refused = lab.play("laravel_deploy", to="v1.1.0")
        assert code(refused) == "lease_held"
        assert "INC-7" in refused.text
        again = lab.play("laravel_deploy", to="v1.1.0", **typed(refused, "lock_takeover"))
        command, seen = f"{SAME} -e lock_takeover=<id>", "refused (lease_held), naming who, why and the id"
    else:
        again = lab.play("laravel_deploy", to="v1.1.0")
    assert again.green, again.text
    if applied:
        seen = "the host had finished, verified and recorded it"
        settled(lab, "v1.1.0", "succeeded", "succeeded")
    elif kill.held:
        settled(lab, "v1.1.0", "succeeded", "interrupted", "succeeded")
        seen += "; then succeeded, v1.1.0; the ledger says that the first ended before it changed anything"
    else:
        settled(lab, "v1.1.0", "succeeded", "succeeded")
        seen += "; then succeeded, v1.1.0"
    row(
        "controller",
        fault="SIGKILL of ansible-playbook",
        when=kill.when,
        holds={
            "before open": "the host is as it was",
            "before apply": "no other run begins by accident, because the controller may be alive; by itself the lease "
            "ends after 15 minutes",
            "after apply": "nothing after the plan needs the controller",
        }[name],
        outcome=seen,
        command=command,
        mutation={
            "before open": "none: the host has nothing yet",
            "before apply": "a waiting lease does not refuse (`opening._held`)",
            "after apply": CLOSES,
        }[name],
    )


def test_controller_killed_while_the_host_plans(lab: Lab, row: Callable[..., None]) -> None:
    start(lab, "v1.0.0")
    with Gate(lab, "php") as gate, Controller(lab.name, "laravel_deploy", to="v1.1.0", **gate.inputs) as killed:
        gate.reached()
        killed.kill()
        at_work = lab.play("laravel_deploy", to="v1.1.0")
        assert code(at_work) == "lease_held"
        assert "is at work on this host now" in at_work.text
        gate.open()
        wait_for("the host planned to the end", lambda: "phase_end" in lab.root(f"cat {STATE}/journal.jsonl"))
    refused = lab.play("laravel_deploy", to="v1.1.0")
    assert code(refused) == "lease_held"
    again = lab.play("laravel_deploy", to="v1.1.0", **typed(refused, "lock_takeover"))
    assert again.green, again.text
    settled(lab, "v1.1.0", "succeeded", "interrupted", "succeeded")
    row(
        "controller",
        fault="SIGKILL of ansible-playbook",
        when="while the host opens and plans",
        holds="while the host plans, it is at work; then it waits for a controller that does not answer",
        outcome="refused (lease_held): at work on this host, then: between two steps; then succeeded, v1.1.0",
        command=f"{SAME} -e lock_takeover=<id>",
        mutation="nobody looks for a running process (`RunningLock.is_held_by_another`)",
    )


@dataclass(frozen=True)
class Cut:
    """A cut during apply. green: whether the run itself still sees how it ended. expect: what it says."""

    fault: str
    holds: str
    green: bool
    expect: str
    mutation: str


CLOSES = "the host leaves the close to the controller (`close: false` in roles/laravel)"
CUTS = {
    "the controller": Cut(
        "SIGKILL of ansible-playbook", "nothing after the plan needs the controller", False, "", CLOSES
    ),
    "the session on the host": Cut(
        "SIGKILL of the host's sshd session",
        "the host finishes alone; the run connects again and reports what the host recorded",
        True,
        "succeeded",
        "the run does not ask for the record that the host has (`Guard.close`)",
    ),
    "the connection on the controller": Cut(
        "SIGKILL of the controller's ssh processes",
        "the host finishes alone; the run connects again and reports what the host recorded",
        True,
        "succeeded",
        "the run does not ask for the record that the host has (`Guard.close`)",
    ),
    "the way to the host": Cut(
        "SIGKILL of the host's sshd session, and its port closed",
        "the host finishes alone; the run does not claim to know how",
        False,
        "It may have gone on by itself",
        CLOSES,
    ),
}


@pytest.mark.parametrize("name", CUTS)
def test_cut_during_apply(lab: Lab, row: Callable[..., None], name: str) -> None:
    cut = CUTS[name]
    start(lab, "v1.0.0")
    with Gate(lab, "extra") as gate, Controller(lab.name, "laravel_deploy", to="v1.1.0", **gate.inputs) as run:
        gate.reached()
        if name == "the controller":
            run.kill()
        elif name == "the connection on the controller":
            for pid in run.connections():
                # With the first of them others may end.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            if name == "the way to the host":
                lab.root("systemctl stop ssh.socket ssh.service 2>/dev/null; ! pgrep -x sshd")
            lab.root("kill -9 $(pgrep sshd-session)")
        gate.open()
        try:
            ended = run.wait()
            wait_for("the host finished alone", lambda: len(lab.ledger()) == 2)
            wait_for("the lease was given back", lambda: not lab.has_lease())
        finally:
            lab.root("systemctl start ssh.service")
    assert ended.green is cut.green, ended.text
    assert cut.expect in ended.text, ended.text
    again = lab.play("laravel_deploy", to="v1.1.0")
    assert again.green, again.text
    assert "nothing to do" in again.text
    settled(lab, "v1.1.0", "succeeded", "succeeded")
    said = {True: "the run is green", False: "the run says that the host may have continued"}[cut.green]
    row(
        "controller",
        fault=cut.fault,
        when="during apply",
        holds=cut.holds,
        outcome=(f"{said}; " if cut.expect else "") + "the host finished, verified and recorded it: succeeded, v1.1.0",
        command=SAME,
        mutation=cut.mutation,
    )


@dataclass(frozen=True)
class FleetKill:
    """A kill of a fleet's controller. way: what is typed on both hosts at once."""

    when: str
    die_at: str
    nth: int
    versions: tuple[str, str]
    way: str
    holds: str
    outcome: str


FLEET = {
    "canary": FleetKill(
        "after the first host, before the second",
        "apply | Do the steps, verify the result, go back if it is not good",
        2,
        ("1.1.0", "1.0.0"),
        "accept",
        "hosts on two releases are named: the refusal says of each how far it came; one line ends it on both",
        "refused (lease_held), host by host; then succeeded, v1.1.0 on both",
    ),
    "close": FleetKill(
        "after all hosts, before their records",
        "close | Close the operations that a host could not close itself",
        1,
        ("1.1.0", "1.1.0"),
        "resume",
        "a verified operation is not done again; only its records are missing",
        "refused (lease_held), host by host; then succeeded, v1.1.0 on both",
    ),
}


@pytest.mark.parametrize("name", FLEET)
def test_controller_of_a_fleet_killed(fleet: list[Lab], row: Callable[..., None], name: str) -> None:
    kill = FLEET[name]
    hosts = fleet[:2]
    names = ",".join(host.name for host in hosts)
    for host in hosts:
        start(host, "v1.0.0")
    with Controller(names, "laravel_deploy", die_at=kill.die_at, nth=kill.nth, to="v1.1.0") as killed:
        assert killed.wait().code == -signal.SIGKILL
        killed.kill()
    assert tuple(host.version() for host in hosts) == kill.versions
    refused = play("laravel_deploy", "-l", names, to="v1.1.0")
    assert code(refused) == "lease_held"
    for host in hosts:
        assert f"REFUSED on {host.name} (lease_held)" in refused.text
    again = play("laravel_deploy", "-l", names, to="v1.1.0", **typed(refused, f"interrupted={kill.way}"))
    assert again.green, again.text
    for host in hosts:
        settled(host, "v1.1.0", "succeeded")
    row(
        "controller",
        fault="SIGKILL of the ansible-playbook of a fleet",
        when=kill.when,
        holds=kill.holds,
        outcome=kill.outcome,
        command=f"{SAME} -e lock_takeover=<id> -e interrupted={kill.way}",
        mutation="accept is refused where nothing is unfinished (`opening.decide`)"
        if kill.way == "accept"
        else "a verified journal needs no record (`Guard._unfinished`)",
    )
