# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the latest run of a workflow: of the right commit, young enough, green, and with proof in its log.

A run that is not there, not finished or not readable is never green.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github import workflow as github_workflow
from ansible_collections.ops.runbook.plugins.module_utils.github import workflow_run
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import Evidence, Job, Run


@dataclass(frozen=True)
class Demand:
    """A workflow and what its latest run must be. max_age: hours, 0 for any. Lines are regular expressions."""

    workflow: str
    commit: str = ""
    branch: str = ""
    event: str = ""
    max_age: float = 0
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()

    def of(self) -> str:
        """Runs that count, in words."""
        parts = [
            f"of {self.commit[:12]}" if self.commit else "",
            f"on {self.branch}" if self.branch else "",
            f"by {self.event}" if self.event else "",
        ]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Verdict:
    """code: empty where all is as demanded. text: for a person. age: hours since it was made."""

    workflow: str
    code: str
    text: str
    run: Run | None = None
    age: float | None = None
    evidence: tuple[workflow_run.Found, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.code

    def record(self) -> dict[str, Any]:
        run = self.run
        return {
            "workflow": self.workflow,
            "ok": self.ok,
            "code": self.code,
            "text": self.text,
            "age_hours": None if self.age is None else round(self.age, 1),
            "run_id": run.run_id if run else None,
            "url": run.url if run else "",
            "commit": run.commit if run else "",
            "event": run.event if run else "",
            "conclusion": run.conclusion if run else "",
            "evidence": [asdict(one) for one in self.evidence],
        }


def hours_since(created: str, now: float) -> float | None:
    """The age of a moment as GitHub writes it; None for an invalid one. Pure."""
    try:
        moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(now - moment.timestamp(), 0) / 3600


def judge(demand: Demand, run: Run | None, jobs: Sequence[Job], found: Evidence, now: float) -> Verdict:
    """The verdict on a run. Pure."""
    if run is None:
        return Verdict(demand.workflow, "no_run", f"there is no run {demand.of()}".rstrip())
    age = hours_since(run.created, now)

    def verdict(code: str, text: str) -> Verdict:
        return Verdict(demand.workflow, code, text, run, age, found.found)

    if not run.done:
        return verdict("not_finished", run.state())
    try:
        workflow_run.judged(run, jobs)
        workflow_run.proven(run, found)
    except GitHubError as error:
        return verdict(error.code, str(error))
    if demand.max_age and (age is None or age > demand.max_age):
        told = "unknown" if age is None else f"{age:.0f} h"
        return verdict("too_old", f"succeeded, but its age is {told} and may be {demand.max_age:.0f} h")
    return verdict("", "succeeded")


def wait_for_run(
    github: GitHub,
    repository: str,
    demand: Demand,
    ends: float,
    interval: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Run | None:
    """The latest run that counts, once it is there and has ended; earlier, as it is, where time is up."""
    query = {"head_sha": demand.commit, "branch": demand.branch, "event": demand.event}
    while True:
        # The newest one is first; a few more are read, since GitHub does not promise it.
        run = workflow_run.newest(github_workflow.runs_of(github, repository, demand.workflow, 10, **query))
        left = ends - clock()
        if run and (run.done or left <= 0):
            return run if run.done else github_workflow.look(github, repository, run.run_id)
        if left <= 0:
            return None
        # A run by a person may come after one that failed: looked for anew each time.
        sleep(max(min(interval, left), 0.01))


def look(
    github: GitHub,
    repository: str,
    demand: Demand,
    *,
    ends: float = 0,
    interval: float = 10,
    clock: Callable[[], float] | None = None,
    sleep: Callable[[float], None] | None = None,
) -> Verdict:
    """Read and judge the latest run. ends: by the clock, until when it is waited for."""
    run = wait_for_run(github, repository, demand, ends, interval, clock or time.monotonic, sleep or time.sleep)
    jobs: Sequence[Job] = ()
    found = Evidence()
    if run and run.done:
        jobs = github_workflow.jobs_of(github, run)
        if run.conclusion == "success" and (demand.required or demand.forbidden):
            try:
                logs = github_workflow.logs_of(github, run, jobs)
            except GitHubError as error:
                if error.code != "logs_gone":
                    raise
                return Verdict(demand.workflow, error.code, str(error), run, hours_since(run.created, time.time()))
            found = workflow_run.evidence(logs, demand.required, demand.forbidden)
    return judge(demand, run, jobs, found, time.time())
