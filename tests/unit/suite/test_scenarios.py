"""Scenarios as their folders describe them: the lanes that follow, and the kinds that markers name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suite import scenarios

BASE = "shared_state: true\n"
OWN = "shared_state: false\nverifier:\n  env:\n    LAB_HOSTS: own1,own2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        ".config/molecule/config.yml": BASE,
        "molecule/default/molecule.yml": "scenario: {}\n",
        "molecule/one/molecule.yml": "scenario: {}\n",
        "molecule/one/tests/test_a.py": 'import pytest\n@pytest.mark.core("plan", "undo")\ndef test(): pass\n',
        "molecule/two/molecule.yml": OWN,
        "molecule/two/tests/test_a.py": "def test(): pass\n",
        "molecule/three/molecule.yml": "scenario: {}\n",
        "molecule/three/tests/test_a.py": 'X = dict(marks=pytest.mark.core("screen", only="b"))\n',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_lanes_follow_from_whose_hosts_they_are(root: Path) -> None:
    found = scenarios.everything(root)
    assert [[one.name for one in lane] for lane in scenarios.lanes(found)] == [["one", "three"], ["two"]]
    (own,) = [one for one in found if not one.shared]
    two = scenarios.lanes([own, replace(own, folder=Path("four"))])
    assert [[one.name for one in lane] for lane in two] == [["two"], ["four"]]
    assert {one.name: dict(one.environment) for one in found if one.environment} == {"two": {"LAB_HOSTS": "own1,own2"}}
    assert scenarios.lanes([]) == []


def test_kinds_are_those_that_markers_name(root: Path) -> None:
    kinds = {one.name: one.kinds for one in scenarios.everything(root)}
    assert kinds == {"one": {"plan", "undo"}, "two": set(), "three": {"screen"}}
    assert [*scenarios.marked("@pytest.mark.core\ndef test(): pass\n")] == [""]
    assert [*scenarios.marked("@pytest.mark.core(kind)\ndef test(): pass\n")] == [""]


def test_scenarios_are_chosen_by_name_or_by_their_core(root: Path) -> None:
    found = scenarios.everything(root)
    assert [one.name for one in scenarios.chosen(found, [], core=True)] == ["one", "three"]
    assert [one.name for one in scenarios.chosen(found, [], core=False)] == ["one", "three", "two"]
    assert [one.name for one in scenarios.chosen(found, ["two", "two"], core=False)] == ["two"]
    with pytest.raises(ValueError, match="TESTS=all runs the whole scenario"):
        scenarios.chosen(found, ["two"], core=True)
    with pytest.raises(ValueError, match="no scenario with tests: four; there are one, three, two"):
        scenarios.chosen(found, ["four"], core=False)
