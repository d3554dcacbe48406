"""The procedures of GitHub's side as a person runs them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import many_playbooks
import pytest
from github_fake import FakeGitHub, running, start_run
from many_playbooks import environment

ROOT = Path(__file__).resolve().parents[3]
MAIN = "a" * 40


@pytest.fixture
def hub() -> Iterator[FakeGitHub]:
    with running() as found:
        found.commits = {"main": MAIN}
        yield found


def play(
    hub: FakeGitHub, playbook: str, *arguments: str, screen: str = "ansible.builtin.default", **inputs: Any
) -> subprocess.CompletedProcess[str]:
    """A run, with the callback that shows it. The token is nowhere in it."""
    given = {"repository": "example/shop", "github_api_url": hub.url, "github_patience": 0, **inputs}
    done = many_playbooks.playbook(
        *(ROOT / "playbooks" / playbook, "-i", os.devnull, "-e", json.dumps(given), *arguments),
        env=environment(screen) | {"GITHUB_TOKEN": hub.token},
    )
    assert hub.token not in done.stdout + done.stderr
    return done


def text(done: subprocess.CompletedProcess[str]) -> str:
    """The printed text, without the ends of its lines."""
    return " ".join(done.stdout.split())


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
    assert "environment production: environment production of example/shop has no reviewer" in text(done)


def test_a_repository_must_be_named(hub: FakeGitHub) -> None:
    done = play(hub, "github_protect.yml", repository="")
    assert done.returncode != 0 and hub.requests == []


def test_a_deployed_commit_is_verified(hub: FakeGitHub) -> None:
    hub.workflows |= {"ci.yml": {"id": 6}, "deploy.yml": {"id": 7}}
    for name in ("ci.yml", "deploy.yml"):
        run = start_run(hub, name, "main", "push")
        run.update(status="completed", conclusion="success", course=[])
    log = run["id"] * 10
    hub.logs[log] = (
        "##[group]Run php artisan queue:restart\nphp artisan queue:restart\n##[endgroup]\n"
        "INFO  Nothing to migrate.\nINFO  Configuration cached successfully.\n"
    )
    done = play(hub, "deploy_verify.yml", commit=MAIN)
    assert done.returncode != 0 and "has no line with 'Broadcasting queue restart signal'" in done.stdout
    hub.logs[log] += "INFO  Broadcasting queue restart signal.\n"
    done = play(hub, "deploy_verify.yml", commit=MAIN)
    assert done.returncode == 0 and "2 of 2 green" in done.stdout, done.stdout
    hub.logs[log] += "php artisan migrate:fresh\n"
    assert play(hub, "deploy_verify.yml", commit=MAIN).returncode != 0
    assert "there is no one commit" in play(hub, "deploy_verify.yml", commit="abc1234").stdout


def test_the_deployed_commit_is_read_of_the_ledger(hub: FakeGitHub, tmp_path: Path) -> None:
    done = play(hub, "deploy_verify.yml", target="localhost", operation_state_dir=str(tmp_path))
    assert done.returncode != 0 and "there is no one commit to verify" in done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    (tmp_path / "a").write_text("1")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def head(checkout: Path) -> str:
    ran = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def test_a_release_is_tagged_from_a_clean_checkout_of_a_green_commit(hub: FakeGitHub, checkout: Path) -> None:
    commit = head(checkout)
    hub.commits = {"main": commit}
    inputs = {"tag": "v1.4.0", "path": str(checkout), "github_publish_workflow": "publish.yml", "wait": 0}
    hub.workflows["publish.yml"] = {"id": 8}
    done = play(hub, "release_tag.yml", **inputs)
    assert done.returncode != 0 and "no check has succeeded" in done.stdout
    hub.checks[commit] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    (checkout / "a").write_text("2")
    done = play(hub, "release_tag.yml", **inputs)
    assert done.returncode != 0 and "it is not clean: a" in done.stdout and hub.writes() == []
    (checkout / "a").write_text("1")
    assert play(hub, "release_tag.yml", "--check", **inputs).returncode == 0 and hub.writes() == []
    # The tag is made and stays, though its workflow was not seen.
    done = play(hub, "release_tag.yml", **inputs)
    assert done.returncode != 0 and "It was not published: there is no run" in text(done)
    assert hub.refs == {"tags/v1.4.0": {"sha": commit, "type": "commit"}}
    hub.commits["v1.4.0"] = commit
    run = start_run(hub, "publish.yml", "v1.4.0", "push")
    run.update(status="completed", conclusion="success", course=[])
    done = play(hub, "release_tag.yml", **inputs)
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout
    assert len(hub.writes()) == 1


def test_a_release_without_its_images_is_refused(hub: FakeGitHub) -> None:
    hub.checks[MAIN] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    # Nothing listens there.
    images = {"github_release_images": ["127.0.0.1:9/shop/app:sha-{short}"], "github_registry_plain_http": True}
    done = play(hub, "release_tag.yml", tag="v1.4.0", **images)
    assert done.returncode != 0 and hub.writes() == []
    assert "127.0.0.1:9/shop/app:sha-aaaaaaa: 127.0.0.1:9 can't be asked" in done.stdout


def test_the_weekly_look_at_security(hub: FakeGitHub, tmp_path: Path) -> None:
    hub.workflows["security-audit.yml"] = {"id": 9}
    hub.alerts = True
    hub.on_dispatch = lambda run: run.update(created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    done = play(hub, "security_audit.yml")
    assert done.returncode != 0 and "security-audit.yml there is no run on main" in done.stdout
    done = play(hub, "security_audit.yml", "-e", "rerun=true", "-e", "github_interval=0.01")
    assert done.returncode == 0 and "no advisory" in done.stdout, done.stdout
    assert len(hub.runs) == 1
    # An empty folder has nothing to audit, which proves nothing.
    done = play(hub, "security_audit.yml", path=str(tmp_path))
    assert done.returncode != 0 and "none of the lock files" in done.stdout
    hub.alerts = False
    done = play(hub, "security_audit.yml")
    assert done.returncode != 0 and "Dependabot alerts are off" in done.stdout


def test_a_run_is_shown_while_it_is_followed(hub: FakeGitHub, tmp_path: Path) -> None:
    """Two calls: one that starts it, one that follows it; a server that does not tell which run it was."""
    hub.workflows["deploy.yml"] = {"id": 7, "inputs": ["nonce"], "run-name": "Deploy {nonce}"}
    hub.run_details = False
    hub.on_dispatch = lambda run: run.update(course=[("queued", None), ("in_progress", None), ("completed", "failure")])
    book = tmp_path / "book.yml"
    task = {
        "name": "Deploy",
        "ops.runbook.github_workflow_run": {
            "api_url": hub.url,
            "repository": "example/shop",
            "workflow": "deploy.yml",
            "nonce_input": "nonce",
            "interval": 0.01,
        },
    }
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    done = play(hub, str(book))
    assert done.returncode != 0 and len(hub.runs) == 1, done.stdout
    shown = [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith("https://github.com/")]
    assert shown == ["waits for a runner", "is running", "ended with failure"][-len(shown) :] and len(shown) >= 2
    assert "ended with failure (deploy failure)" in done.stdout
    assert play(hub, str(book), "--check").returncode == 0 and len(hub.runs) == 1


SCREENS = {
    "an audit of a repository": ("github_protect.yml", {"github_reviewers": ["anna"]}, ("--check",), "branch main"),
    "a repository without a reviewer": ("github_protect.yml", {}, (), "has no reviewer"),
    "a commit without a run": ("deploy_verify.yml", {"commit": "b" * 40}, (), "workflow"),
    "the weekly look": ("security_audit.yml", {}, (), "workflow"),
    "a tag of a commit without checks": ("release_tag.yml", {"tag": "v9.0.0", "branch": "main"}, (), "check"),
}


@pytest.mark.parametrize(("playbook", "inputs", "options", "says"), SCREENS.values(), ids=SCREENS)
def test_the_screen_of_a_person_says_it_once(
    hub: FakeGitHub, playbook: str, inputs: dict[str, Any], options: tuple[str, ...], says: str
) -> None:
    done = play(hub, playbook, *options, screen="ops.runbook.operator", **inputs)
    said = done.stdout + done.stderr
    assert says in said, said
    for unwanted in ("TASK", "RECAP", "[ERROR]", "Origin:", "\\n", "Traceback"):
        assert unwanted not in said, said
    assert len(said.splitlines()) < 40, said
