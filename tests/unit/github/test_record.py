"""The record of a change on GitHub: who, why, what and by which requests; and what stands in its way."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import Run, disguises, hub, run

from ansible_collections.ops.runbook.plugins.module_utils.github import record as github_record
from ansible_collections.ops.runbook.plugins.module_utils.guard import history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.host import clock

VALUE = f'canary-{secrets.token_hex(8)} "$#'
BRANCH: dict[str, Any] = {"branch": "main", "required_approvals": 1, "required_signatures": True}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github_record, "WAIT", 0.0)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)


def folder(tmp_path: Path, owner: str = "example/shop") -> Path:
    return tmp_path / "github" / owner


def records(tmp_path: Path, owner: str = "example/shop") -> list[dict[str, Any]]:
    found = history.read(Guard(str(folder(tmp_path, owner))))
    assert found["chain"]["ok"] and found["lease"] is None
    return list(found["records"])


def test_a_change_is_recorded_with_who_why_what_and_the_ids_of_its_requests(
    hub: FakeGitHub, run: Run, tmp_path: Path
) -> None:
    options = {"record_dir": str(tmp_path), "reason": "INC-421", **BRANCH}
    run("github_branch_protection", check=True, **options)
    assert not folder(tmp_path).exists()
    run("github_branch_protection", **options)
    [record] = records(tmp_path)
    assert (record["service"], record["procedure"], record["outcome"]) == (
        "github/example/shop",
        "branch_protection",
        "succeeded",
    )
    assert record["reason"] == "INC-421" and record["actor"]["user"] and record["actor"]["via"] == "ansible-playbook"
    assert "protection of main of example/shop: approvals: not set -> 1" in record["facts"]["changes"]
    sent = record["notes"]["write"]["requests"]
    assert [(one["request"], one["status"]) for one in sent] == [
        ("PUT /repos/example/shop/branches/main/protection", 200),
        ("POST /repos/example/shop/branches/main/protection/required_signatures", 200),
    ]
    assert all(one["id"].startswith("REQ:") for one in sent)
    # Where nothing differs there is nothing to record.
    assert not run("github_branch_protection", **options)["changed"]
    assert len(records(tmp_path)) == 1


def test_no_record_has_a_secret(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    hub.environments["production"] = {"policies": []}
    where = {"record_dir": str(tmp_path), "name": "KEY", "value": VALUE, "canaries": (VALUE,)}
    run("github_secret", **where, environment="production")
    run("github_secret", **where, repository=None, organization="example")
    hub.faults = [("PUT", "secrets", "drop")]
    run("github_secret", **where, failing=True)
    assert [one["outcome"] for one in records(tmp_path)] == ["succeeded", "failed"]
    assert [one["service"] for one in records(tmp_path, "example")] == ["github/example"]
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "secret KEY of environment production of example/shop" in kept
    assert not [form for secret in (VALUE, hub.token) for form in disguises(secret) if form in kept]
    assert folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_refusal_is_recorded_as_one(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    hub.denied["PUT"] = "administration=write"
    found = run("github_branch_protection", record_dir=str(tmp_path), failing=True, **BRANCH)
    assert found["code"] == "forbidden" and "Nothing was changed" in found["msg"]
    [record] = records(tmp_path)
    assert record["outcome"] == "refused" and record["error"].startswith("forbidden: the token may not do this")
    assert "protection: 403, REQ:" in record["error"]
    # Nothing is left to go on with.
    assert history.read(Guard(str(folder(tmp_path))))["interrupted"] is None


def test_a_change_that_stopped_halfway_is_recorded_and_is_no_obstacle(
    hub: FakeGitHub, run: Run, tmp_path: Path
) -> None:
    hub.faults = [("POST", "required_signatures", "drop")]
    options = {"record_dir": str(tmp_path), **BRANCH}
    run("github_branch_protection", failing=True, **options)
    run("github_branch_protection", **options)
    failed, done = records(tmp_path)
    assert (failed["outcome"], done["outcome"]) == ("failed", "succeeded")
    assert "required_signatures: no answer, no id" in failed["error"]


def test_a_run_that_was_killed_is_recorded_by_the_next_one(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    guard = Guard(str(folder(tmp_path)))
    guard.open(Request("20261121T080000Z-aaaaaa", "github/example/shop", "protect"))
    guard.write({"event": "plan", "plan": {"steps": [{"id": "write", "title": "x"}]}})
    guard.write({"event": "begin", "step": "write"})
    guard.leave()
    run("github_branch_protection", record_dir=str(tmp_path), **BRANCH)
    assert [(one["procedure"], one["outcome"]) for one in records(tmp_path)] == [
        ("protect", "interrupted"),
        ("branch_protection", "succeeded"),
    ]


def test_two_do_not_change_one_repository_at_once(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    guard = Guard(str(folder(tmp_path)))
    operation = clock.operation_id(clock.now())
    guard.open(Request(operation, "github/example/shop", "protect", actor={"user": "anna"}))
    found = run("github_branch_protection", record_dir=str(tmp_path), failing=True, **BRANCH)
    assert found["code"] == "lease_held" and "protect by anna" in found["msg"] and hub.writes() == []
    guard.close(operation)
    assert run("github_branch_protection", record_dir=str(tmp_path), **BRANCH)["changed"]


def test_a_change_that_can_not_be_recorded_is_not_made(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = run("github_branch_protection", record_dir=str(tmp_path / "file"), failing=True, **BRANCH)
    assert found["code"] == "state_dir_not_writable" and hub.writes() == []
    run("github_branch_protection", record_dir=str(tmp_path), **BRANCH)
    ledger = folder(tmp_path) / "ledger.jsonl"
    ledger.write_text(ledger.read_text() + '{"id": "somebody"}\n')
    hub.protection.clear()
    written = len(hub.writes())
    found = run("github_branch_protection", record_dir=str(tmp_path), failing=True, **BRANCH)
    assert found["code"] == "ledger_damaged" and len(hub.writes()) == written


def test_a_repository_brought_to_its_state_is_one_record(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    options = {
        "record_dir": str(tmp_path),
        "security": {"secret_scanning": True},
        "environments": [{"name": "production", "reviewers": ["anna"]}],
        "launched_by": {"awx_job_id": "77", "awx_user_name": "ben"},
    }
    run("github_protection", **options)
    run("github_protection", **options)
    [record] = records(tmp_path)
    assert record["procedure"] == "protect" and record["outcome"] == "succeeded"
    assert (record["actor"]["user"], record["actor"]["via"], record["actor"]["job"]) == ("ben", "awx", "77")
    assert len(record["notes"]["write"]["requests"]) == 2
    assert {line.partition(":")[0] for line in record["facts"]["changes"]} == {
        "security of example/shop",
        "environment production of example/shop",
    }


def test_a_tag_is_recorded(hub: FakeGitHub, run: Run, tmp_path: Path) -> None:
    hub.commits["main"] = "a" * 40
    hub.checks["a" * 40] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    run("github_release_tag", tag="v1.4.0", record_dir=str(tmp_path))
    [record] = records(tmp_path)
    assert record["procedure"] == "release_tag" and "v1.4.0" in json.dumps(record["facts"])
