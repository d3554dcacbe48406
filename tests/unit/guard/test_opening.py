# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening: who may begin, go on or go back, for every state in which a host can be found."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import (
    BACK,
    FORWARD,
    Progress,
    Step,
    classify,
    fold,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.lease import Lease
from ansible_collections.ops.runbook.plugins.module_utils.guard.opening import Opening, decide, describe_holder
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

ACTOR = {"user": "ada", "controller": "bastion.example.com"}
LEASE = Lease("op-1", "deploy", "INC-7", ACTOR, "2026-11-21T03:00:00.000Z", "2026-11-21T03:15:00.000Z", "b", 1000.0)


def journal(*events: dict[str, object]) -> Progress:
    opened = {"event": "open", "operation": "op-1", "procedure": "deploy", "actor": ACTOR, "started": "03:00"}
    plan = {
        "from": {"id": "a" * 40, "name": "v1"},
        "to": {"id": "b" * 40, "name": ""},
        "steps": [Step("code", "reset").to_dict(), Step("migrate", "migrate", False).to_dict()],
        "undo": [Step("code", "reset").to_dict()],
    }
    progress = fold([opened, {"event": "plan", "plan": plan}, *events])
    assert progress is not None
    return progress


def begin(step: str) -> dict[str, object]:
    return {"event": "begin", "step": step}


def done(step: str) -> dict[str, object]:
    return {"event": "done", "step": step}


VERIFIED = {"event": "verified", "result": {"ok": True}}
TURN = {"event": "phase", "phase": "apply", "direction": BACK}

JOURNALS: dict[str, Progress | None] = {
    "none": None,
    "untouched": journal(),
    "resumable": journal(begin("code"), done("code")),
    "unclear": journal(begin("code"), done("code"), begin("migrate")),
    "failed": journal(begin("code"), {"event": "failed", "step": "code", "error": "exit 1"}),
    "finished": journal(begin("code"), done("code"), begin("migrate"), done("migrate"), VERIFIED),
    "going back": journal(begin("code"), TURN, begin("code")),
    "gone back": journal(begin("code"), TURN, begin("code"), done("code"), VERIFIED),
}
LIVE = ("running", "waiting")
STANDINGS = ("free", "died", "expired", *LIVE)
INPUTS = ("", "resume", "undo", "accept")
TAKEOVERS = ("", "op-1", "op-9")


def expected(standing: str, name: str, interrupted: str, takeover: str) -> str:
    """The table's law, written apart from the code: a refusal's code, or what is done."""
    progress = JOURNALS[name]
    if standing in LIVE and takeover != "op-1":
        return "takeover_of_another" if takeover else "lease_held"
    if progress is None or not progress.touched:
        return "nothing_interrupted" if interrupted in ("resume", "undo") else "new"
    if not interrupted or interrupted not in classify(progress).ways:
        return "interrupted"
    return {"resume": FORWARD, "undo": BACK, "accept": "new"}[interrupted]


def outcome(opening: Opening) -> str:
    return opening.refusal.code if opening.refusal else opening.direction or "new"


@pytest.mark.parametrize("name", JOURNALS)
@pytest.mark.parametrize("standing", STANDINGS)
def test_every_opening(standing: str, name: str) -> None:
    lease = None if standing == "free" else LEASE
    for interrupted, takeover in itertools.product(INPUTS, TAKEOVERS):
        opening = decide(lease, standing, JOURNALS[name], interrupted, takeover)
        assert outcome(opening) == expected(standing, name, interrupted, takeover), (interrupted, takeover)
        # What is unfinished gets its record before anything new begins.
        assert opening.bury is (opening.refusal is None and JOURNALS[name] is not None)


@pytest.mark.parametrize("standing", LIVE)
@pytest.mark.parametrize("name", JOURNALS)
def test_a_live_lease_is_never_opened_without_its_own_takeover(standing: str, name: str) -> None:
    for interrupted, takeover in itertools.product(INPUTS, ("", "op-9", "op-1 ", "OP-1", "true")):
        assert decide(LEASE, standing, JOURNALS[name], interrupted, takeover).refusal is not None


def test_every_refusal_says_what_to_type_next() -> None:
    for standing, name, interrupted, takeover in itertools.product(STANDINGS, JOURNALS, INPUTS, TAKEOVERS):
        lease = None if standing == "free" else LEASE
        refusal = decide(lease, standing, JOURNALS[name], interrupted, takeover).refusal
        assert refusal is None or (refusal.ways and refusal.text)


@pytest.mark.parametrize("name", JOURNALS)
def test_the_ways_of_a_refusal_lead_on(name: str) -> None:
    """A command that a refusal names is not refused in its turn."""
    for standing in STANDINGS:
        lease = None if standing == "free" else LEASE
        refusal = decide(lease, standing, JOURNALS[name]).refusal
        for way, _ in refusal.ways if refusal else ():
            given = dict(part.split("=") for part in way.split())
            if "lock_wait" in given:
                continue
            for value in given.get("interrupted", "").split("|"):
                assert decide(lease, standing, JOURNALS[name], value, given.get("lock_takeover", "")).refusal is None


def test_a_held_lease_says_who_what_since_and_until() -> None:
    refusal = decide(LEASE, "waiting", None).refusal
    assert refusal is not None
    assert "op-1 (deploy by ada from bastion.example.com since 2026-11-21T03:00:00.000Z, reason: INC-7)" in refusal.text
    assert dict(refusal.ways)["lock_takeover=op-1"].endswith("(it expires 2026-11-21T03:15:00.000Z)")
    assert any(way == "lock_wait=300" for way, _ in refusal.ways)


def test_a_takeover_of_something_touched_asks_what_to_do_with_it_at_once() -> None:
    refusal = decide(LEASE, "running", JOURNALS["resumable"]).refusal
    assert refusal is not None
    assert [way for way, _ in refusal.ways[1:]] == [
        f"lock_takeover=op-1 interrupted={way}" for way in ("resume", "undo", "accept")
    ]


def test_an_interrupted_operation_says_what_is_done_and_what_is_not() -> None:
    refusal = decide(None, "free", JOURNALS["unclear"]).refusal
    assert refusal is not None
    assert [way for way, _ in refusal.ways] == ["interrupted=resume", "interrupted=undo", "interrupted=accept"]
    assert refusal.details == (
        "verdict: unclear",
        f"it was going from v1 ({'a' * 10}) to {'b' * 10}",
        "done: code",
        "not done: migrate",
    )
    assert "op-1 (deploy by ada, started 03:00) was interrupted" in refusal.text


def test_a_step_done_and_undone_since_is_not_called_not_done() -> None:
    forward = {"event": "phase", "phase": "apply", "direction": FORWARD}
    both = (begin("code"), done("code"), begin("migrate"), done("migrate"))
    refusal = decide(None, "free", journal(*both, TURN, begin("code"), forward)).refusal
    assert refusal is not None
    assert refusal.details[2:] == ("done, and undone since: migrate", "not done: code")
    refusal = decide(None, "free", journal(*both, TURN, begin("code"), done("code"), forward)).refusal
    assert refusal is not None
    assert refusal.details[2:] == ("done, and undone since: code, migrate",)


@pytest.mark.parametrize("failed", [False, True])
def test_a_host_that_was_touched_can_always_be_left_as_it_is(failed: bool) -> None:
    """Resume and undo may both fail for what a person has repaired by hand: without accept nothing would lead on."""
    for name, progress in JOURNALS.items():
        if progress is not None and progress.touched:
            ends = [progress]
            if failed:
                cut = {"event": "failed", "step": progress.begun or "code", "error": "somebody changed the file"}
                ends = [journal(begin("code"), TURN, begin("code"), cut), journal(begin("code"), cut)]
            for end in ends:
                assert decide(None, "free", end, "accept") == Opening(bury=True, verdict=classify(end)), name


def test_a_failed_way_back_says_why_and_what_is_undone() -> None:
    cut = {"event": "failed", "step": "code", "error": "somebody changed the file"}
    refusal = decide(None, "free", journal(begin("code"), TURN, begin("code"), cut)).refusal
    assert refusal is not None
    assert refusal.text.endswith("it stopped in step 'code' on its way back: somebody changed the file")
    assert refusal.details[-1] == "not undone: code"
    assert not any(line.startswith("not done") for line in refusal.details)


def test_an_impossible_way_is_named() -> None:
    refusal = decide(None, "free", JOURNALS["gone back"], "resume").refusal
    assert refusal is not None
    assert refusal.text.startswith("interrupted=resume is not possible here")


def test_a_holder_without_a_name_is_still_described() -> None:
    text = describe_holder(Lease("op-2", "deploy", "", {}, "now", "later", "b", 1.0))
    assert text == "operation op-2 (deploy by someone from an unknown controller since now)"


def test_a_refusal_is_plain_data() -> None:
    refusal = decide(LEASE, "waiting", None).refusal
    assert refusal is not None
    raw = refusal.to_dict()
    assert raw["code"] == "lease_held"
    assert raw["ways"] == [{"input": way, "effect": effect} for way, effect in refusal.ways]


# -- the refusals, whole -----------------------------------------------------------------------------

RESUMES = "does what remains of it, verifies, and starts nothing else"
UNDOES = "goes back to where that operation came from, verifies, and starts nothing else"
ACCEPTS = "leaves the host as it is, records that operation as interrupted, and goes on with this one"
HOLDER = "operation op-1 (deploy by ada from bastion.example.com since 2026-11-21T03:00:00.000Z, reason: INC-7)"
WAITS = ("lock_wait=300", "waits up to 300 seconds for it to end")
STOPS = "takes the lease away; that operation stops before its next step"
IF_DEAD = "takes the lease away: only if you know that its run is dead (it expires 2026-11-21T03:15:00.000Z)"
WHOSE = "operation op-1 (deploy by ada, started 03:00) was interrupted: "
FROM_TO = "it was going from v1 (aaaaaaaaaa) to bbbbbbbbbb"
FAILED_BACK = journal(begin("code"), TURN, begin("code"), {"event": "failed", "step": "code", "error": "exit 1"})
REFUSALS: dict[str, tuple[tuple[str, Progress | None, str, str], Problem]] = {
    # (standing of the lease, journal, interrupted, lock_takeover), the refusal
    "a run at work": (
        ("running", None, "", ""),
        Problem("lease_held", f"{HOLDER} is at work on this host now", (WAITS, ("lock_takeover=op-1", STOPS))),
    ),
    "a run between two steps": (
        ("waiting", JOURNALS["untouched"], "", ""),
        Problem("lease_held", f"{HOLDER} holds the lease between two steps", (WAITS, ("lock_takeover=op-1", IF_DEAD))),
    ),
    "a run between two steps that changed something": (
        ("waiting", JOURNALS["gone back"], "", ""),
        Problem(
            "lease_held",
            f"{HOLDER} holds the lease between two steps",
            (
                WAITS,
                ("lock_takeover=op-1 interrupted=undo", f"{IF_DEAD}; {UNDOES}"),
                ("lock_takeover=op-1 interrupted=accept", f"{IF_DEAD}; {ACCEPTS}"),
            ),
        ),
    ),
    "a lease that another has": (
        ("running", None, "", "op-9"),
        Problem(
            "takeover_of_another",
            f"lock_takeover=op-9 names an operation that does not hold the lease; {HOLDER} does",
            (("lock_takeover=op-1", "takes the lease from that operation"),),
        ),
    ),
    "nothing to resume": (
        ("free", None, "resume", ""),
        Problem(
            "nothing_interrupted",
            "interrupted=resume was given, but no operation on this host is unfinished",
            (("the same command without it", "starts a new operation"),),
        ),
    ),
    "nothing to undo": (
        ("free", JOURNALS["untouched"], "undo", ""),
        Problem(
            "nothing_interrupted",
            "interrupted=undo was given, but no operation on this host is unfinished",
            (("the same command without it", "starts a new operation"),),
        ),
    ),
    "unfinished": (
        ("died", JOURNALS["resumable"], "", ""),
        Problem(
            "interrupted",
            f"{WHOSE}it stopped between two steps after 1 of 2 steps were done",
            (("interrupted=resume", RESUMES), ("interrupted=undo", UNDOES), ("interrupted=accept", ACCEPTS)),
            ("verdict: resumable", FROM_TO, "done: code", "not done: migrate"),
        ),
    ),
    "unfinished without a plan": (
        ("free", fold([{"event": "open", "operation": "op-2"}, begin("code")]), "", ""),
        Problem(
            "interrupted",
            "operation op-2 (None by None, started None) was interrupted: "
            "it stopped in step 'code' after 0 of 0 steps were done",
            (("interrupted=resume", RESUMES), ("interrupted=undo", UNDOES), ("interrupted=accept", ACCEPTS)),
            ("verdict: resumable",),
        ),
    ),
    "finished": (
        ("expired", JOURNALS["finished"], "", ""),
        Problem(
            "interrupted",
            f"{WHOSE}all its steps are done and verified; only its record is missing",
            (("interrupted=resume", RESUMES), ("interrupted=accept", ACCEPTS), ("interrupted=undo", UNDOES)),
            ("verdict: finished", FROM_TO, "done: code, migrate"),
        ),
    ),
    "back": (
        ("free", JOURNALS["gone back"], "resume", ""),
        Problem(
            "interrupted",
            f"interrupted=resume is not possible here: {WHOSE}"
            "it went back and was verified; only its record is missing",
            (("interrupted=undo", UNDOES), ("interrupted=accept", ACCEPTS)),
            ("verdict: finished", FROM_TO, "undone: code"),
        ),
    ),
    "failed on the way back": (
        ("free", FAILED_BACK, "", ""),
        Problem(
            "interrupted",
            f"{WHOSE}it stopped in step 'code' on its way back: exit 1",
            (("interrupted=undo", UNDOES), ("interrupted=resume", RESUMES), ("interrupted=accept", ACCEPTS)),
            ("verdict: undoable", FROM_TO, "not undone: code"),
        ),
    ),
    "failed": (
        ("free", JOURNALS["failed"], "", ""),
        Problem(
            "interrupted",
            f"{WHOSE}it stopped in step 'code' after 0 of 2 steps were done: exit 1",
            (("interrupted=undo", UNDOES), ("interrupted=resume", RESUMES), ("interrupted=accept", ACCEPTS)),
            ("verdict: undoable", FROM_TO, "not done: code, migrate"),
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_the_whole_of(name: str) -> None:
    (standing, progress, interrupted, takeover), expected = REFUSALS[name]
    verdict = classify(progress) if progress is not None and standing not in LIVE else None
    opening = decide(LEASE, standing, progress, interrupted, takeover)
    assert vars(opening.refusal) == vars(expected)
    assert replace(opening, refusal=None) == Opening(verdict=verdict)


def test_the_releases_of_an_interrupted_operation_are_named_as_far_as_they_are_known() -> None:
    for ends, expected in (
        ({"from": None, "to": {"name": "v2"}}, "it was going from unknown to v2 ()"),
        ({"from": {"id": 1}, "to": {}}, "it was going from 1 to "),
    ):
        plan = {**ends, "steps": [Step("code", "reset").to_dict()], "undo": []}
        unfinished = fold([{"event": "open", "operation": "op-2"}, {"event": "plan", "plan": plan}, begin("code")])
        refusal = decide(None, "free", unfinished).refusal
        assert refusal is not None
        assert refusal.details == ("verdict: resumable", expected, "not done: code")


def test_the_inputs_that_leave_something_as_it_is_open_a_new_operation() -> None:
    assert decide(None, "free", None, "accept") == Opening()
    assert decide(LEASE, "running", None, "", "op-1") == Opening()
    assert decide(None, "free", JOURNALS["untouched"], "accept") == Opening(bury=True, verdict=classify(journal()))
    resumable = journal(begin("code"), done("code"))
    verdict = classify(resumable)
    assert decide(None, "free", resumable, "resume") == Opening(direction=FORWARD, bury=True, verdict=verdict)
    assert decide(None, "free", resumable, "undo") == Opening(direction=BACK, bury=True, verdict=verdict)


def test_the_steps_of_the_way_back_are_named_in_their_order() -> None:
    steps = [Step(name, name).to_dict() for name in "abcd"]
    plan = {"from": None, "to": None, "steps": steps, "undo": steps}
    back = [event for name in "ab" for event in (begin(name), done(name))]
    opened = {"event": "open", "operation": "op-2"}
    refusal = decide(None, "free", fold([opened, {"event": "plan", "plan": plan}, begin("a"), TURN, *back])).refusal
    assert refusal is not None
    assert refusal.details == (
        "verdict: undoable",
        "it was going from unknown to unknown",
        "undone: a, b",
        "not undone: c, d",
    )
