# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workflows of CI run what a person runs, and name the versions that everything else names."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from suite import scenarios

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))
WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
ACTION = re.compile(r"^\s*(?:- )?uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
#: The oldest Python that each ansible-core runs under.
OLDEST_PYTHON = {"2.19": (3, 11), "2.20": (3, 12), "2.21": (3, 12)}


def read(name: str) -> dict[str, Any]:
    return plain_yaml.load(WORKFLOWS[name].read_text(encoding="utf-8"))


def variable(name: str) -> list[str]:
    """The words of a variable of the Makefile."""
    found = re.search(rf"^{name} \?= (.+)$", MAKEFILE, re.MULTILINE)
    assert found is not None, name
    return found[1].split()


def after(version: str) -> str:
    major, minor = version.split(".")
    return f"{major}.{int(minor) + 1}"


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in read(name)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_step_is_a_target_of_the_makefile(name: str) -> None:
    for step in steps(name):
        if "run" in step:
            asked = re.findall(r"\bmake ([\w-]+)", step["run"])
            assert asked and set(asked) <= TARGETS, step["run"]
            assert re.fullmatch(r"make [\w-]+", step["run"]) or step.get("id"), f"a person can't type: {step['run']}"
        for given in step.get("env", {}):
            of_make = re.search(rf"^(?:export )?{given} \?=", MAKEFILE, re.MULTILINE)
            assert of_make, f"the Makefile has no variable {given}"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_reads_only_ends_and_runs_pinned_actions(name: str) -> None:
    found = read(name)
    assert found["permissions"] == {"contents": "read"}
    assert found["concurrency"]["group"].startswith(name.removesuffix(".yml"))
    for job, content in found["jobs"].items():
        assert "permissions" not in content, job
        assert 0 < content["timeout-minutes"] <= 240, job
    for line in WORKFLOWS[name].read_text(encoding="utf-8").splitlines():
        assert "uses:" not in line or ACTION.match(line), f"pin it by its commit, with the version behind it: {line}"


def test_ci_runs_what_a_person_runs() -> None:
    asked = {word for name in WORKFLOWS for step in steps(name) for word in step.get("run", "").split()}
    assert {"lint", "types", "unit", "packaging", "sanity", "docs", "dist", "molecule", "simulator"} <= asked


def test_each_supported_pair_of_versions_is_tried_and_no_other() -> None:
    pairs = {
        (one["python"], one["core"]) for one in read("checks.yml")["jobs"]["unit"]["strategy"]["matrix"]["include"]
    }
    assert pairs == {
        (python, core)
        for python in variable("PYTHONS")
        for core in variable("CORES")
        if tuple(map(int, python.split("."))) >= OLDEST_PYTHON[core]
    }


def test_every_file_names_the_same_versions() -> None:
    pythons, cores = variable("PYTHONS"), variable("CORES")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = f"ansible-core>={cores[0]},<{after(cores[-1])}"
    assert project["requires-python"] == f">={pythons[0]}"
    assert core in project["dependencies"]
    assert core in (ROOT / "execution-environment.yml").read_text(encoding="utf-8")
    assert plain_yaml.load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8")) == {
        "requires_ansible": f">={cores[0]}.0,<{after(cores[-1])}.0"
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"ansible-core {cores[0]} to {cores[-1]} on Python {pythons[0]} to {pythons[-1]}" in readme
    for path in sorted(ROOT.glob("roles/*/meta/main.yml")):
        found = plain_yaml.load(path.read_text(encoding="utf-8"))["galaxy_info"]["min_ansible_version"]
        assert found == cores[0], path


def test_other_jobs_use_a_supported_python() -> None:
    # ansible-test imports what is sent to hosts under their oldest Python, too.
    allowed = {*variable("PYTHONS"), "3.9", "${{ matrix.python }}"}
    for name in WORKFLOWS:
        for step in steps(name):
            if "setup-python" in step.get("uses", ""):
                assert set(step["with"]["python-version"].splitlines()) <= allowed


def test_each_scenario_has_a_job_of_its_own() -> None:
    known = scenarios.everything(ROOT)
    for tests, wanted in (("all", known), ("core", scenarios.chosen(known, [], core=True))):
        ask = ["make", "-s", "scenarios", f"TESTS={tests}"]
        printed = subprocess.run(ask, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        assert json.loads(printed) == sorted(scenario.name for scenario in wanted)
    jobs = read("molecule.yml")["jobs"]
    assert [step["run"] for step in jobs["scenarios"]["steps"] if step.get("id") == "list"] == [
        'echo "names=$(make scenarios)" >> "$GITHUB_OUTPUT"'
    ]
    assert jobs["molecule"]["strategy"]["matrix"] == {"scenario": "${{ fromJSON(needs.scenarios.outputs.names) }}"}
    # Each job runs what it was listed for.
    given = [step["env"]["TESTS"] for job in jobs.values() for step in job["steps"] if "TESTS" in step.get("env", {})]
    assert len(given) == 2 and len(set(given)) == 1
