"""A repository as a whole: read and planned first, written then, and an audit that goes on."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import REPO_PATH, FakeGitHub
from github_run import Run, hub, run

from ansible_collections.ops.runbook.plugins.module_utils.github import report

MODULE = "github_protection"
MOMENT = "2026-11-01T00:00:00Z"
WHOLE: dict[str, Any] = {
    "security": {"push_protection": True, "dependabot_alerts": True},
    "environments": [{"name": "production", "reviewer_teams": ["operators"], "admins_bypass": False}],
    "reviewed": ["production"],
    "rulesets": [{"name": "tags", "target": "tag", "include": ["v*"], "rules": [{"type": "deletion"}]}],
    "branches": [{"branch": "main", "required_approvals": 1, "required_checks": ["test"], "enforce_admins": True}],
    "secrets": [{"name": "PROD_SSH_KEY", "environment": "production"}, {"name": "token"}],
}


def levels(found: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(row["kind"], row["name"]): row["level"] for row in found["rows"] if row["level"] != "note"}


def test_an_audit_shows_everything_and_writes_nothing(hub: FakeGitHub, run: Run) -> None:
    hub.secrets["repo"]["TOKEN"] = {"name": "TOKEN", "created_at": MOMENT, "updated_at": MOMENT}
    found = run(MODULE, check=True, **WHOLE)
    assert found["changed"] and hub.writes() == []
    assert levels(found) == {
        ("security", "repository"): "differs",
        ("environment", "production"): "differs",
        ("ruleset", "tags"): "differs",
        ("branch", "main"): "differs",
        ("secret", "PROD_SSH_KEY of production"): "missing",
        ("secret", "token"): "same",
    }
    assert found["counts"] == {"same": 1, "differs": 4, "missing": 1, "unknown": 0, "note": 0}
    text = "\n".join(report.protection_lines({"localhost": found}))
    assert (
        "branch main" in text
        and "enforce_admins" in text
        and text.endswith("1 as they should be, 4 that differ, 1 secrets that are missing")
    )


def test_it_is_brought_to_its_state_and_then_left_alone(hub: FakeGitHub, run: Run) -> None:
    found = run(MODULE, **WHOLE)
    assert found["requests"] == hub.writes()
    assert hub.security["secret_scanning_push_protection"]["status"] == "enabled"
    assert hub.environments["production"]["can_admins_bypass"] is False
    assert {*levels(run(MODULE, **WHOLE)).values()} == {"same", "missing"}
    count = len(hub.writes())
    assert not run(MODULE, **WHOLE)["changed"] and len(hub.writes()) == count


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"branches": [{"branch": "nowhere"}]}, "branch_missing"),
        ({"environments": [{"name": "production"}]}, "no_reviewer"),
        ({"environments": [{"name": "production", "reviewers": ["nobody"]}]}, "reviewer_missing"),
        ({"environments": [{"name": "production", "colour": "red"}]}, "bad_input"),
        ({"environments": [{"wait_timer": 5}]}, "bad_input"),
        ({"security": {"push_protection": "perhaps"}}, "bad_input"),
        ({"security": {"push_protection": True, "secret_scanning": False}}, "bad_input"),
        ({"branches": [{"branch": "main"}, {"branch": "main"}]}, "bad_input"),
        ({"rulesets": [{"name": "x", "bypass_actors": [{"type": "Nobody"}]}]}, "bad_input"),
        ({"token": "some-other-token"}, "bad_token"),
        ({"repository": "example/nothing"}, "not_found"),
    ],
)
def test_nothing_is_written_where_one_setting_can_not_be(
    hub: FakeGitHub, run: Run, change: dict[str, Any], code: str
) -> None:
    found = run(MODULE, failing=True, **{**WHOLE, **change})
    assert found["code"] == code, found["msg"]
    assert "Nothing was changed" in found["msg"] and hub.writes() == []


def test_an_audit_goes_on_after_what_it_may_not_read(hub: FakeGitHub, run: Run) -> None:
    hub.denied = {"/rulesets": "administration=read"}
    found = run(MODULE, check=True, **WHOLE)
    assert levels(found)["ruleset", "tags"] == "unknown" and levels(found)["branch", "main"] == "differs"
    (row,) = [row for row in found["rows"] if row["level"] == "unknown"]
    assert row["code"] == "forbidden" and "administration=read" in str(row["ways"])
    assert report.protection_verdict({"x": found}, [])["failing"] == ["unread"]
    assert report.protection_verdict({"x": {"msg": "gone"}}, [])["unread"] == ["x: gone"]


def test_an_error_in_the_midst_says_what_is_done_and_what_is_not(hub: FakeGitHub, run: Run) -> None:
    hub.faults = [("POST", "/rulesets", "ignore")]
    found = run(MODULE, failing=True, **WHOLE)
    assert found["code"] == "not_taken" and found["changed"]
    assert "Done before it: security repository, environment production. Not begun: branch main" in found["msg"]
    assert "Nothing was changed" not in found["msg"]
    assert f"PUT {REPO_PATH}/branches/main/protection" not in hub.writes()
    run(MODULE, **WHOLE)
    assert not run(MODULE, **WHOLE)["changed"]


def test_reviewers_that_are_there_will_do(hub: FakeGitHub, run: Run) -> None:
    run("github_environment", name="production", reviewers=["anna"], admins_bypass=False)
    found = run(MODULE, environments=[{"name": "production"}], reviewed=["production"])
    assert not found["changed"]


@pytest.mark.parametrize(("fail_on", "failing"), [([], []), (["difference"], ["difference"]), (["secret"], ["secret"])])
def test_an_audit_fails_for_the_named_findings(
    hub: FakeGitHub, run: Run, fail_on: list[str], failing: list[str]
) -> None:
    found = run(MODULE, check=True, **WHOLE)
    assert report.protection_verdict({"x": found}, fail_on)["failing"] == failing
