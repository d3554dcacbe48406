"""Runs of a workflow: the one that was started and no other, followed to its end, and what its logs prove."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import REPO_PATH, FakeGitHub, start_run
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github import workflow, workflow_run
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import Dispatch, evidence

MODULE = "github_workflow_run"
MAIN = "a" * 40
DEPLOY = {"workflow": "deploy.yml", "interval": 0.001}
PENDING = {
    "environment": {"name": "production"},
    "wait_timer": 30,
    "current_user_can_approve": False,
    "reviewers": [
        {"type": "User", "reviewer": {"login": "anna"}},
        {"type": "Team", "reviewer": {"slug": "operators"}},
    ],
}


@pytest.fixture(autouse=True)
def repository(hub: FakeGitHub) -> None:
    hub.commits = {"main": MAIN, "release/1.x": "b" * 40}
    hub.workflows["deploy.yml"] = {"id": 7, "inputs": ["environment", "nonce"]}


def ends(conclusion: str, *before: tuple[str, str | None]) -> Any:
    def course(started: dict[str, Any]) -> None:
        started["course"] = [*before, ("completed", conclusion)]

    return course


def test_a_run_is_started_followed_and_proven(hub: FakeGitHub, run: Run) -> None:
    def log(started: dict[str, Any]) -> None:
        hub.logs[started["id"] * 10] = (
            "2026-11-21T08:00:00.1Z \x1b[36mphp artisan migrate --force\x1b[0m\n2026-11-21T08:00:01.1Z ok\n"
        )

    hub.on_dispatch = log
    found = run(MODULE, **DEPLOY, inputs={"environment": "production"}, required_lines=["migrate --force$", "^ok$"])
    assert found["changed"] and found["known_by"] == "answer"
    assert found["run"]["conclusion"] == "success" and found["run"]["commit"] == found["commit"] == MAIN
    assert [(one["job"], one["line"]) for one in found["evidence"]] == [("deploy", 1), ("deploy", 2)]
    assert [text.split(" ", 1)[1] for text in found["progress"]] == ["is running", "ended with success"]
    assert hub.runs[5000]["inputs"] == {"environment": "production"}
    assert hub.writes() == [f"POST {REPO_PATH}/actions/workflows/deploy.yml/dispatches"]
    # The logs lie on a host that must not have the token.
    assert hub.store_requests and all("authorization" not in headers for headers in hub.store_requests)


def test_check_mode_starts_nothing(hub: FakeGitHub, run: Run) -> None:
    found = run(MODULE, check=True, **DEPLOY)
    assert found["changed"] and found["commit"] == MAIN and "run" not in found
    assert hub.writes() == [] and hub.runs == {}


def other_run(hub: FakeGitHub, actor: str = "deployer", ref: str = "main", event: str = "workflow_dispatch") -> int:
    before, hub.actor = hub.actor, actor
    number: int = start_run(hub, "deploy.yml", ref, event)["id"]
    hub.actor = before
    return number


@pytest.mark.parametrize("details", [True, False])
@pytest.mark.parametrize("titled", [True, False])
@pytest.mark.parametrize("unseen", [0, 3])
def test_runs_of_others_are_not_taken_for_it(
    hub: FakeGitHub, run: Run, details: bool, titled: bool, unseen: int
) -> None:
    """Earlier runs, and those that others start in the same moment."""
    hub.run_details = details
    hub.workflows["deploy.yml"]["run-name"] = "Deploy {nonce}" if titled else "Deploy"
    older = other_run(hub)
    started: list[int] = []

    def meanwhile(mine: dict[str, Any]) -> None:
        started.append(mine["id"])
        hub.logs[mine["id"] * 10] = f"nonce {mine['inputs']['nonce']}\n"
        hub.unseen = unseen
        other_run(hub, actor="somebody")
        other_run(hub, ref="release/1.x")
        other_run(hub, event="push")

    hub.on_dispatch = meanwhile
    found = run(MODULE, **DEPLOY, nonce_input="nonce")
    assert [found["run"]["id"]] == started and found["run"]["id"] != older
    assert found["known_by"] == ("answer" if details else "nonce" if titled else "actor")
    assert bool(found.get("warnings")) is (found["known_by"] == "actor")


def test_a_run_that_may_be_anothers_is_not_followed(hub: FakeGitHub, run: Run) -> None:
    hub.run_details = False
    hub.on_dispatch = lambda mine: other_run(hub) and None
    found = run(MODULE, failing=True, **DEPLOY)
    assert found["code"] == "ambiguous" and "Nothing was changed" not in found["msg"]
    assert "/runs/5000 by deployer" in found["msg"] and "/runs/5001 by deployer" in found["msg"]
    # The same with its nonce in the title is told apart.
    hub.workflows["deploy.yml"]["run-name"] = "Deploy {nonce}"
    assert run(MODULE, **DEPLOY, nonce_input="nonce")["run"]["id"] == 5002


def test_a_run_taken_by_its_actor_must_have_the_nonce_in_its_log(hub: FakeGitHub, run: Run) -> None:
    hub.run_details = False
    assert run(MODULE, failing=True, **DEPLOY, nonce_input="nonce")["code"] == "not_ours"


def test_an_app_that_may_not_ask_who_it_is_starts_runs_too(hub: FakeGitHub, run: Run) -> None:
    hub.run_details, hub.login = False, ""
    assert run(MODULE, **DEPLOY)["known_by"] == "actor"


@pytest.mark.parametrize("kind", ["lose", "late"])
@pytest.mark.parametrize("nonce", ["nonce", ""])
def test_a_dispatch_whose_answer_was_lost_is_looked_for_and_not_repeated(
    hub: FakeGitHub, run: Run, kind: str, nonce: str
) -> None:
    hub.workflows["deploy.yml"]["run-name"] = "Deploy {nonce}" if nonce else "Deploy"
    hub.faults = [("POST", "dispatches", kind)]
    found = run(MODULE, **DEPLOY, nonce_input=nonce)
    assert found["run"]["id"] == 5000 and len(hub.runs) == 1 and len(hub.writes()) == 1
    assert found["known_by"] == ("nonce" if nonce else "actor")
    assert "nothing was sent again" in str(found["warnings"])


@pytest.mark.parametrize("kind", ["refuse", "drop", "ignore"])
def test_a_dispatch_that_started_nothing_is_told(hub: FakeGitHub, run: Run, kind: str) -> None:
    hub.faults = [("POST", "dispatches", kind)]
    found = run(MODULE, failing=True, **DEPLOY)
    assert found["code"] == "run_not_found" and len(hub.writes()) == 1
    assert "it may still come" in found["msg"] and "Nothing was changed" not in found["msg"]


@pytest.mark.parametrize(
    ("conclusion", "code"),
    [
        ("failure", "run_failed"),
        ("cancelled", "run_cancelled"),
        ("timed_out", "run_timed_out"),
        ("action_required", "approval_required"),
        ("skipped", "run_skipped"),
        ("startup_failure", "run_did_not_start"),
        ("stale", "run_stale"),
        ("neutral", "run_failed"),
    ],
)
def test_another_end_is_an_error_with_its_reason(hub: FakeGitHub, run: Run, conclusion: str, code: str) -> None:
    def end(started: dict[str, Any]) -> None:
        ends(conclusion)(started)
        hub.jobs[started["id"]][0]["steps"] = [
            {"name": "Check out", "conclusion": "success"},
            {"name": "Migrate", "conclusion": "failure"},
        ]

    hub.on_dispatch = end
    found = run(MODULE, failing=True, **DEPLOY)
    assert found["code"] == code and found["run"]["id"] == 5000
    if conclusion == "failure":
        assert "deploy failure at Migrate" in found["msg"]
    hub.on_dispatch = ends(conclusion)
    assert run(MODULE, **DEPLOY, conclusions=["success", conclusion])["run"]["conclusion"] == conclusion


def test_a_run_that_waits_for_its_approval_is_told_as_such(hub: FakeGitHub, run: Run) -> None:
    def waiting(started: dict[str, Any]) -> None:
        started["pending"] = [PENDING]
        started["course"] = [("waiting", None), ("waiting", None), ("in_progress", None), ("completed", "success")]

    hub.on_dispatch = waiting
    found = run(MODULE, failing=True, **DEPLOY, approval="fail")
    assert found["code"] == "waiting_for_approval"
    assert "environment production, one of anna, operators must approve it, this token may not" in found["msg"]
    assert "run_id=5000: follows it again" in found["msg"]
    again = run(MODULE, run_id=5000, interval=0.001)
    assert again["run"]["conclusion"] == "success" and not again["changed"]
    assert [text.split(" ", 1)[1][:17] for text in again["progress"]][0] == "waits for an appr"


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("queued", "timed_out", "waits for a runner"),
        ("pending", "timed_out", "waits for another run of its concurrency group"),
        ("in_progress", "timed_out", "is running"),
        ("waiting", "waiting_for_approval", "waits for an approval"),
    ],
)
def test_time_runs_out(hub: FakeGitHub, run: Run, status: str, code: str, said: str) -> None:
    hub.on_dispatch = ends("success", *[(status, None)] * 5)
    found = run(MODULE, failing=True, **DEPLOY, wait_timeout=0)
    assert found["code"] == code and said in found["msg"]
    assert "continues without being followed" in found["msg"]


def test_a_second_attempt_is_not_the_run_that_was_followed(hub: FakeGitHub, run: Run) -> None:
    """A person runs it again between two looks: the end of the attempt that was started counts."""

    def rerun(started: dict[str, Any]) -> None:
        number = started["id"]
        first = {**started, "status": "completed", "conclusion": "failure"}
        started["attempts"] = {1: first}
        started["course"] = [("in_progress", None)]
        hub.jobs[number].append({"id": number * 10 + 1, "name": "deploy", "run_attempt": 2, "conclusion": "success"})

        class Course(list[Any]):
            def pop(self, _index: Any = -1) -> Any:
                if len(self) == 1:
                    started["run_attempt"] = 2
                return super().pop(0)

        started["course"] = Course([("in_progress", None), ("completed", "success")])

    hub.on_dispatch = rerun
    found = run(MODULE, failing=True, **DEPLOY)
    assert found["code"] == "run_failed" and found["run"]["attempt"] == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"workflow": "missing.yml"}, "workflow_missing"),
        ({"workflow": "old.yml"}, "workflow_disabled"),
        ({"workflow": "ci.yml"}, "not_dispatchable"),
        ({"workflow": "a/b.yml"}, "bad_input"),
        ({"ref": "nowhere"}, "ref_missing"),
        ({"commit": "c" * 40}, "ref_moved"),
        ({"commit": "abc"}, "bad_input"),
        ({"inputs": {"colour": "red"}}, "bad_inputs"),
        ({"inputs": {f"i{number}": "" for number in range(26)}}, "bad_input"),
        ({"inputs": {"nonce": "mine"}, "nonce_input": "nonce"}, "bad_input"),
        ({"required_lines": ["("]}, "bad_input"),
        ({"forbidden_lines": [""]}, "bad_input"),
        ({"forbidden_lines": ["x*"]}, "bad_input"),
        ({"repository": "shop"}, "bad_input"),
        ({"token": "some-other-token"}, "bad_token"),
    ],
)
def test_a_workflow_that_can_not_be_started_is_refused(
    hub: FakeGitHub, run: Run, options: dict[str, Any], code: str
) -> None:
    hub.workflows |= {"old.yml": {"id": 8, "state": "disabled_manually"}, "ci.yml": {"id": 9, "on": ["push"]}}
    found = run(MODULE, failing=True, **{**DEPLOY, **options})
    assert found["code"] == code, found["msg"]
    assert "Nothing was changed" in found["msg"] and hub.runs == {}


def test_a_missing_permission_is_named(hub: FakeGitHub, run: Run) -> None:
    hub.denied = {"POST": "actions=write"}
    assert "actions=write" in run(MODULE, failing=True, **DEPLOY)["msg"]


def test_a_run_that_is_not_there_is_told(hub: FakeGitHub, run: Run) -> None:
    assert run(MODULE, failing=True, run_id=1)["code"] == "run_missing"


@pytest.mark.parametrize(
    ("required", "forbidden", "code"),
    [(["Goodbye"], [], "line_missing"), (["Hello"], ["Hel+o"], "line_forbidden"), ([], ["2026"], "")],
)
def test_lines_are_required_or_forbidden(
    hub: FakeGitHub, run: Run, required: list[str], forbidden: list[str], code: str
) -> None:
    options = {"required_lines": required, "forbidden_lines": forbidden}
    assert run(MODULE, failing=bool(code), **DEPLOY, **options).get("code", "") == code


def test_a_log_that_is_gone_is_told(hub: FakeGitHub, run: Run) -> None:
    hub.on_dispatch = lambda started: hub.logs.clear()
    assert run(MODULE, failing=True, **DEPLOY, required_lines=["Hello"])["code"] == "logs_gone"

    def skipped(started: dict[str, Any]) -> None:
        hub.logs.clear()
        hub.jobs[started["id"]][0]["conclusion"] = "skipped"

    hub.on_dispatch = skipped
    assert run(MODULE, failing=True, **DEPLOY, required_lines=["Hello"])["code"] == "line_missing"


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12)


@given(st.lists(TEXT, max_size=6), TEXT.filter(lambda text: text.strip()))
def test_a_line_is_found_where_it_is_and_only_there(lines: list[str], wanted: str) -> None:
    log = "".join(f"2026-11-21T08:00:00.1234567Z {line}\n" for line in lines)
    pattern = workflow_run.re.escape(wanted)
    found = evidence({"deploy": log}, [pattern], [pattern])
    there = [number for number, line in enumerate(lines, 1) if wanted in line.rstrip()]
    assert [one.line for one in found.found] == there[:1]
    assert found.missing == (() if there else (pattern,))
    assert [one.line for one in found.forbidden] == there[:3]


@given(st.integers(0, 4), st.booleans(), st.booleans())
def test_several_that_may_be_it_are_never_chosen_from(count: int, settled: bool, titled: bool) -> None:
    wanted = Dispatch("example/shop", "deploy.yml", nonce_input="nonce", nonce="n" * 12)
    mine = [
        workflow_run.run_of(
            "example/shop",
            {
                "id": number,
                "event": "workflow_dispatch",
                "display_title": wanted.nonce if titled and number == 1 else "",
            },
        )
        for number in range(count)
    ]
    try:
        found = workflow_run.chosen(wanted, mine, settled)
    except GitHubError:
        assert settled and count > 1 and not titled
        return
    if titled and count > 1:
        assert found == (mine[1], "nonce")
    elif settled and count == 1:
        assert found == (mine[0], "actor")
    else:
        assert found is None
