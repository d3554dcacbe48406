"""Every file of tests is run by a target of the Makefile, so that no test is written and then never tried."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
#: A recipe's call of pytest, to the end of its line.
CALL = re.compile(r"^\t.*\bpytest (-.*)$", re.MULTILINE)
#: The variable that names scenarios of Molecule.
SCENARIOS = re.compile(r"^SCENARIOS \?=(.*)$", re.MULTILINE)
#: The scenarios that the Makefile's comment says to ask for by name.
ASKED_FOR = re.compile(r"`(\w+)`(?= and `\w+` use)|(?<= and )`(\w+)`(?= use)")


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


def test_the_makefile_names_every_scenario_with_tests() -> None:
    named = {word for line in SCENARIOS.findall(MAKEFILE) for word in line.split()}
    named |= {word for pair in ASKED_FOR.findall(MAKEFILE) for word in pair if word}
    # Those have hosts of their own.
    named |= {path.name for path in (ROOT / "inventories").iterdir()}
    scenarios = {path.parts[1] for path in files_of_tests("molecule")}
    assert scenarios - named == set()
    assert "OWN_HOSTS := $(filter $(notdir $(wildcard molecule/*)),$(notdir $(wildcard inventories/*)))" in MAKEFILE
