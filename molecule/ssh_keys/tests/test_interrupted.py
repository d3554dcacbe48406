"""Interrupted rotations on real hosts: CI has a key that works throughout, and one line resumes each."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from controller import Controller
from moments import at
from ssh_keys_lab import LETS_IN, World
from waiting import wait_for
from ways import go_on


@pytest.mark.parametrize("moment", ["before the secret", "while CI is asked", "as CI answers"])
@pytest.mark.core("resume", only="while CI is asked")
def test_the_controller_is_killed(world: World, moment: str) -> None:
    runs: list[Controller] = []
    ordinary: Callable[[dict[str, Any]], None] = world.hub.on_dispatch

    def kill(run: dict[str, Any]) -> None:
        if moment == "as CI answers":
            ordinary(run)
        runs[0].kill()

    die_at = "apply | Put the secret" if moment == "before the secret" else ""
    if not die_at:
        world.hub.on_dispatch = kill
    with Controller("all", "ssh_key_rotate", *world.command, die_at=die_at, **world.inputs) as controller:
        runs.append(controller)
        assert controller.wait().code == -signal.SIGKILL
    world.hub.on_dispatch = ordinary
    world.working()
    for host in world.hosts:
        assert len(host.fingerprints()) == 3, "the new key is let in, and nobody lost theirs"
    go_on(world, "resume")
    world.rotated()


@pytest.mark.core("undo")
def test_killed_before_the_secret_it_can_be_undone(world: World) -> None:
    with Controller(
        "all",
        "ssh_key_rotate",
        *world.command,
        die_at="apply | Journal that the secret is about to be put",
        **world.inputs,
    ) as controller:
        assert controller.wait().code == -signal.SIGKILL
    world.working()
    go_on(world, "undo")
    world.as_before()


def test_undone_where_one_host_had_not_begun(world: World) -> None:
    """The second host answers no more as the new key is let in; the controller is killed once the first has it."""
    first, second = world.hosts
    with at(LETS_IN, lambda: second.halt()) as problems:
        with Controller("all", "ssh_key_rotate", *world.command, **world.inputs) as controller:
            wait_for("the new key on the first host", lambda: len(first.fingerprints()) == 3)
            controller.kill()
            controller.wait()
    second.go()
    assert problems == []
    assert second.fingerprints() == [key for key in first.fingerprints() if key in second.fingerprints()]
    assert len(second.fingerprints()) == 2, "nothing was done there"
    world.working()
    given = go_on(world, "undo")
    assert given["interrupted"] == "undo"
    world.as_before()
    assert first.outcomes()[-1] == ("rotate", "reverted")
    assert world.rotate().green
    world.rotated()


def test_a_workflow_with_the_old_key_removes_nothing(world: World) -> None:
    world.runs_with = world.old.private.decode()
    run = world.rotate()
    assert not run.green
    assert "still logged in with the old key" in run.text
    world.working()
    for host in world.hosts:
        assert world.old.fingerprint in host.fingerprints() and len(host.fingerprints()) == 3
    world.runs_with = ""
    go_on(world, "resume")
    world.rotated()


def test_an_answer_that_was_lost_is_read_back(world: World) -> None:
    """The secret was put, and GitHub's answer never came."""
    world.hub.faults.append(("PUT", "/secrets/PROD_SSH_KEY", "lose"))
    assert world.rotate().green
    world.rotated()


def test_a_key_beside_the_one_that_ci_has_is_not_taken_for_it(world: World) -> None:
    run = world.rotate(old_key="SHA256:" + "A" * 43)
    assert not run.green and "REFUSED" in run.text
    world.as_before()
    assert not world.hub.writes()
