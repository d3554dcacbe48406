# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: at whatever line an operation was cut off, what it says about itself is true."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import (
    BACK,
    FORWARD,
    JournalDamaged,
    Progress,
    Step,
    carry,
    classify,
    ending,
    fold,
    parse,
    step_from,
)
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file

Event = dict[str, Any]

OPEN: Event = {"event": "open", "operation": "op-1", "procedure": "rollback", "actor": {"user": "ada"}, "started": "t"}
PLAN: Event = {
    "event": "plan",
    "plan": {
        "from": {"id": "new"},
        "to": {"id": "old"},
        "steps": [
            Step("migrate_down:m2", "undo m2", repeatable=False).to_dict(),
            Step("code", "reset").to_dict(),
            Step("vendor", "exchange").to_dict(),
        ],
        "undo": [
            Step("code", "reset").to_dict(),
            Step("vendor", "exchange").to_dict(),
            Step("migrate_up:m2", "run m2 again", False, {"after": "migrate_down:m2"}).to_dict(),
        ],
    },
}
OK: Event = {"event": "verified", "result": {"ok": True}}
BAD: Event = {"event": "verified", "result": {"ok": False, "reason": "status 500"}}


def phase(name: str, direction: str | None = None) -> Event:
    return {"event": "phase", "phase": name, **({"direction": direction} if direction else {})}


def end(name: str) -> Event:
    return {"event": "phase_end", "phase": name}


def begin(step: str) -> Event:
    return {"event": "begin", "step": step}


def done(step: str, note: object = None) -> Event:
    return {"event": "done", "step": step, "seconds": 1.0, "note": note}


def failed(step: str, error: str = "exit 1") -> Event:
    return {"event": "failed", "step": step, "error": error}


def did(*steps: str) -> list[Event]:
    return [event for step in steps for event in (begin(step), done(step))]


def folded(*events: Event) -> Progress:
    progress = fold(events)
    assert progress is not None
    return progress


START = [OPEN, phase("plan", FORWARD), PLAN, end("plan"), phase("apply", FORWARD)]
STEPS = ("migrate_down:m2", "code", "vendor")
BACK_STEPS = ("code", "vendor", "migrate_up:m2")
GOOD = [*START, *did(*STEPS), end("apply"), phase("verify"), OK, end("verify")]
UNHEALTHY = [*START, *did(*STEPS), end("apply"), phase("verify"), BAD, end("verify")]
REVERTED = [*UNHEALTHY, phase("apply", BACK), *did(*BACK_STEPS), end("apply"), phase("verify"), OK, end("verify")]
FAILING = [*START, *did("migrate_down:m2"), begin("code"), failed("code"), end("apply")]
FAILED_BACK = [*FAILING, phase("apply", BACK), *did(*BACK_STEPS), end("apply"), phase("verify"), OK, end("verify")]

# What is cut off after each line of the good run: (last event, verdict, ways, outcome, settled, left).
ASK, ON = ("resume", "undo", "accept"), ("resume", "undo", "accept")
CUT_FORWARD = [
    ("open", "untouched", (), "interrupted", True, None),
    ("phase plan", "untouched", (), "interrupted", True, None),
    ("plan", "untouched", (), "interrupted", True, "from"),
    ("phase_end plan", "untouched", (), "interrupted", True, "from"),
    ("phase apply", "untouched", (), "interrupted", True, "from"),
    ("begin migrate_down:m2", "unclear", ASK, "interrupted", False, None),
    ("done migrate_down:m2", "resumable", ON, "interrupted", False, None),
    ("begin code", "resumable", ON, "interrupted", False, None),
    ("done code", "resumable", ON, "interrupted", False, None),
    ("begin vendor", "resumable", ON, "interrupted", False, None),
    ("done vendor", "resumable", ON, "interrupted", False, "to"),
    ("phase_end apply", "resumable", ON, "interrupted", False, "to"),
    ("phase verify", "resumable", ON, "interrupted", False, "to"),
    ("verified", "finished", ("resume", "accept", "undo"), "succeeded", True, "to"),
    ("phase_end verify", "finished", ("resume", "accept", "undo"), "succeeded", True, "to"),
]
# The same for the way back of an unhealthy one, from the verification that failed.
WAY_BACK = [
    ("verified", "resumable", ON, "failed", True, "to"),
    ("phase_end verify", "resumable", ON, "failed", True, "to"),
    ("phase apply", "undoable", ("undo", "resume", "accept"), "failed", False, None),
    ("begin code", "undoable", ("undo", "resume", "accept"), "failed", False, None),
    ("done code", "undoable", ("undo", "resume", "accept"), "failed", False, None),
    ("begin vendor", "undoable", ("undo", "resume", "accept"), "failed", False, None),
    ("done vendor", "undoable", ("undo", "resume", "accept"), "failed", False, None),
    ("begin migrate_up:m2", "undoable", ("undo", "resume", "accept"), "failed", False, None),
    ("done migrate_up:m2", "undoable", ("undo", "resume", "accept"), "failed", True, "from"),
    ("phase_end apply", "undoable", ("undo", "resume", "accept"), "failed", True, "from"),
    ("phase verify", "undoable", ("undo", "resume", "accept"), "failed", True, "from"),
    ("verified", "finished", ("undo", "accept"), "reverted", True, "from"),
    ("phase_end verify", "finished", ("undo", "accept"), "reverted", True, "from"),
]


def named(event: Event) -> str:
    return " ".join(str(event[key]) for key in ("event", "step", "phase") if key in event)


def judged(events: list[Event]) -> tuple[object, ...]:
    progress = folded(*events)
    verdict, outcome = classify(progress), ending(progress)
    return named(events[-1]), verdict.kind, verdict.ways, outcome.outcome, outcome.settled, outcome.left


@pytest.mark.parametrize("length", range(1, len(GOOD) + 1), ids=lambda length: f"{length} {named(GOOD[length - 1])}")
def test_a_run_cut_off_after_each_line(length: int) -> None:
    assert judged(GOOD[:length]) == CUT_FORWARD[length - 1]


FROM_BAD = range(len(UNHEALTHY) - 1, len(REVERTED) + 1)


@pytest.mark.parametrize("length", FROM_BAD, ids=lambda length: f"{length} {named(REVERTED[length - 1])}")
def test_a_way_back_cut_off_after_each_line(length: int) -> None:
    assert judged(REVERTED[:length]) == WAY_BACK[length - FROM_BAD.start]


def test_the_tables_cover_every_line() -> None:
    assert len(CUT_FORWARD) == len(GOOD)
    assert len(WAY_BACK) == len(FROM_BAD)


@pytest.mark.parametrize("run", [GOOD, UNHEALTHY, REVERTED, FAILING, FAILED_BACK])
def test_no_prefix_claims_more_than_it_proves(run: list[Event]) -> None:
    for length in range(1, len(run) + 1):
        progress = folded(*run[:length])
        healthy = bool(progress.verified and progress.verified["ok"])
        verdict, outcome = classify(progress), ending(progress)
        if verdict.kind == "finished":
            assert healthy
        if outcome.outcome == "succeeded":
            assert healthy and set(progress.done) == set(STEPS) and progress.direction == FORWARD
        if outcome.outcome == "reverted":
            assert healthy and progress.direction == BACK and not progress.remaining(BACK)
        if outcome.outcome not in ("succeeded", "reverted"):
            assert outcome.error
        if progress.plan is not None:
            remaining = [step.id for step in progress.remaining(FORWARD)]
            assert sorted([*remaining, *progress.done]) == sorted(STEPS)
            assert not set(remaining) & set(progress.done)
        assert ("undo" in verdict.ways) is progress.touched


def test_an_unhealthy_result_is_not_called_unverified() -> None:
    assert "not verified" in classify(folded(*GOOD[:-2])).text
    assert "is not well: status 500" in classify(folded(*UNHEALTHY)).text
    back = [*REVERTED[:-2], BAD]
    assert "is not well: status 500" in classify(folded(*back)).text


def test_a_failed_step_says_what_failed_and_offers_the_way_back_first() -> None:
    progress = folded(*FAILING)
    verdict = classify(progress)
    assert (verdict.kind, verdict.ways[0]) == ("undoable", "undo")
    assert "'code' after 1 of 3 steps were done: exit 1" in verdict.text
    assert ending(progress).outcome == "failed" and not ending(progress).settled


def test_a_failed_step_that_is_not_repeatable_is_known_to_have_failed() -> None:
    events = [*START, begin("migrate_down:m2"), failed("migrate_down:m2")]
    assert classify(folded(*events)).kind == "undoable"


def test_the_way_back_says_why_it_was_taken() -> None:
    assert ending(folded(*REVERTED)).error == "status 500"
    assert ending(folded(*FAILED_BACK)).error == "step 'code': exit 1"


def test_a_revert_is_one_only_if_it_was_verified_after_the_turn() -> None:
    events = [*GOOD, phase("apply", BACK), *did(*BACK_STEPS), end("apply")]
    assert ending(folded(*events)).outcome == "failed"
    assert "never verified" in ending(folded(*events)).error
    assert ending(folded(*events, phase("verify"), BAD)).outcome == "failed"
    assert ending(folded(*events, phase("verify"), OK)).outcome == "reverted"


def test_a_way_back_without_steps_still_has_to_be_verified() -> None:
    plan = {"event": "plan", "plan": {"steps": [Step("adopt", "record it").to_dict()], "undo": []}}
    turned = [OPEN, plan, *did("adopt"), OK, phase("apply", BACK), end("apply")]
    assert ending(folded(*turned)).outcome == "failed"
    assert classify(folded(*turned)).kind == "undoable"
    assert ending(folded(*turned, OK)).outcome == "reverted"


def test_a_verification_counts_only_until_the_next_change() -> None:
    assert folded(*GOOD, begin("code")).verified is None


def test_only_what_was_begun_is_undone() -> None:
    early = folded(*START[:-1], phase("apply", FORWARD), begin("code"))
    assert [step.id for step in early.remaining(BACK)] == ["code", "vendor"]
    late = folded(*START, begin("migrate_down:m2"))
    assert [step.id for step in late.remaining(BACK)] == list(BACK_STEPS)


def test_back_and_forth_begins_anew_each_time() -> None:
    back = [*FAILING, phase("apply", BACK), *did("code"), begin("vendor"), end("apply")]
    assert [step.id for step in folded(*back).remaining(FORWARD)] == list(STEPS)
    forth = [*back, phase("apply", FORWARD), *did("migrate_down:m2"), end("apply")]
    assert [step.id for step in folded(*forth).remaining(FORWARD)] == ["code", "vendor"]
    again = [*forth, phase("apply", BACK)]
    assert [step.id for step in folded(*again).remaining(BACK)] == list(BACK_STEPS)


def test_a_turn_before_any_step_back_keeps_what_was_done() -> None:
    turned = folded(*FAILING, phase("apply", BACK), end("apply"), phase("apply", FORWARD))
    assert [step.id for step in turned.remaining(FORWARD)] == ["code", "vendor"]


def taken_over(events: list[Event], direction: str) -> list[Event]:
    """The journal of an operation that goes on with this one."""
    progress = folded(*events)
    return [
        {**OPEN, "operation": "op-2", "continues": progress.operation},
        {"event": "plan", "plan": progress.plan},
        carry(progress, direction),
        phase("plan", direction),
        end("plan"),
    ]


def test_a_continued_operation_knows_what_was_reached() -> None:
    events = taken_over([*START, *did("migrate_down:m2"), begin("code")], FORWARD)
    progress = folded(*events)
    assert [step.id for step in progress.remaining(FORWARD)] == ["code", "vendor"]
    assert progress.touched and progress.past == []
    assert ending(folded(*events, phase("apply", FORWARD), *did("code", "vendor"), OK)).outcome == "succeeded"


def test_steps_undone_before_a_resume_are_undone_again_after_it() -> None:
    """Killed on its way back, resumed, failed: the second way back must do every step, not the rest of the first."""
    killed_back = [*FAILING, phase("apply", BACK), *did("code"), begin("vendor")]
    resumed = [*taken_over(killed_back, FORWARD), phase("apply", FORWARD), *did("migrate_down:m2", "code")]
    assert [step.id for step in folded(*resumed, phase("apply", BACK)).remaining(BACK)] == list(BACK_STEPS)


def test_an_undo_taken_over_keeps_the_cause() -> None:
    events = [*taken_over(UNHEALTHY, BACK), phase("apply", BACK), *did(*BACK_STEPS), end("apply"), OK]
    assert ending(folded(*events)).outcome == "reverted"
    assert ending(folded(*events)).error == "status 500"


def test_a_host_that_is_well_goes_back_for_the_reason_that_is_given() -> None:
    well = {"event": "verified", "result": {"ok": True, "health": [{"name": "up", "ok": True}]}}
    told = {**phase("apply", BACK), "cause": "web2 failed: status 500"}
    back = [told, *did(*BACK_STEPS), end("apply"), phase("verify"), OK, end("verify")]
    progress = folded(*GOOD[:-2], well, *back)
    assert (ending(progress).outcome, ending(progress).error) == ("reverted", "web2 failed: status 500")
    assert progress.failed_health == []


def test_a_host_that_is_not_well_says_itself_why_it_went_back() -> None:
    told = {**phase("apply", BACK), "cause": "web2 failed"}
    assert folded(*UNHEALTHY, told).cause == "status 500"
    assert folded(*FAILING, told).cause == "step 'code': exit 1"


def test_an_operation_without_steps_is_unchanged_only_if_it_is_healthy() -> None:
    nothing = [OPEN, {"event": "plan", "plan": {"steps": [], "undo": []}}, phase("verify")]
    assert ending(folded(*nothing)).outcome == "interrupted"
    assert ending(folded(*nothing, BAD)).outcome == "failed"
    assert ending(folded(*nothing, OK)).outcome == "unchanged"
    assert classify(folded(*nothing, OK)).kind == "untouched"


def test_notes_and_seconds_are_kept_and_a_turn_keeps_the_past() -> None:
    events = [*START, begin("code"), done("code", {"saved": "/x"}), phase("apply", BACK), *did("code")]
    progress = folded(*events)
    assert progress.notes == {"code": {"saved": "/x"}}
    assert progress.past == [("code", 1.0, FORWARD), ("code", 1.0, BACK)]


def test_no_events_is_no_operation() -> None:
    assert fold([]) is None
    with pytest.raises(JournalDamaged):
        fold([begin("code")])


def test_a_step_reads_back() -> None:
    step = Step("migrate", "run", False, {"migrations": ["a"]})
    assert step_from(step.to_dict()) == step


@pytest.mark.parametrize("cut", range(60))
def test_a_last_line_cut_short_is_left_out(cut: int) -> None:
    lines = [durable_file.encode(event) for event in REVERTED]
    assert parse(b"\n".join(lines) + b"\n") == REVERTED
    whole = b"\n".join(lines[:-1]) + b"\n"
    assert parse(whole + lines[-1][: min(cut, len(lines[-1]) - 1)]) == REVERTED[:-1]


class Host(RuleBasedStateMachine):
    """A host that dies, fails, turns and is taken over at any moment; its journal must never claim what is not so."""

    parts = ("migrate_down:m2", "code", "vendor")

    @initialize()
    def start(self) -> None:
        self.world = dict.fromkeys(self.parts, "from")
        self.events: list[Event] = [OPEN, phase("plan", FORWARD), PLAN, end("plan")]

    @property
    def progress(self) -> Progress:
        return folded(*self.events)

    def act(self, step: Step, direction: str) -> None:
        part = step.id.replace("migrate_up", "migrate_down")
        self.world[part] = "to" if direction == FORWARD else "from"

    @rule(
        direction=st.sampled_from([FORWARD, BACK]),
        count=st.integers(0, 3),
        how=st.sampled_from(["complete", "fails before", "fails after", "dies before", "dies after"]),
    )
    def apply(self, direction: str, count: int, how: str) -> None:
        self.events.append(phase("apply", direction))
        todo = self.progress.remaining(direction)
        for index, step in enumerate(todo):
            self.events.append(begin(step.id))
            if index == count and how.endswith("before"):
                pass
            else:
                self.act(step, direction)
            if index == count and how.startswith("fails"):
                self.events.append(failed(step.id))
                break
            if index == count and how.startswith("dies"):
                return
            self.events.append(done(step.id))
        self.events.append(end("apply"))

    @precondition(lambda self: self.progress.touched)
    @rule(direction=st.sampled_from([FORWARD, BACK]))
    def take_over(self, direction: str) -> None:
        self.events = taken_over(self.events, direction)

    @rule()
    def verify(self) -> None:
        """The health gate sees the release that is meant to run, and only a whole one is well."""
        wanted = "from" if self.progress.direction == BACK else "to"
        well = set(self.world.values()) == {wanted}
        self.events += [phase("verify"), OK if well else BAD, end("verify")]

    @invariant()
    def claims_are_true(self) -> None:
        progress = self.progress
        if progress.direction == FORWARD and progress.forward_complete:
            assert set(self.world.values()) == {"to"}
        if progress.direction == BACK and progress.back_complete:
            assert set(self.world.values()) == {"from"}
        if not progress.touched:
            assert set(self.world.values()) == {"from"}
        outcome = ending(progress)
        if outcome.outcome == "succeeded":
            assert set(self.world.values()) == {"to"}
        if outcome.outcome == "reverted":
            assert set(self.world.values()) == {"from"}
        if outcome.settled and outcome.left:
            assert set(self.world.values()) == {outcome.left}
        if classify(progress).kind == "finished":
            assert len(set(self.world.values())) == 1


TestHost = Host.TestCase
TestHost.settings = settings(max_examples=150, stateful_step_count=12)


@given(st.permutations(GOOD[3:]))
@settings(max_examples=50)
def test_no_order_of_lines_is_a_crash(events: list[Event]) -> None:
    progress = folded(*GOOD[:3], *events)
    classify(progress)
    ending(progress)


# -- what a cut may have left ------------------------------------------------------------------------

HALF_DONE = "The migration under way may have left a part of its changes"


def cut_in_a_migration(direction: str = FORWARD) -> list[Event]:
    """An operation whose process was killed in a migration of a database without transactions for it."""
    data = {"cut": f"{HALF_DONE}: this database can't take them back by itself"}
    step = {"id": "migrate", "title": "artisan migrate", "repeatable": False, "data": data}
    opened = {"event": "open", "operation": "op-1", "procedure": "deploy"}
    plan = {"from": {"id": "1"}, "to": {"id": "2"}, "steps": [step], "undo": [{"id": "code", "title": "back"}]}
    events = [opened, {"event": "plan", "plan": plan}, phase("apply"), begin("migrate")]
    return events if direction == FORWARD else [*events, phase("apply", BACK), *did("code"), end("apply"), OK]


def test_leftovers_of_a_killed_migration_are_named_like_those_of_a_failed_one() -> None:
    cut = folded(*cut_in_a_migration())
    assert HALF_DONE in classify(cut).text
    assert ending(cut).error == f"cut off in step 'migrate'. {HALF_DONE}: this database can't take them back by itself"
    back = ending(folded(*cut_in_a_migration(BACK)))
    assert (back.outcome, HALF_DONE in back.error) == ("reverted", True)


# -- lines that are not events ---------------------------------------------------------------------

TORN = {
    "a beginning": (b'{"event": "begin", "step', True),
    "a beginning within an object": (b'{"event": "plan", "plan": {"from": {"id": "x"}', True),
    "a brace in a text": (b'{"event": "a}', True),
    "a brace behind a quote in a text": (b'{"event": "a\\"}', True),
    "a brace behind a backslash and the end of a text": (b'{"step": "a\\\\"}', False),
    "cut within a letter": (b'{"event": "\xc3', True),
    "zeros": (b"\0\0\0", True),
    "zeros and a blank": (b"\0 \0", False),
    "whole": (b'{"event": 1}', False),
    "whole, with an empty text": (b'{"": 1}', False),
    "whole, with an object": (b'{"event": {"a": {}}}', False),
    "a beginning with an empty object": (b'{"a": {}, "b', True),
    "zeros and a letter": (b"\0X\0", False),
    "a beginning with a letter X": (b'{"event" X', True),
    "rubbish that only begins so": (b"{X}", False),
    "an escape outside of a text": (b'{\\"a": "}', True),
    "whole, and more": (b'{"event": 1} {', False),
    "a brace too many": (b'{"event": 1}}', False),
    "another text": (b"hello", False),
    "a text with a brace": (b'hello {"', False),
    "a text of JSON": (b'"event', False),
    "a list": (b'[{"event": ', False),
}
WHOLE = b'{"event": "open"}'
PHASE = b'{"event": "phase"}'


@pytest.mark.parametrize(("line", "torn"), TORN.values(), ids=TORN)
def test_a_line_is_torn_or_damaged(line: bytes, torn: bool) -> None:
    content = b"\n".join([WHOLE, line, PHASE])
    if torn:
        assert parse(content) == [{"event": "open"}, {"event": "phase"}]
    else:
        with pytest.raises(JournalDamaged, match="^line 2 is not an event$"):
            parse(content)


LEFT_OUT = b'{"event": "be'
READINGS: dict[str, tuple[list[bytes], list[str] | int]] = {
    # lines: the events, or the number of the line that is named
    "nothing": ([], []),
    "empty lines": ([b"", WHOLE, b"", b"", PHASE, b""], ["open", "phase"]),
    "rubbish behind an empty line": ([WHOLE, b"", b"hello", PHASE], 3),
    "the first line": ([b"hello", PHASE], 1),
    "the first line behind an empty one": ([b"", b"hello", PHASE], 2),
    "a torn first line": ([LEFT_OUT, PHASE], ["phase"]),
    "rubbish at the end": ([WHOLE, b"hello"], ["open"]),
    "a torn line at the end": ([WHOLE, LEFT_OUT], ["open"]),
    "two torn lines": ([WHOLE, LEFT_OUT, b"\0\0", PHASE], ["open", "phase"]),
    "rubbish, and a torn line": ([WHOLE, b"hello", LEFT_OUT, PHASE], 2),
    "a torn line, and rubbish": ([WHOLE, LEFT_OUT, b"hello", PHASE], 2),
    "torn in two places": ([WHOLE, LEFT_OUT, PHASE, LEFT_OUT, WHOLE], ["open", "phase", "open"]),
    "torn, and later rubbish": ([WHOLE, LEFT_OUT, PHASE, b"hello", WHOLE], 4),
    "torn within a phase": ([WHOLE, LEFT_OUT, b'{"event": "begin"}'], 2),
    "torn before the end of a step": ([WHOLE, LEFT_OUT, b'{"event": "done"}'], 2),
    "torn before the end of a step that failed": ([WHOLE, LEFT_OUT, b'{"event": "failed"}'], 2),
    "torn before the end of a later step": ([WHOLE, LEFT_OUT, b'{"event": "after_done"}'], 2),
    "an object that is not an event": ([WHOLE, b'{"step": 1}', PHASE], 2),
    "an event without a name": ([WHOLE, b'{"event": 1}', PHASE], 2),
}


@pytest.mark.parametrize("name", READINGS)
def test_lines_are_read_or_the_first_that_is_not_an_event_is_named(name: str) -> None:
    lines, expected = READINGS[name]
    if isinstance(expected, int):
        with pytest.raises(JournalDamaged, match=f"^line {expected} is not an event$"):
            parse(b"\n".join(lines))
    else:
        assert [event["event"] for event in parse(b"\n".join(lines))] == expected


ON_ITS_WAY_BACK = [*UNHEALTHY, phase("apply", BACK)]
TEXTS: dict[str, tuple[list[Event], str]] = {
    "untouched": (START, "it changed nothing"),
    "good": (GOOD, "all its steps are done and verified; only its record is missing"),
    "not verified": ([*START, *did(*STEPS)], "all 3 steps are done, but the result was not verified"),
    "unhealthy": (UNHEALTHY, "all 3 steps are done, but the result is not well: status 500"),
    "unhealthy, for no reason": (
        [*START, *did(*STEPS), {"event": "verified", "result": {"ok": False}}],
        "all 3 steps are done, but the result is not well: no reason was recorded",
    ),
    "reverted": (REVERTED, "it went back and was verified; only its record is missing"),
    "reverted and not verified": (REVERTED[:-2], "it went back, but the result was not verified"),
    "turned": (ON_ITS_WAY_BACK, "it stopped between two steps on its way back"),
    "cut off on its way back": ([*ON_ITS_WAY_BACK, begin("code")], "it stopped in step 'code' on its way back"),
    "failed on its way back": (
        [*ON_ITS_WAY_BACK, begin("code"), failed("code")],
        "it stopped in step 'code' on its way back: exit 1",
    ),
    "failed on its way back without a word": (
        [*ON_ITS_WAY_BACK, begin("code"), failed("code", "")],
        "it stopped in step 'code' on its way back",
    ),
    "cut off in what can't be repeated": (
        [*START, begin("migrate_down:m2")],
        "it stopped in step 'migrate_down:m2' after 0 of 3 steps were done; "
        "whether that step took effect can't be seen from here: undo m2",
    ),
    "failed": (FAILING, "it stopped in step 'code' after 1 of 3 steps were done: exit 1"),
    "between two steps": (
        [*START, *did("migrate_down:m2")],
        "it stopped between two steps after 1 of 3 steps were done",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_verdict_says_where_an_operation_stopped(name: str) -> None:
    events, expected = TEXTS[name]
    assert classify(folded(*events)).text == expected


RESOLVED: dict[str, tuple[Any, dict[str, Any], Any]] = {
    # the plan's target, notes, the target that is read
    "known from the beginning": ({"id": "v1"}, {"look": {"target": {"id": "c1"}}}, {"id": "v1"}),
    "found by no step": ({"id": "v1", "unresolved": True}, {"look": {"seen": 1}, "code": "x"}, None),
    "found by a step": (
        {"id": "v1", "unresolved": True, "more": 1},
        {"look": {"target": {"id": "c1"}}, "code": None},
        {"id": "c1", "name": "v1", "unresolved": False, "more": 1},
    ),
    "found again": (
        {"id": "v1", "name": "one", "unresolved": True},
        {"look": {"target": {"id": "c1"}}, "again": {"target": {"id": "c2"}}},
        {"id": "c2", "name": "one", "unresolved": False},
    ),
    "found with a name": (
        {"id": "v1", "unresolved": True},
        {"look": {"target": {"id": "c1", "name": "two"}}},
        {"id": "c1", "name": "two", "unresolved": False},
    ),
    "found without any name": (
        {"unresolved": True},
        {"look": {"target": {"id": "c1"}}},
        {"id": "c1", "name": "", "unresolved": False},
    ),
    "no target": (None, {"look": {"target": {"id": "c1"}}}, None),
}


@pytest.mark.parametrize("name", RESOLVED)
def test_a_target_that_was_a_name_is_what_a_step_found(name: str) -> None:
    target, notes, expected = RESOLVED[name]
    events: list[Event] = [OPEN, {"event": "plan", "plan": {**PLAN["plan"], "to": target}}]
    events += [event for step, note in notes.items() for event in (begin(step), done(step, note))]
    progress = folded(*events)
    assert progress.plan is not None
    assert progress.plan["to"] == (target if expected is None else expected)
