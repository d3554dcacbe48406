"""Bad input, end to end: each with an error that says what it is, and with nothing changed on GitHub."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from github_fake import FakeGitHub
from live import MAIN, Stage, book, green, play

REVIEWED = {"github_reviewers": ["anna"]}
TAG = {"tag": "v1.4.0"}
TESTED = {"name": "test", "status": "completed"}
#: What GitHub keeps. Everything else of the fake is what is asked for, or how it fails.
KEPT = ("secrets", "environments", "protection", "rulesets", "security", "alerts", "fixes", "refs", "tags", "runs")

Case = tuple[str, dict[str, Any], dict[str, Any], str]
#: A procedure, its inputs, what is otherwise on GitHub, and what the error says.
CASES: dict[str, Case] = {
    "no token": ("github_protect", {**REVIEWED, "token": ""}, {}, "there is no token for GitHub"),
    "bad token, protect": (
        "github_protect",
        {**REVIEWED, "token": "some-other-token"},
        {},
        "GitHub does not know the token",
    ),
    "bad token, tag": ("release_tag", {**TAG, "token": "some-other-token"}, {}, "GitHub does not know the token"),
    "bad token, verify": (
        "deploy_verify",
        {"commit": MAIN, "token": "some-other-token"},
        {},
        "GitHub does not know the token",
    ),
    "bad token, audit": ("security_audit", {"token": "some-other-token"}, {}, "GitHub does not know the token"),
    "a permission is missing": (
        "github_protect",
        REVIEWED,
        {"denied": dict.fromkeys(("PATCH", "PUT", "POST"), "administration=write")},
        "give it the permission administration=write",
    ),
    "a permission to read is missing": (
        "github_protect",
        REVIEWED,
        {"denied": {"/rulesets": "administration=read"}},
        "give it the permission administration=read",
    ),
    "a scope of a classic token is missing": (
        "release_tag",
        TAG,
        {"denied": {"POST /repos/example/shop/git": "repo"}, "scopes": "read:org, public_repo"},
        "one of the scopes repo (classic token); it has read:org, public_repo",
    ),
    "a permission to dispatch is missing": (
        "security_audit",
        {"rerun": True, "github_interval": 0.01},
        {"denied": {"POST": "actions=write"}, "workflows": {"security-audit.yml": {"id": 9}}},
        "give it the permission actions=write",
    ),
    "unknown repository, protect": ("github_protect", {**REVIEWED, "repository": "example/nothing"}, {}, "404"),
    "unknown repository, tag": (
        "release_tag",
        {**TAG, "repository": "example/nothing"},
        {},
        "example/nothing has no branch main",
    ),
    "unknown repository, verify": (
        "deploy_verify",
        {"commit": MAIN, "repository": "example/nothing"},
        {},
        "example/nothing has no workflow ci.yml",
    ),
    "unknown repository, audit": (
        "security_audit",
        {"repository": "example/nothing"},
        {},
        "example/nothing has no workflow",
    ),
    "unknown reviewer": ("github_protect", {"github_reviewers": ["nobody"]}, {}, "nobody"),
    "unknown team": ("github_protect", {"github_reviewer_teams": ["nowhere"]}, {}, "nowhere"),
    "unknown branch": ("github_protect", {**REVIEWED, "github_branches": [{"branch": "nope"}]}, {}, "nope"),
    "unknown workflow, verify": (
        "deploy_verify",
        {"commit": MAIN, "github_ci_workflow": "none.yml"},
        {},
        "has no workflow none.yml",
    ),
    "unknown workflow, audit": (
        "security_audit",
        {"rerun": True, "github_audit_workflow": "none.yml"},
        {},
        "has no workflow none.yml",
    ),
    "unknown workflow, tag": (
        "release_tag",
        {**TAG, "github_publish_workflow": "none.yml"},
        {},
        "has no workflow none.yml",
    ),
    "a tag that exists": (
        "release_tag",
        TAG,
        {"refs": {"tags/v1.4.0": {"sha": "b" * 40, "type": "commit"}}},
        f"v1.4.0 exists on {'b' * 40}",
    ),
    "a name that was used up": ("release_tag", TAG, {"burned": {"tags/v1.4.0"}}, "Reference already exists"),
    "a failing check": (
        "release_tag",
        TAG,
        {"checks": {MAIN: [{**TESTED, "conclusion": "failure"}]}},
        "test is failure",
    ),
    "a pending check": (
        "release_tag",
        TAG,
        {"checks": {MAIN: [{"name": "test", "status": "in_progress", "conclusion": None}]}},
        "test is in_progress",
    ),
    "no check": ("release_tag", TAG, {"checks": {}}, "no check has succeeded"),
    "another branch": ("release_tag", {**TAG, "branch": "topic"}, {}, "topic"),
}


@pytest.fixture
def github(hub: FakeGitHub) -> FakeGitHub:
    hub.checks[MAIN] = [{**TESTED, "conclusion": "success"}]
    return hub


def kept(hub: FakeGitHub) -> dict[str, Any]:
    return copy.deepcopy({name: getattr(hub, name) for name in KEPT})


@pytest.mark.parametrize(("procedure", "inputs", "there", "said"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_and_changes_nothing(
    stage: Stage, github: FakeGitHub, procedure: str, inputs: dict[str, Any], there: dict[str, Any], said: str
) -> None:
    for name, value in there.items():
        setattr(github, name, copy.deepcopy(value))
    before = kept(github)
    done = play(stage, f"{procedure}.yml", verbose=False, **inputs)
    assert done.returncode != 0, done.stdout
    assert said in " ".join(done.stdout.split()), done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert kept(github) == before


@pytest.mark.parametrize("there", [False, True])
def test_a_secret_that_lands_in_another_scope_is_noticed(
    stage: Stage, github: FakeGitHub, tmp_path: Path, there: bool
) -> None:
    github.environments["production"] = {"policies": []}
    options = {
        "api_url": stage.url,
        "repository": "example/shop",
        "name": "KEY",
        "value": "{{ lookup('pipe', 'date') }}",
    }
    path = book(tmp_path, {"ops.runbook.github_secret": {**options, "environment": "production"}})
    if there:
        assert play(stage, path).returncode == 0
    old = copy.deepcopy(github.secrets.get("env/production", {}))
    github.faults = [("PUT", "secrets", "astray")]
    done = play(stage, path)
    assert done.returncode != 0 and "secret KEY of environment production" in done.stdout, done.stdout
    assert "is not in the wanted state" in done.stdout
    assert "KEY" in github.secrets["repo"] and github.secrets.get("env/production", {}) == old


def test_a_secret_of_an_unknown_environment_is_put_nowhere(stage: Stage, github: FakeGitHub, tmp_path: Path) -> None:
    options = {
        "api_url": stage.url,
        "repository": "example/shop",
        "name": "KEY",
        "value": "x-y-z",
        "environment": "stage",
    }
    done = play(stage, book(tmp_path, {"ops.runbook.github_secret": options}))
    assert done.returncode != 0 and "example/shop has no environment stage" in done.stdout, done.stdout
    assert stage.tried == []


def test_a_commit_that_was_not_deployed_is_not_verified(stage: Stage, github: FakeGitHub) -> None:
    green(github, "ci.yml", "main")
    github.workflows["deploy.yml"] = {"id": 20}
    done = play(stage, "deploy_verify.yml", commit=MAIN)
    assert done.returncode != 0 and "deploy.yml" in done.stdout and "there is no run" in done.stdout, done.stdout
