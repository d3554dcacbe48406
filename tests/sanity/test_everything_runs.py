"""Every file of tests is run by a target of the Makefile, so that no test is written and then never tried."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from suite import scenarios

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
#: A recipe's call of pytest, to the end of its line.
CALL = re.compile(r"^\t.*\bpytest (-.*)$", re.MULTILINE)
#: Plugins and options that run a test again after it failed.
AGAIN = re.compile(r"rerunfailures|^\s+reruns\b|--reruns\b|--only-rerun|mark\.flaky|-raR\b", re.MULTILINE)

#: A call of ansible-playbook as a program, or as a module of Python.
STARTED = re.compile(r'\b(?:run|Popen|which)\(\s*\[?\s*"ansible-playbook"|"-m", "ansible", "playbook"')
#: Tests that start Ansible themselves, which takes twice the CPU time or more, and why.
OWN_PROCESS = {"tests/unit/github/test_canary.py": "looks at all that Ansible leaves behind, from its start to its end"}


def files_of_tests(*folders: str) -> list[Path]:
    """The files that pytest collects, as paths from the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("test_*.py"))


def left_out(makefile: str, files: list[Path]) -> list[str]:
    """Of `files` those that no call of pytest in a makefile names or has in a folder that it names."""
    run: set[Path] = set()
    for call in CALL.findall(makefile):
        words = shlex.split(call)
        ignored = {Path(word.partition("=")[2]) for word in words if word.startswith("--ignore=")}
        named = [Path(word) for word in words if word.startswith("tests/")]
        run |= {path for path in files if path not in ignored and any({path, *path.parents} & {one} for one in named)}
    return [str(path) for path in files if path not in run]


def test_a_target_runs_every_file_of_tests() -> None:
    assert left_out(MAKEFILE, files_of_tests("tests")) == []


def test_a_file_that_no_target_names_is_seen() -> None:
    files = [Path("tests/unit/test_a.py"), Path("tests/other/test_b.py"), Path("tests/other/test_c.py")]
    makefile = "unit:\n\t@pytest -q -n 2 tests/unit\nother:\n\t@pytest -q tests/other --ignore=tests/other/test_c.py\n"
    assert left_out(makefile, files) == ["tests/other/test_c.py"]
    assert left_out("unit:\n\t@pytest -q tests/unit/test_a.py\n", files) == [str(path) for path in files[1:]]


def test_every_scenario_with_tests_is_found() -> None:
    found = {scenario.name for scenario in scenarios.everything(ROOT)}
    assert found == {path.parts[1] for path in files_of_tests("molecule")}
    in_lanes = [scenario.name for lane in scenarios.lanes(scenarios.everything(ROOT)) for scenario in lane]
    assert sorted(in_lanes) == sorted(found)


def test_results_of_every_target_can_be_read() -> None:
    """tests/run.py asks each target that calls pytest for its results."""
    assert [call for call in CALL.findall(MAKEFILE) if "$(JUNIT)" not in call] == []


def test_nothing_is_run_twice() -> None:
    """A test that needs a second try is a defect, of the test or of the product."""
    settings = [ROOT / name for name in ("Makefile", ".ci/run", "pyproject.toml", ".config/molecule/config.yml")]
    tests = [ROOT / path for path in files_of_tests("tests", "molecule") if ROOT / path != Path(__file__)]
    paths = [*settings, *tests, *ROOT.glob("molecule/*/molecule.yml"), *ROOT.glob("molecule/**/conftest.py")]
    assert [str(path) for path in paths if AGAIN.search(path.read_text())] == []


@pytest.mark.parametrize(
    "text",
    ["pytest-rerunfailures>=15", '    reruns: "1"', "pytest --reruns 2", "pytest.mark.flaky(reruns=3)", '"-raR"'],
)
def test_a_second_try_is_seen(text: str) -> None:
    assert AGAIN.search(text)


def test_playbooks_are_run_by_one_process_of_ansible() -> None:
    texts = {str(path): (ROOT / path).read_text() for path in files_of_tests("tests/unit", "tests/sanity")}
    texts.pop(str(Path(__file__).relative_to(ROOT)))
    assert {name for name, text in texts.items() if STARTED.search(text)} == {*OWN_PROCESS}, "many_playbooks.playbook"


@pytest.mark.parametrize(
    "text",
    [
        'run(\n    ["ansible-playbook", "x.yml"]',
        'which(\n    "ansible-playbook", path',
        '"-m", "ansible", "playbook", *more',
    ],
)
def test_a_process_of_its_own_is_seen(text: str) -> None:
    assert STARTED.search(text)
