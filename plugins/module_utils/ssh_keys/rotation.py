# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a key's rotation: the next step, the proof that it needs, and the ways forward and back.

Each step is recorded as begun before it is taken, and as done after it. A step that was begun and not done may have
happened or not, so every step can be taken twice. A proof counts only in the run that made it: between two runs
anybody may have changed anything. Only fingerprints and names of hosts are ever recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GENERATE, KEEP, AUTHORISE, PROVE_LOGIN = "generate", "keep", "authorise", "prove_login"
PUT_SECRET, PROVE_CI, REMOVE_OLD, PROVE_REMOVED, CLOSE = (
    "put_secret",
    "prove_ci",
    "remove_old",
    "prove_removed",
    "close",
)
REMOVE_NEW = "remove_new"

#: Steps that look and change nothing.
PROOFS = frozenset({PROVE_LOGIN, PROVE_CI, PROVE_REMOVED})

#: State by the steps that are all done, the furthest first.
_STATES = (
    ("closed", (CLOSE,)),
    ("old_removed", (REMOVE_OLD, PROVE_REMOVED)),
    ("ci_proven", (PUT_SECRET, PROVE_CI)),
    ("secret_put", (PUT_SECRET,)),
    ("controller_proven", (AUTHORISE, PROVE_LOGIN)),
    ("authorised", (AUTHORISE,)),
    ("generated", (GENERATE, KEEP)),
)

BEGUN, DONE, RESUMED = "begun", "done", "resumed"


class OutOfOrder(Exception):
    """A record that no run of a rotation can have written, or a step whose turn it is not."""


@dataclass(frozen=True)
class Step:
    """One step; host is empty where it is about all of them."""

    name: str
    host: str = ""


@dataclass(frozen=True)
class Event:
    """One line of the record. step: None where a later run took over."""

    kind: str
    step: Step | None = None


@dataclass(frozen=True)
class Progress:
    """The steps of a record.

    done: steps that are done and still count. touched: steps that were begun, whether they are done or not.
    order: all steps.
    """

    hosts: tuple[str, ...]
    done: frozenset[Step] = frozenset()
    touched: frozenset[Step] = frozenset()
    order: tuple[Step, ...] = ()


def steps(hosts: Sequence[str]) -> tuple[Step, ...]:
    """All steps in their order: the key is let in and proven on every host before the one secret is put."""
    return (
        Step(GENERATE),
        # GitHub gives no secret back, so whoever loses the key after put_secret has lost it for good.
        Step(KEEP),
        *(Step(AUTHORISE, host) for host in hosts),
        *(Step(PROVE_LOGIN, host) for host in hosts),
        Step(PUT_SECRET),
        Step(PROVE_CI),
        # One host at a time: where the new key is refused after all, the others still have the old one.
        *(step for host in hosts for step in (Step(REMOVE_OLD, host), Step(PROVE_REMOVED, host))),
        Step(CLOSE),
    )


def fold(hosts: Sequence[str], events: Iterable[Event]) -> Progress:
    """The progress that a record shows. Raises OutOfOrder."""
    order = steps(hosts)
    known = {*order, *(Step(REMOVE_NEW, host) for host in hosts)}
    done: set[Step] = set()
    touched: set[Step] = set()
    for event in events:
        if event.kind == RESUMED:
            done = {step for step in done if step.name not in PROOFS}
            if Step(KEEP) not in done:
                # The private key was in the memory of a process that is gone.
                done.discard(Step(GENERATE))
            continue
        if event.step not in known or event.kind not in (BEGUN, DONE):
            raise OutOfOrder(f"the record has {event.kind} {event.step}, which is not a step of this rotation")
        if event.kind == BEGUN:
            touched.add(event.step)
        elif event.step in touched:
            done.add(event.step)
        else:
            raise OutOfOrder(f"the record has {event.step.name} {event.step.host} as done, and not as begun")
    return Progress(tuple(hosts), frozenset(done), frozenset(touched), order)


def state(progress: Progress) -> str:
    """The name of the furthest state that is whole on every host."""
    for name, needed in _STATES:
        if all(step in progress.done for step in progress.order if step.name in needed):
            return name
    return "planned"


def following(progress: Progress) -> Step | None:
    """The next step; None where the rotation is closed. It is the first that is not done, or counts no more."""
    if any(step.name == REMOVE_NEW for step in progress.touched):
        raise OutOfOrder("this rotation is being undone: it can't be resumed, only undone to its end")
    if Step(CLOSE) in progress.done:
        return None
    for step in progress.order:
        if step not in progress.done:
            return step
    return None


def must_follow(step: Step, progress: Progress) -> None:
    """Raises OutOfOrder where it is not this step's turn. What removes a key asks here right before it does."""
    if step != following(progress):
        raise OutOfOrder(f"{step.name} {step.host} was asked for, and {following(progress)} is next")


def undo(progress: Progress) -> tuple[tuple[Step, ...], str]:
    """The steps of the way back, or why there are none.

    Once the secret may have been put, the old private key is nowhere to be had: CI may hold the new one only.
    """
    if Step(PUT_SECRET) in progress.touched:
        return (), (
            "the secret may hold the new key already, and GitHub gives the old one to nobody: resume it, "
            "both keys are let in until the new one is proven"
        )
    undone = [host for host in progress.hosts if Step(REMOVE_NEW, host) in progress.done]
    there = [host for host in progress.hosts if Step(AUTHORISE, host) in progress.touched and host not in undone]
    return tuple(Step(REMOVE_NEW, host) for host in there), ""
