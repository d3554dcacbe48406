"""The seconds that the lab's hosts take to be reset are counted, each once."""

from __future__ import annotations

import ast
from pathlib import Path

import lab
import pytest

ROOT = Path(__file__).parents[3]
#: The functions of the lab that bring a host to a state.
STATES = {"at", "bring", "reset", "restore"}


@lab.counted_reset()
def _inner(problem: bool = False) -> None:
    assert not problem


@lab.counted_reset()
def _outer(problem: bool = False) -> None:
    _inner()
    _inner(problem)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(lab, "RESETS", found)
    return found


def test_resets_within_one_count_once(counted: list[float]) -> None:
    _outer()
    assert len(counted) == 1
    _inner()
    assert len(counted) == 2


def test_a_reset_that_fails_counts_and_the_next_one_too(counted: list[float]) -> None:
    with pytest.raises(AssertionError):
        _outer(problem=True)
    _inner()
    assert len(counted) == 2


def _functions(tree: ast.AST) -> list[ast.FunctionDef]:
    """Methods and functions of a module, without those within functions."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef))]
    return [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]


def test_every_way_to_a_state_is_counted() -> None:
    missed = [
        f"{path.name}: {node.name}"
        for path in sorted((ROOT / "molecule/shared/lab").glob("*.py"))
        for node in _functions(ast.parse(path.read_text()))
        # A context manager of that name brings no host to a state.
        if node.name in STATES and not any("counted_reset" in ast.unparse(one) for one in node.decorator_list)
        if not any("contextmanager" in ast.unparse(one) for one in node.decorator_list)
    ]
    assert not missed, "these reset a host uncounted; decorate them with @counted_reset()"


def test_tests_reset_a_host_by_its_lab() -> None:
    missed = [
        f"{path.relative_to(ROOT)}: {node.lineno}"
        for path in sorted((ROOT / "molecule").glob("*/tests/*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "root"
        if "lab-reset" in ast.unparse(node)
    ]
    assert not missed, "call reset() of the host, which counts the seconds"
