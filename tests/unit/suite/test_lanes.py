"""Scenarios side by side, with a `molecule` that only says what it was asked and writes results."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from suite import junit, lanes, scenarios
from suite.junit import Case
from suite.scenarios import Scenario

FAKE = """#!/bin/sh
name=$(eval echo \\$$#)
echo "$*" >> asked
echo "$name says $1"
case $1 in
create|destroy) echo "$1 $name" >> hosts; sleep 0.1; echo "$1 $name" >> hosts ;;
test)
    [ ! -e "dies-$name" ] || exit 3
    [ ! -e "given-$name.xml" ] || cp "given-$name.xml" ".cache/results/$name.xml"
    [ ! -e "fails-$name" ] || exit 1 ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "molecule").write_text(FAKE)
    (programs / "molecule").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def give(root: Path, name: str, *outcomes: str) -> Scenario:
    cases = [Case(f"{name}::test_{number}", outcome, 1.0, 0.5) for number, outcome in enumerate(outcomes)]
    junit.write(root / f"given-{name}.xml", cases, 0.0, 2.0)
    return Scenario(root / "molecule" / name, shared=name.startswith("s"))


def run(root: Path, *chosen: Scenario) -> dict[str, lanes.Ended]:
    found = lanes.Lanes(root, root / ".cache/results", {"SUITE_MARKS": "core"}).run(scenarios.lanes(chosen))
    return {one.name: one for one in found}


def asked(root: Path, name: str) -> list[str]:
    return [line for line in (root / "asked").read_text().splitlines() if line.endswith(f" {name}")]


def test_hosts_are_made_once_for_those_who_share_them(root: Path) -> None:
    found = run(root, give(root, "s1", "passed"), give(root, "o1", "passed"), give(root, "s2", "passed"))
    assert [(name, one.ok) for name, one in found.items()] == [("s1", True), ("s2", True), ("o1", True)]
    first, *rest = asked(root, "s1")
    assert (first, rest) == ("destroy -s s1", ["create -s s1", "test --destroy=never -s s1"])
    assert asked(root, "s2") == [
        "create -s s2",
        "prepare --force -s s2",
        "test --destroy=never -s s2",
        "destroy -s s2",
    ]
    assert asked(root, "o1") == ["destroy -s o1", "create -s o1", "test --destroy=never -s o1", "destroy -s o1"]


def test_lanes_make_and_remove_their_hosts_one_after_the_other(root: Path) -> None:
    run(root, *(give(root, name, "passed") for name in ("s1", "o1", "s2", "o2")))
    lines = (root / "hosts").read_text().splitlines()
    # Each says when it begins and when it ends.
    assert lines[::2] == lines[1::2] and len(lines) == 20


def test_two_lanes_run_at_a_time_and_the_next_begins_when_one_of_them_ends(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, under_way, most = threading.Barrier(2, timeout=60), set(), []

    def scenario(_self: lanes.Lanes, one: Scenario, there: bool, remove: bool) -> lanes.Ended:
        under_way.add(one.name)
        # Each waits here for another one.
        meeting.wait()
        most.append(len(under_way))
        meeting.wait()
        under_way.remove(one.name)
        return lanes.Ended(one.name, junit.Report((), 0.0, 0.0), "", 0.0, 0.0)

    monkeypatch.setattr(lanes.Lanes, "_scenario", scenario)
    found = run(root, *(give(root, name) for name in ("s1", "s2", "o1", "o2", "o3", "o4")))
    assert [*found] == ["s1", "s2", "o1", "o2", "o3", "o4"] and max(most) == 2


def test_hosts_on_which_something_failed_are_made_anew(root: Path) -> None:
    chosen = [give(root, "s1", "failed"), give(root, "s2", "passed")]
    (root / "fails-s1").touch()
    found = run(root, *chosen)
    assert (found["s1"].ok, found["s1"].problem, found["s2"].ok) == (False, "", True)
    assert asked(root, "s2")[0] == "destroy -s s2"


def test_a_scenario_without_results_is_red_and_ends_no_other(root: Path) -> None:
    chosen = [give(root, "s1", "passed"), give(root, "s2", "passed"), give(root, "o1", "passed")]
    (root / "dies-s1").touch()
    # Results of a run before are not those of this one.
    results = root / ".cache/results/s1.xml"
    results.parent.mkdir(parents=True)
    results.write_bytes((root / "given-s1.xml").read_bytes())
    found = run(root, *chosen)
    assert not found["s1"].ok and "s1.xml is missing" in found["s1"].problem and "ended with 3" in found["s1"].problem
    assert found["s2"].ok and found["o1"].ok


def test_results_that_are_torn_are_red(root: Path) -> None:
    scenario = give(root, "o1", "passed")
    path = root / "given-o1.xml"
    path.write_text(path.read_text()[:-20])
    assert "is torn" in run(root, scenario)["o1"].problem


def test_a_molecule_that_fails_beside_green_tests_is_red(root: Path) -> None:
    scenario = give(root, "o1", "passed")
    (root / "fails-o1").touch()
    assert (run(root, scenario)["o1"].ok, run(root, scenario)["o1"].problem) == (False, "molecule ended with 1")


def test_the_output_of_two_lanes_is_shown_a_scenario_at_a_time(
    root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    run(root, *(give(root, name, "passed") for name in ("s1", "s2", "o1")))
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert sum(line.endswith(".log") and " begins; " in line for line in lines) == 3
    for name in ("s1", "s2", "o1"):
        said = [number for number, line in enumerate(lines) if line.startswith(f"{name} says ")]
        assert said and lines[said[-1] + 1] == f"-- {name} passed"
        assert not [line for line in lines[said[0] : said[-1]] if not line.startswith((name, "-- "))]


def test_the_time_until_the_first_test_is_that_of_the_hosts(root: Path) -> None:
    ended = lanes.Lanes(root, root, {})._ended(
        give(root, "o1", "passed"), root / "given-o1.xml", 0, began=-12.0, seconds=20.0
    )
    assert (ended.create, ended.seconds) == (12.0, 20.0)
    assert ended.report is not None and ended.report.reset == 0.5
