"""The ways of the README to run a procedure, without the ansible.cfg of a checkout: each screen can be read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from installation import Installation, bare_environment, call

#: A person at a small terminal sees the whole of a refusal.
SCREEN = 40

HOSTS = """
laravel:
  hosts:
    web1:
      ansible_host: 127.0.0.1
      ansible_port: 9
      ansible_user: deploy
      laravel_service: shop
      laravel_path: /srv/shop
      laravel_repository: https://git.example.com/shop.git
      laravel_health:
        - name: up
          url: http://127.0.0.1/up
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yml"
    path.write_text(HOSTS)
    return path


@pytest.fixture
def suspect(tmp_path: Path) -> Path:
    """A checkout with one command that destroys data."""
    folder = tmp_path / "suspect"
    folder.mkdir()
    (folder / "deploy.sh").write_text("php artisan migrate:fresh --force\n")
    return folder


def readable(text: str) -> str:
    """A screen: its lines one below the other, and no more of them than a person reads."""
    assert "\\n" not in text and "Traceback" not in text, text
    assert len(text.splitlines()) < 80, text
    return text


@pytest.fixture(params=["from_galaxy", "from_wheel"])
def installed(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.getfixturevalue(request.param)
    return found


def test_a_look_under_the_default_callback(installed: Installation, suspect: Path) -> None:
    ran = installed.playbook("ops.runbook.data_safety_check", "-e", f"path={suspect}")
    text = readable(ran.stdout)
    assert ran.returncode == 2
    assert [line for line in text.splitlines() if line.strip().startswith('"deploy.sh:1 ')], text
    assert text.count("is not safe for data") == 1 and "Origin:" not in text, text


@pytest.mark.parametrize("procedure", ["laravel_rollback", "laravel_status", "health_check", "operation_history"])
def test_a_host_that_is_lost_under_the_default_callback(
    installed: Installation, inventory: Path, procedure: str
) -> None:
    ran = installed.playbook("-i", str(inventory), f"ops.runbook.{procedure}")
    text = readable(ran.stdout + ran.stderr)
    assert ran.returncode != 0 and "ssh -p 9 deploy@127.0.0.1" in text, text


def test_the_screen_of_the_collection_is_one_line_away(installed: Installation, inventory: Path) -> None:
    """`export ANSIBLE_STDOUT_CALLBACK=ops.runbook.operator`, as the README says."""
    env = {**installed.env, "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator"}
    shown = Installation(installed.python, installed.home, installed.collection, env)
    ran = shown.playbook("-i", str(inventory), "ops.runbook.laravel_rollback")
    text = readable(ran.stdout + ran.stderr)
    assert "REFUSED on web1" in text and "TASK" not in text
    assert len(text.splitlines()) <= SCREEN and text.count("Nothing was changed") == 1, text


def test_the_command_of_the_wheel(from_wheel: Installation, inventory: Path, suspect: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in from_wheel.env.items() if not name.startswith("ANSIBLE_")}

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        line = [from_wheel.python, "-m", "ops_runbook", *words]
        return subprocess.run(line, cwd=tmp_path, env=env, check=False, capture_output=True, text=True)

    found = typed("run", "data_safety_check", f"path={suspect}")
    assert found.returncode == 1 and "migrate:fresh" in readable(found.stdout + found.stderr)
    lost = typed("plan", "laravel_rollback", "-i", "inventory.yml")
    text = readable(lost.stdout + lost.stderr)
    assert lost.returncode == 6 and "ssh -p 9 deploy@127.0.0.1" in text, text
    assert len(text.splitlines()) <= SCREEN, text


def test_ansible_runner_and_the_job_of_awx(checkout: Path, inventory: Path, suspect: Path, tmp_path: Path) -> None:
    """Both show a job with the callback of ansible-runner, which is Ansible's default one."""
    folder = tmp_path / "whole"
    call("cp", "-rL", checkout / "runner", folder, cwd=tmp_path)
    binaries = Path(sys.executable).parent
    env = {**bare_environment(tmp_path), "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    for callback in (env.pop("ANSIBLE_STDOUT_CALLBACK"), None):
        given = {**env, **({"ANSIBLE_STDOUT_CALLBACK": callback} if callback else {})}
        ran = subprocess.run(
            [
                *(binaries / "ansible-runner", "run", folder, "-p", "ops.runbook.data_safety_check"),
                *("--omit-env-files", "--cmdline", f"-e path={suspect}"),
            ],
            cwd=tmp_path,
            env=given,
            check=False,
            capture_output=True,
            text=True,
        )
        text = readable(re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout))
        assert ran.returncode == 2 and "deploy.sh:1 " in text, text
        shutil.rmtree(folder / "artifacts")
