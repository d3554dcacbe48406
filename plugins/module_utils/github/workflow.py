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
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, Uncertain, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_log import output_of_commands

#: What GitHub takes of one dispatch.
MOST_INPUTS = 25
#: A dispatched run stands in the list within some seconds; then so many looks more, since a second one may follow.
LOOKS = 12
LOOK_EVERY = 2.5
SETTLE = 3
#: Runs before the dispatch that are told from new ones: one page.
RECENT = 100

#: How a run was told to be the one that was started, from proof to likelihood.
BY_ANSWER, BY_NONCE, BY_ACTOR = "answer", "nonce", "actor"

#: Statuses of a run that has not begun, or can't go on by itself.
HOLDS = {
    "queued": "waits for a runner",
    "requested": "was requested",
    "pending": "waits for another run of its concurrency group",
    "waiting": "waits for an approval",
}

Json = Mapping[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Dispatch:
    """A run that is wanted. nonce: a value that no other run has, given to the input of that name.

    commit: where given, the ref must be there, and the run as well.
    """

    repository: str
    workflow: str
    ref: str = "main"
    inputs: Mapping[str, str] = field(default_factory=dict)
    nonce_input: str = ""
    nonce: str = ""
    commit: str = ""

    @property
    def path(self) -> str:
        return f"{repository_path(self.repository)}/actions/workflows/{part(self.workflow)}"

    @property
    def all_inputs(self) -> dict[str, str]:
        return {**self.inputs, **({self.nonce_input: self.nonce} if self.nonce_input else {})}

    def body(self, details: bool) -> dict[str, Any]:
        asked: dict[str, Any] = {"return_run_details": True} if details else {}
        return {"ref": self.ref, "inputs": self.all_inputs, **asked}


@dataclass(frozen=True)
class Started:
    """run_id: the run. known_by: BY_ANSWER, BY_NONCE or BY_ACTOR. warnings: what a person should know of it."""

    run_id: int
    url: str
    known_by: str
    commit: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run as it was last read. holds: where it waits for an approval, which environment and who may give it."""

    repository: str
    run_id: int
    attempt: int
    status: str
    conclusion: str
    url: str
    title: str
    commit: str
    branch: str
    event: str
    actor: str
    created: str
    holds: tuple[str, ...] = ()
    workflow: str = ""

    @property
    def done(self) -> bool:
        return self.status == "completed"

    @property
    def path(self) -> str:
        return f"{repository_path(self.repository)}/actions/runs/{self.run_id}"

    def state(self) -> str:
        """How it is, in words."""
        if self.done:
            return f"ended with {self.conclusion}"
        if self.holds:
            return f"{HOLDS['waiting']}: {'; '.join(self.holds)}"
        return HOLDS.get(self.status, "is running" if self.status == "in_progress" else f"is {self.status}")


@dataclass(frozen=True)
class Job:
    job_id: int
    name: str
    status: str
    conclusion: str
    failed_steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """Where a pattern was found. The line itself is not kept: it may hold what nobody masked."""

    pattern: str
    job: str
    line: int


@dataclass(frozen=True)
class Evidence:
    """What logs say. missing: required patterns without a line. forbidden: found ones that must not be there."""

    found: tuple[Found, ...] = ()
    missing: tuple[str, ...] = ()
    forbidden: tuple[Found, ...] = ()

    @property
    def good(self) -> bool:
        return not self.missing and not self.forbidden


# The rules


def checked(wanted: Dispatch) -> Dispatch:
    """The wanted run. Raises GitHubError where it can't be; contacts nobody."""
    repository_path(wanted.repository)
    if not re.fullmatch(r"[^\s/]+", wanted.workflow):
        raise GitHubError(
            "bad_input",
            f"{wanted.workflow!r} is no workflow",
            ("workflow", "the name of its file, as in deploy.yml, or its number"),
        )
    if wanted.commit and not re.fullmatch(r"[0-9a-f]{40}", wanted.commit):
        raise GitHubError("bad_input", f"commit={wanted.commit!r} is not the whole name of a commit")
    if len(wanted.all_inputs) > MOST_INPUTS:
        raise GitHubError(
            "bad_input",
            f"a dispatch takes at most {MOST_INPUTS} inputs, and these are {len(wanted.all_inputs)}",
            ("inputs", "fewer of them"),
        )
    if wanted.nonce_input and (wanted.nonce_input in wanted.inputs or len(wanted.nonce) < 8):
        raise GitHubError(
            "bad_input",
            f"the input {wanted.nonce_input} takes the nonce, of at least 8 characters; inputs must not have it too",
        )
    return wanted


def run_of(repository: str, body: Json, holds: Iterable[str] = ()) -> Run:
    """A run as GitHub describes it."""
    actor = body.get("triggering_actor") or body.get("actor") or {}
    return Run(
        repository=repository,
        run_id=int(body["id"]),
        attempt=int(body.get("run_attempt") or 1),
        status=str(body.get("status") or "unknown"),
        conclusion=str(body.get("conclusion") or ""),
        url=str(body.get("html_url") or ""),
        title=str(body.get("display_title") or ""),
        commit=str(body.get("head_sha") or ""),
        branch=str(body.get("head_branch") or ""),
        event=str(body.get("event") or ""),
        actor=str(actor.get("login") or ""),
        created=str(body.get("created_at") or ""),
        holds=tuple(holds),
        workflow=str(body.get("name") or ""),
    )


def newest(runs: Iterable[Run]) -> Run | None:
    """The last one that was made. A second attempt of an older run is still the older run."""
    return max(runs, key=lambda run: (run.created, run.run_id), default=None)


def candidates(wanted: Dispatch, known: Iterable[int], actor: str, runs: Iterable[Run]) -> list[Run]:
    """The runs that a dispatch may have started: new, of its kind, of its ref, and of this actor where one is known."""
    old = set(known)
    return [
        run
        for run in runs
        if run.run_id not in old
        and run.event == "workflow_dispatch"
        and run.branch in (wanted.ref, wanted.ref.rpartition("refs/heads/")[2], wanted.ref.rpartition("refs/tags/")[2])
        and (not actor or not run.actor or run.actor.lower() == actor.lower())
        and (not wanted.commit or run.commit == wanted.commit)
    ]


def chosen(wanted: Dispatch, mine: Sequence[Run], settled: bool) -> tuple[Run, str] | None:
    """Which of the candidates it is, and how that is known; None for "not yet". Raises GitHubError for several."""
    if wanted.nonce:
        titled = [run for run in mine if wanted.nonce in run.title]
        if len(titled) == 1:
            return titled[0], BY_NONCE
    if not settled or not mine:
        return None
    if len(mine) > 1:
        raise GitHubError(
            "ambiguous",
            f"{wanted.workflow} was started, and {len(mine)} runs may be it: "
            + ", ".join(f"{run.url or run.run_id} by {run.actor or 'unknown'}" for run in mine),
            ("nonce_input", "an input of the workflow that its run-name: shows, so that its run is known by it"),
            ("run_id", "of the right one, to follow it"),
            touched=True,
        )
    return mine[0], BY_ACTOR


def patterns(texts: Iterable[str], name: str) -> list[re.Pattern[str]]:
    """Regular expressions of an option. Raises GitHubError."""
    found = []
    for text in texts:
        try:
            found.append(re.compile(text))
        except re.error as error:
            raise GitHubError(
                "bad_input", f"{name} has {text!r}, which is no regular expression: {error}", (name, "mend it")
            ) from None
        if not text or found[-1].search(""):
            raise GitHubError("bad_input", f"{name} has {text!r}, which every line matches", (name, "say more"))
    return found


def evidence(logs: Mapping[str, str], required: Iterable[str], forbidden: Iterable[str] = ()) -> Evidence:
    """What the output of the commands of jobs, by the name of the job, says.

    The runner's echo of a script and the subjects of commits do not count as evidence. The patterns are regular
    expressions that a line is searched for; re.escape() makes one of a fixed text. Pure. Raises GitHubError for a
    pattern that is not valid.
    """
    read = {job: output_of_commands(text) for job, text in logs.items()}
    found: list[Found] = []
    missing: list[str] = []
    bad: list[Found] = []
    for pattern in patterns(required, "required_lines"):
        hit = next(_hits(pattern, read), None)
        if hit:
            found.append(hit)
        else:
            missing.append(pattern.pattern)
    for pattern in patterns(forbidden, "forbidden_lines"):
        bad += itertools.islice(_hits(pattern, read), 3)
    return Evidence(tuple(found), tuple(missing), tuple(bad))


def _hits(pattern: re.Pattern[str], read: Mapping[str, Sequence[str]]) -> Iterator[Found]:
    return (
        Found(pattern.pattern, job, number)
        for job, lines in read.items()
        for number, line in enumerate(lines, 1)
        if pattern.search(line)
    )


def judged(run: Run, jobs: Sequence[Job] = (), conclusions: Sequence[str] = ("success",)) -> Run:
    """A run that ended as it should. Raises GitHubError for another end, with the job and the step that failed."""
    if run.conclusion in conclusions:
        return run
    bad = [
        f"{job.name} {job.conclusion}" + (f" at {', '.join(job.failed_steps)}" if job.failed_steps else "")
        for job in jobs
        if job.conclusion not in ("success", "skipped", "neutral", "")
    ]
    codes = {
        "cancelled": "run_cancelled",
        "timed_out": "run_timed_out",
        "action_required": "approval_required",
        "skipped": "run_skipped",
        "stale": "run_stale",
        "startup_failure": "run_did_not_start",
    }
    told = {
        "cancelled": "was cancelled, by a person, by its concurrency group, or because a review was refused",
        "timed_out": "ran into its own limit of time",
        "action_required": "wants an action of a person before it may run",
        "skipped": "was skipped: none of its conditions held",
        "stale": "was given up by GitHub",
        "startup_failure": "could not be started: its file is not valid",
    }
    text = told.get(run.conclusion, f"ended with {run.conclusion}")
    raise GitHubError(
        codes.get(run.conclusion, "run_failed"),
        f"the run {run.url or run.run_id} {text}" + (f" ({'; '.join(bad)})" if bad else ""),
        ("its log", run.url or f"gh run view {run.run_id}"),
        touched=True,
    )


def on_commit(run: Run, commit: str) -> Run:
    """A run of that commit; of any where none is given. Raises GitHubError."""
    if commit and run.commit != commit:
        raise GitHubError(
            "other_commit",
            f"the run {run.url or run.run_id} is of {run.commit}, and not of {commit}: {run.branch} has moved on",
            ("commit", "of the branch as it is now"),
            touched=True,
        )
    return run


def proven(run: Run, found: Evidence) -> Evidence:
    """Evidence that is good. Raises GitHubError for what is missing or must not be there."""
    where = run.url or str(run.run_id)
    if found.missing:
        raise GitHubError(
            "line_missing",
            f"the log of {where} has no line with {', '.join(map(repr, found.missing))}",
            ("its log", where),
            touched=True,
        )
    if found.forbidden:
        first = ", ".join(f"{one.pattern!r} (job {one.job}, line {one.line})" for one in found.forbidden)
        raise GitHubError("line_forbidden", f"the log of {where} has {first}", ("its log", where), touched=True)
    return found


# The reads and the one write


def check(github: GitHub, wanted: Dispatch) -> str:
    """The commit that a dispatch would run on. Raises GitHubError for what can't be started; changes nothing."""
    checked(wanted)
    found = github.find(wanted.path)
    if found is None:
        raise GitHubError(
            "workflow_missing",
            f"{wanted.repository} has no workflow {wanted.workflow}, or the token does not see it",
            ("workflow", "the name of its file in .github/workflows of the default branch"),
        )
    state = str(found.get("state") or "active")
    if state != "active":
        raise GitHubError(
            "workflow_disabled",
            f"the workflow {wanted.workflow} of {wanted.repository} is {state}",
            ("gh workflow enable", f"{wanted.workflow} --repo {wanted.repository}"),
        )
    commit = commit_of(github, wanted.repository, wanted.ref)
    if wanted.commit and commit != wanted.commit:
        raise GitHubError(
            "ref_moved",
            f"{wanted.ref} of {wanted.repository} is at {commit}, and not at {wanted.commit}",
            ("ref", "a branch or tag that is on the commit"),
            ("commit", commit),
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
            "ref_missing", f"{repository} has no branch, tag or commit {ref}", ("ref", "check how it is written")
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
                    f"{f' by {actor}' if actor else ''}, which is no proof.",
                )
            return Started(run.run_id, run.url, known_by, commit, warnings)
    raise GitHubError(
        "run_not_found",
        f"{' '.join(warnings) or f'{wanted.workflow} was dispatched.'} No run of it is to be seen "
        f"{LOOKS * LOOK_EVERY:.0f} s later, and it may still come",
        (f"https://…/{wanted.repository}/actions", "see there whether it runs"),
        ("run_id", "of that run, to follow it"),
        ("the same again", "starts another one"),
        touched=True,
    )


def _refused(wanted: Dispatch, error: GitHubError) -> GitHubError:
    """A refused dispatch, with what is to be done about it."""
    text = str(error)
    if error.status != 422:
        return error
    if "workflow_dispatch" in text:
        way = ("on: workflow_dispatch:", f"must stand in {wanted.workflow}, on {wanted.ref} and on the default branch")
        return GitHubError("not_dispatchable", text, way, status=422)
    if "ref" in text.lower() and "found" in text.lower():
        return GitHubError("ref_missing", text, ("ref", "a branch or a tag"), status=422)
    return GitHubError("bad_inputs", text, ("inputs", f"those of {wanted.workflow} on {wanted.ref}"), status=422)


def _recent(github: GitHub, wanted: Dispatch) -> list[Run]:
    items = github.pages(f"{wanted.path}/runs", "workflow_runs", event="workflow_dispatch")
    return [run_of(wanted.repository, body) for body in itertools.islice(items, RECENT)]


def _login(github: GitHub) -> str:
    """Whose token it is; empty where it belongs to an app, which may not ask."""
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
            ("workflow", "the name of its file in .github/workflows"),
            status=404,
        ) from None


def look(github: GitHub, repository: str, run_id: int, attempt: int = 0) -> Run:
    """A run as it is. attempt: where a person ran it again meanwhile, the one that is meant."""
    path = f"{repository_path(repository)}/actions/runs/{run_id}"
    body = github.find(path)
    if body is None:
        raise GitHubError("run_missing", f"{repository} has no run {run_id}, or the token does not see it")
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

    tell: is called where its state changes. Raises GitHubError where time ran out, or a person must approve it first
    and that is not waited for; the run itself goes on.
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
        f"the run {run.url or run.run_id} {run.state()}, {why}. It goes on without being followed",
        *approve,
        (f"run_id={run.run_id}", "follows it again"),
        (f"gh run cancel {run.run_id} --repo {run.repository}", "ends it"),
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
    """The logs by the name of the job. A job that was skipped has none. They lie on a host that gets no token."""
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
                ("its log", run.url or str(run.run_id)),
                touched=True,
                status=error.status,
            ) from None
        # Jobs of one name exist where a matrix does not show in it.
        found[job.name if job.name not in found else f"{job.name} ({job.job_id})"] = text
    return found
