# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""guard/contract.py and the contract of each system declare every key of a plan, and cost no run anything."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS, ROOT, RULES, called

CONTRACTS = [path for path in RULES if path.name == "contract.py"]
FILES = [path for path in [*PLUGINS, *COMMAND] if path not in CONTRACTS]


def declared(source: str) -> set[str]:
    """The keys of all classes of a contract, also of those that are made by a call."""
    tree = ast.parse(source)
    found = {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return found | {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def is_a_plan(node: ast.expr) -> bool:
    """True for `plan`, `x.plan`, `x["plan"]` and `x.get("plan")`, each perhaps with an `or` behind it."""
    if isinstance(node, ast.BoolOp):
        return is_a_plan(node.values[0])
    if isinstance(node, ast.Name):
        return node.id == "plan"
    if isinstance(node, ast.Attribute):
        return node.attr == "plan"
    return any(key == "plan" for _whole, key in keys_of(node))


def keys_of(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """The expression and the key, where a node reads or writes a key by its name."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        yield node.value, node.slice.value
    called_get = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    if called_get and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        yield node.func.value, node.args[0].value


def plan_keys(source: str) -> set[str]:
    """The keys of plans that a source names."""
    return {key for node in ast.walk(ast.parse(source)) for whole, key in keys_of(node) if is_a_plan(whole)}


KEYS = {key for path in CONTRACTS for key in declared(path.read_text())}


@pytest.mark.parametrize("path", FILES, ids=called)
def test_every_key_of_a_plan_is_declared(path: Path) -> None:
    """mypy says so of `plan["typo"]` and of what a planner returns, and takes `plan.get("typo")` for an object."""
    assert plan_keys(path.read_text()) - KEYS == set(), (
        "declare it in guard/contract.py, or in the system's contract.py"
    )


def test_a_key_of_a_plan_is_seen_however_it_is_named() -> None:
    source = """
plan["a"], plan.get("b"), self.plan["c"], (result.get("plan") or {}).get("d"), result["plan"]["e"]
(progress.plan or NO_PLAN).get("f"), (planned or {}).get("g"), plan_details["h"], plan[name]
plan["i"] = 1
"""
    assert plan_keys(source) == set("abcdefi")
    assert declared("class A(B):\n    x: int\nC = TypedDict('C', {'from': Any})") == {"x", "from"}
    assert len(CONTRACTS) >= 5 and {"from", "to", "saved_as", "project", "strategy"} <= KEYS


@pytest.mark.parametrize("path", CONTRACTS, ids=called)
def test_every_key_says_what_it_is(path: Path) -> None:
    lines = path.read_text().splitlines()
    tree = ast.parse(path.read_text())
    keys = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    bare = [lines[at - 1].strip() for at in keys if "  # " not in lines[at - 1] and "    # " not in lines[at - 2]]
    assert bare == []


def test_no_program_loads_a_contract() -> None:
    """Ansible sends a module's imports as sources, and Python compiles them anew in each call."""
    loaded = [
        called(path)
        for path in FILES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and str(node.module).endswith(".contract")
    ]
    assert loaded == []


WRITTEN = {
    "a key that no contract has": ('return {**NO_PLAN, "chosn": "v1"}', 'Extra key "chosn"'),
    "a plan without its ends": (
        'return {"chosen": "v1", "proven": "", "steps": [], "undo": [], "warnings": []}',
        "Missing keys",
    ),
    "a key of another type": ('return {**NO_PLAN, "steps": "vendor"}', "Incompatible types"),
    "a key that is read": ('return plan if plan["chosn"] else NO_PLAN', 'has no key "chosn"'),
    "what is right": ('return {**NO_PLAN, "chosen": plan["chosen"]}', ""),
}


def test_mypy_refuses_a_key_that_no_contract_has(tmp_path: Path) -> None:
    """One run for all cases: each is a function of one line."""
    guard = "ansible_collections.ops.runbook.plugins.module_utils.guard"
    bodies = [f"def f{number}(plan: Plan) -> Plan:\n    {body}\n" for number, (body, _) in enumerate(WRITTEN.values())]
    source = tmp_path / "written.py"
    source.write_text(
        "\n\n".join([f"from {guard}.contract import Plan\nfrom {guard}.journal import NO_PLAN\n", *bodies])
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}/cache", str(source)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT / "collections")},
        capture_output=True,
        text=True,
    )
    said = [line for line in done.stdout.splitlines() if "written.py" in line and ": error: " in line]
    wanted = [text for _body, text in WRITTEN.values() if text]
    assert len(said) == len(wanted) and all(text in line for text, line in zip(wanted, said)), done.stdout
