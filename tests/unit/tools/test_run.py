"""The end of `make test`: what is read from the results of its parts, and what is red."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from suite import junit
from suite.junit import Case, Report
from suite.lanes import Ended


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "run.py"
    spec = importlib.util.spec_from_file_location("run_of_make_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks itself up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for name, place in {"ROOT": "", "RESULTS": ".cache/results", "COUNTS": ".cache/counts"}.items():
        monkeypatch.setattr(module, name, tmp_path / place)
    for name in ("SCENARIOS", "TESTS", "MAKEFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)
    return module


GOOD = Case("a::test_good", "passed", 3.0, 1.5)
BAD = Case("a::test_bad", "failed", 9.0, cause=("E   assert 1 == 2",))
SKIPPED = Case("a::test_skipped", "skipped", 0.0)

#: A part, its cases (None: no file, str: that text), the exit code of make; passed, failed and the problem's beginning.
ENDS = {
    "checks are one": ("lint", None, 0, (1, 0, "")),
    "a check that fails is one": ("types", None, 2, (0, 1, "make types ended with 2")),
    "tests are counted": ("unit", [GOOD, SKIPPED], 0, (1, 0, "")),
    "tests that fail say so themselves": ("unit", [GOOD, BAD], 2, (1, 1, "")),
    "a target that fails beside green tests": ("unit", [GOOD], 2, (1, 1, "make unit ended with 2")),
    "results that are missing are red": ("unit", None, 0, (0, 1, "{path} is missing")),
    "results that are torn are red": ("unit", "<testsuites><testsuite", 0, (0, 1, "{path} is torn")),
    "skipped tests do not pass": ("simulator", [SKIPPED], 0, (0, 0, "")),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_part_ends(run: ModuleType, tmp_path: Path, name: str) -> None:
    part, cases, code, (passed, failed, problem) = ENDS[name]
    path = tmp_path / f"{part}.xml"
    if isinstance(cases, str):
        path.write_text(cases)
    elif cases is not None:
        junit.write(path, cases, 0.0, 12.0)
    found = run.ended(part, path, code, 12.0)
    assert (found.passed, found.failed, found.ok) == (passed, failed, not failed)
    assert found.problem.startswith(problem.format(path=path)) and bool(found.problem) is bool(problem)


MAKEFILE = """
lint types images: ; @echo $@ >> ran
unit: ; @echo $@ >> ran; cp given.xml $(RESULTS)/unit.xml
simulator: ; @echo $@ >> ran; exit 1
packaging plugin contract: ; @echo $@ >> ran; cp given.xml $(RESULTS)/$@.xml
"""


def test_everything_is_run_and_told(run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    junit.write(tmp_path / "given.xml", [GOOD, BAD, SKIPPED], 0.0, 12.0)
    # Results of a run before are not those of this one.
    junit.write(tmp_path / ".cache/results/simulator.xml", [GOOD], 0.0, 12.0)
    assert run.main(["lint", "unit", "simulator"]) == 1
    # The images are built beside the first parts.
    assert sorted((tmp_path / "ran").read_text().split()) == ["images", "lint", "simulator", "unit"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 passed, 2 failed" == (tmp_path / ".cache/counts").read_text().strip()
    for said in ("FAILED a::test_bad", "  E   assert 1 == 2"):
        assert said in lines
    assert [line.split()[:5] for line in lines if line.startswith(("lint ", "unit ", "images ", "simulator "))] == [
        ["lint", "passed", "1", "0", "0"],
        ["unit", "FAILED", "1", "1", "1"],
        ["images", "passed", "1", "0", "0"],
        ["simulator", "FAILED", "0", "1", "0"],
    ]
    slow = lines[lines.index("ten slowest tests, in seconds") + 1 :]
    assert [line.split() for line in slow[:2]] == [["9.0", "a::test_bad"], ["3.0", "a::test_good"]]


def test_images_that_can_not_be_built_are_red(run: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(
        "images: ; @echo no disk; exit 1\nsimulator: ; @cp given.xml $(RESULTS)/$@.xml\n"
    )
    junit.write(tmp_path / "given.xml", [GOOD], 0.0, 12.0)
    assert run.main(["simulator"]) == 1
    assert "no disk" in (tmp_path / ".cache/results/images.log").read_text()


def test_a_scenario_has_a_line_of_its_own(run: ModuleType) -> None:
    found = run.of_scenarios(
        [
            Ended("one", Report((GOOD, BAD, SKIPPED), 0.0, 12.0), "", 20.0, 33.0),
            Ended("two", None, "two.xml is missing", 5.0, 5.0),
        ],
        38.0,
    )
    assert (found.passed, found.failed) == (1, 2)
    lines = [line.split() for line in run.table([found])]
    assert ["one", "FAILED", "1", "1", "1", "20.0", "1.5", "12.0", "33.0"] in lines
    assert ["two", "FAILED", "0", "0", "0", "5.0", "0.0", "0.0", "5.0"] in lines
    assert "FAILED molecule: two: two.xml is missing" in [*run.told([found])]


def test_all_goes_on_where_it_was_cut_off(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Makefile").write_text(
        MAKEFILE.replace("simulator: ; @echo $@ >> ran; exit 1\n", "").replace("packaging", "simulator packaging")
    )
    junit.write(tmp_path / "given.xml", [GOOD], 0.0, 12.0)
    scenario = tmp_path / "molecule/one"
    (scenario / "tests").mkdir(parents=True)
    (scenario / "molecule.yml").write_text("{}")
    (tmp_path / ".config/molecule").mkdir(parents=True)
    (tmp_path / ".config/molecule/config.yml").write_text("shared_state: true\n")
    tests = "import os\ndef test_a(): pass\ndef test_b(): assert not os.environ.get('BREAK')\n"
    (scenario / "tests/test_x.py").write_text(tests)
    root = Path(__file__).resolve().parents[3]
    (tmp_path / "molecule/conftest.py").write_text("from suite.resume import *\n")
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\npythonpath = ['{root}/tests']\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "molecule").write_text(
        '#!/bin/sh\necho "molecule $1" >> ran\n'
        "[ $1 != test ] || pytest -q -p no:cacheprovider --junitxml=.cache/results/one.xml molecule/one/tests\n"
    )
    (programs / "molecule").chmod(0o755)
    path = f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(run.kept, "tree", lambda _root: "abc")

    monkeypatch.setenv("BREAK", "1")
    assert run.main(["--all"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "8 passed, 1 failed"
    (tmp_path / "ran").unlink()
    monkeypatch.delenv("BREAK")
    assert run.main(["--all"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "9 passed, 0 failed"
    assert "left: one 1" in out and "left: one 0" in out
    # Parts that passed are not run again, and of the scenario one test was left.
    assert set((tmp_path / "ran").read_text().splitlines()) == {
        f"molecule {word}" for word in ("destroy", "create", "test")
    }
    assert [case.outcome for case in junit.read(tmp_path / ".cache/results/abc/one.xml").cases] == ["passed", "passed"]
    (tmp_path / "ran").unlink()
    assert run.main(["--all"]) == 0
    assert not (tmp_path / "ran").exists()
