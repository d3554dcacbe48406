# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of a workflow: start one, follow that one and no other, and read what its logs prove.

    check(github, wanted)                      what would be started; reads only
    started = start(github, wanted, ...)       dispatches, and says which run it was and how that is known
    run = follow(github, repository, started.run_id, ...)
    jobs = jobs_of(github, run)
    evidence(logs_of(github, run, jobs), required, forbidden)

GitHub tells the run that a dispatch started only where it is asked to (`return_run_details`), and older servers not at
all. There the run is found: by a nonce in its title, else as the only new one of this actor, which is less than proof.
"""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, Uncertain, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import (
    BY_ACTOR,
    BY_ANSWER,
    Dispatch,
    Job,
    Json,
    Run,
    Started,
    candidates,
    checked,
    chosen,
    run_of,
)

#: A dispatched run is in the list within some seconds; then so many looks more, since a second one may follow.
LOOKS = 12
LOOK_EVERY = 2.5
SETTLE = 3
#: Runs before the dispatch that are known as old ones: one page.
RECENT = 100

Tell = Callable[[str], None]


def check(github: GitHub, wanted: Dispatch) -> str:
    """The commit that a dispatch would run on. Raises GitHubError for what can't be started; changes nothing."""
    checked(wanted)
    found = github.find(wanted.path)
    if found is None:
        raise GitHubError(
            "workflow_missing",
            f"{wanted.repository} has no workflow {wanted.workflow}, or the token does not see it",
            [("workflow", "the name of its file in .github/workflows of the default branch")],
        )
    state = str(found.get("state") or "active")
    if state != "active":
        raise GitHubError(
            "workflow_disabled",
            f"the workflow {wanted.workflow} of {wanted.repository} is {state}",
            [("gh workflow enable", f"{wanted.workflow} --repo {wanted.repository}")],
        )
    commit = commit_of(github, wanted.repository, wanted.ref)
    if wanted.commit and commit != wanted.commit:
        raise GitHubError(
            "ref_moved",
            f"{wanted.ref} of {wanted.repository} is at {commit}, and not at {wanted.commit}",
            [("ref", "a branch or tag that is on the commit"), ("commit", commit)],
        )
    return commit


def commit_of(github: GitHub, repository: str, ref: str) -> str:
    """The commit of a branch, tag or commit."""
    try:
        found = github.find(f"{repository_path(repository)}/commits/{part(ref)}")
    except GitHubError as error:
        if error.status != 422:
            raise
        found = None
    if found is None:
        raise GitHubError(
            "ref_missing", f"{repository} has no branch, tag or commit {ref}", [("ref", "check how it is written")]
        )
    return str(found["sha"])


def start(
    github: GitHub,
    wanted: Dispatch,
    *,
    sleep: Callable[[float], None] | None = None,
    tell: Tell = lambda _text: None,
) -> Started:
    """Start one run and say which it is. A dispatch whose answer was lost is looked for, and never sent again."""
    sleep = sleep or time.sleep
    commit = check(github, wanted)
    known = {run.run_id for run in _recent(github, wanted)}
    warnings: tuple[str, ...] = ()
    answer: Any = None
    try:
        try:
            answer = github.send("POST", f"{wanted.path}/dispatches", wanted.body(details=True))
        except GitHubError as error:
            # An older server does not know the flag: it refused the request whole, so nothing was started.
            if error.status not in (400, 422) or "return_run_details" not in str(error):
                raise
            answer = github.send("POST", f"{wanted.path}/dispatches", wanted.body(details=False))
    except Uncertain as error:
        warnings = (f"{error}. The run was looked for, and nothing was sent again.",)
    except GitHubError as error:
        raise _refused(wanted, error) from None
    if isinstance(answer, Mapping) and answer.get("workflow_run_id"):
        number = int(answer["workflow_run_id"])
        return Started(number, str(answer.get("html_url") or ""), BY_ANSWER, commit, warnings)
    tell(f"{wanted.workflow} was dispatched; looking for its run")
    actor = _login(github)
    quiet = 0
    for look in range(LOOKS):
        if look:
            sleep(LOOK_EVERY)
        mine = candidates(wanted, known, actor, _recent(github, wanted))
        quiet = quiet + 1 if mine else 0
        if found := chosen(wanted, mine, settled=quiet > SETTLE):
            run, known_by = found
            if known_by == BY_ACTOR:
                warnings += (
                    "GitHub did not say which run was started; it was taken for the only new one"
                    f"{f' by {actor}' if actor else ''}, which is not certain.",
                )
            return Started(run.run_id, run.url, known_by, commit, warnings)
    raise GitHubError(
        "run_not_found",
        f"{' '.join(warnings) or f'{wanted.workflow} was dispatched.'} No run of it is to be seen "
        f"{LOOKS * LOOK_EVERY:.0f} s later, and it may still come",
        [
            (f"https://…/{wanted.repository}/actions", "see there whether it runs"),
            ("run_id", "of that run, to follow it"),
            ("the same again", "starts another one"),
        ],
        touched=True,
    )


def _refused(wanted: Dispatch, error: GitHubError) -> GitHubError:
    """A refused dispatch, with what is to be done about it."""
    text = str(error)
    if error.status != 422:
        return error
    if "workflow_dispatch" in text:
        way = ("on: workflow_dispatch:", f"must be in {wanted.workflow}, on {wanted.ref} and on the default branch")
        return GitHubError("not_dispatchable", text, [way], status=422)
    if "ref" in text.lower() and "found" in text.lower():
        return GitHubError("ref_missing", text, [("ref", "a branch or a tag")], status=422)
    return GitHubError("bad_inputs", text, [("inputs", f"those of {wanted.workflow} on {wanted.ref}")], status=422)


def _recent(github: GitHub, wanted: Dispatch) -> list[Run]:
    items = github.pages(f"{wanted.path}/runs", "workflow_runs", event="workflow_dispatch")
    return [run_of(wanted.repository, body) for body in itertools.islice(items, RECENT)]


def _login(github: GitHub) -> str:
    """The user whose token it is; empty if it belongs to an app, which may not ask."""
    try:
        return str((github.find("/user") or {}).get("login") or "")
    except GitHubError as error:
        if error.status != 403:
            raise
        return ""


def runs_of(github: GitHub, repository: str, workflow: str, most: int = RECENT, **query: Any) -> list[Run]:
    """Runs of a workflow, the newest first. query: head_sha, branch, event, status. Raises GitHubError."""
    path = f"{repository_path(repository)}/actions/workflows/{part(workflow)}/runs"
    try:
        return [
            run_of(repository, body) for body in itertools.islice(github.pages(path, "workflow_runs", **query), most)
        ]
    except GitHubError as error:
        if error.status != 404:
            raise
        raise GitHubError(
            "workflow_missing",
            f"{repository} has no workflow {workflow}, or the token does not see it",
            [("workflow", "the name of its file in .github/workflows")],
            status=404,
        ) from None


def look(github: GitHub, repository: str, run_id: int, attempt: int = 0) -> Run:
    """A run as it is. attempt: where a person ran it again meanwhile, the one that is meant."""
    path = f"{repository_path(repository)}/actions/runs/{run_id}"
    body = github.find(path)
    if body is None:
        way = (f"gh run list -R {shlex.quote(repository)}", "on this machine, shows the runs that there are")
        raise GitHubError("run_missing", f"{repository} has no run {run_id}, or the token does not see it", [way])
    if attempt and int(body.get("run_attempt") or 1) != attempt:
        body = github.get(f"{path}/attempts/{attempt}")
    if body.get("status") != "waiting":
        return run_of(repository, body)
    return run_of(repository, body, [held(one) for one in github.get(f"{path}/pending_deployments") or ()])


def held(body: Json) -> str:
    """A deployment that waits: for whom, or for how long. Pure."""
    environment = str((body.get("environment") or {}).get("name") or "an environment")
    people = [
        str((one.get("reviewer") or {}).get("login") or (one.get("reviewer") or {}).get("slug") or "?")
        for one in body.get("reviewers") or ()
    ]
    parts = [f"environment {environment}"]
    if people:
        parts.append(f"one of {', '.join(people)} must approve it")
        parts.append("this token may" if body.get("current_user_can_approve") else "this token may not")
    if body.get("wait_timer"):
        parts.append(f"its timer is {body['wait_timer']} minutes")
    return ", ".join(parts)


def follow(
    github: GitHub,
    repository: str,
    run_id: int,
    *,
    timeout: float = 1800,
    interval: float = 10,
    wait_for_approval: bool = True,
    tell: Tell = lambda _text: None,
    clock: Callable[[], float] | None = None,
    sleep: Callable[[float], None] | None = None,
) -> Run:
    """Follow one run until it ended, whatever its end; `judged` says whether it was a good one.

    tell: called at each change of its state. Raises GitHubError if time ran out, or if a person must approve it first
    and that is not waited for; the run itself continues.
    """
    clock, sleep = clock or time.monotonic, sleep or time.sleep
    ends = clock() + timeout
    run = appeared(github, repository, run_id, sleep)
    attempt, said = run.attempt, ""
    while not run.done:
        if run.state() != said:
            said = run.state()
            tell(f"{run.url or run_id} {said}")
        waiting = run.status == "waiting"
        if waiting and not wait_for_approval:
            raise _not_ended("waiting_for_approval", run, "is not waited for")
        if clock() >= ends:
            code = "waiting_for_approval" if waiting else "timed_out"
            raise _not_ended(code, run, f"after {timeout:.0f} s")
        sleep(max(min(interval, ends - clock()), 0.01))
        run = look(github, repository, run_id, attempt)
    tell(f"{run.url or run_id} {run.state()}")
    return run


def appeared(github: GitHub, repository: str, run_id: int, sleep: Callable[[float], None] | None = None) -> Run:
    """A run that may have been started a moment ago, and be in GitHub's answers a moment later."""
    for _look in range(SETTLE):
        try:
            return look(github, repository, run_id)
        except GitHubError as error:
            if error.code != "run_missing":
                raise
        (sleep or time.sleep)(LOOK_EVERY)
    return look(github, repository, run_id)


def _not_ended(code: str, run: Run, why: str) -> GitHubError:
    approve = (("approve it", run.url),) if run.status == "waiting" else ()
    return GitHubError(
        code,
        f"the run {run.url or run.run_id} {run.state()}, {why}. It continues without being followed",
        [
            *approve,
            (f"run_id={run.run_id}", "follows it again"),
            (f"gh run cancel {run.run_id} --repo {run.repository}", "ends it"),
        ],
        touched=True,
    )


def jobs_of(github: GitHub, run: Run) -> list[Job]:
    """The jobs of the attempt that was followed."""
    items = github.pages(f"{run.path}/attempts/{run.attempt}/jobs", "jobs")
    return [
        Job(
            job_id=int(body["id"]),
            name=str(body.get("name") or body["id"]),
            status=str(body.get("status") or ""),
            conclusion=str(body.get("conclusion") or ""),
            failed_steps=tuple(
                str(step.get("name")) for step in body.get("steps") or () if step.get("conclusion") == "failure"
            ),
        )
        for body in items
    ]


def logs_of(github: GitHub, run: Run, jobs: Iterable[Job]) -> dict[str, str]:
    """The logs by the name of the job. A skipped job has none. They are on a host that gets no token."""
    found: dict[str, str] = {}
    for job in jobs:
        if job.conclusion == "skipped":
            continue
        try:
            text = github.text(f"{repository_path(run.repository)}/actions/jobs/{job.job_id}/logs")
        except GitHubError as error:
            if error.status not in (404, 410):
                raise
            raise GitHubError(
                "logs_gone",
                f"the log of job {job.name} of {run.url or run.run_id} is not there; GitHub keeps logs for 90 days, "
                "or as the repository's settings say",
                [("its log", run.url or str(run.run_id))],
                touched=True,
                status=error.status,
            ) from None
        # Jobs of one name exist where a matrix does not show in it.
        found[job.name if job.name not in found else f"{job.name} ({job.job_id})"] = text
    return found
