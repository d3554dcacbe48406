# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: what one operation is about to do and what it has done, written before it acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import (
        Plan,
        StepRecord,
        Verification,
    )

FORWARD = "forward"
BACK = "back"

#: The plan of an operation that has none yet.
NO_PLAN: Plan = {"from": None, "to": None, "chosen": "", "proven": "", "steps": [], "undo": [], "warnings": []}

#: In the target of a plan: its id is a name, and what that is shows only in a step, whose note has it as `target`.
UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Step:
    """One journalled change.

    id: unique in its plan ("vendor", "migrate_down:2026_01_02_000000_add_note").
    title: what a person reads. repeatable: doing it again after it was cut off is safe.
    data: what the step needs, without secrets. Four keys mean something here: `after` (see Progress.undo_needed),
    `proof` (what it saw counts in its own run only), `no_return` (once it was begun, nothing can be undone), `cut` (a
    sentence on what it may have left where it was cut off).
    """

    id: str
    title: str
    repeatable: bool = True
    data: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> StepRecord:
        return {"id": self.id, "title": self.title, "repeatable": self.repeatable, "data": self.data}


def step_from(raw: StepRecord) -> Step:
    """The step as the journal keeps it."""
    return Step(str(raw["id"]), str(raw["title"]), bool(raw.get("repeatable", True)), dict(raw.get("data") or {}))


@dataclass
class Progress:
    """Everything a journal says, folded.

    opened: the header. plan: what was decided, None before. steps and undo: the plan's two step lists.
    done: seconds of each finished forward step. undone: the same for the way back. begun: the step that
    was begun and has no end. failed: the step that ended badly and its error. phase: the phase that was
    begun and has no end. closes: whether the process of the last phase was to close. verified: the last
    verification. closed: the outcome its close wrote.
    past: every step this operation itself finished: id, seconds, direction. cause: why it turned back.
    failed_health: the answers that made it turn. cause_about: what it turned back for is about (see blame).
    afterwards_done: the steps after a good verification that ended, well or not. before: what was looked at just before
    the first change, None where nobody looked. failed_about: what the error of the failed step is about.
    """

    opened: dict[str, Any]
    plan: Plan | None = None
    direction: str = FORWARD
    done: dict[str, float] = field(default_factory=dict)
    undone: dict[str, float] = field(default_factory=dict)
    ever_begun: list[str] = field(default_factory=list)
    begun: str | None = None
    failed: str | None = None
    error: str = ""
    phase: str | None = None
    closes: bool = False
    verified: Verification | None = None
    closed: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    past: list[tuple[str, float, str]] = field(default_factory=list)
    cause: str = ""
    failed_health: list[Mapping[str, Any]] = field(default_factory=list)
    cause_about: str = ""
    failed_about: str = ""
    before: dict[str, Any] | None = None
    afterwards_done: set[str] = field(default_factory=set)

    @property
    def operation(self) -> str:
        return str(self.opened["operation"])

    @property
    def steps(self) -> list[Step]:
        return [step_from(raw) for raw in (self.plan or NO_PLAN).get("steps", [])]

    @property
    def undo(self) -> list[Step]:
        return [step_from(raw) for raw in (self.plan or NO_PLAN).get("undo", [])]

    @property
    def afterwards(self) -> list[Step]:
        """Steps that follow a good verification and are not done yet; their failure concerns nothing before them."""
        return [
            step
            for step in (step_from(raw) for raw in (self.plan or NO_PLAN).get("afterwards", []))
            if step.id not in self.afterwards_done
        ]

    @property
    def touched(self) -> bool:
        """True if anything on the host may differ from before."""
        return bool(self.ever_begun)

    @property
    def can_go_back(self) -> bool:
        return not any(step.data.get("no_return") for step in self.steps if step.id in self.ever_begun)

    @property
    def forward_complete(self) -> bool:
        return self.plan is not None and all(step.id in self.done for step in self.steps)

    @property
    def back_complete(self) -> bool:
        return self.plan is not None and all(step.id in self.undone for step in self.undo_needed)

    @property
    def undo_needed(self) -> list[Step]:
        """The steps of the way back that this progress asks for.

        A step with `after` only undoes what that forward step began; all others always run.
        """
        return [step for step in self.undo if "after" not in step.data or step.data["after"] in self.ever_begun]

    def remaining(self, direction: str) -> list[Step]:
        """The steps that are still to do in a direction."""
        if direction == BACK:
            return [step for step in self.undo_needed if step.id not in self.undone]
        return [step for step in self.steps if step.id not in self.done]


class JournalDamaged(Exception):
    """A journal that somebody edited or a disk damaged: what the operation did can't be known from it."""


def parse(content: bytes) -> list[dict[str, Any]]:
    """A journal's events. Raises JournalDamaged.

    A line that a power cut tore is left out: its step was never acted on, because the event is on the disk before the
    act. What follows it was written by another process. Any other unreadable line was torn by nothing.
    """
    events: list[dict[str, Any]] = []
    # The first line of those that can't be read, and if each of them is torn.
    unreadable, torn = 0, True
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line:
            continue
        try:
            event = foreign_json.load_object(line)
        except ValueError:
            event = {}
        if not isinstance(event.get("event"), str):
            torn = torn and _is_torn(line)
            unreadable = unreadable or number
            continue
        if unreadable and not (torn and event["event"] not in _WITHIN_A_PHASE):
            raise JournalDamaged(f"line {unreadable} is not an event")
        unreadable, torn = 0, True
        events.append(event)
    return events


#: Events before which the same process has written others.
_WITHIN_A_PHASE = ("begin", "done", "failed", "after_done")


def _is_torn(line: bytes) -> bool:
    """True if a line is the beginning of an event, or the zeros that a file system leaves for what was not written."""
    if not line.strip(b"\0"):
        return True
    inside, depth, escaped = False, 0, False
    for letter in line.decode("utf-8", "replace"):
        if inside:
            inside, escaped = (letter != '"' or escaped), letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if not depth:
                return False
    return line.startswith(b"{")


def fold(events: Iterable[dict[str, Any]]) -> Progress | None:
    """Progress from events; None without events. Raises JournalDamaged for events that no operation writes."""
    try:
        progress = _fold(events)
        if progress is not None:
            _must_be_judged(progress)
        return progress
    except JournalDamaged:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise JournalDamaged(f"an event is not as operations write it ({type(error).__name__}: {error})") from error


def _must_be_judged(progress: Progress) -> None:
    """Read whatever is read of it later."""
    if not isinstance(progress.opened["operation"], str):
        raise JournalDamaged("its operation has no id")
    for one in (progress.plan, progress.verified, progress.before):
        if one is not None and not isinstance(one, dict):
            raise JournalDamaged("its plan or its verification is not an object")
    steps = [*progress.steps, *progress.undo, *progress.afterwards, *progress.undo_needed]
    if not all(isinstance(step.data, dict) for step in steps):
        raise JournalDamaged("a step has no data")
    plan = progress.plan or NO_PLAN
    for end, target in (("from", plan.get("from")), ("to", plan.get("to"))):
        if target is not None and not isinstance(target, dict):
            raise JournalDamaged(f"the plan's {end} is not an object")
    classify(progress)
    ending(progress)
    carry(progress, progress.direction)


def _fold(events: Iterable[dict[str, Any]]) -> Progress | None:
    progress: Progress | None = None
    for event in events:
        kind = event["event"]
        if kind == "open":
            progress = Progress(opened=event)
        elif progress is None:
            raise JournalDamaged("its first event does not open an operation")
        else:
            _apply(progress, kind, event)
    if progress is not None and progress.plan is not None:
        progress.plan = _resolved(progress.plan, progress.notes)
    return progress


def _resolved(plan: Plan, notes: Mapping[str, Any]) -> Plan:
    """The plan with the target that a step found out, where the plan had only a name for it."""
    to = plan.get("to")
    targets = [note["target"] for note in notes.values() if isinstance(note, Mapping) and "target" in note]
    if not targets or not isinstance(to, Mapping) or UNRESOLVED not in to:
        return plan
    name = str(to.get("name") or to.get("id") or "")
    return {**plan, "to": {**to, "name": name, **targets[-1], UNRESOLVED: False}}


def _apply(progress: Progress, kind: str, event: dict[str, Any]) -> None:
    step = str(event.get("step", ""))
    if kind == "plan":
        progress.plan = event["plan"]
    elif kind == "carry":
        progress.done = dict(event["done"])
        progress.undone = dict(event["undone"])
        progress.ever_begun = list(event["ever_begun"])
        progress.notes = dict(event["notes"])
        progress.cause = str(event["cause"])
        progress.cause_about = str(event.get("cause_about", ""))
        progress.before = event.get("before")
        progress.direction = event["direction"]
    elif kind == "phase":
        progress.phase, progress.closes = event["phase"], bool(event.get("closes"))
        if progress.direction != event.get("direction", progress.direction):
            if event["direction"] == BACK:
                progress.cause_about = about(progress)
                progress.cause = _why_back(progress) or str(event.get("cause", ""))
                bad = progress.verified if progress.verified and not progress.verified.get("ok") else None
                progress.failed_health = list(bad.get("health") or []) if bad else []
            # A verification before the turn says nothing about the state after it.
            progress.direction, progress.verified = event["direction"], None
            if progress.direction == FORWARD:
                progress.undone = {}
    elif kind == "phase_end":
        progress.phase = None
    elif kind == "before":
        progress.before = event["result"]
    elif kind == "begin":
        progress.begun, progress.failed, progress.error, progress.verified = step, None, "", None
        # A step in one direction takes from what was reached in the other, so that one starts anew.
        if progress.direction == FORWARD:
            progress.ever_begun.append(step)
            progress.undone = {}
        else:
            progress.done = {}
    elif kind == "done":
        progress.begun = None
        finished = progress.undone if progress.direction == BACK else progress.done
        finished[step] = float(event.get("seconds", 0.0))
        progress.past.append((step, finished[step], progress.direction))
        if event.get("note") is not None:
            progress.notes[step] = event["note"]
    elif kind == "failed":
        progress.begun, progress.failed, progress.error = None, step, str(event.get("error", ""))
        progress.failed_about = str(event.get("about") or blame.of_error(progress.error))
        if event.get("untouched") and step in progress.ever_begun:
            # This attempt only: an earlier one may have done something.
            progress.ever_begun.reverse()
            progress.ever_begun.remove(step)
            progress.ever_begun.reverse()
    elif kind == "after_done":
        progress.afterwards_done.add(step)
        progress.past.append((step, float(event.get("seconds", 0.0)), FORWARD))
        if event.get("note") is not None:
            progress.notes[step] = event["note"]
    elif kind == "verified":
        progress.verified = event["result"]
    elif kind == "closed":
        progress.closed = event["outcome"]


def _why_back(progress: Progress) -> str:
    step = progress.failed or progress.begun
    if step:
        return f"step '{step}': {progress.error or 'cut off' + _left_by_cut(progress, step)}"
    return str(progress.verified.get("reason", "")) if progress.verified else ""


def _left_by_cut(progress: Progress, cut: str) -> str:
    """Leftovers of a step that was cut off, as a sentence of their own; empty if it leaves nothing."""
    step = next((step for step in (*progress.steps, *progress.undo) if step.id == cut), None)
    return f". {step.data['cut']}" if step is not None and step.data.get("cut") else ""


def about(progress: Progress) -> str:
    """The cause of an operation's bad end: the release, the surroundings, or a cut."""
    if progress.direction == BACK:
        return progress.cause_about
    if progress.failed:
        return progress.failed_about
    if progress.begun or progress.verified is None:
        return blame.CUT
    return str(progress.verified.get("about") or "")


def carry(progress: Progress, direction: str) -> dict[str, Any]:
    """The event by which a new operation takes over what an interrupted one had reached."""
    proofs = {step.id for step in progress.steps if step.data.get("proof")}
    return {
        "event": "carry",
        "from": progress.operation,
        "direction": direction,
        # Between two runs anybody may have changed anything, so what was only seen is looked at again.
        "done": {step: seconds for step, seconds in progress.done.items() if step not in proofs},
        "undone": progress.undone,
        "ever_begun": progress.ever_begun,
        "notes": progress.notes,
        "cause": progress.cause or _why_back(progress),
        "cause_about": progress.cause_about or about(progress),
        "before": progress.before,
    }


@dataclass(frozen=True)
class Verdict:
    """The ways out of an operation that has no end.

    kind: untouched, finished, resumable, undoable or unclear. ways: the allowed values of
    `interrupted`, best first. text: one sentence for a person.
    """

    kind: str
    ways: tuple[str, ...]
    text: str


def classify(progress: Progress) -> Verdict:
    """Judge an operation that was never closed, or was closed halfway."""
    verdict = _judge(progress)
    if progress.can_go_back:
        return verdict
    return Verdict(verdict.kind, tuple(way for way in verdict.ways if way != "undo"), verdict.text)


def _judge(progress: Progress) -> Verdict:
    total = len(progress.steps)
    if not progress.touched:
        return Verdict("untouched", (), "it changed nothing")
    if progress.direction == FORWARD and progress.forward_complete:
        if progress.verified is not None and progress.verified.get("ok"):
            return Verdict(
                "finished",
                ("resume", "accept", "undo"),
                "all its steps are done and verified; only its record is missing",
            )
        return Verdict(
            "resumable",
            ("resume", "undo", "accept"),
            f"all {total} steps are done, but the result {_unproven(progress)}",
        )
    if progress.direction == BACK and progress.back_complete:
        if progress.verified is not None and progress.verified.get("ok"):
            return Verdict("finished", ("undo", "accept"), "it went back and was verified; only its record is missing")
        return Verdict("undoable", ("undo", "resume", "accept"), f"it went back, but the result {_unproven(progress)}")
    cut = progress.begun or progress.failed
    where = f"it stopped in step '{cut}'" if cut else "it stopped between two steps"
    count = f"{len(progress.done)} of {total} steps were done"
    if progress.direction == BACK:
        # A person may have repaired the obstacle by hand since, and says so by accept.
        return Verdict("undoable", ("undo", "resume", "accept"), f"{where} on its way back{_because(progress)}")
    step = next((step for step in progress.steps if step.id == cut), None)
    if step is not None and not step.repeatable and progress.begun:
        return Verdict(
            "unclear",
            ("resume", "undo", "accept"),
            f"{where} after {count}; whether that step took effect can't be seen from here: {step.title}"
            + _left_by_cut(progress, step.id),
        )
    if progress.failed:
        return Verdict("undoable", ("undo", "resume", "accept"), f"{where} after {count}: {progress.error}")
    return Verdict("resumable", ("resume", "undo", "accept"), f"{where} after {count}")


def _because(progress: Progress) -> str:
    return f": {progress.error}" if progress.failed and progress.error else ""


def _unproven(progress: Progress) -> str:
    if progress.verified is None:
        return "was not verified"
    return f"is not well: {progress.verified.get('reason') or 'no reason was recorded'}"


@dataclass(frozen=True)
class Ending:
    """How an operation ends.

    outcome: succeeded, failed, reverted, refused or interrupted; unchanged where there was nothing to do
    and it was verified. settled: the host is at a known release, so the journal is not needed any more.
    left: `to`, `from` or None (unknown): which end of the plan the host was left at. error: why not succeeded.
    """

    outcome: str
    settled: bool
    left: str | None
    error: str = ""


def ending(progress: Progress) -> Ending:
    """The outcome that a journal proves. Nobody says that an operation succeeded: its journal does."""
    healthy = progress.verified is not None and bool(progress.verified.get("ok"))
    unhealthy = (progress.verified and str(progress.verified.get("reason") or "")) or "it was never verified"
    if progress.plan is None:
        return Ending("interrupted", True, None, "it ended before there was a plan")
    if not progress.steps:
        if healthy:
            return Ending("unchanged", True, "to")
        return Ending("failed" if progress.verified else "interrupted", True, "to", unhealthy)
    if not progress.touched:
        return Ending("interrupted", True, "from", "it ended before it changed anything")
    cut = progress.failed or progress.begun
    stopped = progress.error or "cut off between two steps"
    if cut and not progress.error:
        stopped = f"cut off in step '{cut}'{_left_by_cut(progress, cut)}"
    if progress.direction == BACK:
        if not progress.back_complete:
            return Ending("failed", False, None, f"the way back is not complete: {stopped}")
        if healthy:
            return Ending("reverted", True, "from", progress.cause)
        why = f" (it went back for: {progress.cause})" if progress.cause not in ("", unhealthy) else ""
        return Ending("failed", True, "from", f"after going back: {unhealthy}{why}")
    if not progress.forward_complete:
        return Ending("failed" if progress.failed else "interrupted", False, None, stopped)
    if progress.verified is None:
        return Ending("interrupted", False, "to", unhealthy)
    if healthy:
        return Ending("succeeded", True, "to")
    return Ending("failed", True, "to", unhealthy)
