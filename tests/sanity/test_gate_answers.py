"""The gate's answers name their cause in one place; a deadline is the one that the machine needs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from code_files import RULES, called

ROOT = Path(__file__).resolve().parents[2]
SOURCES = RULES
#: Where an answer is put together.
PLACE = "health/blame.py"


def answers_without_blame(source: str) -> list[int]:
    """Lines of mappings that say whether all is well and why not, but not what that is about."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if {"ok", "reason"} <= keys and "about" not in keys:
                found.append(node.lineno)
    return found


def bare_deadlines(source: str) -> list[int]:
    """Lines that wait for a gate's deadline as it was given, however busy the machine is."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr == "deadline" and ast.unparse(node.value) == "gate"
    ]


@pytest.mark.parametrize("path", [path for path in SOURCES if called(path) != PLACE], ids=called)
def test_an_answer_says_what_it_is_about(path: Path) -> None:
    assert answers_without_blame(path.read_text()) == [], "blame.verdict and blame.answer say it"


@pytest.mark.parametrize("path", SOURCES, ids=called)
def test_a_gate_waits_as_long_as_the_machine_needs(path: Path) -> None:
    # A gate that is made of another one keeps its deadline, and grows by itself.
    lines = path.read_text().splitlines()
    assert [line for line in bare_deadlines(path.read_text()) if "GateSettings(" not in lines[line - 1]] == []


def test_the_decision_what_a_record_condemns_is_made_once() -> None:
    """No other file reads error texts or answers of records to tell whose fault an operation was."""
    judged = [called(path) for path in SOURCES if "failed_health" in path.read_text()]
    assert set(judged) <= {
        "health/blame.py",
        "guard/ledger.py",
        "guard/journal.py",
        "console/report.py",
        # It declares the key.
        "guard/contract.py",
    }


def test_the_guards_see_what_they_are_for() -> None:
    assert answers_without_blame('x = {"ok": not wrong, "reason": wrong, "health": []}') == [1]
    assert answers_without_blame('x = {**blame.verdict([]), "health": []}') == []
    assert bare_deadlines("end = started + gate.deadline") == [1]
