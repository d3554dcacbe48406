"""Limits, a server that is down and a network that loses answers: what is repeated, and what is never sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from github_fake import FakeGitHub
from live import MAIN, Stage, book, play

REVIEWED: dict[str, Any] = {"github_reviewers": ["anna"], "github_rulesets": [], "github_branches": []}


@pytest.fixture
def github(hub: FakeGitHub) -> FakeGitHub:
    hub.checks[MAIN] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    return hub


def test_limits_and_a_server_that_is_down_are_waited_for(stage: Stage, github: FakeGitHub) -> None:
    """A read that failed is repeated; a write only because GitHub said that it did not carry it out."""
    github.faults = [
        ("GET", "environments", "refuse"),
        ("GET", "environments", "limit"),
        ("PUT", "environments", "limit"),
    ]
    stage.lost = [("GET", "/repos/example/shop", "drop"), ("GET", "/repos/example/shop", "lose")]
    done = play(stage, "github_protect.yml", github_patience=60, **REVIEWED)
    assert done.returncode == 0, done.stdout
    assert github.faults == [] and stage.lost == []
    puts = [one for one in stage.tried if one.endswith("/environments/production")]
    assert len(puts) == 2 and "production" in github.environments


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_limit_beyond_patience_ends_the_run(stage: Stage, github: FakeGitHub, method: str) -> None:
    github.faults = [(method, "environments", "exhausted")]
    done = play(stage, "github_protect.yml", github_patience=30, **{**REVIEWED, "github_security": {}})
    said = " ".join(done.stdout.split())
    assert done.returncode != 0 and "asks to wait 3" in said and "patience has 30 s left" in said, done.stdout
    assert github.environments == {} and len(stage.tried) == (method == "PUT")


@pytest.mark.parametrize("kind", ["lose", "drop"])
def test_a_tag_whose_answer_was_lost_is_not_made_again(stage: Stage, github: FakeGitHub, kind: str) -> None:
    stage.lost = [("POST", "/git/refs", kind)]
    done = play(stage, "release_tag.yml", tag="v1.4.0")
    assert stage.tried == ["POST /repos/example/shop/git/refs"] and stage.lost == []
    if kind == "lose":
        assert done.returncode == 0 and "read back, it was carried out" in done.stdout + done.stderr, done.stderr
        assert github.refs["tags/v1.4.0"]["sha"] == MAIN
        return
    assert done.returncode != 0 and "the answer to POST" in " ".join(done.stdout.split()), done.stdout
    assert github.refs == {}
    # What the error says to do: the same again.
    assert play(stage, "release_tag.yml", tag="v1.4.0").returncode == 0 and len(stage.tried) == 2


@pytest.mark.parametrize("kind", ["lose", "drop"])
def test_a_secret_whose_answer_was_lost_is_not_put_again(
    stage: Stage, github: FakeGitHub, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "value").write_text("canary-in-a-file")
    options = {"api_url": stage.url, "repository": "example/shop", "name": "KEY"}
    value = {"value": "{{ lookup('ansible.builtin.file', '%s') }}" % (tmp_path / "value")}
    stage.lost = [("PUT", "/actions/secrets/KEY", kind)]
    done = play(stage, book(tmp_path, {"ops.runbook.github_secret": {**options, **value}}))
    assert len(stage.tried) == 1 and (done.returncode == 0) is (kind == "lose"), done.stdout
    assert ("KEY" in github.secrets["repo"]) is (kind == "lose")
    assert "canary-in-a-file" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["lose", "drop"])
def test_a_dispatch_whose_answer_was_lost_is_not_sent_again(
    stage: Stage, github: FakeGitHub, tmp_path: Path, kind: str
) -> None:
    github.workflows["deploy.yml"] = {"id": 7, "inputs": ["nonce"], "run-name": "Deploy {nonce}"}
    stage.lost = [("POST", "/dispatches", kind)]
    options = {"api_url": stage.url, "repository": "example/shop", "workflow": "deploy.yml", "nonce_input": "nonce"}
    done = play(stage, book(tmp_path, {"ops.runbook.github_workflow_run": {**options, "interval": 0.01}}))
    assert len(stage.tried) == 1 and len(github.runs) == (kind == "lose")
    assert (done.returncode == 0) is (kind == "lose"), done.stdout
    if kind == "drop":
        assert "nothing was sent again" in " ".join(done.stdout.split())
