# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screens in the documentation are those that the callback of today makes of recorded real runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools/screens"))

from replay import PAGE, PICTURES, blocks, drawn_text, recorded, screen  # noqa: E402

RUNS = recorded()


@pytest.mark.parametrize("name", RUNS)
def test_a_screen_in_the_documentation_is_not_stale(name: str) -> None:
    shown = dict(blocks(PAGE.read_text()))
    assert shown.get(name) == screen(RUNS[name]), "type: make screens, or tools/screens/record.py --render"


@pytest.mark.parametrize("name", RUNS)
def test_its_picture_is_not_stale(name: str) -> None:
    said = "".join(drawn_text((PICTURES / f"{name}.svg").read_text()).split())
    assert said.endswith("".join(screen(RUNS[name]).split()))
    assert "".join(RUNS[name]["command"].split()) in said


def test_every_screen_in_the_documentation_was_recorded() -> None:
    assert {name for name, _ in blocks(PAGE.read_text())} == {*RUNS}
    assert RUNS


@pytest.mark.parametrize("name", RUNS)
def test_a_cause_is_shown_once(name: str) -> None:
    lines = [line.strip() for line in screen(RUNS[name]).splitlines() if len(line) > 40]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("name", RUNS)
def test_a_task_that_is_renamed_changes_no_screen(name: str) -> None:
    renamed = [{**event, "task": "another | Refuse this name"} for event in RUNS[name]["events"]]
    assert screen({**RUNS[name], "events": renamed}) == screen(RUNS[name])
