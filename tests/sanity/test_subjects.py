# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every system says what its state folder is of, when it writes there and when it reads there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import PLUGINS, called, own_names

#: It reads any folder that it is told, and says of whom its records are.
READS_ANY = ("modules/operation_history_info.py", "guard/history.py")


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(own_names(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def unnamed(source: str, name: str) -> list[str]:
    """Each place that takes a state folder without a word on what it has to be of."""
    found = []
    for function, node in calls(source):
        words = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if function in ("Request", "guard.Request") and words.get("subject", "None") == "None":
            found.append(ast.unparse(node))
        elif function in ("requested", "Subject", "state_owner.Subject") and node.args:
            system = node.args[2 if function == "requested" else 0]
            # A rule lies in the package of its system, and the name of a module begins with it.
            if isinstance(system, ast.Constant) and not name.removeprefix("modules/").startswith(
                str(system.value) or "-"
            ):
                found.append(ast.unparse(node))
        elif function == "history.read" and name not in READS_ANY:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", PLUGINS, ids=called)
def test_a_state_folder_is_taken_with_its_subject(path: Path) -> None:
    assert unnamed(path.read_text(encoding="utf-8"), called(path)) == [], "name the system and its place (state_owner)"


@pytest.mark.parametrize("path", [path for path in PLUGINS if "plugins/modules" in str(path)], ids=called)
def test_a_module_that_opens_an_operation_asks_with_its_subject(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    functions = {function for function, _node in calls(source)}
    opens = {function for function in functions if function.endswith(("open_and_plan", "guard.open"))}
    assert not opens or "requested" in functions


@pytest.mark.parametrize(
    "source",
    [
        "Request(operation=a, service=b, procedure=c)",
        "Request('a', 'b', 'c', subject=None)",
        "requested(params, name, 'compose', place)",
        "Subject('')",
        "history.read(guard, history.LATELY)",
    ],
)
def test_the_rule_finds_a_system_that_says_nothing(source: str) -> None:
    assert unnamed(source, "laravel/procedures.py")


def test_the_rule_lets_a_system_through_that_does() -> None:
    said = "requested(params, name, 'laravel', place); Subject('laravel', path)"
    assert unnamed(said, "laravel/procedures.py") == []


# -- what is said where records are not read -------------------------------------------------------


def unsaid(source: str) -> list[str]:
    """Each place that passes over records of operations which are not read, and tells nobody."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.type and "StateUnreadable" in ast.unparse(node.type):
            told = {name.id for line in node.body for name in ast.walk(line) if isinstance(name, ast.Name)}
            if node.name not in told:
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", PLUGINS, ids=called)
def test_records_that_are_not_read_are_told(path: Path) -> None:
    assert unsaid(path.read_text(encoding="utf-8")) == [], "say why, and what to type: the error has both"


def test_records_passed_over_in_silence_are_seen() -> None:
    read = "try:\n    read()\nexcept {}:\n    {}"
    silent = read.format("(OSError, history.StateUnreadable)", "pass")
    kept = read.format("history.StateUnreadable as error", "problem = ''")
    assert unsaid(silent) and unsaid(kept)
    assert unsaid(read.format("history.StateUnreadable as error", "problem = str(error)")) == []
