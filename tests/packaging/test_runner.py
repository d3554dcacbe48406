"""The private data directory for ansible-runner, and the execution environment that a run can have around it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from installation import bare_environment, call

SOUND = ("-p", "playbooks/data_safety_check.yml", "--cmdline", "-e path={}")


def runner(*words: str | Path, home: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    binaries = Path(sys.executable).parent
    env = {**bare_environment(home), "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        # An option in front of the verb is forgotten: its parser has the defaults again.
        [binaries / "ansible-runner", *words, *(["--omit-env-files"] if words[0] in ("run", "transmit") else [])],
        cwd=home,
        env=env,
        input=stdin,
        check=False,
        capture_output=True,
    )


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("artifacts/**/job_events/*.json"))]


@pytest.fixture
def suspect(tmp_path: Path) -> Path:
    """A checkout with one command that destroys data."""
    folder = tmp_path / "suspect"
    folder.mkdir()
    (folder / "deploy.sh").write_text("php artisan migrate:fresh --force\n")
    return folder


@pytest.fixture
def whole(checkout: Path, tmp_path: Path) -> Path:
    """The directory as the documentation says that a copy is made: `cp -rL runner somewhere`."""
    folder = tmp_path / "whole"
    call("cp", "-rL", checkout / "runner", folder, cwd=tmp_path)
    return folder


def test_its_links_are_relative_and_lead_somewhere(checkout: Path) -> None:
    links = [checkout / "runner/inventory", *(checkout / "runner/project").iterdir()]
    assert len(links) == 4
    assert all(path.is_symlink() and not path.readlink().is_absolute() and path.exists() for path in links)


def test_a_procedure_runs_in_it_and_its_exit_code_comes_through(whole: Path, suspect: Path, tmp_path: Path) -> None:
    red = runner("run", whole, *SOUND[:3], SOUND[3].format(suspect), home=tmp_path)
    assert red.returncode == 2, red.stdout
    assert b"migrate:fresh" in red.stdout
    (suspect / "deploy.sh").write_text("php artisan migrate --force\n")
    green = runner("run", whole, *SOUND[:3], SOUND[3].format(suspect), home=tmp_path)
    assert green.returncode == 0, green.stdout
    # Otherwise the inputs of this run would be those of the next one.
    assert {path.name for path in (whole / "env").iterdir()} == {"settings", "envvars"}
    assert {one["event"] for one in events(whole)} >= {"playbook_on_start", "runner_on_ok", "runner_on_failed"}


def test_the_full_name_of_a_procedure_does_as_well(whole: Path, suspect: Path, tmp_path: Path) -> None:
    ran = runner(
        "run", whole, "-p", "ops.runbook.data_safety_check", *SOUND[2:3], SOUND[3].format(suspect), home=tmp_path
    )
    assert ran.returncode == 2, ran.stdout
    assert b"migrate:fresh" in ran.stdout


def test_the_checkout_itself_is_such_a_directory(checkout: Path, suspect: Path, tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    words = ("run", checkout / "runner", "--artifact-dir", artifacts, *SOUND[:3], SOUND[3].format(suspect))
    ran = runner(*words, home=tmp_path)
    assert ran.returncode == 2, ran.stdout
    assert b"migrate:fresh" in ran.stdout


def test_a_job_goes_to_a_worker_and_its_result_comes_back(whole: Path, suspect: Path, tmp_path: Path) -> None:
    """transmit | worker | process: the worker has Ansible, and of this collection only what is sent to it."""
    sent = runner("transmit", whole, *SOUND[:3], SOUND[3].format(suspect), home=tmp_path)
    assert sent.returncode == 0, sent.stderr
    away = tmp_path / "away"
    away.mkdir()
    moved = tmp_path / "not-here"
    whole.rename(moved)
    worked = runner("worker", "--private-data-dir", away, home=away, stdin=sent.stdout)
    assert worked.returncode == 2, worked.stdout
    moved.rename(whole)
    back = tmp_path / "back"
    back.mkdir()
    processed = runner("process", back, home=tmp_path, stdin=worked.stdout)
    assert b"migrate:fresh" in processed.stdout
    # Without an ident there is no folder of this run's own.
    assert (back / "artifacts/rc").read_text() == "2"
    failed = [one for one in events(back) if one["event"] == "runner_on_failed"]
    assert [one["event_data"]["host"] for one in failed] == ["localhost"]


def test_the_execution_environment_is_one_that_ansible_builder_takes(
    checkout: Path, tarball: Path, tmp_path: Path
) -> None:
    (tmp_path / "dist/wheels").mkdir(parents=True)
    (tmp_path / "dist/wheels/example-1.0-py3-none-any.whl").touch()
    shutil.copy2(tarball, tmp_path / "dist")
    shutil.copy2(checkout / "execution-environment.yml", tmp_path)
    builder = Path(sys.executable).parent / "ansible-builder"
    call(builder, "create", "--context", tmp_path / "ee", "--output-filename", "Containerfile", cwd=tmp_path)
    text = (tmp_path / "ee/Containerfile").read_text()
    assert (tmp_path / "ee/_build/collection" / tarball.name).read_bytes() == tarball.read_bytes()
    assert "ansible-galaxy collection install --offline" in text
    assert "PyNaCl" in (tmp_path / "ee/_build/requirements.txt").read_text()
    assert (tmp_path / "ee/_build/wheels/example-1.0-py3-none-any.whl").is_file()
    # Before the first package is asked for, and not in what is left.
    assert text.index("PIP_NO_INDEX=1") < text.index("pip install") < text.index("PIP_NO_INDEX= ")


def test_the_execution_environment_has_the_ansible_that_the_wheel_asks_for(checkout: Path) -> None:
    import tomllib

    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    wanted = yaml.safe_load((checkout / "execution-environment.yml").read_text())["dependencies"]
    assert {wanted[one]["package_pip"] for one in ("ansible_core", "ansible_runner")} <= {*project["dependencies"]}
    assert wanted["python"] == project["optional-dependencies"]["github"]
