"""Histories as tests of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from histories import draw, systems
from histories.play import play
from histories.played import Played

#: The seed of the first history that the tests of a scenario play, and how many steps each has there.
SEED, STEPS = 5, 3


def sample(system: str, number: int) -> str:
    """The line of a history with a fixed seed, short enough for each run of the tests."""
    history = draw.drawn(systems.kinds_of(system), SEED, number + 1)[number]
    return str(draw.History(system, history.start, history.steps[:STEPS]))


def kept(test: str) -> list[Any]:
    """The histories in the folder `histories` beside a file of tests."""
    files = sorted((Path(test).parent / "histories").glob("*.yml"))
    return [pytest.param(yaml.safe_load(path.read_text())["history"], id=path.stem) for path in files]


def playable(system: str, host: str, line: str) -> Played:
    """Play the line of a history on a host. Its problems name each typed line, so that a person can see how it went."""
    played = play(systems.system_of(system, host), draw.parse(line))
    if played.problems:
        played.problems += [
            f"make histories REPLAY='{line}'",
            *played.lines,
            *[screen[-4000:] for screen in played.screens[-1:]],
        ]
    return played
