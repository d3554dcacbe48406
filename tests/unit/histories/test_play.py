# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that a person types in a history."""

from __future__ import annotations

import pytest
from histories import play
from histories.faults import Moment


@pytest.mark.parametrize(
    ("line", "way", "typed"),
    [
        ("-e to=v1", "-e migrations=keep", "-e to=v1 -e migrations=keep"),
        ("-e to=v1 -e migrations=keep", "-e to=v2", "-e migrations=keep -e to=v2"),
        ("", "-e lock_takeover=1 -e interrupted=undo", "-e lock_takeover=1 -e interrupted=undo"),
    ],
)
def test_a_way_is_typed_after_the_same_line(line: str, way: str, typed: str) -> None:
    assert play.merged(line.split(), way.split()) == typed.split()


def test_a_decision_is_typed_once() -> None:
    assert play.without("-e to=v1 -e interrupted=undo".split(), "interrupted") == ["-e", "to=v1"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("after.7", Moment("after", 7)),
        ("half.1", Moment("half", 1)),
        ("task.apply", Moment("task", task="apply")),
    ],
)
def test_a_moment_is_read(text: str, moment: Moment) -> None:
    assert Moment.parse(text) == moment


def test_the_document_of_a_run_is_read() -> None:
    text = 'TASK [Show it]\nok: [a] => {\n    "msg": {\n  "hosts": {"a": {"records": []}}\n }\n}\n'
    assert play.shown(text, "a") == {"records": []}
    assert play.shown("nothing", "a") == {}
