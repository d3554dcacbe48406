# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CI's side of a rotation: which key its workflow has, the secret that gives it another, and the run that proves it.

The workflow says which key it has in a line that it prints itself (docs/systems/ssh-keys.md has the step):

    ops-runbook-key SHA256:<fingerprint> ops-runbook-nonce <the input nonce, nothing where a push started the run>

A log has lines of others too: whoever has a commit, a branch or a pull request may write some of them. So the line
counts as a line of its own alone, in runs of the branch that the secret is for, and a run that names two keys names
none. Where the step did not run, there is no second line to tell by: a workflow may leave it out of a push, and a run
that failed may not have come to it. So a run that was dispatched and succeeded is believed, and any other one where
such a run, our own record or the operator says the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.github import workflow as github_workflow
from ansible_collections.ops.runbook.plugins.module_utils.github import workflow_log, workflow_run
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.secret import Secret, Wanted
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import Dispatch, Run

#: Earlier runs that are asked which key they had, the newest first.
ASKED = 5

#: Runs that are looked through for them.
LISTED = 50
#: Events that start a run with the workflow and the text of the branch alone. A pull request of a fork brings its own.
EVENTS = ("push", "workflow_dispatch", "schedule", "repository_dispatch", "release")

_SAID = re.compile(r"ops-runbook-key (SHA256:[A-Za-z0-9+/]{43})(?: ops-runbook-nonce *(\S*))?")


@dataclass(frozen=True)
class Place:
    """The secret, and the workflow that uses it. timeout: seconds that a run may take."""

    repository: str
    secret: str
    workflow: str
    environment: str = ""
    ref: str = "main"
    nonce_input: str = "nonce"
    timeout: float = 1800
    interval: float = 10

    def secret_in_words(self) -> str:
        of = f"environment {self.environment} of {self.repository}" if self.environment else self.repository
        return f"secret {self.secret} of {of}"

    def branch(self) -> str:
        """The name of ref, as a run has it."""
        for prefix in ("refs/heads/", "refs/tags/"):
            if self.ref.startswith(prefix):
                return self.ref[len(prefix) :]
        return self.ref

    def workflow_in_words(self) -> str:
        return f"{self.workflow} on {self.ref}"

    def wanted(self, value: str) -> Wanted:
        return Wanted(name=self.secret, repository=self.repository, environment=self.environment, value=value)

    def dispatch(self, nonce: str) -> Dispatch:
        return Dispatch(
            repository=self.repository,
            workflow=self.workflow,
            ref=self.ref,
            nonce_input=self.nonce_input,
            nonce=nonce,
        )


@dataclass(frozen=True)
class Survey:
    """State of CI's key before anything is changed. used: the key that a run named; empty if none did.

    trusted: the run was dispatched, and succeeded.
    """

    used: str = ""
    where: str = ""
    trusted: bool = False
    updated: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """The key that one run named. nonce: empty if it gave none."""

    fingerprint: str
    nonce: str


def said(logs: Iterable[str]) -> list[Seen]:
    """The keys that commands named, each in a line of its own. Pure."""
    found = []
    for text in logs:
        for line in workflow_log.output_of_commands(text):
            match = _SAID.fullmatch(line)
            if match:
                found.append(Seen(match[1], match[2] or ""))
    return found


def survey(github: GitHub, place: Place) -> Survey:
    """Everything that can be known to go wrong before a key is made. Raises GitHubError; only reads."""
    github_workflow.check(github, place.dispatch("0" * 24))
    present = Secret(place.wanted("-")).read(github)
    if not present.updated:
        raise GitHubError(
            "secret_missing",
            f"there is no {place.secret_in_words()}, so it is not what the workflow logs in with",
            [("ssh_key_secret, ssh_key_environment", "in the inventory: its name, and the environment that has it")],
        )
    warnings: tuple[str, ...] = ()
    if present.shadows is None:
        warnings = ("whether an environment has a secret of the same name, the token may not see",)
    elif present.shadows:
        names = ", ".join(present.shadows)
        warnings = (
            f"jobs in {names} do not see this secret, the environment has one of the same name: the run will tell",
        )
    branch = place.branch()
    listed = github_workflow.runs_of(github, place.repository, place.workflow, most=LISTED, branch=branch)
    runs = [run for run in listed if run.done and run.branch == branch and run.event in EVENTS]
    used, where = "", ""
    for run in runs[:ASKED]:
        used = _said_by(github, run)
        if used:
            where = f"run {run.run_id} of {place.workflow} on {branch}"
            break
    believed = [run for run in runs if _is_believed(run)][:ASKED]
    trusted = bool(used) and any(_says_alone(github, run, used) for run in believed)
    return Survey(used, where, trusted, present.updated, warnings)


def _said_by(github: GitHub, run: Run) -> str:
    """The key that a run said it had; empty where it said none, or its log is gone."""
    try:
        seen = said(_logs(github, run))
    except GitHubError as error:
        if error.status not in (404, 410):
            raise
        return ""
    return only(seen, run.url or f"run {run.run_id}") if seen else ""


def _says_alone(github: GitHub, run: Run, used: str) -> bool:
    try:
        return _said_by(github, run) == used
    except GitHubError as error:
        if error.code != "key_said_twice":
            raise
        return False


def _is_believed(run: Run) -> bool:
    """True if the step that says the key ran, so that a line of somebody else would be the second one."""
    return run.event == "workflow_dispatch" and run.conclusion == "success"


def only(seen: Iterable[Seen], where: str) -> str:
    """The one key that a run named. Pure. Raises GitHubError where it named several: one of them is not its own."""
    found = sorted({one.fingerprint for one in seen})
    if len(found) > 1:
        raise GitHubError(
            "key_said_twice",
            f"{where} names {len(found)} keys in lines of their own, {', '.join(found)}: one of them is not the key "
            "that CI logs in with, and it is not known which",
            [("a run of the workflow", "whose log has that line once: the newest run that has it counts")],
        )
    return found[0]


def _logs(github: GitHub, run: Run) -> list[str]:
    return list(github_workflow.logs_of(github, run, github_workflow.jobs_of(github, run)).values())


def put(github: GitHub, place: Place, private: str, sleep: Callable[[float], None] | None = None) -> str:
    """Put the secret and read it back: when GitHub says that it was written. Raises GitHubError.

    The same value again does no harm, so an answer that was lost is asked for once more.
    """
    state = Secret(place.wanted(private))
    try:
        return desired_state.bring(github, state).after.updated
    except GitHubError as error:
        if not error.touched:
            raise
    # GitHub's times are whole seconds: two writings within one second look the same.
    (sleep or time.sleep)(1.1)
    try:
        return desired_state.bring(github, state).after.updated
    except GitHubError as error:
        # The first may have been carried out, whatever became of the second.
        error.touched = True
        raise


def prove(
    github: GitHub,
    place: Place,
    new: str,
    old: Collection[str],
    nonce: str,
    tell: Callable[[str], None] = lambda _text: None,
) -> Mapping[str, str]:
    """Run the workflow, and read from its own log that it had the new key. Raises GitHubError."""
    started = github_workflow.start(github, place.dispatch(nonce), tell=tell)
    run = github_workflow.follow(
        github, place.repository, started.run_id, timeout=place.timeout, interval=place.interval, tell=tell
    )
    jobs = github_workflow.jobs_of(github, run)
    seen = said(github_workflow.logs_of(github, run, jobs).values())
    # A run with the old key may have failed for that; which key it had says more than how it ended.
    judge(place, run, seen, new, old, nonce)
    workflow_run.judged(run, jobs)
    workflow_run.on_commit(run, started.commit)
    return {"run": run.url or str(run.run_id), "fingerprint": new, "known_by": started.known_by}


def judge(place: Place, run: Run, seen: Iterable[Seen], new: str, old: Collection[str], nonce: str) -> None:
    """Raise unless a run's output proves that it had the new key. Pure. Raises GitHubError."""
    where = run.url or str(run.run_id)
    mine = [one.fingerprint for one in seen if one.nonce == nonce]
    if not mine:
        raise GitHubError(
            "key_not_said",
            f"{where} {run.state()}, and its log does not say which key it had for this run's nonce",
            [("docs/systems/ssh-keys.md", f"has the step that {place.workflow} needs")],
            touched=True,
        )
    other = [one for one in mine if one != new]
    used = [one for one in other if one in old]
    if used:
        raise GitHubError(
            "old_key_used",
            f"{where} still logged in with the old key, {used[0]}: it does not take {place.secret_in_words()}",
            [
                (
                    "ssh_key_secret, ssh_key_environment",
                    "in the inventory: the secret that the job takes; one of its environment goes first",
                )
            ],
            touched=True,
        )
    if other:
        raise GitHubError(
            "other_key_used",
            f"{where} logged in with {other[0]}, which is neither the new key nor the old one",
            [("ssh_key_secret, ssh_key_environment", "in the inventory: the secret that the job takes")],
            touched=True,
        )
