"""A deploy whose controller and module are killed in the midst of a step, and the line that a person types then."""

from __future__ import annotations

import re
from typing import Any

from controller import Controller
from gate import Gate
from lab import Lab, Run
from waiting import wait_for

CODE = re.compile(r"REFUSED on \S+ \((\w+)\)")
WAY = re.compile(r"^ +((?:-e [a-z_]+=\S+ ?)+)", re.MULTILINE)
OLD, NEW = "v1.1.0", "v1.7.0"


def code(run: Run) -> str:
    """The code of the refusal that a run ended with."""
    found = CODE.search(run.text)
    assert not run.green
    assert found is not None, run.text
    return found[1]


def typed(run: Run, part: str) -> dict[str, str]:
    """The inputs of the way forward that has this part, as the refusal prints them."""
    for way in WAY.findall(run.text):
        if part in way:
            return dict(word.split("=", 1) for word in way.split() if word != "-e")
    raise AssertionError(f"no way with {part}: {run.text}")


def killed(lab: Lab) -> dict[str, Any]:
    """Kill a deploy of NEW over OLD in one of its steps, on both machines. Returns the inputs that it was given."""
    lab.at("v1.0.0", OLD)
    with Gate(lab, "extra") as gate:
        inputs = {**gate.inputs, "laravel_strategy": lab.strategy}
        with Controller(lab.name, "laravel_deploy", to=NEW, **inputs) as run:
            gate.reached()
            run.kill()
            lab.root("pkill -KILL -u deploy -x python3")
        gate.open()
        wait_for("the step ended", lambda: lab.root("pgrep -u deploy -f lab-gate", check=False), "")
    return gate.inputs


def ends(lab: Lab, way: str) -> None:
    """A deploy that was killed is refused, and ends with what the refusal names: `resume` or `undo`."""
    inputs = killed(lab)
    refused = lab.play("laravel_deploy", to=NEW, **inputs)
    assert code(refused) in ("interrupted", "lease_held"), refused.text
    run = lab.play("laravel_deploy", to=NEW, **inputs, **typed(refused, f"interrupted={way}"))
    assert (lab.version(), lab.outcomes()[-1]) == {
        "resume": ("1.7.0", ("deploy", "succeeded")),
        "undo": ("1.1.0", ("deploy", "reverted")),
    }[way], run.text
    assert lab.root(f"cd {lab.state}; ls journal.jsonl lease.json 2>/dev/null", check=False) == "", run.text
