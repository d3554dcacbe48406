"""The procedures of GitHub as a person runs them, with GitHub's own description between them and a small GitHub.

Each request and each answer of every run is judged while it happens. What is not as described fails the test.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from github_fake import FakeGitHub, start_run
from github_run import disguises
from live import DEPLOYED, MAIN, Stage, book, green, play

PROTECT: dict[str, Any] = {
    "github_reviewers": ["anna"],
    "github_reviewer_teams": ["operators"],
    "github_required_checks": ["test"],
    "github_secrets": [{"name": "PROD_SSH_KEY", "environment": "production"}],
}


def test_a_repository_is_audited_brought_to_its_state_and_left_alone(stage: Stage, hub: FakeGitHub) -> None:
    hub.environments = {name: {"policies": []} for name in ("staging", "preview", "docs")}
    hub.page = 2
    audit = play(stage, "github_protect.yml", "--check", **PROTECT)
    assert audit.returncode == 0 and "DIFFERS" in audit.stdout and hub.writes() == [], audit.stdout
    made = play(stage, "github_protect.yml", **PROTECT)
    assert made.returncode == 0, made.stdout
    production = hub.environments["production"]
    assert production["reviewers"] == [{"type": "Team", "id": 31}, {"type": "User", "id": 11}]
    assert production["can_admins_bypass"] is False
    assert hub.protection["main"]["required_pull_request_reviews"]["required_approving_review_count"] == 1
    assert [one["name"] for one in hub.rulesets.values()] == ["release-tags"]
    assert {one["status"] for one in hub.security.values()} == {"enabled"} and hub.alerts
    written = len(hub.writes())
    again = play(stage, "github_protect.yml", fail_on="difference", **PROTECT)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
    assert len(hub.writes()) == written
    assert play(stage, "github_protect.yml", "--check", fail_on="secret", **PROTECT).returncode != 0


def test_a_secret_is_sealed_for_each_scope_and_opened_there(stage: Stage, hub: FakeGitHub, tmp_path: Path) -> None:
    values = {name: f'canary-{secrets.token_hex(12)} "$#\n' for name in ("repo", "env/production", "org")}
    for number, value in enumerate(values.values()):
        (tmp_path / str(number)).write_text(value)
    scopes: list[dict[str, Any]] = [
        {"repository": "example/shop"},
        {"repository": "example/shop", "environment": "production"},
        {"organization": "example", "visibility": "selected", "selected_repositories": ["shop", "site"]},
    ]
    environment = {"repository": "example/shop", "name": "production", "reviewers": ["anna"], "wait_timer": 5}
    tasks: list[dict[str, Any]] = [
        {"ops.runbook.github_environment": {"api_url": stage.url, **environment}},
        *(
            {
                "ops.runbook.github_secret": {
                    "api_url": stage.url,
                    "name": "KEY",
                    "value": "{{ lookup('ansible.builtin.file', '%s', rstrip=false) }}" % (tmp_path / str(number)),
                    "update": "{{ update }}",
                    **scope,
                }
            }
            for number, scope in enumerate(scopes)
        ),
    ]
    path = book(tmp_path, *tasks)
    done = play(stage, path, update="always")
    assert done.returncode == 0, done.stdout
    assert {scope: hub.secrets[scope]["KEY"]["value"] for scope in values} == values
    assert hub.environments["production"]["reviewers"] == [{"type": "User", "id": 11}]
    again = play(stage, path, update="missing")
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
    for value in values.values():
        for form in disguises(value):
            assert form not in done.stdout + done.stderr + str(hub.requests)


def test_a_deploy_is_verified_and_the_store_of_logs_gets_no_token(stage: Stage, hub: FakeGitHub) -> None:
    green(hub, "ci.yml", "main")
    green(hub, "deploy.yml", "main", DEPLOYED)
    done = play(stage, "deploy_verify.yml", commit=MAIN)
    assert done.returncode == 0 and "2 of 2 green" in done.stdout, done.stdout
    [asked] = hub.store_requests
    # Ansible followed the redirect, and not Prism.
    assert asked["user-agent"] == "ops.runbook"
    assert asked["host"].startswith("localhost:") and "authorization" not in asked
    assert hub.token not in str(asked)


def test_a_run_is_started_approved_followed_and_proven(stage: Stage, hub: FakeGitHub, tmp_path: Path) -> None:
    """The life of a run: it waits, a person approves it, it ends; others of the same workflow are not taken for it."""
    hub.workflows["deploy.yml"] = {"id": 7, "inputs": ["nonce"], "run-name": "Deploy {nonce}"}
    reviewer = {"type": "User", "reviewer": {"login": "anna", "id": 11}}
    reviews = [{"environment": {"name": "production"}, "reviewers": [reviewer], "current_user_can_approve": False}]

    def begun(run: dict[str, Any]) -> None:
        run.update(course=[("waiting", None), ("waiting", None), ("in_progress", None), ("completed", "success")])
        run["pending"] = reviews
        hub.logs[run["id"] * 10] = "artisan migrate --force\n"
        start_run(hub, "deploy.yml", "main")

    hub.on_dispatch = begun
    task = {
        "ops.runbook.github_workflow_run": {
            "api_url": stage.url,
            "repository": "example/shop",
            "workflow": "deploy.yml",
            "nonce_input": "nonce",
            "interval": 0.01,
            "required_lines": ["migrate --force"],
        }
    }
    for details in (True, False):
        hub.run_details, hub.store_requests[:] = details, []
        done = play(stage, book(tmp_path, task))
        assert done.returncode == 0, done.stdout
        assert f'"known_by": "{"answer" if details else "nonce"}"' in done.stdout
        assert [one for one in hub.store_requests if "authorization" in one] == [] and hub.store_requests
    assert len([one for one in hub.writes() if one.endswith("/dispatches")]) == 3


def test_the_weekly_workflow_is_run_again(stage: Stage, hub: FakeGitHub) -> None:
    hub.workflows["security-audit.yml"] = {"id": 9}
    hub.alerts = True
    hub.on_dispatch = lambda run: run.update(created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    done = play(stage, "security_audit.yml", rerun=True, github_interval=0.01)
    assert done.returncode == 0 and "no advisory" in done.stdout, done.stdout
    assert len(hub.runs) == 1


def test_a_release_is_tagged_and_its_publishing_waited_for(stage: Stage, hub: FakeGitHub) -> None:
    hub.checks[MAIN] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    hub.commits["v1.4.0"] = MAIN
    green(hub, "publish.yml", "v1.4.0")
    inputs = {"tag": "v1.4.0", "github_publish_workflow": "publish.yml", "wait": 0}
    assert play(stage, "release_tag.yml", "--check", **inputs).returncode == 0 and hub.writes() == []
    done = play(stage, "release_tag.yml", **inputs, github_tag_message="Release 1.4.0")
    assert done.returncode == 0, done.stdout
    [annotation] = hub.tags.values()
    assert hub.refs == {"tags/v1.4.0": {"sha": annotation["sha"], "type": "tag"}}
    assert annotation["object"]["sha"] == MAIN
    again = play(stage, "release_tag.yml", **inputs, github_tag_message="Release 1.4.0")
    assert again.returncode == 0 and "changed=0" in again.stdout and len(hub.writes()) == 2, again.stdout


def test_a_release_that_was_tagged_is_in_the_history_of_the_repository(
    stage: Stage, hub: FakeGitHub, tmp_path: Path
) -> None:
    hub.checks[MAIN] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    inputs = {"tag": "v1.4.0", "reason": "INC-421", "github_record_dir": str(tmp_path)}
    assert play(stage, "release_tag.yml", "--check", **inputs).returncode == 0 and list(tmp_path.iterdir()) == []
    assert play(stage, "release_tag.yml", **inputs).returncode == 0
    folder = tmp_path / "github/example/shop"
    shown = play(stage, "operation_history.yml", target="localhost", service="x", operation_state_dir=str(folder))
    assert shown.returncode == 0 and "1 record of github example/shop, each follows" in shown.stdout, shown.stdout
    assert [line for line in shown.stdout.splitlines() if "release_tag" in line and "INC-421" in line]
