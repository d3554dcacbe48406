# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make mutations`: what a run counts, when it fails, and that no dangerous file is left out."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from tools.mutations import table
from tools.mutations.__main__ import NAMED, ROOT, chosen
from tools.mutations.table import Named
from tools.mutations.workspace import Mutant, Mutated, Result, Workspace

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TESTS: dict[str, list[str]] = SETTINGS["tool"]["mutations"]["tests"]
FILE = "plugins/module_utils/guard/lease.py"
LESS = Mutant("expired", "return a < b", "return a <= b", False)
CODEC = Mutant("read", 'x.decode("utf-8") + y.decode("utf-8")', 'x.decode("utf-8") + y.decode("UTF-8")', False)
DEAD = Mutant("expired", "return a < b", "return None", True)
NEW = Mutant("expired", "return a < b", "return a > b", None)

ROWS: dict[str, tuple[list[Mutant], list[Named], tuple[int, int, int, int, int, int]]] = {
    # mutants, killed, named, unnamed, stale, not tried
    "no run": ([], [Named(FILE, "expired", LESS.was, LESS.now, "why")], (0, 0, 0, 0, 0, 0)),
    "killed": ([DEAD], [], (1, 1, 0, 0, 0, 0)),
    "survives": ([DEAD, LESS], [], (2, 1, 0, 1, 0, 0)),
    "named": ([DEAD, LESS], [Named(FILE, "expired", LESS.was, LESS.now, "why")], (2, 1, 1, 0, 0, 0)),
    "named in another file": ([LESS], [Named("x.py", "expired", LESS.was, LESS.now, "why")], (1, 0, 0, 1, 0, 0)),
    "named in another function": ([LESS], [Named(FILE, "other", LESS.was, LESS.now, "why")], (1, 0, 0, 1, 1, 0)),
    "named and killed": ([DEAD], [Named(FILE, "expired", DEAD.was, DEAD.now, "why")], (1, 1, 0, 0, 1, 0)),
    "named and not tried": ([NEW], [Named(FILE, "expired", NEW.was, NEW.now, "why")], (1, 0, 0, 0, 0, 1)),
    "named anywhere": ([CODEC], [Named("anywhere", "", '"utf-8"', '"UTF-8"', "why")], (1, 0, 1, 0, 0, 0)),
    "named anywhere, and another change": ([LESS], [Named("anywhere", "", "<", ">", "why")], (1, 0, 0, 1, 0, 0)),
}


@pytest.mark.parametrize("name", ROWS)
def test_mutants_are_counted(name: str) -> None:
    mutants, named, expected = ROWS[name]
    found = table.row(Result(FILE, tuple(mutants)), named)
    numbers = (found.mutants, found.killed, found.named, len(found.unnamed), len(found.stale), found.untried)
    assert numbers == expected


@pytest.mark.parametrize(
    ("killed", "survived", "named", "code"),
    [(95, 5, True, 0), (95, 5, False, 1), (94, 6, True, 1), (100, 0, True, 0), (0, 0, True, 1)],
)
def test_a_run_fails_below_the_floor_or_over_a_survivor_without_a_name(
    killed: int, survived: int, named: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    mutants = [DEAD] * killed + [LESS] * survived
    names = [Named(FILE, LESS.function, LESS.was, LESS.now, "why")] if named and survived else []
    assert table.report([Result(FILE, tuple(mutants))], names, 95) == code
    assert f"{FILE}  " in capsys.readouterr().out


def test_a_mutant_that_time_alone_killed_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A busy machine may have been too slow for it."""
    space = Workspace(tmp_path, FILE, [], SETTINGS)
    text = "def x_f__mutmut_orig():\n    return 0\n"
    text += "".join(f"def x_f__mutmut_{number}():\n    return {number}\n" for number in (1, 2))
    spans = {"x_f__mutmut_orig": [1, 2], "x_f__mutmut_1": [3, 4], "x_f__mutmut_2": [5, 6]}
    source = space.copy / space.source
    source.parent.mkdir(parents=True)
    source.write_text(text)
    source.with_name("lease.py.spans").write_text(json.dumps({"version": 1, "spans": spans}))
    space._meta.write_text(json.dumps({"exit_code_by_key": {"m.x_f__mutmut_1": -24, "m.x_f__mutmut_2": 1}}))
    slow, quick = space.result().mutants
    assert (slow, quick) == (Mutant("f", "return 0", "return 1", True, True), Mutant("f", "return 0", "return 2", True))
    assert table.report([space.result()], [], 95) == 0
    assert f"{FILE}: f: killed by time alone: see that it has no end\n- return 0\n+ return 1" in capsys.readouterr().out


def test_a_mutant_is_shown_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "def x_f__mutmut_orig(a):\n    b = 1\n    c = 2\n    return c\n"
        "def x_f__mutmut_1(a):\n    b = 1\n    c = None\n    return c\n"
    )
    spans = {"x_f__mutmut_orig": [1, 4], "x_f__mutmut_1": [5, 8]}
    (tmp_path / "x.py.spans").write_text(json.dumps({"version": 1, "spans": spans}))
    assert Mutated(path).change("x_f__mutmut_1") == ("f", "c = 2", "c = None")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([], ["p/guard/a.py", "p/guard/b.py", "p/sshd/a.py"]),
        (["guard"], ["p/guard/a.py", "p/guard/b.py"]),
        (["guard/a.py"], ["p/guard/a.py"]),
        (["p/sshd/", "b.py"], ["p/guard/b.py", "p/sshd/a.py"]),
    ],
)
def test_files_are_chosen_by_the_end_of_their_names_or_a_folder(asked: list[str], found: list[str]) -> None:
    assert chosen(["p/guard/a.py", "p/guard/b.py", "p/sshd/a.py"], asked) == found


def test_an_unknown_file_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(SystemExit, match=r"no file c\.py.*\n  p/guard/a\.py"):
        chosen(["p/guard/a.py"], ["c.py"])


def test_each_file_and_each_of_its_tests_is_there() -> None:
    for name in [*TESTS, *(test for tests in TESTS.values() for test in tests)]:
        assert (ROOT / name.partition("::")[0]).exists(), name
    for name in SETTINGS["tool"]["mutations"]["slow"]:
        path, _, test = name.partition("::")
        text = (ROOT / path).read_text()
        assert not test or f" {test}(" in text or f"\n{test} = " in text, name


@pytest.mark.parametrize("package", ["guard", "migrations", "laravel/migrations", "compose/migrations", "compose/pins"])
def test_each_file_with_functions_of_a_dangerous_package_is_mutated(package: str) -> None:
    for path in sorted((ROOT / "plugins/module_utils" / package).glob("*.py")):
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        name = str(path.relative_to(ROOT))
        assert not functions or name in TESTS, f"give {name} its tests in [tool.mutations.tests] of pyproject.toml"


def test_each_name_of_a_survivor_has_a_reason_and_a_file() -> None:
    for one in table.read_named(NAMED):
        assert one.reason.strip() and one.was != one.now
        assert one.file in (table.ANYWHERE, *TESTS), one.file


def test_a_change_of_the_tests_makes_survivors_worth_another_try(tmp_path: Path) -> None:
    space = Workspace(tmp_path, FILE, ["tests/test_a.py"], SETTINGS)
    (tmp_path / "tests").mkdir()
    for name in ("tests/test_a.py", "tests/conftest.py"):
        (tmp_path / name).write_text("1")
    before = space._digest_of_tests()
    (tmp_path / "tests/test_a.py").write_text("2")
    assert space._digest_of_tests() != before
    space._meta.parent.mkdir(parents=True)
    space._meta.write_text(json.dumps({"exit_code_by_key": {"a": 0, "b": 1, "c": 33, "d": -24, "e": None}}))
    space._forget_survivors()
    codes = json.loads(space._meta.read_text())["exit_code_by_key"]
    assert codes == {"a": None, "b": 1, "c": None, "d": None, "e": None}
