"""Histories as tests of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from histories import draw, systems
from histories.play import play
from histories.played import Played

#: The seeds of the histories that `make test` plays, by system; `make histories SYSTEM=… N=1 SEED=…` plays one of them.
#: They were chosen for many operations and faults between them in little time; tests/sanity/test_histories.py counts.
SEEDS = {
    "laravel": (2193, 4698, 176),
    "compose": (11942, 697, 11079),
    "ssh_keys": (11589, 9932, 27998),
    "dokku": (7342, 8259, 11149),
}


def sample(system: str, seed: int) -> draw.History:
    """The history of a fixed seed, drawn before any other."""
    return draw.drawn(systems.kinds_of(system), seed, 1)[0]


def kept(test: str) -> list[Any]:
    """The histories in the folder `histories` beside a file of tests."""
    files = sorted((Path(test).parent / "histories").glob("*.yml"))
    return [pytest.param(draw.parse(yaml.safe_load(path.read_text())["history"]), id=path.stem) for path in files]


def prove(history: draw.History, host: str) -> None:
    """Play a history on a host, and leave that as other tests begin with it.

    A red history is an AssertionError with what was found, how to replay it, each typed line, and the last screen.
    """
    system = systems.system_of(history.system, host)
    try:
        played = play(system, history)
    finally:
        system.tidy()
    assert not played.problems, told(played)


def told(played: Played) -> str:
    return "\n".join(
        [
            *played.problems,
            f"make histories REPLAY='{played.history}'",
            *played.lines,
            *[screen[-4000:] for screen in played.screens[-1:]],
        ]
    )
