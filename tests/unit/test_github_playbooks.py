"""The procedures of GitHub's side as a person runs them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from github_fake import FakeGitHub, running, start_run

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = shutil.which(
    "ansible-playbook", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
)
MAIN = "a" * 40
pytestmark = pytest.mark.skipif(PLAYBOOK is None, reason="ansible-playbook is not installed")


@pytest.fixture
def hub() -> Iterator[FakeGitHub]:
    with running() as found:
        found.commits = {"main": MAIN}
        yield found


def play(hub: FakeGitHub, playbook: str, *arguments: str, **inputs: Any) -> subprocess.CompletedProcess[str]:
    """A run with all that Ansible can be made to say. The token is nowhere in it."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "GITHUB_TOKEN": hub.token,
    }
    given = {"repository": "example/shop", "github_api_url": hub.url, "github_patience": 0, **inputs}
    done = subprocess.run(
        [str(PLAYBOOK), str(ROOT / "playbooks" / playbook), "-i", os.devnull, "-e", json.dumps(given), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert hub.token not in done.stdout + done.stderr
    return done


def test_a_repository_is_audited_then_brought_to_its_state(hub: FakeGitHub) -> None:
    state = {"github_reviewers": ["anna"], "github_required_checks": ["test"], "github_secrets": [{"name": "KEY"}]}
    audit = play(hub, "github_protect.yml", "--check", "--diff", "-vvv", **state)
    assert audit.returncode == 0 and hub.writes() == []
    assert "branch main" in audit.stdout and "DIFFERS" in audit.stdout
    assert "4 that differ, 1 secrets that are missing" in audit.stdout
    assert play(hub, "github_protect.yml", "--check", fail_on="difference", **state).returncode != 0
    made = play(hub, "github_protect.yml", **state)
    assert made.returncode == 0, made.stdout
    assert hub.environments["production"]["reviewers"] == [{"type": "User", "id": 11}]
    assert [one["context"] for one in hub.protection["main"]["required_status_checks"]["checks"]] == ["test"]
    assert [one["name"] for one in hub.rulesets.values()] == ["release-tags"]
    assert hub.security["secret_scanning_push_protection"] == {"status": "enabled"} and hub.alerts
    # Again, without the names of reviewers and checks: they stay.
    again = play(hub, "github_protect.yml", fail_on="difference")
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
    assert hub.environments["production"]["reviewers"] == [{"type": "User", "id": 11}]
    without = play(hub, "github_protect.yml", fail_on="secret", **state)
    assert without.returncode != 0 and "secret KEY" in without.stdout


def test_production_without_a_reviewer_is_refused(hub: FakeGitHub) -> None:
    done = play(hub, "github_protect.yml")
    assert done.returncode != 0 and hub.writes() == []
    assert "environment production: environment production of example/shop has no reviewer" in done.stdout


def test_a_repository_must_be_named(hub: FakeGitHub) -> None:
    done = play(hub, "github_protect.yml", repository="")
    assert done.returncode != 0 and hub.requests == []


def test_a_deployed_commit_is_verified(hub: FakeGitHub) -> None:
    hub.workflows |= {"ci.yml": {"id": 6}, "deploy.yml": {"id": 7}}
    for name in ("ci.yml", "deploy.yml"):
        run = start_run(hub, name, "main", "push")
        run.update(status="completed", conclusion="success", course=[])
    log = run["id"] * 10
    hub.logs[log] = "php artisan migrate --force\nphp artisan config:cache\n"
    done = play(hub, "deploy_verify.yml", commit=MAIN)
    assert done.returncode != 0 and "has no line with 'queue:restart'" in done.stdout
    hub.logs[log] += "php artisan queue:restart\n"
    done = play(hub, "deploy_verify.yml", commit=MAIN)
    assert done.returncode == 0 and "2 of 2 green" in done.stdout, done.stdout
    hub.logs[log] += "php artisan migrate:fresh\n"
    assert play(hub, "deploy_verify.yml", commit=MAIN).returncode != 0
    assert "there is no one commit" in play(hub, "deploy_verify.yml", commit="abc1234").stdout


def test_the_deployed_commit_is_read_of_the_ledger(hub: FakeGitHub, tmp_path: Path) -> None:
    done = play(hub, "deploy_verify.yml", target="localhost", operation_state_dir=str(tmp_path))
    assert done.returncode != 0 and "there is no one commit to verify" in done.stdout
