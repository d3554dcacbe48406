"""Environments: one PUT carries everything, and what nobody named stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.environment import (
    EnvironmentPresent,
    Wanted,
    body_of,
    merged,
    plan,
    record,
    warnings,
)

WHOLE = {
    "name": "production",
    "reviewers": ["Anna"],
    "reviewer_teams": ["operators"],
    "wait_timer": 5,
    "prevent_self_review": True,
    "admins_bypass": False,
    "branches": ["main", "release/*"],
    "tags": ["v*"],
}


def test_an_environment_is_made_and_then_left_alone(hub: FakeGitHub, run: Run) -> None:
    assert run("github_environment", check=True, **WHOLE)["changed"]
    assert hub.writes() == []
    made = run("github_environment", **WHOLE)
    assert made["changed"]
    assert made["environment"] == {
        "reviewers": ["team operators", "anna"],
        "wait_timer": 5,
        "prevent_self_review": True,
        "branch_policy": "selected",
        "patterns": ["main", "release/*", "tag v*"],
        "admins_bypass": False,
    }
    count = len(hub.writes())
    assert not run("github_environment", **WHOLE)["changed"]
    assert not run("github_environment", name="production")["changed"]
    assert len(hub.writes()) == count


def test_a_setting_that_is_not_named_stays(hub: FakeGitHub, run: Run) -> None:
    run("github_environment", **WHOLE)
    before = run("github_environment", name="production")["environment"]
    changed = run("github_environment", name="production", wait_timer=30)
    assert [one["subject"] for one in changed["changes"]] == ["wait_timer"]
    assert changed["environment"] == {**before, "wait_timer": 30}


def test_a_plan_that_takes_branches_alone_is_sent_branches_alone(hub: FakeGitHub, run: Run) -> None:
    hub.branch_policies_only = True
    found = run("github_environment", name="e", branches=["main"])["environment"]
    assert (found["branch_policy"], found["patterns"]) == ("selected", ["main"])
    refused = run("github_environment", name="e", reviewers=["anna"], failing=True)
    assert refused["code"] == "plan_needed" and "billing plan" in refused["msg"], refused["msg"]


def test_patterns_are_added_before_others_go(hub: FakeGitHub, run: Run) -> None:
    run("github_environment", name="e", branches=["main"])
    run("github_environment", name="e", branches=["trunk"])
    assert [one.split(" ")[0] for one in hub.writes()] == ["PUT", "POST", "POST", "DELETE"]
    assert [one["name"] for one in hub.environments["e"]["policies"]] == ["trunk"]


def test_reviewers_go_when_the_list_is_empty(hub: FakeGitHub, run: Run) -> None:
    run("github_environment", name="e", reviewers=["anna"])
    assert run("github_environment", name="e", reviewers=[])["environment"]["reviewers"] == []


def test_the_bypass_of_administrators_is_said(hub: FakeGitHub, run: Run) -> None:
    assert "past the rules" in str(run("github_environment", name="e", reviewers=["anna"])["warnings"])
    assert "warnings" not in run("github_environment", name="e", admins_bypass=False)


def test_an_environment_is_removed(hub: FakeGitHub, run: Run) -> None:
    run("github_environment", name="e")
    assert run("github_environment", name="e", state="absent")["changed"]
    assert hub.environments == {}
    assert not run("github_environment", name="e", state="absent")["changed"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"reviewers": ["nobody"]}, "reviewer_missing"),
        ({"reviewer_teams": ["nobody"]}, "reviewer_missing"),
        ({"reviewers": list("abcdefg")}, "bad_input"),
        ({"wait_timer": 43201}, "bad_input"),
        ({"wait_timer": -1}, "bad_input"),
        ({"branch_policy": "all", "branches": ["main"]}, "bad_input"),
        ({"prevent_self_review": True}, "bad_input"),
        ({"repository": "example/nothing"}, "not_found"),
        ({"name": ""}, "bad_input"),
    ],
)
def test_bad_input_changes_nothing(hub: FakeGitHub, run: Run, options: dict[str, Any], code: str) -> None:
    found = run("github_environment", failing=True, **{"name": "e", **options})
    assert found["code"] == code, found["msg"]
    assert hub.writes() == [] and hub.environments == {}


@pytest.mark.parametrize(
    ("kind", "code"), [("refuse", "uncertain"), ("drop", "uncertain"), ("ignore", "not_taken"), ("lose", "")]
)
def test_a_setting_that_github_did_not_take_is_seen(hub: FakeGitHub, run: Run, kind: str, code: str) -> None:
    hub.faults = [("PUT", "environments", kind)]
    found = run("github_environment", failing=bool(code), name="e", wait_timer=5)
    assert found.get("code", "") == code
    assert hub.writes() == ["PUT /repos/example/shop/environments/e"]


def test_a_refusal_half_way_says_so(hub: FakeGitHub, run: Run) -> None:
    hub.denied["POST"] = "administration=write"
    found = run("github_environment", failing=True, name="e", branches=["main"])
    assert found["code"] == "forbidden" and "administration=write" in found["msg"]
    assert "The writes before it were carried out" in found["msg"]


NAMES = st.sampled_from(["anna", "ben", "cleo", "dora"])
REVIEWERS = st.lists(st.tuples(st.sampled_from(["User", "Team"]), NAMES), unique=True, max_size=6).map(
    lambda found: tuple(sorted(found))
)
PATTERNS = st.lists(st.tuples(st.sampled_from(["branch", "tag"]), NAMES), unique=True, max_size=4).map(
    lambda found: tuple(sorted(found))
)
POLICIES = st.sampled_from(["all", "protected", "selected"])
ALL_IDS = tuple(((kind, name), 1) for kind in ("User", "Team") for name in ("anna", "ben", "cleo", "dora"))


@st.composite
def presents(draw: st.DrawFn) -> EnvironmentPresent:
    reviewers, policy = draw(REVIEWERS), draw(POLICIES)
    patterns = draw(PATTERNS) if policy == "selected" else ()
    return EnvironmentPresent(
        True,
        reviewers,
        draw(st.integers(0, 9)),
        bool(reviewers) and draw(st.booleans()),
        policy,
        patterns,
        draw(st.sampled_from([None, True, False])),
        ALL_IDS,
        tuple((one, number) for number, one in enumerate(patterns)),
    )


WANTED = st.builds(
    Wanted,
    st.just("a/b"),
    st.just("e"),
    reviewers=st.none() | REVIEWERS.filter(bool),
    wait_timer=st.none() | st.integers(0, 9),
    policy=st.none() | POLICIES,
)


@given(presents())
def test_an_unnamed_setting_is_not_a_change(present: EnvironmentPresent) -> None:
    found = plan(Wanted("a/b", "e"), present)
    assert found.changes == () and found.acts == ()


@given(presents(), WANTED)
def test_a_plan_leads_to_what_is_wanted_and_then_to_nothing(present: EnvironmentPresent, wanted: Wanted) -> None:
    target = merged(wanted, present)
    then = EnvironmentPresent(
        True,
        target.reviewers,
        target.wait_timer,
        target.prevent_self_review,
        target.policy,
        target.patterns,
        target.admins_bypass,
        ALL_IDS,
        tuple((one, number) for number, one in enumerate(target.patterns)),
    )
    assert plan(wanted, then).changes == ()
    assert (record(present) == record(target)) is (plan(wanted, present).acts == ())
    body = body_of(target, dict(ALL_IDS))
    assert len(body["reviewers"]) == len(target.reviewers)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (EnvironmentPresent(True, (("User", "a"),), admins_bypass=True), "past the rules"),
        (EnvironmentPresent(True, wait_timer=1, admins_bypass=None), "unknown"),
        (EnvironmentPresent(True, policy="selected"), "No branch may deploy"),
    ],
)
def test_an_audit_reports_each_setting(state: EnvironmentPresent, word: str) -> None:
    assert any(word in line for line in warnings(state))
