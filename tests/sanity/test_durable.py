"""Names that vouch for a tree are given in one place, which syncs the tree first."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS

ROOT = Path(__file__).parents[2]
SOURCES = [*PLUGINS, *COMMAND]

#: Where a rename may stand: a file that is written and synced by the same function, and trees.
RENAMES = {"plugins/module_utils/host/durable_file.py", "plugins/module_utils/host/durable_tree.py"}
FORBIDDEN = {
    "os.rename": "durable_tree.put or durable_tree.rename",
    "os.renames": "durable_tree.put or durable_tree.rename",
    "os.replace": "durable_file.replace or durable_tree.put",
    "shutil.move": "durable_tree.put or durable_tree.rename",
}


def renames(tree: ast.AST) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in FORBIDDEN:
                found.append((node.lineno, name))
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
            found += [
                (node.lineno, f"{node.module}.{alias.name}")
                for alias in node.names
                if f"{node.module}.{alias.name}" in FORBIDDEN
            ]
    return found


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 200


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_a_rename_goes_through_what_syncs_its_tree(source: Path) -> None:
    if str(source.relative_to(ROOT)) in RENAMES:
        return
    found = renames(ast.parse(source.read_text()))
    assert not found, "; ".join(f"line {line}: {name}, instead use {FORBIDDEN[name]}" for line, name in found)


@pytest.mark.parametrize("text", ["import os\nos.rename(a, b)\n", "from shutil import move\n", "os.replace(a, b)\n"])
def test_the_rule_sees_a_rename(text: str) -> None:
    assert renames(ast.parse(text))
