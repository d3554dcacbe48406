# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories as tests: a red one says how it went, and each leaves the host as other tests begin with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from histories import draw, replay, systems
from histories.played import Played

HISTORY = draw.parse("laravel/in_place,v1.0.0 deploy:good=v1.1.0!reboot@after.3?1")


def proven(monkeypatch: pytest.MonkeyPatch, played: Played | Exception) -> list[str]:
    """The acts on the system, whose history is played as it is given."""
    acts: list[str] = []

    def play(_system: Any, _history: draw.History) -> Played:
        acts.append("played")
        if isinstance(played, Exception):
            raise played
        return played

    system = SimpleNamespace(tidy=lambda: acts.append("tidy"))
    monkeypatch.setattr(systems, "system_of", lambda name, host: system)
    monkeypatch.setattr(replay, "play", play)
    try:
        replay.prove(HISTORY, "laravel1")
    except AssertionError as problem:
        acts += str(problem).splitlines()
    except RuntimeError as problem:
        acts.append(repr(problem))
    return acts


def test_a_green_history_leaves_the_host_tidy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proven(monkeypatch, Played(HISTORY)) == ["played", "tidy"]


def test_a_red_history_says_its_lines_and_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    red = Played(HISTORY, problems=["ways: none"], lines=["3 s  laravel_deploy: failed"], screens=["first", "last"])
    assert proven(monkeypatch, red) == [
        "played",
        "tidy",
        "ways: none",
        f"make histories REPLAY='{HISTORY}'",
        "3 s  laravel_deploy: failed",
        "last",
    ]


def test_a_history_that_breaks_leaves_the_host_tidy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proven(monkeypatch, RuntimeError("no host")) == ["played", "tidy", "RuntimeError('no host')"]
