# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that a person types in a history."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from histories import draw, play, said
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


class Scripted(play.Player):
    """A player whose lines are answered from a list, so that the choice of what is typed next can be seen."""

    def __init__(self, *answers: said.Said) -> None:
        host = SimpleNamespace(name="h", root=self._on_host, deploy=self._on_host)
        system: Any = SimpleNamespace(host=host, final_refusals=())
        super().__init__(system, draw.parse("laravel/in_place,v1.0.0"))
        self.answers = list(answers)
        self.typed: list[str] = []

    def _on_host(self, line: str, check: bool) -> str:
        self.typed.append(line)
        return ""

    def _typed(self, procedure: str, inputs: list[str], fault: str = "", moment: str = "") -> said.Said:
        self.typed.append(" ".join([procedure, *inputs]))
        return self.answers.pop(0)

    def _mended(self) -> None:
        self.typed.append("(mended)")

    def follow(self, heard: said.Said) -> list[str]:
        self._follow("laravel_deploy", ["-e", "to=v1"], heard)
        return self.typed


GREEN = said.Said("", True, outcome="succeeded")


def refusal(code: str, *ways: str) -> said.Said:
    kinds = {"-e": "inputs", "ansible-playbook": "procedure", "rm": "host"}
    found = tuple(said.Way(kinds.get(way.split()[0], "words"), tuple(way.split())) for way in ways)
    return said.Said("", False, True, code, f"it is {code}", found)


def test_the_way_of_a_refusal_is_typed_after_the_same_line() -> None:
    assert Scripted(GREEN).follow(refusal("ahead", "-e migrations=keep")) == [
        "laravel_deploy -e to=v1 -e migrations=keep"
    ]


def test_a_way_may_lead_to_another_refusal() -> None:
    last = refusal("local_changes", "-e discard=true")
    assert len(Scripted(last, GREEN).follow(refusal("ahead", "-e migrations=keep"))) == 2


def test_a_way_after_which_nothing_is_different_is_red() -> None:
    same = refusal("git_locked", "rm x.lock")
    with pytest.raises(play.Red, match="the same refusal came again: git_locked"):
        Scripted(same).follow(same)


def test_a_refusal_that_names_only_what_was_typed_is_red() -> None:
    first, second = refusal("a", "-e x=1"), refusal("b", "-e y=1")
    with pytest.raises(play.Red, match="names nothing but what was typed already"):
        Scripted(second, first).follow(first)


def test_the_cause_of_a_refusal_is_repaired_once_nothing_else_is_left_to_type() -> None:
    down = refusal("registry_down", "-e to=v2", "the same command again")
    other = said.Said("", False, True, "registry_down", "v2 is not here", down.ways)
    assert Scripted(other, GREEN).follow(down) == ["laravel_deploy -e to=v2", "(mended)", "laravel_deploy -e to=v2"]
    with pytest.raises(play.Red, match="names nothing but what was typed already"):
        Scripted(other, down).follow(down)


def test_another_procedure_that_is_refused_in_the_same_way_names_its_own_way() -> None:
    first = refusal("ahead", "ansible-playbook ops.runbook.laravel_rollback -e to=v0")
    assert Scripted(refusal("ahead", "-e migrations=keep"), GREEN).follow(first) == [
        "laravel_rollback -e to=v0",
        "laravel_rollback -e to=v0 -e migrations=keep",
    ]


def test_after_a_failure_somebody_mends_and_types_what_the_run_names() -> None:
    way = said.Way("procedure", ("ansible-playbook", "ops.runbook.laravel_rollback", "-e", "to=v0"))
    failed = said.Said("", False, outcome="failed", ways=(way,))
    assert Scripted(GREEN).follow(failed) == ["(mended)", "laravel_rollback -e to=v0"]
    assert Scripted(GREEN).follow(said.Said("", False, outcome="failed")) == ["(mended)", "laravel_deploy -e to=v1"]


def test_after_a_second_failure_another_of_the_named_lines_is_typed() -> None:
    found = [("ansible-playbook", f"ops.runbook.laravel_{name}", "-e", "to=v0") for name in ("deploy", "rollback")]
    failed = said.Said("", False, outcome="failed", ways=tuple(said.Way("procedure", words) for words in found))
    typed = Scripted(failed, GREEN).follow(failed)
    assert sorted(line for line in typed if line != "(mended)") == [
        "laravel_deploy -e to=v0",
        "laravel_rollback -e to=v0",
    ]


def test_a_wish_that_stays_red_is_red() -> None:
    failed = said.Said("", False, outcome="failed")
    with pytest.raises(play.Red, match="lines were typed as the screens said"):
        Scripted(*[failed] * play.LINES).follow(failed)
