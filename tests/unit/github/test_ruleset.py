"""Rulesets: what is named is what counts, and what GitHub hides is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.ruleset import (
    NEEDED,
    RulesetPresent,
    Wanted,
    body_of,
    covers,
    merged,
    pattern,
    plan,
    present_of,
)

MODULE = "github_ruleset"
TAGS: dict[str, Any] = {
    "name": "releases",
    "target": "tag",
    "include": ["v*"],
    "rules": [{"type": "deletion"}, {"type": "update"}],
    "bypass_actors": [{"type": "Team", "id": 31}, {"type": "OrganizationAdmin", "mode": "pull_request"}],
}
REVIEWS: dict[str, Any] = {
    "name": "reviewed",
    "include": ["~DEFAULT_BRANCH", "release/*"],
    "rules": [{"type": "pull_request", "parameters": {"required_approving_review_count": 1}}],
}


@pytest.mark.parametrize("options", [TAGS, REVIEWS])
def test_a_ruleset_is_made_and_then_left_alone(hub: FakeGitHub, run: Run, options: dict[str, Any]) -> None:
    assert run(MODULE, check=True, **options)["changed"]
    assert hub.writes() == []
    made = run(MODULE, **options)
    assert made["changed"] and made["ruleset"]["enforcement"] == "active"
    assert not run(MODULE, **options)["changed"]
    assert not run(MODULE, name=options["name"], target=options.get("target", "branch"))["changed"]
    assert hub.writes() == ["POST /repos/example/shop/rulesets"]
    assert run(MODULE, name=options["name"], target=options.get("target", "branch"), state="absent")["changed"]
    assert hub.rulesets == {}


def test_a_setting_that_is_not_named_stays(hub: FakeGitHub, run: Run) -> None:
    before = run(MODULE, **TAGS)["ruleset"]
    changed = run(MODULE, name="releases", target="tag", exclude=["v0*"])
    assert [one["subject"] for one in changed["changes"]] == ["exclude"]
    assert changed["ruleset"] == {**before, "exclude": ["refs/tags/v0*"]}


def test_a_parameter_without_a_value_is_left_out(hub: FakeGitHub, run: Run) -> None:
    checks = {"required_status_checks": [{"context": "test", "integration_id": None}]}
    rules = [{"type": "required_status_checks", "parameters": checks}]
    options: dict[str, Any] = {"name": "green", "include": ["main"], "rules": rules}
    assert run(MODULE, **options)["changed"]
    (kept,) = hub.rulesets.values()
    assert kept["rules"][0]["parameters"]["required_status_checks"] == [{"context": "test"}]
    assert not run(MODULE, **options)["changed"]


def test_parameters_that_github_added_are_kept(hub: FakeGitHub, run: Run) -> None:
    run(MODULE, **REVIEWS)
    rules = [{"type": "pull_request", "parameters": {"required_approving_review_count": 2}}]
    assert run(MODULE, **{**REVIEWS, "rules": rules})["changed"]
    (kept,) = hub.rulesets.values()
    assert kept["rules"][0]["parameters"] == {
        **NEEDED["pull_request"],
        "required_approving_review_count": 2,
        "allowed_merge_methods": ["merge", "squash", "rebase"],
    }


def test_a_ruleset_of_the_organisation_is_not_taken_for_ours(hub: FakeGitHub, run: Run) -> None:
    hub.rulesets[1] = {"id": 1, "name": "reviewed", "target": "branch", "source_type": "Organization"}
    hub.rulesets[2] = {"id": 2, "name": "reviewed", "target": "tag", "source_type": "Repository"}
    assert run(MODULE, failing=True, name="reviewed")["code"] == "bad_input"


def test_bypass_actors_may_be_hidden(hub: FakeGitHub, run: Run) -> None:
    run(MODULE, **TAGS)
    hub.hide_bypass = True
    assert run(MODULE, failing=True, **TAGS)["code"] == "hidden"
    found = run(MODULE, name="releases", target="tag")
    assert found["ruleset"]["bypass_actors"] is None and "unknown" in str(found["warnings"])
    run(MODULE, name="releases", target="tag", enforcement="disabled")
    hub.hide_bypass = False
    assert len(run(MODULE, name="releases", target="tag")["ruleset"]["bypass_actors"]) == 2


@pytest.mark.parametrize("kind", ["lose", "late"])
def test_a_ruleset_is_never_made_twice(hub: FakeGitHub, run: Run, kind: str) -> None:
    hub.faults = [("POST", "rulesets", kind)]
    assert "read back" in str(run(MODULE, **TAGS)["warnings"])
    assert len(hub.rulesets) == len(hub.writes()) == 1


@pytest.mark.parametrize(("kind", "code"), [("refuse", "uncertain"), ("drop", "uncertain"), ("ignore", "not_taken")])
def test_a_setting_that_github_did_not_take_is_seen(hub: FakeGitHub, run: Run, kind: str, code: str) -> None:
    hub.faults = [("POST", "rulesets", kind)]
    assert run(MODULE, failing=True, **TAGS)["code"] == code
    assert len(hub.writes()) == 1 and hub.rulesets == {}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"include": None}, "bad_input"),
        ({"include": []}, "bad_input"),
        ({"include": ["refs/heads/main"]}, "bad_input"),
        ({"include": ["~DEFAULT_BRANCH"]}, "bad_input"),
        ({"rules": [{"type": "update"}, {"type": "update"}]}, "bad_input"),
        ({"rules": [{"kind": "update"}]}, "bad_input"),
        ({"rules": [{"type": "update", "required": True}]}, "bad_input"),
        ({"bypass_actors": [{"type": "Team"}]}, "bad_input"),
        ({"name": " "}, "bad_input"),
        ({"repository": "example/nothing"}, "not_found"),
    ],
)
def test_bad_input_changes_nothing(hub: FakeGitHub, run: Run, options: dict[str, Any], code: str) -> None:
    found = run(MODULE, failing=True, **{**TAGS, **options})
    assert found["code"] == code, found["msg"]
    assert hub.writes() == []


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        ("branch", "main", "refs/heads/main"),
        ("branch", "~ALL", "~ALL"),
        ("tag", "v*", "refs/tags/v*"),
        ("tag", "refs/tags/v*", "refs/tags/v*"),
    ],
)
def test_a_short_pattern(target: str, name: str, expected: str) -> None:
    assert pattern(target, name) == expected == pattern(target, expected)


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([{"context": "x", "id": 1}, {"context": "y"}], [{"context": "y"}, {"context": "x"}], True),
        ([1, 2], [1], False),
        (1, True, False),
        (None, None, True),
    ],
)
def test_a_parameter_that_covers_the_wanted_one_is_enough(there: Any, wanted: Any, expected: bool) -> None:
    assert covers(there, wanted) is expected


PARAMETERS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2) | st.booleans() | st.lists(st.integers(0, 2)))
RULES = st.dictionaries(st.sampled_from(["update", "deletion", "pull_request"]), PARAMETERS)
NAMES = st.lists(st.sampled_from(["refs/heads/a", "refs/heads/b", "~ALL"]), unique=True).map(
    lambda found: tuple(sorted(found))
)
ACTORS = st.lists(st.sampled_from([("Team", 31, "always"), ("DeployKey", None, "always")]), unique=True).map(
    lambda found: tuple(sorted(found, key=str))
)
PRESENT = st.builds(
    RulesetPresent,
    number=st.just(7),
    enforcement=st.sampled_from(["active", "disabled"]),
    include=NAMES.filter(bool),
    exclude=NAMES,
    rules=RULES,
    actors=ACTORS,
)
WANTED = st.builds(
    Wanted,
    st.just("a/b"),
    st.just("r"),
    enforcement=st.none() | st.just("active"),
    include=st.none() | NAMES.filter(bool),
    exclude=st.none() | NAMES,
    rules=st.none() | RULES.map(lambda found: [{"type": kind, "parameters": value} for kind, value in found.items()]),
    actors=st.none() | ACTORS,
)


@given(PRESENT)
def test_an_unnamed_setting_is_not_a_change(present: RulesetPresent) -> None:
    assert plan(Wanted("a/b", "r"), present).acts == ()


@given(PRESENT, WANTED)
def test_a_plan_leads_to_what_is_wanted_and_then_to_nothing(present: RulesetPresent, wanted: Wanted) -> None:
    target = merged(wanted, present)
    assert plan(wanted, target).changes == ()
    assert bool(plan(wanted, present).acts) is (target != present)
    # Through GitHub's form of an answer it stays what it is.
    assert present_of({"id": 7, **body_of(wanted, target)}) == target
