"""Tags of releases: on a green commit of an allowed branch, once, and never moved."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.release_tag import problems

MODULE = "github_release_tag"
MAIN, OLD, STRAY = "a" * 40, "b" * 40, "c" * 40


def status(context: str, state: str = "success") -> dict[str, Any]:
    """A commit status, as CircleCI, Jenkins and Vercel set one."""
    return {"context": context, "state": state}


def check(name: str, conclusion: str | None = "success", status: str = "completed") -> dict[str, Any]:
    return {"name": name, "status": status, "conclusion": conclusion}


@pytest.fixture(autouse=True)
def commits(hub: FakeGitHub) -> None:
    hub.commits = {"main": MAIN}
    hub.behind = {OLD: "behind", STRAY: "diverged"}
    hub.checks = {sha: [check("test"), check("build")] for sha in (MAIN, OLD, STRAY)}


@pytest.mark.parametrize("message", ["", "Release 1.4.0"])
def test_a_tag_is_made_once(hub: FakeGitHub, run: Run, message: str) -> None:
    options = {"tag": "v1.4.0", "annotation": message, "required_checks": ["test"]}
    assert run(MODULE, check=True, **options)["commit"] == MAIN
    assert hub.writes() == []
    assert run(MODULE, **options)["changed"]
    target = hub.refs["tags/v1.4.0"]["sha"]
    assert (hub.tags[target]["object"]["sha"] if message else target) == MAIN
    count = len(hub.writes())
    assert not run(MODULE, **options)["changed"]
    # Once it is there, checks that fail later say nothing about it.
    hub.checks[MAIN].append(check("late", "failure"))
    assert not run(MODULE, **options)["changed"]
    assert len(hub.writes()) == count == (2 if message else 1)


def test_an_older_commit_of_the_branch_is_tagged(hub: FakeGitHub, run: Run) -> None:
    run(MODULE, tag="v1.3.1", commit=OLD)
    assert hub.refs["tags/v1.3.1"]["sha"] == OLD


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"commit": STRAY}, "not_on_branch"),
        ({"commit": "abc1234"}, "bad_input"),
        ({"branch": "feature"}, "branch_not_allowed"),
        ({"branch": "release/9.x"}, "branch_missing"),
        ({"required_checks": ["deploy"]}, "not_green"),
        ({"tag": "v1.0.0"}, "tag_exists"),
        ({"tag": "v 1"}, "bad_input"),
        ({"tag": "v1..2"}, "bad_input"),
        ({"tag": "v1.lock"}, "bad_input"),
        ({"tag": "v0.9.0"}, "invalid"),
        ({"repository": "example/nothing"}, "branch_missing"),
        ({"token": "some-other-token"}, "bad_token"),
    ],
)
def test_a_commit_that_must_not_be_tagged_is_not(hub: FakeGitHub, run: Run, options: dict[str, Any], code: str) -> None:
    hub.refs["tags/v1.0.0"] = {"sha": OLD, "type": "commit"}
    hub.burned = {"tags/v0.9.0"}
    before = dict(hub.refs)
    found = run(MODULE, failing=True, **{"tag": "v1.4.0", **options})
    assert found["code"] == code, found["msg"]
    assert "Nothing was changed" in found["msg"]
    assert hub.refs == before


@pytest.mark.parametrize("kind", ["lose", "late"])
def test_a_lost_answer_is_read_back_and_nothing_is_repeated(hub: FakeGitHub, run: Run, kind: str) -> None:
    hub.faults = [("POST", "git/refs", kind)]
    assert "read back" in str(run(MODULE, tag="v1.4.0")["warnings"])
    assert len(hub.writes()) == 1


@pytest.mark.parametrize(("kind", "code"), [("refuse", "uncertain"), ("drop", "uncertain"), ("ignore", "not_taken")])
def test_a_setting_that_github_did_not_take_is_seen(hub: FakeGitHub, run: Run, kind: str, code: str) -> None:
    hub.faults = [("POST", "git/refs", kind)]
    assert run(MODULE, failing=True, tag="v1.4.0")["code"] == code
    assert len(hub.writes()) == 1 and hub.refs == {}


@pytest.mark.parametrize(
    ("runs", "statuses", "required", "expected"),
    [
        ([], [], (), ("no check has succeeded",)),
        ([check("a", "skipped")], [], (), ("no check has succeeded",)),
        ([check("a"), check("b", "neutral")], [], (), ()),
        ([check("a"), check("b", "failure")], [], (), ("b is failure",)),
        ([check("a"), check("b", None, "in_progress")], [], (), ("b is in_progress",)),
        ([check("a"), check("b", "failure")], [], ("a",), ()),
        ([check("a", "skipped")], [], ("a",), ("a is skipped",)),
        ([check("a"), check("a", "failure")], [], ("a",), ("a is failure",)),
        ([check("a")], [], ("b",), ("b did not run",)),
        # A check may be a commit status, or both.
        ([], [status("ci/circleci: test")], ("ci/circleci: test",), ()),
        ([], [status("ci/circleci: test")], (), ()),
        ([], [status("jenkins", "failure")], ("jenkins",), ("jenkins is failure",)),
        ([], [status("jenkins", "pending")], ("jenkins",), ("jenkins is pending",)),
        ([check("a")], [status("vercel", "error")], (), ("vercel is error",)),
        ([check("a")], [status("vercel", "pending")], (), ("vercel is pending",)),
        ([check("a")], [status("vercel", "error")], ("a",), ()),
        ([check("a")], [status("a", "failure")], ("a",), ("a is failure",)),
        ([check("a", "failure")], [status("a")], ("a",), ("a is failure",)),
        # What the token may not see is not green.
        ([check("a")], None, ("a",), ()),
        ([check("a")], None, ("b",), ("b did not run as a check, and this token may not see commit statuses",)),
        ([check("a")], None, (), ("this token may not see commit statuses",)),
    ],
)
def test_green_checks_are_recognised(
    runs: list[dict[str, Any]],
    statuses: list[dict[str, Any]] | None,
    required: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    assert problems(runs, statuses, required) == expected


def test_a_required_commit_status_lets_the_tag_be_made(hub: FakeGitHub, run: Run) -> None:
    hub.checks[MAIN] = []
    hub.statuses[MAIN] = [status(f"ci/circleci: {number}") for number in range(5)]
    wanted = ["ci/circleci: 0", "ci/circleci: 4"]
    assert run(MODULE, tag="v1.4.0", required_checks=wanted)["changed"]


def test_a_red_commit_status_on_a_later_page_stops_the_tag(hub: FakeGitHub, run: Run) -> None:
    hub.statuses[MAIN] = [*(status(f"ci/{number}") for number in range(5)), status("vercel", "failure")]
    found = run(MODULE, tag="v1.4.0", failing=True)
    assert found["code"] == "not_green" and "vercel is failure" in found["msg"]
    assert hub.refs == {}


def test_statuses_that_the_token_may_not_see_are_said(hub: FakeGitHub, run: Run) -> None:
    hub.denied["/status"] = "statuses=read"
    assert run(MODULE, tag="v1.4.0", required_checks=["test"])["changed"]
    found = run(MODULE, tag="v1.5.0", failing=True)
    assert found["code"] == "not_green" and "may not see commit statuses" in found["msg"]
    assert any("statuses=read" in one["input"] + one["effect"] for one in found["ways"]), found["ways"]


RUNS = st.lists(
    st.builds(
        check,
        st.sampled_from("abc"),
        st.sampled_from(["success", "failure", "skipped", "cancelled", None]),
        st.sampled_from(["completed", "queued"]),
    )
)


@given(RUNS, st.sets(st.sampled_from("abc"), min_size=1))
def test_green_means_that_every_required_check_succeeded(runs: list[dict[str, Any]], required: set[str]) -> None:
    good = {run["name"] for run in runs if run == check(run["name"])}
    bad = {run["name"] for run in runs if run != check(run["name"])}
    assert (problems(runs, [], sorted(required)) == ()) is (required <= good - bad)
