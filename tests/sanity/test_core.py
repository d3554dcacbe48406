"""`make test` proves every system on hosts: plan, deploy, rollback, refusal, kills, screen, and that no secret is seen.

Scenarios and systems are found, and not listed: a new one has a core, or this fails.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from suite import scenarios
from suite.scenarios import ALONE, HISTORIES, KINDS, Scenario

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = {scenario.name: scenario for scenario in scenarios.everything(ROOT)}
OTHER_WAY = "the same procedures as those of the scenario laravel, whose core has it"
#: Kinds that a scenario's core does without, and why.
WITHOUT: dict[str, dict[str, str]] = {
    "command": {
        "plan": "the scenario laravel plans with the command",
        "refusal": "the kill with its resume is refused first",
        "undo": "the command hands the input on, as that of a resume",
        "callback": "the command has the screen of ansible.cfg",
        "runner": "the command is another way than ansible-runner",
    },
    "fleet": {
        "resume": "a run over several hosts resumes each as the scenario laravel does",
        "canary": OTHER_WAY,
    },
    "postgres": {
        **dict.fromkeys(("deploy", "rollback"), "a backup moves no release"),
        "runner": "a look and a backup take their inputs from ansible-runner as the scenario laravel does",
    },
    "mesh": {
        "plan": OTHER_WAY,
        "deploy": "the mesh sends any procedure in the same way",
        "undo": "the mesh sends any input in the same way",
        "screen": "the results that come back are those of ansible-runner",
        "callback": "each run of the scenario has it, and the scenario laravel looks at it",
        "runner": "each run of the mesh is one of ansible-runner; the scenario laravel gives it a file of inputs",
        "canary": OTHER_WAY,
    },
}
#: Scenarios without a core, and why.
WHOLE_ONLY = {
    "faults": "every fault at every step; the cores kill one of each kind",
    "load": "figures of thousands of requests",
    "strangers": "applications of other people; each is a variation of the scenario laravel",
}


def missing(scenario: Scenario) -> set[str]:
    """Kinds that the core of a scenario has not, though nothing says why."""
    return {*KINDS} - scenario.kinds - {*WITHOUT.get(scenario.name, {})}


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in WHOLE_ONLY])
def test_a_core_has_a_test_of_each_kind(name: str) -> None:
    assert missing(SCENARIOS[name]) == set()


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_marker_names_kinds(name: str) -> None:
    assert SCENARIOS[name].kinds <= {*KINDS, ALONE, HISTORIES}


def test_an_exception_is_one() -> None:
    assert {*WITHOUT, *WHOLE_ONLY} <= {*SCENARIOS}
    needless = {name: sorted({*kinds} & SCENARIOS[name].kinds) for name, kinds in WITHOUT.items()}
    assert {name: kinds for name, kinds in needless.items() if kinds} == {}
    assert [name for name in WHOLE_ONLY if SCENARIOS[name].kinds - {ALONE}] == []


def words(scenario: Scenario) -> str:
    """The text of a scenario's tests, and of the modules of the lab that they import."""
    found, waiting = "", [*scenario.tests, *scenario.folder.glob("tests/*.py")]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        text = path.read_text()
        found += text
        for name in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE):
            waiting += [
                path.parent / f"{name}.py",
                *(ROOT / f"molecule/shared/{one}/{name}.py" for one in ("lab", "faults")),
            ]
    return found


def guarded(playbooks: Iterable[Path]) -> dict[str, set[str]]:
    """The playbooks of each role that change a service on hosts behind the guard."""
    found: dict[str, set[str]] = {}
    for path in playbooks:
        for play in plain_yaml.load(path.read_text()):
            role = (play.get("vars") or {}).get("operation_role", "")
            if play.get("ansible.builtin.import_playbook") == "operate.yml":
                found.setdefault(role.rpartition(".")[2], set()).add(path.stem)
    return found


def unproven(systems: Iterable[str], playbooks: Mapping[str, set[str]], cores: Mapping[str, str]) -> list[str]:
    """Systems with procedures on hosts that no core plays. cores: the words of each scenario that has a core."""
    return [
        system
        for system in systems
        if playbooks.get(system)
        and not any(re.search(rf"\b{name}\b", text) for name in playbooks[system] for text in cores.values())
    ]


def test_every_system_has_a_scenario_with_a_core() -> None:
    systems = [path.parts[-3] for path in ROOT.glob("roles/*/meta/system.yml")]
    found = guarded(sorted(ROOT.glob("playbooks/*.yml")))
    # A procedure of a role that does not say what system it is would be left out.
    assert {*found} <= {*systems}
    assert unproven(systems, found, {name: words(one) for name, one in SCENARIOS.items() if one.kinds - {ALONE}}) == []


def test_a_system_without_a_scenario_is_seen() -> None:
    playbooks = {"old": {"old_deploy"}, "new": {"new_deploy"}}
    assert unproven(["old", "new", "without"], playbooks, {"old": 'lab.play("old_deploy")'}) == ["new"]


def test_a_scenario_without_a_kind_is_seen(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text(f"@pytest.mark.core{KINDS[1:]}\ndef test(): pass\n")
    assert missing(Scenario(tmp_path, shared=True)) == {KINDS[0]}
    (tmp_path / "tests/test_a.py").write_text("def test(): pass\n")
    assert missing(Scenario(tmp_path, shared=True)) == {*KINDS}


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.kinds])
def test_the_parameters_that_a_core_names_are_there(name: str) -> None:
    """A core that names one set of parameters of a test has that test; a name that was changed would take it out."""
    scenario = SCENARIOS[name]
    wanted = {f"{path.name}::{test}" for path in scenario.tests for test in scenarios.narrowed(path.read_text())}
    if not wanted:
        return
    done = subprocess.run(
        ["pytest", "--collect-only", "-q", "-m", "core", "-p", "no:cacheprovider", str(scenario.folder / "tests")],
        cwd=ROOT,
        env={**os.environ, **scenario.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {line.rpartition("/")[2] for line in done.stdout.splitlines() if "::" in line}
    assert wanted - found == set(), done.stdout + done.stderr
