"""Protection of a branch: the PUT replaces everything, and yet only what is named changes."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import FakeGitHub, put_protection
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.branch_protection import (
    NOTHING,
    SWITCHES,
    ProtectionPresent,
    Wanted,
    body_of,
    merged,
    plan,
    present_of,
)

MODULE = "github_branch_protection"
WHOLE: dict[str, Any] = {
    "branch": "main",
    "required_checks": ["test", "build"],
    "strict_checks": True,
    "required_approvals": 2,
    "dismiss_stale_reviews": True,
    "require_code_owner_reviews": True,
    "enforce_admins": True,
    "required_signatures": True,
    "restrict_pushes": True,
    "push_users": ["Anna"],
    "push_teams": ["operators"],
    "required_linear_history": True,
}


def test_a_branch_is_protected_and_then_left_alone(hub: FakeGitHub, run: Run) -> None:
    assert run(MODULE, check=True, **WHOLE)["changed"]
    assert hub.writes() == []
    made = run(MODULE, **WHOLE)
    assert made["protection"]["checks"] == ["build", "test"]
    assert made["protection"]["signatures"] is True
    assert made["protection"]["pushers"] == {"users": ["anna"], "teams": ["operators"], "apps": []}
    assert "before" in made["diff"] and "enforce_admins: yes" in made["diff"]["after"]
    count = len(hub.writes())
    assert count == 2
    assert not run(MODULE, **WHOLE)["changed"]
    assert len(hub.writes()) == count


def test_a_setting_that_is_not_named_stays(hub: FakeGitHub, run: Run) -> None:
    run(MODULE, **WHOLE)
    kept = hub.protection["main"]
    kept["required_status_checks"]["checks"][0]["app_id"] = 15368
    kept["required_pull_request_reviews"]["bypass_pull_request_allowances"] = {
        "users": [{"login": "cleo"}],
        "teams": [],
        "apps": [],
    }
    before = run(MODULE, branch="main")["protection"]
    changed = run(MODULE, branch="main", lock_branch=True)
    assert [one["subject"] for one in changed["changes"]] == ["lock_branch"]
    assert changed["protection"] == {**before, "lock_branch": True}
    kept = hub.protection["main"]
    assert {one["context"]: one["app_id"] for one in kept["required_status_checks"]["checks"]} == {
        "build": 15368,
        "test": -1,
    }
    allowed = kept["required_pull_request_reviews"]["bypass_pull_request_allowances"]
    assert allowed["users"] == [{"login": "cleo"}]
    assert kept["required_signatures"] == {"enabled": True}


def test_parts_are_taken_away(hub: FakeGitHub, run: Run) -> None:
    run(MODULE, **WHOLE)
    found = run(
        MODULE,
        branch="main",
        required_checks=[],
        strict_checks=False,
        required_approvals=-1,
        restrict_pushes=False,
        required_signatures=False,
    )["protection"]
    assert (found["checks"], found["approvals"], found["pushers"], found["signatures"]) == ([], None, None, False)
    assert run(MODULE, branch="main", state="absent")["changed"]
    assert hub.protection == {}
    assert not run(MODULE, branch="main", state="absent")["changed"]


def test_rights_of_administrators_are_shown(hub: FakeGitHub, run: Run) -> None:
    assert "Administrators" in str(run(MODULE, branch="main", allow_deletions=False)["warnings"])
    assert "warnings" not in run(MODULE, branch="main", enforce_admins=True)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"branch": "trunk"}, "branch_missing"),
        ({"branch": "release/*"}, "bad_input"),
        ({"required_approvals": 7}, "bad_input"),
        ({"required_approvals": -1, "dismiss_stale_reviews": True}, "bad_input"),
        ({"push_users": ["anna"]}, "bad_input"),
        ({"repository": "example/nothing"}, "not_found"),
        ({"token": "some-other-token"}, "bad_token"),
    ],
)
def test_bad_input_changes_nothing(hub: FakeGitHub, run: Run, options: dict[str, Any], code: str) -> None:
    found = run(MODULE, failing=True, **{"branch": "main", **options})
    assert found["code"] == code, found["msg"]
    assert hub.writes() == [] and hub.protection == {}


@pytest.mark.parametrize(
    ("kind", "code"), [("refuse", "uncertain"), ("drop", "uncertain"), ("ignore", "not_taken"), ("lose", "")]
)
def test_a_setting_that_github_did_not_take_is_seen(hub: FakeGitHub, run: Run, kind: str, code: str) -> None:
    hub.faults = [("PUT", "protection", kind)]
    found = run(MODULE, failing=bool(code), branch="main", enforce_admins=True)
    assert found.get("code", "") == code
    assert len(hub.writes()) == 1


def test_a_missing_permission_is_named(hub: FakeGitHub, run: Run) -> None:
    hub.denied["PUT"] = "administration=write"
    found = run(MODULE, failing=True, branch="main", enforce_admins=True)
    assert found["code"] == "forbidden" and "administration=write" in found["msg"]


VALUES = st.fixed_dictionaries(
    {
        "checks": st.lists(st.sampled_from(["test", "build", "lint"]), unique=True).map(sorted),
        "strict": st.booleans(),
        "approvals": st.integers(0, 6),
        "dismiss_stale": st.booleans(),
        "code_owners": st.booleans(),
        "last_push": st.booleans(),
        "enforce_admins": st.booleans(),
        "pushers": st.none() | st.just({"users": ["anna"], "teams": [], "apps": []}),
        "signatures": st.booleans(),
        **{key: st.booleans() for key in SWITCHES},
    }
)


@st.composite
def some(draw: st.DrawFn) -> dict[str, Any]:
    """Some of the values, as options would give them."""
    values = draw(VALUES)
    return {key: values[key] for key in draw(st.sets(st.sampled_from(sorted(NOTHING))))}


@given(VALUES)
def test_an_unnamed_setting_is_not_a_change(values: dict[str, Any]) -> None:
    found = plan(Wanted("a/b", "main"), ProtectionPresent(True, values))
    assert found.changes == () and found.acts == ()


@given(VALUES, some())
def test_a_plan_leads_to_what_is_wanted_and_then_to_nothing(values: dict[str, Any], wanted: dict[str, Any]) -> None:
    ask = Wanted("a/b", "main", values=wanted)
    present = ProtectionPresent(True, values)
    target = merged(ask, present)
    assert {key: target[key] for key in values if key not in wanted} == {
        key: value for key, value in values.items() if key not in wanted
    }
    assert plan(ask, ProtectionPresent(True, target)).changes == ()
    assert bool(plan(ask, present).changes) is (target != values)


@given(VALUES)
def test_github_gives_back_what_the_body_says(values: dict[str, Any]) -> None:
    """A body, through GitHub's form of an answer, is the state that it was made of."""
    github = FakeGitHub()
    answer = put_protection(github, {}, body_of(values, ProtectionPresent()), "main")
    assert dict(present_of(answer).values) == {**values, "signatures": False}
