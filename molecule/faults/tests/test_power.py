"""The host loses its power during apply: every process is gone at once, and what /run and /tmp held with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from controller import Controller
from gate import Gate
from lab import Lab
from observer import code, settled, start, typed
from waiting import wait_for

CASES = {
    "composer": ("in the step `vendor`: new code, old dependencies", "undo", "v1.0.0", "reverted"),
    "extra": ("after the new code and its caches, before php-fpm is reloaded", "resume", "v1.1.0", "succeeded"),
}


def power(lab: Lab, action: str) -> None:
    subprocess.run(["docker", action, lab.name], check=True, capture_output=True)


@pytest.mark.parametrize("place", CASES)
def test_power_off_during_apply(lab: Lab, row: Callable[..., None], place: str) -> None:
    when, way, release, outcome = CASES[place]
    start(lab, "v1.0.0")
    with Gate(lab, place) as gate, Controller(lab.name, "laravel_deploy", to="v1.1.0", **gate.inputs) as run:
        gate.reached()
        power(lab, "kill")
        ended = run.wait()
        power(lab, "start")
        wait_for("systemd is up", lambda: lab.root("test -S /run/systemd/private && echo yes", check=False) == "yes")
        lab.root("systemctl is-system-running --wait", check=False)
        lab.root("systemctl start ssh nginx php8.4-fpm vertex-queue")
    assert not ended.green
    assert "It may have gone on by itself" in ended.text, ended.text
    refused = lab.play("laravel_deploy", to="v1.1.0")
    assert code(refused) == "interrupted"
    again = lab.play("laravel_deploy", to="v1.1.0", **typed(refused, f"interrupted={way}"))
    assert again.green, again.text
    settled(lab, release, "succeeded", "interrupted", outcome)
    row(
        "host",
        fault="power-off of the host, and its start",
        when=when,
        holds="the journal is on the disk; the lease of the dead process is over at once",
        outcome=f"refused (interrupted); {outcome}, {release}",
        command=f"`laravel_deploy` -e interrupted={way}",
        mutation="an open phase does not end a lease (`lease.standing`)",
    )
