"""A run that is cut off at any moment goes on with the tests after it, and one that failed is run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from suite import kept, resume
from suite.junit import Case

TESTS = """
import os, pathlib, pytest

def seen(name):
    with open("ran", "a") as handle:
        handle.write(name + "\\n")

def test_first(): seen("first")
def test_second():
    seen("second")
    assert not os.environ.get("BREAK"), "broken"
def test_third():
    seen("third")
    if os.environ.get("KILL"):
        os.kill(os.getpid(), 9)
@pytest.mark.skipif(True, reason="never")
def test_fourth(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_last(n): seen(f"last{n}")
"""
PLUGIN = "from suite.core import *\nfrom suite.resume import *\n"


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytester.makepyfile(test_some=TESTS)
    pytester.makeconftest(PLUGIN)
    monkeypatch.setenv(resume.VARIABLE, str(pytester.path / "kept.jsonl"))
    return pytester.path


def run(folder: Path, *words: str, **environment: str) -> int:
    """Run pytest in a process of its own; returns its exit code."""
    tests = Path(resume.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:ansible", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tests), **environment},
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


def ran(folder: Path) -> list[str]:
    path = folder / "ran"
    found = path.read_text().split()
    path.unlink()
    return found


def test_a_run_that_is_killed_goes_on_with_the_test_after(folder: Path) -> None:
    assert run(folder, KILL="1") == -signal.SIGKILL
    assert ran(folder) == ["first", "second", "third"]
    assert run(folder) == 0
    # The one that was under way had not ended.
    assert ran(folder) == ["third", "last1", "last2"]
    assert {case.outcome for case in kept.read(folder / "kept.jsonl").values()} == {"passed", "skipped"}


def test_only_a_failed_test_is_run_again(folder: Path) -> None:
    assert run(folder, BREAK="1") == 1
    ran(folder)
    (case,) = [case for case in kept.read(folder / "kept.jsonl").values() if case.outcome == "failed"]
    assert case.name == "test_some.py::test_second" and case.cause[0].split() == ["E", "AssertionError:", "broken"]
    assert run(folder) == 0
    assert ran(folder) == ["second"]


def test_workers_leave_out_the_same_tests(folder: Path) -> None:
    assert run(folder, "-n", "2", BREAK="1") == 1
    assert sorted(ran(folder)) == ["first", "last1", "last2", "second", "third"]
    assert run(folder, "-n", "2") == 0
    assert ran(folder) == ["second"]


def test_without_a_file_nothing_is_kept_or_left_out(folder: Path) -> None:
    for _again in range(2):
        assert run(folder, **{resume.VARIABLE: ""}) == 0
        assert len(ran(folder)) == 5
    assert not (folder / "kept.jsonl").exists()


def test_only_some_parameters_are_of_the_core(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers = core(kind)\naddopts = --strict-markers")
    pytester.makeconftest(PLUGIN)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.core("undo", only=("b", "d"))
        @pytest.mark.parametrize("letter", "abcd")
        def test_letter(letter): pass

        @pytest.mark.core("plan")
        def test_whole(): pass

        def test_other(): pass
        """
    )
    found = pytester.runpytest("-m", "core")
    found.assert_outcomes(passed=3, deselected=3)


def test_a_line_that_was_cut_off_costs_its_own_result_only(tmp_path: Path) -> None:
    path = tmp_path / "new/kept.jsonl"
    first, second = Case("a::b", "passed", 1.0, 0.5), Case("c::d", "failed", 2.0, cause=("E   no",))
    kept.add(path, first)
    with path.open("a") as handle:
        handle.write('{"name": "half')
    kept.add(path, second)
    assert kept.read(path) == {"a::b": first, "c::d": second}
    assert kept.passed(kept.read(path).values()) == {"a::b"}


def test_another_tree_has_another_name(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "a").write_text("1")
    git("add", "-A")
    git("commit", "-qm", "Begin")
    first = kept.tree(tmp_path)
    (tmp_path / "ignored").write_text("1")
    (tmp_path / "docs/proof").mkdir(parents=True)
    (tmp_path / "docs/proof/reliability.md").write_text("a run writes it")
    assert kept.tree(tmp_path) == first
    (tmp_path / "a").write_text("2")
    second = kept.tree(tmp_path)
    (tmp_path / "new").write_text("2")
    third = kept.tree(tmp_path)
    assert len({first, second, third}) == 3
    # What is committed is the tree that was tested before it was.
    git("add", "-A")
    git("commit", "-qm", "Go on")
    assert kept.tree(tmp_path) == third
