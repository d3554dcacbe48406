"""Kills that come while Docker Compose is at work: of the module on the host, and of the run on the controller."""

from __future__ import annotations

from compose_lab import RELEASES, STATE, ComposeLab, tag
from controller import Controller
from waiting import wait_for


def begun(lab: ComposeLab, step: str) -> bool:
    """True if the step is under way, with a `docker compose` of its own."""
    journal = lab.root(f"cat {STATE}/journal.jsonl 2>/dev/null", check=False)
    events = [line for line in journal.splitlines() if f'"{step}"' in line and '"begin"' in line]
    return bool(events) and lab.root("pgrep -u deploy -f 'compose.* up '", check=False) != ""


def idle(lab: ComposeLab) -> bool:
    """True if no process of an operation is left on the host."""
    return lab.root("pgrep -u deploy -x python3", check=False) == ""


def stands(lab: ComposeLab, name: str) -> None:
    assert (lab.version(), lab.runs(name)) == (RELEASES[name].version, True)
    assert lab.get("/api/v1/orders")[0] == 200
    assert lab.root(f"cd {STATE}; ls journal.jsonl lease.json 2>/dev/null", check=False) == ""


def test_module_killed_while_containers_are_made_anew(lab: ComposeLab) -> None:
    lab.at("good")
    with Controller(lab.name, "compose_deploy", to=tag("additive")) as run:
        wait_for("containers are made anew", lambda: begun(lab, "up"))
        lab.root("kill -9 $(pgrep -u deploy -x python3)")
        assert not run.wait().green
    # The controller is alive, and has what was begun undone.
    stands(lab, "good")
    assert lab.outcomes()[-1] == ("deploy", "reverted")
    again = lab.play("compose_deploy", to=tag("additive"))
    assert again.green, again.text
    stands(lab, "additive")


def test_controller_killed_while_containers_are_made_anew(lab: ComposeLab) -> None:
    """Work that the host has begun is done there, verified and recorded, also when nobody waits for it."""
    lab.at("good")
    with Controller(lab.name, "compose_deploy", to=tag("additive")) as run:
        wait_for("containers are made anew", lambda: begun(lab, "up"))
        run.kill()
    wait_for("the host is done", lambda: idle(lab))
    stands(lab, "additive")
    assert lab.outcomes()[-1] == ("deploy", "succeeded")
    again = lab.play("compose_deploy", to=tag("additive"))
    assert (again.green, again.changed) == (True, 0), again.text
