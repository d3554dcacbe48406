# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One module finds the migrations; one module tries what they do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import PLUGINS, called, own_names

ROOT = Path(__file__).parents[2]
UTILS = ROOT / "plugins/module_utils"
SOURCES = PLUGINS

#: A folder of migrations in a literal is a guess: only the migrator knows in which ones it looks.
FOLDER = re.compile(r"database/migrations|migrations/\*|\*_\*\.php|/migrations['\"]")
#: The same, put together from its parts.
PARTS = re.compile(r"[\"']database[\"']\s*,\s*[\"']migrations[\"']")
#: file: why it may name one all the same.
NAMES_A_FOLDER = {
    "laravel/migrations/compare.py": "says which migrations two releases bring",
    "laravel/probe.py": "asks the migrator, with the folder that artisan gives it",
    "laravel/vendor.py": "Composer's class map has none of it",
}

#: What runs the code of a migration, or holds its queries back.
TRIES = re.compile(r"->pretend\b|pretending\s*=|->(up|down)\(\)|\['method'\]\}\(\)|\"--pretend\"")
TRIES_ONE = {"laravel/migrations/trial.py": "reads it first, and lets every connection pretend"}


def literals(path: Path) -> list[str]:
    """The strings of a module, documentation left aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    plain = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]
    return [text for text in plain if not text.lstrip().startswith(("module:", "options:", "- name:"))]


def found(pattern: re.Pattern[str], path: Path) -> list[str]:
    return [match.group() for text in literals(path) for match in pattern.finditer(text)]


@pytest.mark.parametrize("path", SOURCES, ids=called)
def test_no_code_lists_migrations_by_a_path_of_its_own(path: Path) -> None:
    if called(path) not in NAMES_A_FOLDER and "laravel" in called(path):
        guessed = [*found(FOLDER, path), *PARTS.findall(path.read_text(encoding="utf-8"))]
        assert not guessed, "ask laravel/migrations instead, which has it from the migrator"


@pytest.mark.parametrize("path", SOURCES, ids=called)
def test_no_other_code_runs_a_migration_to_see_its_sql(path: Path) -> None:
    if called(path) not in TRIES_ONE:
        assert not found(TRIES, path), "trial.attempt does it, with every connection held back"


@pytest.mark.parametrize(("pattern", "names"), [(FOLDER, NAMES_A_FOLDER), (TRIES, TRIES_ONE)], ids=["lists", "tries"])
def test_excused_modules_still_exist(pattern: re.Pattern[str], names: dict[str, str]) -> None:
    for name in names:
        assert found(pattern, UTILS / name), name


# -- a migration that is cut off ---------------------------------------------------------------------


def steps_that_migrate(source: str) -> Iterator[tuple[int, str]]:
    """Each step that only a database with transactions can repeat: its line, and what it hands to whoever does it."""
    tree = own_names(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Step":
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if "transactional" in given.get("repeatable", ""):
                data = given.get("data", "")
                yield node.lineno, data if "{" in data else ast.unparse(tree)


@pytest.mark.parametrize("path", SOURCES, ids=called)
def test_a_step_that_migrates_says_what_it_may_leave_where_it_is_cut_off(path: Path) -> None:
    silent = [line for line, data in steps_that_migrate(path.read_text()) if "plan.cut(" not in data]
    assert silent == [], f"{called(path)}: add cut() of migrations/plan.py to the data of the steps of these lines"
