"""The latest runs of workflows: green means that all of it is so."""

from __future__ import annotations

import time
from typing import Any

import pytest
from github_fake import FakeGitHub, start_run
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github import report, workflow, workflow_run
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import Evidence, Found
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_verdict import Demand, hours_since, judge

MODULE = "github_workflow_info"
MAIN = "a" * 40
LOG = "2026-11-21T08:00:00Z php artisan migrate --force\n2026-11-21T08:00:00Z php artisan queue:restart\n"
ASKED = {
    "commit": MAIN,
    "interval": 0.001,
    "workflows": [
        {"workflow": "ci.yml"},
        {"workflow": "deploy.yml", "required_lines": ["migrate --force", "queue:restart"]},
    ],
}


@pytest.fixture(autouse=True)
def repository(hub: FakeGitHub) -> None:
    hub.commits = {"main": MAIN}
    hub.workflows |= {"ci.yml": {"id": 6}, "deploy.yml": {"id": 7}}


def ran(hub: FakeGitHub, name: str, conclusion: str | None = "success", log: str = LOG) -> dict[str, Any]:
    made = start_run(hub, name, "main", "push")
    made.update(status="completed" if conclusion else "in_progress", conclusion=conclusion, course=[])
    hub.logs[made["id"] * 10] = log
    return made


def codes(found: dict[str, Any]) -> list[str]:
    return [one["code"] for one in found["runs"]]


def test_both_are_green(hub: FakeGitHub, run: Run) -> None:
    ran(hub, "ci.yml", "failure")
    for name in ("ci.yml", "deploy.yml"):
        ran(hub, name)
    found = run(MODULE, **ASKED)
    assert found["green"] and codes(found) == ["", ""]
    assert [one["line"] for one in found["runs"][1]["evidence"]] == [1, 2]
    assert report.run_lines(found)[-1] == "2 of 2 green"
    assert all("authorization" not in headers for headers in hub.store_requests)


@pytest.mark.parametrize(
    ("conclusion", "log", "code"),
    [
        ("failure", LOG, "run_failed"),
        ("cancelled", LOG, "run_cancelled"),
        (None, LOG, "not_finished"),
        ("success", "php artisan migrate --force\n", "line_missing"),
        ("success", "", "line_missing"),
    ],
)
def test_one_is_not_green(hub: FakeGitHub, run: Run, conclusion: str | None, log: str, code: str) -> None:
    ran(hub, "ci.yml")
    ran(hub, "deploy.yml")
    ran(hub, "deploy.yml", conclusion, log)
    found = run(MODULE, **ASKED)
    assert not found["green"] and codes(found) == ["", code]
    assert "NOT GREEN" in "\n".join(report.run_lines(found))


def test_a_run_of_another_commit_does_not_count(hub: FakeGitHub, run: Run) -> None:
    ran(hub, "ci.yml")
    ran(hub, "deploy.yml")["head_sha"] = "b" * 40
    assert codes(run(MODULE, **ASKED)) == ["", "no_run"]


def test_a_destructive_line_is_seen(hub: FakeGitHub, run: Run) -> None:
    ran(hub, "deploy.yml", log="php artisan migrate:fresh\n")
    workflows = [{"workflow": "deploy.yml", "forbidden_lines": ["migrate:(fresh|refresh|reset)"]}]
    assert codes(run(MODULE, workflows=workflows)) == ["line_forbidden"]


def test_runs_are_waited_for(hub: FakeGitHub, run: Run) -> None:
    """Deploy is started by CI, so it comes later."""
    slow = ran(hub, "ci.yml", None)
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        slow.update(status="completed", conclusion="success")
        if len(waits) == 3:
            ran(hub, "deploy.yml")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", wait)
        found = run(MODULE, **ASKED, wait_timeout=3000)
    assert found["green"] and len(waits) == 3
    assert codes(run(MODULE, **{**ASKED, "commit": "c" * 40}, wait_timeout=0.01)) == ["no_run", "no_run"]


def test_a_log_that_is_gone_is_not_green(hub: FakeGitHub, run: Run) -> None:
    ran(hub, "ci.yml")
    ran(hub, "deploy.yml")
    hub.logs.clear()
    assert codes(run(MODULE, **ASKED)) == ["", "logs_gone"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"workflows": [{"workflow": "none.yml"}]}, "workflow_missing"),
        ({"commit": "abc"}, "bad_input"),
        ({"repository": "shop"}, "bad_input"),
        ({"workflows": [{"workflow": "ci.yml", "required_lines": ["("]}]}, "bad_input"),
        ({"token": "some-other-token"}, "bad_token"),
    ],
)
def test_a_question_that_can_not_be_asked(hub: FakeGitHub, run: Run, options: dict[str, Any], code: str) -> None:
    assert run(MODULE, failing=True, **{**ASKED, **options})["code"] == code


@pytest.mark.parametrize(("hours", "code"), [(167, ""), (169, "too_old")])
def test_a_run_must_be_young_enough(hub: FakeGitHub, run: Run, hours: float, code: str) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours * 3600))
    ran(hub, "ci.yml")["created_at"] = moment
    found = run(MODULE, workflows=[{"workflow": "ci.yml"}], max_age=168)
    assert codes(found) == [code] and found["runs"][0]["age_hours"] == pytest.approx(hours, abs=0.1)


@pytest.mark.parametrize(("created", "age"), [("1970-01-01T01:00:00Z", 1.0), ("", None), ("1970-01-01T01:00:00", 1.0)])
def test_the_age_of_a_run(created: str, age: float | None) -> None:
    assert hours_since(created, 7200) == age


FOUND = Found("x", "deploy", 1)


@given(
    st.sampled_from(["queued", "in_progress", "waiting", "completed"]),
    st.sampled_from(["", "success", "failure", "cancelled", "skipped", "neutral"]),
    st.sampled_from([Evidence(), Evidence((FOUND,)), Evidence(missing=("x",)), Evidence(forbidden=(FOUND,))]),
    st.sampled_from(["1970-01-01T00:00:00Z", "1970-01-01T09:00:00Z", ""]),
    st.sampled_from([0, 5]),
)
def test_green_means_ended_well_young_and_proven(
    status: str, conclusion: str, found: Evidence, created: str, max_age: float
) -> None:
    body = {"id": 1, "status": status, "conclusion": conclusion, "created_at": created}
    run = workflow_run.run_of("example/shop", body)
    verdict = judge(Demand("ci.yml", max_age=max_age), run, (), found, 10 * 3600)
    young = not max_age or created == "1970-01-01T09:00:00Z"
    assert verdict.ok is (status == "completed" and conclusion == "success" and found.good and young)
