# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if an operation may be opened: lease, unfinished journal and operator inputs."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import (
    BACK,
    FORWARD,
    Progress,
    Verdict,
    classify,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.lease import Lease
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Allowed values of the operator input `interrupted`.
INTERRUPTED = ("resume", "undo", "accept")
#: The way past a lease that nothing has to be known for.
LONGER = ("lock_wait=300", "waits up to 300 seconds for it to end")


@dataclass(frozen=True)
class Opening:
    """The opening of an operation.

    refusal: set when it must not be opened. direction: the way in which an interrupted operation is
    continued, None for a new one. bury: an unfinished operation gets its record first. verdict: about it.
    """

    refusal: Problem | None = None
    direction: str | None = None
    bury: bool = False
    verdict: Verdict | None = None


_DOES = {
    "resume": "does what remains of it, verifies, and starts nothing else",
    "undo": "goes back to where that operation came from, verifies, and starts nothing else",
    "accept": "leaves the host as it is, records that operation as interrupted, and goes on with this one",
}


def decide(
    lease: Lease | None,
    standing: str,
    progress: Progress | None,
    interrupted: str = "",
    lock_takeover: str = "",
) -> Opening:
    """Decide on an opening. Pure: the facts come in, the decision goes out."""
    held = _held(lease, standing, lock_takeover, progress)
    if held is not None:
        return Opening(refusal=held)
    # To accept nothing is to go on: in a fleet that was cut off not every host has something unfinished.
    finishing = interrupted if interrupted != "accept" else ""
    if progress is None:
        if finishing:
            return Opening(refusal=_nothing_interrupted(interrupted))
        return Opening()
    verdict = classify(progress)
    if verdict.kind == "untouched":
        if finishing:
            return Opening(refusal=_nothing_interrupted(interrupted), verdict=verdict)
        return Opening(bury=True, verdict=verdict)
    if not interrupted or interrupted not in verdict.ways:
        return Opening(refusal=_unfinished(progress, verdict, interrupted), verdict=verdict)
    if interrupted == "accept":
        return Opening(bury=True, verdict=verdict)
    return Opening(direction=BACK if interrupted == "undo" else FORWARD, bury=True, verdict=verdict)


def _held(lease: Lease | None, standing: str, lock_takeover: str, progress: Progress | None) -> Problem | None:
    if lease is None or standing in ("free", "died", "expired"):
        return None
    if lock_takeover == lease.operation:
        return None
    who = describe_holder(lease)
    if lock_takeover:
        return Problem(
            "takeover_of_another",
            f"lock_takeover={lock_takeover} names an operation that does not hold the lease; {who} does",
            ((f"lock_takeover={lease.operation}", "takes the lease from that operation"),),
        )
    takeover = f"lock_takeover={lease.operation}"
    if standing == "running":
        effect = "takes the lease away; that operation stops before its next step"
    else:
        effect = f"takes the lease away: only if you know that its run is dead (it expires {lease.expires})"
    takeovers = [(takeover, effect)]
    if progress is not None and progress.touched:
        takeovers = [
            (f"lock_takeover={lease.operation} interrupted={way}", f"{effect}; {_DOES[way]}")
            for way in classify(progress).ways
        ]
    work = "is at work on this host now" if standing == "running" else "holds the lease between two steps"
    return Problem(
        "lease_held",
        f"{who} {work}",
        (
            LONGER,
            *takeovers,
        ),
    )


def describe_holder(lease: Lease) -> str:
    """One line that says who holds a lease."""
    user = lease.actor.get("user") or "someone"
    controller = lease.actor.get("controller") or "an unknown controller"
    reason = f", reason: {lease.reason}" if lease.reason else ""
    return f"operation {lease.operation} ({lease.procedure} by {user} from {controller} since {lease.since}{reason})"


def _nothing_interrupted(value: str) -> Problem:
    return Problem(
        "nothing_interrupted",
        f"interrupted={value} was given, but no operation on this host is unfinished",
        (("the same command without it", "starts a new operation"),),
    )


def _unfinished(progress: Progress, verdict: Verdict, given: str) -> Problem:
    opened = progress.opened
    plan = progress.plan
    text = (
        f"operation {progress.operation} ({opened.get('procedure')} by {opened.get('actor', {}).get('user')}, "
        f"started {opened.get('started')}) was interrupted: {verdict.text}"
    )
    if given:
        text = f"interrupted={given} is not possible here: {text}"
    details = [f"verdict: {verdict.kind}"]
    if plan:
        details.append(f"it was going from {_label(plan.get('from'))} to {_label(plan.get('to'))}")
    back = progress.direction == BACK
    if progress.undone if back else progress.done:
        details.append(
            f"undone: {', '.join(progress.undone)}" if back else f"done: {', '.join(progress.done)}",
        )
    remaining = [step.id for step in progress.remaining(progress.direction)]
    # A step of the way back takes from what was done before: what was begun then, and ended, was undone since.
    again = [step for step in remaining if not back and step in progress.ever_begun and step != _cut_off(progress)]
    if again:
        details.append(f"done, and undone since: {', '.join(again)}")
        remaining = [step for step in remaining if step not in again]
    if remaining:
        details.append(f"{'not undone' if back else 'not done'}: {', '.join(remaining)}")
    return Problem(
        "interrupted",
        text,
        tuple((f"interrupted={way}", _DOES[way]) for way in verdict.ways),
        tuple(details),
    )


def _cut_off(progress: Progress) -> str | None:
    return progress.begun or progress.failed


def _label(release: object) -> str:
    if not isinstance(release, dict):
        return "unknown"
    commit, name = str(release.get("id", ""))[:10], release.get("name")
    return f"{name} ({commit})" if name else commit
