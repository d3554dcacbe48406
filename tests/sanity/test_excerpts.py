# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An output is shortened in one place: the last lines alone, or the first letters, may be without the cause."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS, ROOT, called

FILES = [*PLUGINS, *COMMAND]
#: Files that shorten a text other than the error of a command, and the text.
NO_ERRORS = {
    "destructive/scan.py": "the beginning of a file, by which its kind is told, and a line of a finding",
    "destructive/code.py": "the letters before a literal",
    "secrets/names.py": "the letters before a value, in which its name is looked for",
    "health/gate.py": "a page of which the words are looked for",
    "docker/registry.py": "a header of a registry",
    "awx/state.py": "the description of a job template, which AWX limits",
    "security/dependencies.py": "the title of a known hole",
}
#: A text in a form that is known: the place, and why a part of it is all.
KNOWN_FORMS = {
    ("dokku/release_steps.py", "answer.out.strip().splitlines()[-1]"): "JSON on the last line",
    ("compose/release.py", "re.sub('[^A-Za-z0-9._-]', '-', branch)[:128]"): "a tag, which may have so many letters",
    ("destructive/pipeline.py", "'\\n'.join(kept)[:20000]"): "so much of a script is looked through",
}
_LONG = 100


def _is_lines(node: ast.AST) -> bool:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
            if name in ("splitlines", "lines_of", "said_lines", "readlines"):
                return True
            if name == "split" and [getattr(one, "value", None) for one in inner.args] == ["\n"]:
                return True
    return False


def _negative(node: ast.AST | None) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _number(node: ast.AST | None) -> int:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return inner.value if isinstance(inner, ast.Constant) and isinstance(inner.value, int) else 0


def shortened(source: str) -> Iterator[tuple[int, str]]:
    """Each place that keeps the last lines of a text, or only so many letters of one."""
    tree = ast.parse(source)
    # Outermost first: what an inner function binds is known in it alone, and that is enough here.
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        bound = {
            target.id
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign) and _is_lines(node.value)
            for target in node.targets
            if isinstance(target, ast.Name) and isinstance(node.value, (ast.Call, ast.ListComp, ast.BoolOp))
        }
        for node in ast.walk(scope):
            if not isinstance(node, ast.Subscript):
                continue
            lines = _is_lines(node.value) or (isinstance(node.value, ast.Name) and node.value.id in bound)
            part = node.slice
            if isinstance(part, ast.Slice):
                last = _negative(part.lower) and part.upper is None
                letters = (part.lower is None and _number(part.upper) >= _LONG) or (
                    last and _number(part.lower) >= _LONG
                )
                if (lines and last) or letters:
                    yield node.lineno, ast.unparse(node)
            elif lines and _negative(part):
                yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("path", FILES, ids=called)
def test_an_output_is_shortened_by_excerpt(path: Path) -> None:
    if called(path) in NO_ERRORS:
        return
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for line, text in sorted(set(shortened(path.read_text())))
        if (called(path), text) not in KNOWN_FORMS
    ]
    assert not found, "excerpt() and cut() of text/excerpt.py keep both ends: " + "; ".join(found)


def without_its_words(source: str) -> list[int]:
    """Calls whose failure is told without what the program said: "returned non-zero exit status 1"."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("subprocess.run", "subprocess.check_call", "subprocess.check_output")
        and (
            "check_" in ast.unparse(node.func)
            or any(one.arg == "check" and getattr(one.value, "value", None) is True for one in node.keywords)
        )
    ]


@pytest.mark.parametrize("path", FILES, ids=called)
def test_a_program_that_failed_is_quoted(path: Path) -> None:
    assert without_its_words(path.read_text()) == [], f"{path.relative_to(ROOT)}: raise what excerpt() quotes of it"


def test_a_failure_without_its_words_is_seen() -> None:
    assert without_its_words("subprocess.run(['cp'], check=True, capture_output=True)") == [1]
    assert without_its_words("subprocess.check_output(['id'])") == [1]
    assert without_its_words("subprocess.run(['cp'], check=False)") == []


def test_a_shortened_output_is_found() -> None:
    for source in (
        "said = error.splitlines()[-1]",
        "def f(e):\n    lines = [one for one in e.splitlines() if one]\n    return lines[-3:]",
        "x = str(error)[:300]",
        "x = text[-4000:]",
        "x = (ran.stderr.strip().splitlines() or ['nothing'])[-1]",
    ):
        assert list(shortened(source)), source
    for source in ("x = commit[:12]", "x = lines[0]", "x = names[-1]", "x = text[1:300]"):
        assert not list(shortened(source)), source


def test_each_exception_is_needed() -> None:
    sources = {called(path): path.read_text() for path in FILES}
    idle = [name for name in NO_ERRORS if not list(shortened(sources[name]))]
    places = {(path, text) for path, source in sources.items() for _line, text in shortened(source)}
    assert not idle and set(KNOWN_FORMS) <= places, (idle, set(KNOWN_FORMS) - places)
