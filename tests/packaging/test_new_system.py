"""A new system changes no file that is there: a toy, laid over a copy of the checkout, is operated as the others."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from installation import bare_environment, call, cloned

#: Loaded by each module of the toy's host. It kills the controller and itself where a step opens the file of the line.
KILLER = """\
import os, signal, sys, time

def die(event, arguments):
    if event == "open" and arguments[0] == {line!r} and arguments[1] == "w" and os.path.exists({armed!r}):
        while not (controller := os.path.exists({pid!r}) and open({pid!r}).read()):
            time.sleep(0.01)
        for path in ({armed!r}, {pid!r}):
            os.unlink(path)
        os.kill(int(controller), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""
AWX = """
import json, yaml
from pathlib import Path
from ansible_collections.ops.runbook.plugins.module_utils.awx.state import Settings, desired
from ansible_collections.ops.runbook.plugins.module_utils.console import procedures, systems

root = Path.cwd()
site = Settings("o", "p", "https://git.example.com/x.git", [{"name": "i"}])
found = desired(procedures.read(root, yaml.safe_load), systems.read(root, yaml.safe_load).values(), site)
print(json.dumps({kind: {one["name"]: one for one in found[kind]} for kind in ("job_templates", "schedules")}))
"""


@dataclass(frozen=True)
class Toy:
    """A copy of the checkout with the toy, and one host that has a toy."""

    copy: Path
    folder: Path
    before: dict[str, str]

    @property
    def line(self) -> str:
        path = self.folder / "line"
        return path.read_text() if path.exists() else ""

    @property
    def env(self) -> dict[str, str]:
        paths = os.pathsep.join([str(self.copy), str(self.copy / "collections")])
        return {
            **bare_environment(self.folder),
            "ANSIBLE_CONFIG": str(self.copy / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator",
            "PYTHONPATH": paths,
        }

    def command(self, *arguments: str) -> Any:
        """The document that ops-runbook prints."""
        ran = subprocess.run(
            [sys.executable, "-m", "ops_runbook", *arguments, "--json"],
            cwd=self.copy,
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.stdout, ran.stderr
        return json.loads(ran.stdout)

    def run(self, *arguments: str, killed: bool = False) -> str:
        """The screen of a run of the toy's procedure, which ends well unless it is killed in its step."""
        if killed:
            (self.folder / "armed").touch()
        running = subprocess.Popen(
            [sys.executable, "-m", "ansible", "playbook", "playbooks/toy_write.yml", *arguments]
            + ["-i", str(self.folder / "hosts.yml")],
            cwd=self.copy,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        if killed:
            (self.folder / "pid").write_text(str(running.pid))
        said = running.communicate()[0]
        assert running.returncode == (-signal.SIGKILL if killed else 0), said
        return said

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "state/journal.jsonl").read_text().splitlines()]

    def ledger(self) -> list[str]:
        """The outcomes of the operations that ended."""
        lines = (self.folder / "state/ledger.jsonl").read_text().splitlines()
        return [json.loads(line)["outcome"] for line in lines]


def digests(folder: Path) -> dict[str, str]:
    """Each file below a folder with a digest of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def toy(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Toy:
    folder = tmp_path_factory.mktemp("toy")
    copy = cloned(checkout, folder / "copy")
    before = digests(copy)
    system = checkout / "tests/toy_system"
    files = [path for path in system.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in files:
        new = copy / path.relative_to(system)
        assert not new.exists()
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, new)
    (folder / "killer").mkdir()
    paths = {name: str(folder / name) for name in ("line", "armed", "pid")}
    (folder / "killer/sitecustomize.py").write_text(KILLER.format(**paths))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder}/killer exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(python),
        "toy_service": "toy",
        "toy_file": paths["line"],
        "operation_state_dir": str(folder / "state"),
    }
    (folder / "hosts.yml").write_text(json.dumps({"toy": {"hosts": {"here": host}}}))
    return Toy(copy, folder, before)


def test_the_command_lists_it_with_its_title_and_its_system(toy: Toy) -> None:
    (listed,) = toy.command("list", "toy")
    assert (listed["name"], listed["title"], listed["system"]) == ("toy_write", "Write the line of a toy", "Toy")
    assert [one["name"] for one in listed["inputs"]][:2] == ["target", "to"]


def test_the_doctor_looks_at_its_host(toy: Toy) -> None:
    findings = toy.command("doctor", "-i", str(toy.folder / "hosts.yml"))
    found = {one["what"]: one for one in findings if one["where"] == "here"}
    assert found["state folder"]["ok"] and found["state folder"]["seen"].startswith(str(toy.folder / "state"))
    assert found["python3"]["ok"]
    missing = found[f"{toy.folder}/sh"]
    assert not missing["ok"] and missing["remedy"].startswith("a host without a shell is not usable")


def test_awx_gets_its_survey_and_its_schedule(toy: Toy) -> None:
    found = json.loads(call(sys.executable, "-c", AWX, cwd=toy.copy, env=toy.env))
    survey = found["job_templates"]["toy_write"]["survey_spec"]["spec"]
    assert [one["variable"] for one in survey][:2] == ["target", "to"] and survey[1]["required"]
    assert found["schedules"]["Toy of the morning"]["extra_data"] == {"to": "good morning"}


def test_it_is_planned_applied_killed_resumed_and_undone(toy: Toy) -> None:
    assert "write 'one'" in toy.run("-e", "to=one", "--check")
    assert toy.line == "" and not (toy.folder / "state").exists()

    toy.run("-e", "to=one")
    assert toy.line == "one\n" and toy.ledger() == ["succeeded"]

    toy.run("-e", "to=two", killed=True)
    assert toy.line == "one\n" and toy.journal()[-1]["event"] == "begin"
    toy.run("-e", "to=two", "-e", "interrupted=resume")
    assert toy.line == "two\n" and toy.ledger()[1:] == ["interrupted", "succeeded"]

    toy.run("-e", "to=three", killed=True)
    toy.run("-e", "to=three", "-e", "interrupted=undo")
    assert toy.line == "two\n" and toy.ledger()[3:] == ["interrupted", "reverted"]


def test_its_package_has_a_floor_and_may_not_import_another_system(toy: Toy) -> None:
    def lint() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "tools/floors.py"], cwd=toy.copy, env=toy.env, check=False, capture_output=True, text=True
        )

    assert lint().returncode == 0, lint().stdout
    wrong = toy.copy / "plugins/module_utils/toy/wrong.py"
    wrong.write_text("from ansible_collections.ops.runbook.plugins.module_utils.laravel import layout\n")
    assert "toy.wrong -> " in lint().stdout
    wrong.unlink()
    about = toy.copy / "roles/toy/meta/system.yml"
    described = about.read_text()
    about.write_text(described.replace("about:", "title:"))
    assert "toy" in lint().stdout and lint().returncode == 1
    about.write_text(described)


def test_it_keeps_the_rules_about_code(toy: Toy) -> None:
    """The rules that take each file, role, module or playbook by its name."""
    rules = [
        f"tests/sanity/test_{name}.py" for name in ("argument_specs", "arrows", "plays", "roles", "rooms", "subjects")
    ]
    said = call(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *rules, "-k", "toy", cwd=toy.copy, env=toy.env
    )
    (passed,) = re.findall(r"^(\d+) passed, \d+ deselected", said, re.MULTILINE)
    assert int(passed) >= 30


def test_no_file_that_was_there_has_changed(toy: Toy) -> None:
    now = digests(toy.copy)
    assert {name: now.get(name) for name in toy.before} == toy.before
