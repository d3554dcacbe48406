# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract between the systems, the guard and the screens: the keys of a plan, of its results, and of a record.

A system writes a plan; the guard keeps it in the journal, carries it out and records it; the screens show it. All
of it is JSON. mypy compares each key with these types, and no program loads this file: import it under TYPE_CHECKING. A
system that needs keys of its own in its plans declares them in a class of its own that extends Plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

#: The ends of a plan.
End = Literal["from", "to"]


class StepRecord(TypedDict, total=False):
    """A step as a plan has it; see journal.Step, which reads it."""

    id: str  # unique in its plan; the first word up to a colon says what does it
    title: str  # a line for a person, in the imperative
    repeatable: bool  # whether doing it again after a cut is safe; journal.classify
    data: dict[str, Any]  # what the step needs, without secrets; its system, and four keys journal.Step names


class Way(TypedDict):
    """A way forward of a refusal; see text/ways.py, which makes a command of it."""

    input: str  # what to type: an input, a procedure with inputs, a command, or words
    effect: str  # what that does, for a person


class RefusalRecord(TypedDict):
    """A refusal as results have it; see Problem.to_dict of text/problem.py."""

    code: str  # stable, for programs: lease_held, hosts_diverged, ...
    text: str  # one sentence for a person
    ways: Sequence[Way]  # the ways forward, the best first
    details: Sequence[str]  # lines to read before one of them is chosen


class _ReleaseName(TypedDict):
    id: str  # a commit, or digests; `unknown` and the like where there is no release; release_name.identity
    name: str  # a tag or a branch, for people; empty where it has none; release_name.label


class Release(_ReleaseName, total=False):
    """A release as plans and records name it: what `from`, `to` and `left` hold. A system adds keys for its own use."""

    images: Mapping[str, Mapping[str, Any]]  # by service: reference and digest; release_name.typed
    revision: str  # the commit that it was built from; the rules about hotfixes
    unresolved: bool  # its id is a name, until a step has found out what that is; journal
    number: int  # of the release on its host, where the platform counts them; Dokku's rollback
    image: str  # the image that runs, where a release is one image; Dokku's rollback


class MigrationsRecord(TypedDict):
    """The migrations of a plan; see migrations/plan.py, which writes them."""

    mode: str  # the operator's input `migrations`: refuse, keep, down, run or skip
    verdict: str  # the database against the target: same, ahead, behind, diverged or unknown
    ahead: Sequence[str]  # migrations that the target does not know, newest first
    behind: Sequence[str]  # migrations that the database lacks, oldest first
    foreign: Sequence[str]  # migrations of the database that neither release has
    unsure: Sequence[str]  # migrations of packages that may differ in the target
    error: str  # why the verdict is unknown; empty otherwise
    unasked: Sequence[str]  # questions about the target that got no answer, as sentences
    pending: Sequence[str]  # migrations of the present release that the database lacks
    migrate: bool  # whether what is pending when the step comes is run, known now or not
    run: Sequence[str]  # migrations that are run, oldest first
    down: Sequence[str]  # migrations that are undone, newest first
    here: bool  # whether this host is the one that migrates
    sql: Mapping[str, Sequence[str]]  # statements by migration, of what is run or undone
    losses: Sequence[str]  # what undoing destroys, with the number of rows where it is known


# `from` is a word of Python, so that a class can't have it.
_PlanEnds = TypedDict(
    "_PlanEnds",
    {
        "from": Any,  # the Release that runs now, or None; history, screens, the way back
        "to": Any,  # the Release to go to; the same where no release is changed
    },
)


class _PlanMust(_PlanEnds):
    chosen: str  # how the target was chosen, for a person
    proven: str  # how the target was proven to exist, for a person; empty where there is nothing to prove
    steps: Sequence[StepRecord]  # the way forward in its order; empty where the host is there already
    undo: Sequence[StepRecord]  # the way back in its order; empty where there is none
    warnings: Sequence[str]  # lines that a person should know before they go on


class Plan(_PlanMust, total=False):
    """A plan. Without secrets: it goes to the journal as it is."""

    procedure: str  # deploy, rollback, ...: the guard and the screens
    asked: str  # the operator's input `to`; fleet: whether `previous` is one release for all hosts
    afterwards: Sequence[StepRecord]  # what follows a good verification; its failure changes nothing of the outcome
    migrations: MigrationsRecord | None  # None where the plan has nothing to do with a database; fleet, screens, ledger
    also: Sequence[Sequence[Any]]  # [[title, [line, ...]], ...]: what else the screens show of the way forward
    commits: Sequence[str]  # one line a commit between the two releases, the newest first; screens
    diffstat: Sequence[str]  # lines for --diff; the modules
    facts: Mapping[str, Any]  # what the ledger is to keep of it: strategy, hotfix, merges, files, ...
    # files below the state folder that only its way back needs: the guard removes them in the end. A rotation of a key
    # has one text here, the place where the controller keeps the key.
    kept: Sequence[str] | str
    saved_as: str  # the id of the operation that was planned, by which a continued one finds what it saved; ledger
    halfway: str  # a sentence in place of "The host is between two releases."; screens
    left_over: str  # a sentence on what a first deploy may leave when it is reverted; screens
    # `<procedure> -e <input>=<value> ...` of the same system, which brings the release of this plan up again once the
    # operation has failed; empty where nothing but a person can do that; screens
    anew: str
    remaining: Sequence[str]  # ids of the steps still to do, where an interrupted operation is continued; screens
    just_before: Mapping[str, Any] | None  # what Work.before saw before the first change; a system's verify


class Planned(TypedDict, total=False):
    """The result of the phase `plan`. On the controller, `msg`, `unreachable` and `skipped` are Ansible's."""

    operation: str  # the id of the operation
    opened: bool  # whether the lease is held; false in check mode and after a refusal
    plan: Plan | None  # None where it was refused
    refusal: RefusalRecord | None  # None where it goes on
    direction: str  # forward, or back where an interrupted operation is undone
    continues: bool  # whether an interrupted operation is continued
    changed: bool  # in check mode: whether there are steps
    diff: Mapping[str, Any]  # with --diff; Ansible
    msg: Any  # Ansible's text of a failure: a text or a list of lines
    unreachable: bool  # the host did not answer; fleet, screens
    skipped: bool  # the task did not run on this host


class Verification(TypedDict, total=False):
    """A verification: what a system's verify found. A system may add keys for its own use."""

    ok: bool  # whether what stands now is what was wanted; always there
    reason: str  # why it is not, as one line; empty where it is; always there
    about: str  # what a failure is about, see health/blame.py; journal.about
    surroundings: Sequence[str]  # failures that are not of the release, as lines; ledger, screens
    health: Sequence[Mapping[str, Any]]  # the answers, see Result.to_dict of health/endpoint.py; ledger, screens
    note: str  # a sentence for the summary
    unasked: bool  # no endpoint is described, so none was asked; screens


class Closed(TypedDict, total=False):
    """The end of an operation on a host, as guard.close proves it. On the controller with Ansible's own keys."""

    outcome: str  # succeeded, failed, reverted, refused, interrupted or unchanged; screens, exit code
    error: str  # why it did not succeed; empty otherwise
    settled: bool  # whether the host is at a known release, so that the next run need not ask; screens
    record: Record | None  # what the ledger has of it; None where nothing was recorded
    msg: Any  # Ansible's text of a failure: a text or a list of lines
    unreachable: bool  # the host did not answer


class Outcome(Closed, total=False):
    """How an operation ended on one host, as console/fleet.py puts it together for the screens."""

    operation: str  # the id of the operation
    planned: Planned  # the result of planning there; empty where it was not planned
    verified: Verification  # the last verification; empty where there was none
    untouched: str  # why the host's turn never came; empty where it came
    lease_ends: str  # when the lease of a host that is lost ends, for a person


class Applied(TypedDict, total=False):
    """The result of the phase `apply`. On the controller with Ansible's own keys."""

    changed: bool  # whether a step was done
    healthy: bool  # what stands now was verified and is what was wanted; missing where the process died
    reverted: bool  # it went back, and where it came from was verified
    error: str  # why it is not healthy; empty otherwise
    verified: Verification | None  # the last verification; None where a step failed before it
    closed: Closed | None  # the end, where the host closed its operation itself; None where others close it
    msg: Any  # Ansible's text of a failure: a text or a list of lines
    unreachable: bool  # the host did not answer


class StepDone(TypedDict, total=False):
    """A finished step as a record has it."""

    step: str  # its id
    seconds: float  # how long it took
    direction: str  # back, where it was a step of the way back


_RecordEnds = TypedDict(
    "_RecordEnds",
    {
        "from": Any,  # as in the plan; None where there was no plan, or no release
        "to": Any,
    },
    total=False,
)


class Record(_RecordEnds, total=False):
    """A record of the ledger, as far as it is read by name. Any key may be missing; ledger.py checks the types."""

    id: str  # of the operation
    service: str | None  # the name of the service
    environment: str | None  # production, staging, ...
    procedure: str | None  # deploy, rollback, ...
    actor: Mapping[str, Any] | None  # user, controller, via, job: who started it
    reason: str | None  # as typed
    started: str | None  # RFC 3339
    finished: str  # RFC 3339
    left: Any  # the Release at which it left the host; None where that is not known
    migrations: MigrationsRecord | None  # as in the plan
    steps: Sequence[StepDone]  # the finished steps, in the order in which they ended
    health: Sequence[Mapping[str, Any]]  # the answers of the last verification
    outcome: str  # as Closed has it
    error: str  # as Closed has it
    about: str  # what a failure is about, see health/blame.py
    surroundings: Sequence[str]  # failures that are not of the release
    failed_health: Sequence[Mapping[str, Any]]  # the answers that made it go back; screens: their request ids
    continues: str  # the id of the interrupted operation that this one finished
    saved_as: str  # as in the plan, where one was continued
    facts: Mapping[str, Any]  # as in the plan: hotfix, merges, pin, files, strategy, ...
    notes: Mapping[str, Any]  # by step: what it returned
    schema: int  # of the record
    previous_hash: str  # SHA-256 of the line before
