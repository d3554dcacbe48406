# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: all that each event changes, each judgment whole, and each journal that no operation writes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import (
    BACK,
    FORWARD,
    Ending,
    JournalDamaged,
    Progress,
    Step,
    Verdict,
    about,
    carry,
    classify,
    ending,
    fold,
)

Event = dict[str, Any]

OPEN: Event = {"event": "open", "operation": "op-1"}
CUT_LEAVES = {"id": "data", "title": "load", "repeatable": False, "data": {"cut": "Rows may be there"}}
SENDS = {"id": "send", "title": "send", "data": {"no_return": True}}
PLAN: dict[str, Any] = {
    "from": {"id": "1"},
    "to": {"id": "2"},
    "steps": [{"id": "code", "title": "reset"}, CUT_LEAVES],
    "undo": [{"id": "code", "title": "reset"}, {"id": "old", "title": "unload", "data": {"after": "data"}}],
    "afterwards": [{"id": "clean", "title": "clean"}],
}
PLANNED: Event = {"event": "plan", "plan": PLAN}


def phase(direction: str, **more: object) -> Event:
    return {"event": "phase", "phase": "apply", "direction": direction, **more}


def begin(step: str) -> Event:
    return {"event": "begin", "step": step}


def done(step: str, **more: object) -> Event:
    return {"event": "done", "step": step, **more}


def failed(step: str, error: str = "exit 1", **more: object) -> Event:
    return {"event": "failed", "step": step, "error": error, **more}


def did(*steps: str) -> list[Event]:
    return [event for step in steps for event in (begin(step), done(step))]


def verified(ok: bool, **more: object) -> Event:
    return {"event": "verified", "result": {"ok": ok, **more}}


def folded(*events: Event) -> Progress:
    progress = fold([OPEN, *events])
    assert progress is not None
    return progress


CODE, ALL = did("code"), did("code", "data")
BAD = verified(False, reason="status 500", about="release", health=[{"name": "up", "ok": False}])
CARRIED: Event = {
    "event": "carry",
    "direction": BACK,
    "done": {"code": 2.0},
    "undone": {"code": 3.0},
    "ever_begun": ["code"],
    "notes": {"code": "n"},
    "cause": "status 500",
    "cause_about": "release",
    "before": {"up": ""},
}
TURNED = {"direction": BACK, "phase": "apply", "cause_about": "release"}

CHANGES: dict[str, tuple[list[Event], dict[str, Any]]] = {
    # events after the first, what they change
    "nothing": ([], {}),
    "a plan": ([PLANNED], {"plan": PLAN}),
    "a phase": ([phase(FORWARD)], {"phase": "apply"}),
    "a phase of no direction": ([{"event": "phase", "phase": "verify"}], {"phase": "verify"}),
    "a phase whose process closes": ([phase(FORWARD, closes=True)], {"phase": "apply", "closes": True}),
    "a later phase whose process does not": ([phase(FORWARD, closes=True), phase(FORWARD)], {"phase": "apply"}),
    "the end of a phase": ([phase(FORWARD), {"event": "phase_end"}], {}),
    "a look at what was before": ([{"event": "before", "result": {"up": "down"}}], {"before": {"up": "down"}}),
    "a step that began": ([begin("code")], {"begun": "code", "ever_begun": ["code"]}),
    "a step that ended": (
        [begin("code"), done("code", seconds=1.5, note={"saved": 1})],
        {
            "ever_begun": ["code"],
            "done": {"code": 1.5},
            "notes": {"code": {"saved": 1}},
            "past": [("code", 1.5, FORWARD)],
        },
    ),
    "a step that says nothing of itself": (
        CODE,
        {"ever_begun": ["code"], "done": {"code": 0.0}, "past": [("code", 0.0, FORWARD)]},
    ),
    "a step that failed": (
        [begin("code"), failed("code")],
        {"ever_begun": ["code"], "failed": "code", "error": "exit 1", "failed_about": "release"},
    ),
    "a step that failed without a word": (
        [begin("code"), {"event": "failed", "step": "code"}],
        {"ever_begun": ["code"], "failed": "code", "failed_about": "release"},
    ),
    "a step that failed for its machine": (
        [begin("code"), failed("code", "no space left on device")],
        {"ever_begun": ["code"], "failed": "code", "error": "no space left on device", "failed_about": "surroundings"},
    ),
    "a step that says what failed": (
        [begin("code"), failed("code", about="surroundings")],
        {"ever_begun": ["code"], "failed": "code", "error": "exit 1", "failed_about": "surroundings"},
    ),
    "a step that failed and changed nothing": (
        [begin("code"), failed("code", untouched=True)],
        {"failed": "code", "error": "exit 1", "failed_about": "release"},
    ),
    "a last try that changed nothing": (
        [begin("code"), begin("data"), begin("code"), failed("code", untouched=True)],
        {"ever_begun": ["code", "data"], "failed": "code", "error": "exit 1", "failed_about": "release"},
    ),
    "a step that nobody began": (
        [failed("code", untouched=True)],
        {"failed": "code", "error": "exit 1", "failed_about": "release"},
    ),
    "a step that began after a failure": (
        [begin("code"), failed("code"), begin("code")],
        {"ever_begun": ["code", "code"], "begun": "code", "failed_about": "release"},
    ),
    "a step that began after a verification": (
        [verified(True), begin("code")],
        {"ever_begun": ["code"], "begun": "code"},
    ),
    "a step after the verification": (
        [{"event": "after_done", "step": "clean", "seconds": 2.5, "note": "n"}],
        {"afterwards_done": {"clean"}, "notes": {"clean": "n"}, "past": [("clean", 2.5, FORWARD)]},
    ),
    "a step after the verification that says nothing of itself": (
        [{"event": "after_done", "step": "clean"}],
        {"afterwards_done": {"clean"}, "past": [("clean", 0.0, FORWARD)]},
    ),
    "a verification": ([verified(True)], {"verified": {"ok": True}}),
    "a close": ([{"event": "closed", "outcome": "failed"}], {"closed": "failed"}),
    "an event of a later version": ([{"event": "sang", "step": "code"}], {}),
    "a turn in health": (
        [verified(True, health=[1]), phase(BACK, cause="asked for")],
        {"direction": BACK, "phase": "apply", "cause": "asked for"},
    ),
    "a turn for no reason": ([verified(True), phase(BACK)], {"direction": BACK, "phase": "apply"}),
    "a turn before a verification": ([phase(BACK)], {**TURNED, "cause_about": "cut"}),
    "a turn after a bad verification": (
        [BAD, phase(BACK, cause="another")],
        {**TURNED, "cause": "status 500", "failed_health": [{"name": "up", "ok": False}]},
    ),
    "a turn after a bad verification that asked nothing": (
        [verified(False, reason="status 500", about="release"), phase(BACK)],
        {**TURNED, "cause": "status 500"},
    ),
    "a turn after a failure": (
        [begin("code"), failed("code"), phase(BACK)],
        {
            **TURNED,
            "cause": "step 'code': exit 1",
            "ever_begun": ["code"],
            "failed": "code",
            "error": "exit 1",
            "failed_about": "release",
        },
    ),
    "a turn after a cut": (
        [PLANNED, begin("data"), phase(BACK)],
        {
            **TURNED,
            "cause": "step 'data': cut off. Rows may be there",
            "cause_about": "cut",
            "plan": PLAN,
            "ever_begun": ["data"],
            "begun": "data",
        },
    ),
    "a turn after a cut that leaves nothing": (
        [PLANNED, begin("code"), phase(BACK)],
        {
            **TURNED,
            "cause": "step 'code': cut off",
            "cause_about": "cut",
            "plan": PLAN,
            "ever_begun": ["code"],
            "begun": "code",
        },
    ),
    "on its way back": (
        [BAD, phase(BACK), phase(BACK, cause="another")],
        {**TURNED, "cause": "status 500", "failed_health": [{"name": "up", "ok": False}]},
    ),
    "a verification on its way back": (
        [BAD, phase(BACK), verified(True), {"event": "phase", "phase": "verify"}],
        {
            **TURNED,
            "phase": "verify",
            "cause": "status 500",
            "failed_health": [{"name": "up", "ok": False}],
            "verified": {"ok": True},
        },
    ),
    "a turn of an operation that has done steps": (
        [*CODE, phase(BACK)],
        {
            **TURNED,
            "cause_about": "cut",
            "ever_begun": ["code"],
            "done": {"code": 0.0},
            "past": [("code", 0.0, FORWARD)],
        },
    ),
    "a step back": (
        [*CODE, phase(BACK), begin("code"), done("code", seconds=4.0)],
        {
            **TURNED,
            "cause_about": "cut",
            "ever_begun": ["code"],
            "undone": {"code": 4.0},
            "past": [("code", 0.0, FORWARD), ("code", 4.0, BACK)],
        },
    ),
    "forward again": (
        [phase(BACK), *CODE, verified(True), phase(FORWARD)],
        {"phase": "apply", "cause_about": "cut", "past": [("code", 0.0, BACK)]},
    ),
    "a step forward again": (
        [CARRIED, phase(FORWARD), begin("code")],
        {
            "phase": "apply",
            "done": {"code": 2.0},
            "ever_begun": ["code", "code"],
            "begun": "code",
            "notes": {"code": "n"},
            "cause": "status 500",
            "cause_about": "release",
            "before": {"up": ""},
        },
    ),
    "what another operation reached": ([CARRIED], {name: it for name, it in CARRIED.items() if name != "event"}),
    "what an operation of an older version reached": (
        [{name: it for name, it in CARRIED.items() if name not in ("cause_about", "before")}],
        {name: it for name, it in CARRIED.items() if name not in ("event", "cause_about", "before")},
    ),
    "a step forward after a carried way back": (
        [{**CARRIED, "direction": FORWARD}, begin("data")],
        {
            "done": {"code": 2.0},
            "ever_begun": ["code", "data"],
            "begun": "data",
            "notes": {"code": "n"},
            "cause": "status 500",
            "cause_about": "release",
            "before": {"up": ""},
        },
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_event_changes_this_and_nothing_else(name: str) -> None:
    events, expected = CHANGES[name]
    before, after = vars(Progress(OPEN)), vars(folded(*events))
    assert {field: value for field, value in after.items() if value != before[field]} == expected


def test_only_the_steps_that_are_still_to_do_afterwards_are() -> None:
    planned = folded(PLANNED)
    assert planned.afterwards == [Step("clean", "clean")]
    assert folded(PLANNED, {"event": "after_done", "step": "clean"}).afterwards == []


def test_an_operation_without_a_plan_has_no_steps_and_has_completed_none() -> None:
    progress = folded()
    assert (progress.steps, progress.undo, progress.afterwards, progress.undo_needed) == ([], [], [], [])
    assert (progress.forward_complete, progress.back_complete) == (False, False)


# -- what the next operation takes over --------------------------------------------------------------

PROOF = {"event": "plan", "plan": {"steps": [{"id": "look", "title": "look", "data": {"proof": True}}], "undo": []}}
TAKEN: dict[str, tuple[list[Event], dict[str, Any]]] = {
    "nothing": ([], {}),
    "a step": ([*CODE], {"done": {"code": 0.0}, "ever_begun": ["code"]}),
    "a proof, which is looked at again": (
        [PROOF, *did("look", "code")],
        {"done": {"code": 0.0}, "ever_begun": ["look", "code"]},
    ),
    "a failure": (
        [begin("code"), failed("code", "disk quota exceeded")],
        {"ever_begun": ["code"], "cause": "step 'code': disk quota exceeded", "cause_about": "surroundings"},
    ),
    "a bad verification": ([BAD], {"cause": "status 500", "cause_about": "release"}),
    "a way back": (
        [BAD, phase(BACK), *CODE, {"event": "before", "result": {"up": ""}}],
        {"undone": {"code": 0.0}, "cause": "status 500", "cause_about": "release", "before": {"up": ""}},
    ),
    "a failure on the way back": (
        [BAD, phase(BACK), begin("code"), failed("code", "disk quota exceeded")],
        {"cause": "status 500", "cause_about": "release"},
    ),
    "what was taken over before": (
        [CARRIED],
        {name: CARRIED[name] for name in CARRIED if name not in ("event", "direction")},
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_continued_operation_takes_over(name: str) -> None:
    events, expected = TAKEN[name]
    nothing = {
        "done": {},
        "undone": {},
        "ever_begun": [],
        "notes": {},
        "cause": "",
        "cause_about": "cut",
        "before": None,
    }
    assert carry(folded(*events), "any") == {
        "event": "carry",
        "from": "op-1",
        "direction": "any",
        **nothing,
        **expected,
    }


ABOUT: dict[str, tuple[list[Event], str]] = {
    "nothing": ([], "cut"),
    "a step that was cut off": ([verified(True), begin("code")], "cut"),
    "between two steps": ([*CODE], "cut"),
    "a failure": ([begin("code"), failed("code", about="surroundings")], "surroundings"),
    "a verification": ([*ALL, verified(False, about="surroundings")], "surroundings"),
    "a verification of an older version": ([*ALL, verified(False)], ""),
    "a way back": ([BAD, phase(BACK), begin("code"), failed("code", about="surroundings")], "release"),
}


@pytest.mark.parametrize("name", ABOUT)
def test_a_bad_end_is_about(name: str) -> None:
    events, expected = ABOUT[name]
    assert about(folded(*events)) == expected


# -- the judgments, whole ----------------------------------------------------------------------------

RESUME, UNDO = ("resume", "undo", "accept"), ("undo", "resume", "accept")
LEFT = "whether that step took effect can't be seen from here: load. Rows may be there"
VERDICTS: dict[str, tuple[list[Event], Verdict]] = {
    "no plan": ([], Verdict("untouched", (), "it changed nothing")),
    "a failure that changed nothing": (
        [PLANNED, begin("code"), failed("code", untouched=True)],
        Verdict("untouched", (), "it changed nothing"),
    ),
    "between two steps": (
        [PLANNED, *CODE],
        Verdict("resumable", RESUME, "it stopped between two steps after 1 of 2 steps were done"),
    ),
    "in a step that can be done again": (
        [PLANNED, begin("code")],
        Verdict("resumable", RESUME, "it stopped in step 'code' after 0 of 2 steps were done"),
    ),
    "in a step that can't": (
        [PLANNED, *CODE, begin("data")],
        Verdict("unclear", RESUME, f"it stopped in step 'data' after 1 of 2 steps were done; {LEFT}"),
    ),
    "a failure of a step that can't be done again": (
        [PLANNED, *CODE, begin("data"), failed("data")],
        Verdict("undoable", UNDO, "it stopped in step 'data' after 1 of 2 steps were done: exit 1"),
    ),
    "in a step that can't be undone": (
        [{"event": "plan", "plan": {**PLAN, "steps": [SENDS]}}, begin("send")],
        Verdict("resumable", ("resume", "accept"), "it stopped in step 'send' after 0 of 1 steps were done"),
    ),
    "in a step of no plan": (
        [begin("code")],
        Verdict("resumable", RESUME, "it stopped in step 'code' after 0 of 0 steps were done"),
    ),
    "done": (
        [PLANNED, *ALL],
        Verdict("resumable", RESUME, "all 2 steps are done, but the result was not verified"),
    ),
    "done, and not well": (
        [PLANNED, *ALL, BAD],
        Verdict("resumable", RESUME, "all 2 steps are done, but the result is not well: status 500"),
    ),
    "done, and well": (
        [PLANNED, *ALL, verified(True)],
        Verdict(
            "finished",
            ("resume", "accept", "undo"),
            "all its steps are done and verified; only its record is missing",
        ),
    ),
    "on its way back": (
        [PLANNED, *CODE, phase(BACK)],
        Verdict("undoable", UNDO, "it stopped between two steps on its way back"),
    ),
    "a failure on its way back": (
        [PLANNED, *ALL, phase(BACK), begin("old"), failed("old")],
        Verdict("undoable", UNDO, "it stopped in step 'old' on its way back: exit 1"),
    ),
    "in a step back that can't be done again": (
        [PLANNED, *ALL, phase(BACK), begin("data")],
        Verdict("undoable", UNDO, "it stopped in step 'data' on its way back"),
    ),
    "back": (
        [PLANNED, *CODE, phase(BACK), *CODE],
        Verdict("undoable", UNDO, "it went back, but the result was not verified"),
    ),
    "back, and not well": (
        [PLANNED, *CODE, phase(BACK), *CODE, BAD],
        Verdict("undoable", UNDO, "it went back, but the result is not well: status 500"),
    ),
    "back, and well": (
        [PLANNED, *CODE, phase(BACK), *CODE, verified(True)],
        Verdict("finished", ("undo", "accept"), "it went back and was verified; only its record is missing"),
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_an_operation_without_an_end_is(name: str) -> None:
    events, expected = VERDICTS[name]
    assert classify(folded(*events)) == expected


NO_STEPS: Event = {"event": "plan", "plan": {"steps": [], "undo": []}}
WENT_BACK = [PLANNED, *CODE, BAD, phase(BACK), *CODE]
ENDINGS: dict[str, tuple[list[Event], Ending]] = {
    "no plan": ([], Ending("interrupted", True, None, "it ended before there was a plan")),
    "no steps, not verified": ([NO_STEPS], Ending("interrupted", True, "to", "it was never verified")),
    "no steps, not well": ([NO_STEPS, BAD], Ending("failed", True, "to", "status 500")),
    "no steps, well": ([NO_STEPS, verified(True)], Ending("unchanged", True, "to")),
    "untouched": ([PLANNED], Ending("interrupted", True, "from", "it ended before it changed anything")),
    "between two steps": ([PLANNED, *CODE], Ending("interrupted", False, None, "cut off between two steps")),
    "in a step": ([PLANNED, begin("code")], Ending("interrupted", False, None, "cut off in step 'code'")),
    "in a step that leaves something": (
        [PLANNED, begin("data")],
        Ending("interrupted", False, None, "cut off in step 'data'. Rows may be there"),
    ),
    "a failure": ([PLANNED, begin("data"), failed("data")], Ending("failed", False, None, "exit 1")),
    "a failure without a word": (
        [PLANNED, begin("code"), failed("code", "")],
        Ending("failed", False, None, "cut off in step 'code'"),
    ),
    "done": ([PLANNED, *ALL], Ending("interrupted", False, "to", "it was never verified")),
    "done, and not well": ([PLANNED, *ALL, BAD], Ending("failed", True, "to", "status 500")),
    "done, and not well for no reason": (
        [PLANNED, *ALL, verified(False)],
        Ending("failed", True, "to", "it was never verified"),
    ),
    "done, and well": ([PLANNED, *ALL, verified(True)], Ending("succeeded", True, "to")),
    "turned": (
        WENT_BACK[:-2],
        Ending("failed", False, None, "the way back is not complete: cut off between two steps"),
    ),
    "in a step back": (
        WENT_BACK[:-1],
        Ending("failed", False, None, "the way back is not complete: cut off in step 'code'"),
    ),
    "in a step back that leaves something": (
        [*WENT_BACK[:-2], begin("data")],
        Ending("failed", False, None, "the way back is not complete: cut off in step 'data'. Rows may be there"),
    ),
    "a failure on the way back": (
        [*WENT_BACK[:-1], failed("code")],
        Ending("failed", False, None, "the way back is not complete: exit 1"),
    ),
    "back": (
        WENT_BACK,
        Ending("failed", True, "from", "after going back: it was never verified (it went back for: status 500)"),
    ),
    "back for no reason": (
        [PLANNED, *CODE, verified(True), phase(BACK), *CODE],
        Ending("failed", True, "from", "after going back: it was never verified"),
    ),
    "back, and not well as before": ([*WENT_BACK, BAD], Ending("failed", True, "from", "after going back: status 500")),
    "back, and not well": (
        [*WENT_BACK, verified(False, reason="status 502")],
        Ending("failed", True, "from", "after going back: status 502 (it went back for: status 500)"),
    ),
    "back, and well": ([*WENT_BACK, verified(True)], Ending("reverted", True, "from", "status 500")),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_an_operation_ends_as(name: str) -> None:
    events, expected = ENDINGS[name]
    assert ending(folded(*events)) == expected


# -- journals that no operation writes ---------------------------------------------------------------


def planned(**other: object) -> Event:
    return {"event": "plan", "plan": {**PLAN, **other}}


WRONG = "an event is not as operations write it "
DAMAGED: dict[str, tuple[list[Event], str]] = {
    "no opening": ([PLANNED], "its first event does not open an operation"),
    "an operation without an id": ([{"event": "open"}], WRONG + "(KeyError: 'operation')"),
    "an id that is a number": ([{"event": "open", "operation": 1}], "its operation has no id"),
    "a plan that is a list": (
        [OPEN, {"event": "plan", "plan": ["x"]}],
        WRONG + "(AttributeError: 'list' object has no attribute 'get')",
    ),
    "a plan that is an empty list": (
        [OPEN, {"event": "before", "result": []}],
        "its plan or its verification is not an object",
    ),
    "a verification that is a text": (
        [OPEN, {"event": "verified", "result": "ok"}],
        "its plan or its verification is not an object",
    ),
    "a start that is a text": ([OPEN, planned(**{"from": "v1"})], "the plan's from is not an object"),
    "a target that is a text": ([OPEN, planned(to="v1")], "the plan's to is not an object"),
    "a step without a title": ([OPEN, planned(steps=[{"id": "code"}])], WRONG + "(KeyError: 'title')"),
    "a step back without a title": ([OPEN, planned(undo=[{"id": "code"}])], WRONG + "(KeyError: 'title')"),
    "a later step without a title": ([OPEN, planned(afterwards=[{"id": "code"}])], WRONG + "(KeyError: 'title')"),
    "a plan event without a plan": ([OPEN, {"event": "plan"}], WRONG + "(KeyError: 'plan')"),
    "seconds that are a text": (
        [OPEN, done("code", seconds="x")],
        WRONG + "(ValueError: could not convert string to float: 'x')",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_journal_that_no_operation_writes_is_damaged(name: str) -> None:
    events, expected = DAMAGED[name]
    with pytest.raises(JournalDamaged) as damage:
        fold(events)
    assert str(damage.value) == expected
