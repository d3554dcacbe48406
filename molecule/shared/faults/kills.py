"""SIGKILL of the module at a write of its state, and the one command that comes after it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from module_driver import Asked, ModuleDriver, Running

PLANNED, KILLED = "/srv/lab/case-planned", "/srv/lab/case-killed"
BOTH = ("resume", "undo")


def kill(when: str, write: str) -> dict[str, Any]:
    return {"what": "kill", "when": when, "write": write}


def killed(
    driver: ModuleDriver, operation: str, fault: dict[str, Any], direction: str = "forward", keep: bool = True
) -> None:
    """Bring the host from where it was planned to where a kill leaves it, and keep that, for more ways than one."""
    driver.restore(PLANNED)
    died = driver.apply(operation, direction, fault=fault)
    assert died["rc"] == -signal.SIGKILL, f"{fault}: it was not killed: {died}"
    if keep:
        driver.keep(KILLED)


class Seen(NamedTuple):
    """Output and result of the next run, and the inputs that were typed."""

    outcome: str
    typed: str


def ways(
    driver: Running,
    story: Asked,
    fault: dict[str, Any],
    chosen: tuple[str, ...],
    verified: Callable[[Running, Any, bool, object], None],
    says: str | None = None,
) -> Seen:
    """Do what the next run says, in each of the chosen ways. verified: looks at the host after each."""
    told = json.dumps(fault)
    first = driver.run(story)
    if says is not None:
        # The refusal of a lease says less than the one of a journal; both name what to type.
        assert bool(says) is bool(first["refusal"]), f"{told}: {first}"
        assert says in first["text"] or first["refusal"] == "lease_held", f"{told}: {first}"
    if not first["refusal"]:
        # Nothing was left to decide: the run went on with its own plan.
        assert first["outcome"] in ("succeeded", "unchanged"), f"{told}: {first}"
        verified(driver, story, False, told)
        return Seen(f"nothing to decide; {first['outcome']}, {story.second}", "")
    ended, typed = [], []
    for number, way in enumerate(chosen):
        if number:
            driver.restore(KILLED)
        given = next(given for given in first["ways"] if f"interrupted={way}" in given)
        inputs = dict(word.split("=", 1) for word in given.split())
        again = driver.run(story, **inputs)
        outcome = {"resume": "succeeded", "undo": "reverted"}[way]
        assert again.get("outcome") == outcome, f"{told}, {given}: {again}"
        verified(driver, story, way == "undo", f"{told}, {given}")
        ended.append(f"`{way}`: {outcome}, {story.first if way == 'undo' else story.second}")
        typed.append("".join(f" -e {name}={'<id>' if name == 'lock_takeover' else inputs[name]}" for name in inputs))
    return Seen("; ".join([f"refused ({first['refusal']})", *ended]), " or".join(typed))
