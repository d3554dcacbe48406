# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of a workflow as GitHub shows it: whether it is the one that was started, and what it proves. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_log import output_of_commands

#: Limits of GitHub for one dispatch.
MOST_INPUTS = 25
#: Ways in which the started run was recognised, from proof to likelihood.
BY_ANSWER, BY_NONCE, BY_ACTOR = "answer", "nonce", "actor"

#: Statuses of a run that has not begun, or can't go on by itself.
HOLDS = {
    "queued": "waits for a runner",
    "requested": "was requested",
    "pending": "waits for another run of its concurrency group",
    "waiting": "waits for an approval",
}

Json = Mapping[str, Any]


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
    """The place of a found pattern. The line itself is not kept: it may hold a secret that nobody masked."""

    pattern: str
    job: str
    line: int


@dataclass(frozen=True)
class Evidence:
    """Evidence of logs. missing: required patterns without a line. forbidden: found ones that must not be there."""

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
            f"{wanted.workflow!r} is not the name of a workflow",
            [("workflow", "the name of its file, as in deploy.yml, or its number")],
        )
    if wanted.commit and not re.fullmatch(r"[0-9a-f]{40}", wanted.commit):
        way = ("commit", "all 40 characters of it, as `git rev-parse HEAD` shows them")
        raise GitHubError("bad_input", f"commit={wanted.commit!r} is not the whole name of a commit", [way])
    if len(wanted.all_inputs) > MOST_INPUTS:
        raise GitHubError(
            "bad_input",
            f"a dispatch takes at most {MOST_INPUTS} inputs, and these are {len(wanted.all_inputs)}",
            [("inputs", "fewer of them")],
        )
    if wanted.nonce_input and (wanted.nonce_input in wanted.inputs or len(wanted.nonce) < 8):
        raise GitHubError(
            "bad_input",
            f"the input {wanted.nonce_input} takes the nonce, of at least 8 characters; inputs must not have it too",
            [("nonce_input", "the name of an input that is not among inputs, or nothing")],
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
    """The started run among the candidates, and how it is known; None for "not yet". Raises GitHubError for several."""
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
            [
                ("nonce_input", "an input of the workflow that its run-name: shows, so that its run is known by it"),
                ("run_id", "of the right one, to follow it"),
            ],
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
                "bad_input", f"{name} has {text!r}, which is not a regular expression: {error}", [(name, "mend it")]
            ) from None
        if not text or found[-1].search(""):
            raise GitHubError("bad_input", f"{name} has {text!r}, which every line matches", [(name, "say more")])
    return found


def evidence(logs: Mapping[str, str], required: Iterable[str], forbidden: Iterable[str] = ()) -> Evidence:
    """Evidence from the output of the commands of jobs, by the name of the job.

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
        [("its log", run.url or f"gh run view {run.run_id}")],
        touched=True,
    )


def on_commit(run: Run, commit: str) -> Run:
    """A run of that commit; of any where none is given. Raises GitHubError."""
    if commit and run.commit != commit:
        raise GitHubError(
            "other_commit",
            f"the run {run.url or run.run_id} is of {run.commit}, and not of {commit}: {run.branch} has moved on",
            [("commit", "of the branch as it is now")],
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
            [("its log", where)],
            touched=True,
        )
    if found.forbidden:
        first = ", ".join(f"{one.pattern!r} (job {one.job}, line {one.line})" for one in found.forbidden)
        raise GitHubError("line_forbidden", f"the log of {where} has {first}", [("its log", where)], touched=True)
    return found
