# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line that a person types on a host works there as it is printed: it has its folder, its app and its rights.

`docker compose up` finds the files of another folder, `php artisan` no application, `dokku run APP` no app.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for folder in ("plugins/module_utils", "plugins/action", "plugins/filter", "plugins/plugin_utils", "ops_runbook")
    for path in (ROOT / folder).rglob("*.py")
)
_COMPOSE = "build|config|create|down|exec|kill|logs|ls|pause|ps|pull|restart|rm|run|start|stop|up|unpause"
#: Lines without their place, and what writes them with it.
BARE = {
    rf"docker compose (-\S+ (\S+ )?)*({_COMPOSE})\b": "compose/typed_line.py writes the line of a service",
    r"\bphp artisan [a-z]": "the line needs `cd <application> &&` before it",
    r"\bdokku [a-z:-]+ APP\b": "the line needs the name of the app",
    r"(?<!sudo )dokku plugin:(un)?install\b": "Dokku lets root alone do that: sudo dokku plugin:install",
}
#: Texts that are not typed on a host, and why: by file, a part of the text.
NOT_TYPED = {
    ("compose/planning/steps.py", "docker compose up -d --wait"): "the title of a step, which the procedure does",
    ("compose/steps.py", "docker compose up ended with"): "the end of a command that the procedure ran",
    ("destructive/rules.py", "php artisan"): "advice about a script of somebody else, for wherever that runs",
    ("destructive/rules.py", "docker compose down"): "advice about a script of somebody else, for wherever that runs",
    ("dokku/tune.py", "no effect"): "a line that has no effect, wherever it is typed",
    ("dokku/migrations.py", "dokku run {} php artisan"): "in the container of the app, whose folder is right",
}


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each text of the code with its line. The values of an f-string are `{}`; comments and docstrings are left out."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"
                    for part in node.values
                ),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented | parts:
            yield node.lineno, re.sub(r"\{\w+\}", "{}", node.value)


def bare(place: str, source: str) -> list[str]:
    """Lines to type that work nowhere but in a folder that a person has to guess. place: the file below its folder."""
    found = []
    for line, text in texts(ast.parse(source)):
        known = any(place.endswith(file) and part in text for file, part in NOT_TYPED)
        found += [
            f"{place}:{line}: {text!r}: {cure}"
            for pattern, cure in BARE.items()
            if re.search(pattern, text) and not known
        ]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_line_to_type_has_its_place(path: Path) -> None:
    assert bare(str(path.relative_to(ROOT)), path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ('step = f"docker compose up -d {service}"', 1),
        ('step = "then docker compose logs --tail 50 web"', 1),
        ('way = ("docker compose -f x.yml ps", "shows it")', 1),
        ('way = "php artisan config:clear"', 1),
        ('way = "dokku run APP env"', 1),
        ('way = f"dokku plugin:install {url}"', 1),
        ('way = f"sudo dokku plugin:install {url}"', 0),
        ('way = f"{lines.compose} up -d {service}"', 0),
        ('"""Types `docker compose up`."""', 0),
        ('def f():\n    """Types `docker compose up`."""', 0),
        ('text = f"docker compose is {version}"', 0),
    ],
)
def test_a_line_without_its_place_is_seen(source: str, number: int) -> None:
    assert len(bare("x.py", source)) == number


@pytest.mark.parametrize("one", NOT_TYPED, ids=" ".join)
def test_an_exception_is_there(one: tuple[str, str]) -> None:
    file, part = one
    source = (ROOT / "plugins/module_utils" / file).read_text()
    assert any(part in text for _, text in texts(ast.parse(source)))
