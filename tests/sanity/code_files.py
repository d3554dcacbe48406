# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the rules of this folder hold for, however deep in folders they lie.

A rule that looks at no file is green; so each list is at least as long as the code was when its bound was written.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python(folder: str, least: int) -> list[Path]:
    """The Python files of a folder and of the folders in it, but for empty ones."""
    found = sorted(path for path in (ROOT / folder).rglob("*.py") if path.stat().st_size)
    assert len(found) >= least, f"only {len(found)} files of {folder} are seen, and there were {least}"
    return found


def shown(path: Path) -> str:
    """A file as a person names it: its path in the repository."""
    return path.relative_to(ROOT).as_posix()


def called(path: Path) -> str:
    """A file as the lists of these tests name it: a rule by its package ("guard/lease.py"), another with its folder."""
    return shown(path).removeprefix("plugins/").removeprefix("module_utils/")


def stem(path: Path) -> str:
    """The same without its ending, for the name of something in the file: "guard/lease"."""
    return called(path).removesuffix(".py")


def own_names(source: str) -> ast.Module:
    """A source in which each rule has the name of its file, whatever name it was imported under."""
    tree = ast.parse(source)
    names = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ansible_collections.ops.runbook.")
        for alias in node.names
        if alias.asname
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return tree


PLUGINS = python("plugins", 300)
RULES = python("plugins/module_utils", 240)
COMMAND = python("ops_runbook", 7)
