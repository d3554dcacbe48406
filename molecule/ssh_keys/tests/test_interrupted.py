"""What is cut off, lost or not as it says, on real hosts: CI has a key that works throughout, and one line goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from controller import Controller
from keys_lab import World


def typed(text: str, way: str) -> dict[str, str]:
    """The inputs that a refusal names for one way on."""
    lines = [line.strip().split("  ")[0] for line in text.splitlines() if line.strip().startswith("-e ")]
    # A lease may have to be taken over first; the journal is judged then.
    line = next((line for line in lines if f"interrupted={way}" in line), None) or next(
        line for line in lines if "lock_takeover=" in line
    )
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def go_on(world: World, way: str) -> dict[str, str]:
    """As a person does: run it again, and give what the refusals name until there is none."""
    given: dict[str, str] = {}
    for _again in range(3):
        run = world.rotate(**given)
        world.working()
        if "REFUSED" not in run.text:
            assert run.green or way == "undo", run.text
            return given
        given |= typed(run.text, way)
    raise AssertionError(run.text)


@pytest.mark.parametrize("moment", ["before the secret", "while CI is asked", "as CI answers"])
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
