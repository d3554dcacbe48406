# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sshd's treatment of a key is described in one place, which is compared with a real sshd.

Nobody takes the first line of a key for the one in force, looks for a file of keys by its usual name, or reads an
option of a line by a rule of their own.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS, called

FILES = [*PLUGINS, *COMMAND]
#: Held against sshd by tests/doubles/key_lines.py and molecule/ssh_keys/tests/test_as_sshd.py.
READERS = ("sshd/authorized_keys.py", "sshd/key_options.py", "sshd/files.py", "sshd/revocations.py")
_OPTION = re.compile(r"\A(expiry-time|cert-authority|permitopen|permitlisten|no-pty|restrict)\b(?!.* )")
_USUAL_NAME = re.compile(r"\.ssh/authorized_keys")


def firsts(source: str) -> list[int]:
    """The lines that take one of the lines of a key without asking which is in force."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Subscript, ast.Call))
        and isinstance(taken := node.value if isinstance(node, ast.Subscript) else _argument(node), ast.Call)
        and isinstance(taken.func, ast.Attribute)
        and taken.func.attr == "holds"
    ]


def _argument(call: ast.Call) -> ast.expr | None:
    """The first argument of next, iter, min and max."""
    named = isinstance(call.func, ast.Name) and call.func.id in ("next", "iter", "min", "max")
    return call.args[0] if named and call.args else None


def rules(source: str) -> list[tuple[int, str]]:
    """Texts that are a rule of sshd's: an option, or the usual name of a file of keys."""
    tree = ast.parse(source)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and "\n" not in node.value
        and (_OPTION.search(node.value) or _USUAL_NAME.search(node.value))
    ]


@pytest.mark.parametrize("path", FILES, ids=called)
def test_nobody_takes_the_first_line_of_a_key_for_the_one_in_force(path: Path) -> None:
    assert firsts(path.read_text()) == [], "Places.in_force says by which lines sshd lets a key in"


@pytest.mark.parametrize("path", FILES, ids=called)
def test_no_file_has_a_rule_of_sshd_of_its_own(path: Path) -> None:
    if called(path) in READERS:
        return
    assert rules(path.read_text()) == [], "sshd/files.py has the files, and sshd/key_options.py the options"


@pytest.mark.parametrize(
    "line", ["place.holds(old)[0]", "next(iter(place.holds(old)))", "line = next(place.holds(a))", "min(p.holds(x))"]
)
def test_a_first_line_is_seen(line: str) -> None:
    assert firsts(line)


def test_a_rule_is_seen() -> None:
    assert rules('path = home + "/.ssh/authorized_keys"') and rules('if name == "expiry-time": pass')
    assert not rules('"""In ~/.ssh/authorized_keys."""') and not firsts("if place.holds(new): pass")
