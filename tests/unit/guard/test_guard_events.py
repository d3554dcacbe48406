# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: each file that it writes, to the byte, each refusal, whole, and how long it waits for what."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, StepFailed, Untouched
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, FORWARD, Ending, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.host import clock as moment
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

AT = "2023-11-14T22:13:20.000Z"
IN_15_MINUTES = "2023-11-14T22:28:20.000Z"


class Time:
    """Seconds that pass only where somebody sleeps, and the length of each sleep."""

    def __init__(self) -> None:
        self.passed, self.sleeps = 0.0, list[float]()

    def timer(self) -> float:
        return self.passed

    def clock(self) -> moment.Now:
        return moment.Now(1_700_000_000.0, "boot-1", 1000.0)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.sleeps.append(seconds)


def guard_of(state: Path, time: Time | None = None) -> Guard:
    time = time or Time()
    return Guard(str(state), time.clock, time.sleep, time.timer)


def request(operation: str = "op-1", **more: Any) -> Request:
    return Request(operation, "shop", "deploy", "production", "INC-7", {"user": "ada"}, **more)


def events(state: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / "journal.jsonl").read_text().splitlines()]


def problem_of(action: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(Problem) as caught:
        action()
    return {name: getattr(caught.value, name) for name in ("code", "text", "ways", "details")}


def refused(code: str, text: str, *ways: tuple[str, str], details: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"code": code, "text": text, "ways": ways, "details": details}


STEPS = [Step("code", "reset").to_dict(), Step("vendor", "exchange").to_dict()]
PLAN = {"from": {"id": "1"}, "to": {"id": "2"}, "steps": STEPS, "undo": STEPS[:1]}
HEADER = {
    "event": "open",
    "operation": "op-1",
    "service": "shop",
    "procedure": "deploy",
    "environment": "production",
    "reason": "INC-7",
    "actor": {"user": "ada"},
    "started": AT,
    "lease_ttl": 900.0,
}
LEASE = {
    "operation": "op-1",
    "procedure": "deploy",
    "reason": "INC-7",
    "actor": {"user": "ada"},
    "since": AT,
    "expires": IN_15_MINUTES,
    "boot": "boot-1",
    "expires_uptime": 1900.0,
}


def opened(state: Path, time: Time | None = None) -> Guard:
    """An operation that has a plan, and is between two phases."""
    guard = guard_of(state, time)
    guard.open(request())
    guard.write({"event": "plan", "plan": PLAN})
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.leave()
    return guard


def fails_at(name: str, error: Exception) -> Callable[[Step], object]:
    def execute(step: Step) -> object:
        if step.id == name:
            raise error
        return None

    return execute


def applied(guard: Guard, operation: str, direction: str, execute: Callable[[Step], object], **more: Any) -> Any:
    try:
        with guard.phase(operation, "apply", direction, **more) as progress:
            return guard.run_steps(progress, direction, execute)
    finally:
        guard.leave()


# -- what is written ---------------------------------------------------------------------------------


def test_an_opened_operation_has_a_lease_and_a_journal(tmp_path: Path) -> None:
    guard = guard_of(tmp_path / "shop")
    opening = guard.open(request())
    assert (opening.refusal, opening.direction) == (None, None)
    assert events(tmp_path / "shop") == [HEADER, {"event": "phase", "phase": "plan", "direction": FORWARD}]
    assert json.loads((tmp_path / "shop/lease.json").read_text()) == LEASE
    assert guard.running.held and len(guard.inherited) == 1
    assert guard.standing() == "died", "a process does not take itself for a worker"
    guard.leave()
    assert not guard.running.held and guard.inherited == ()


def test_each_event_of_a_run_is_in_its_journal(tmp_path: Path) -> None:
    time = Time()
    guard = opened(tmp_path, time)

    def execute(step: Step) -> object:
        time.passed += 1.23456
        if step.id == "vendor":
            raise OSError("no space left on device")
        return {"saved": step.id}

    with pytest.raises(StepFailed) as failure:
        applied(guard, "op-1", FORWARD, execute, closes=True)
    assert (str(failure.value), failure.value.step, failure.value.error) == (
        "step 'vendor' failed: no space left on device",
        "vendor",
        "no space left on device",
    )
    assert applied(guard, "op-1", BACK, lambda step: None, cause="asked") == {"code": 0.0}
    with guard.phase("op-1", "verify"):
        guard.write({"event": "verified", "result": {"ok": True}})
    guard.announce("op-1", "code")
    assert events(tmp_path)[2:] == [
        {**event, "at": AT}
        for event in (
            {"event": "plan", "plan": PLAN},
            {"event": "phase_end", "phase": "plan"},
            {"event": "phase", "phase": "apply", "direction": FORWARD, "closes": True},
            {"event": "begin", "step": "code"},
            {"event": "done", "step": "code", "seconds": 1.235, "note": {"saved": "code"}},
            {"event": "begin", "step": "vendor"},
            {"event": "failed", "step": "vendor", "error": "no space left on device", "about": "surroundings"},
            {"event": "phase_end", "phase": "apply"},
            {"event": "phase", "phase": "apply", "direction": BACK, "cause": "asked"},
            {"event": "begin", "step": "code"},
            {"event": "done", "step": "code", "seconds": 0.0, "note": None},
            {"event": "phase_end", "phase": "apply"},
            {"event": "phase", "phase": "verify"},
            {"event": "verified", "result": {"ok": True}},
            {"event": "phase_end", "phase": "verify"},
            {"event": "begin", "step": "code"},
        )
    ]


def test_a_step_that_is_known_to_have_changed_nothing_says_so(tmp_path: Path) -> None:
    guard = opened(tmp_path)
    with pytest.raises(StepFailed):
        applied(guard, "op-1", FORWARD, fails_at("code", Untouched("busy")))
    failure = {"event": "failed", "step": "code", "error": "busy", "about": "release", "untouched": True, "at": AT}
    assert failure in events(tmp_path)


def test_only_the_steps_that_are_asked_for_are_done_and_one_that_was_announced_is_not_begun_again(
    tmp_path: Path,
) -> None:
    guard = opened(tmp_path)
    guard.announce("op-1", "code")
    with guard.phase("op-1", "apply", FORWARD) as progress:
        assert guard.run_steps(progress, FORWARD, lambda step: None, only=("code", "other")) == {"code": 0.0}
    assert [event["step"] for event in events(tmp_path) if event["event"] in ("begin", "done")] == ["code", "code"]
    with guard.phase("op-1", "apply", FORWARD) as progress:
        assert guard.run_steps(progress, FORWARD, lambda step: None, only=()) == {}


def test_the_folders_that_steps_write_to_are_synced_before_a_step_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.ops.runbook.plugins.module_utils.guard import guard as module

    said: list[object] = []
    monkeypatch.setattr(module.durable_tree, "sync", lambda *trees: said.append((trees, events(tmp_path)[-1]["event"])))
    guard = opened(tmp_path)
    with guard.phase("op-1", "apply", FORWARD) as progress:
        guard.run_steps(progress, FORWARD, lambda step: None, trees=("/a", "/b"))
    assert said == [(("/a", "/b"), "begin")] * 2


def test_a_step_behind_a_good_verification_is_noted_and_may_fail(tmp_path: Path) -> None:
    time = Time()
    guard = guard_of(tmp_path, time)
    guard.open(request())
    later = [Step("clean", "clean").to_dict(), Step("tell", "tell").to_dict()]
    guard.write({"event": "plan", "plan": {**PLAN, "afterwards": later}})

    def execute(step: Step) -> object:
        time.passed += 2.34567
        if step.id == "clean":
            raise OSError("no space")
        return {"told": 1}

    progress = guard.progress()
    assert progress is not None
    guard.run_afterwards(progress, execute)
    assert events(tmp_path)[-4:] == [
        {"event": "after_begin", "step": "clean", "at": AT},
        {"event": "after_done", "step": "clean", "seconds": 2.346, "note": {"failed": "no space"}, "at": AT},
        {"event": "after_begin", "step": "tell", "at": AT},
        {"event": "after_done", "step": "tell", "seconds": 2.346, "note": {"told": 1}, "at": AT},
    ]


@pytest.mark.parametrize(("way", "direction"), [("resume", FORWARD), ("undo", BACK)])
def test_a_continued_operation_begins_with_what_was_reached(tmp_path: Path, way: str, direction: str) -> None:
    guard = opened(tmp_path)
    with pytest.raises(StepFailed):
        applied(guard, "op-1", FORWARD, fails_at("vendor", OSError("x")))
    guard.close("op-1")
    asked = Request("op-2", "other", "rollback", interrupted=way)
    assert guard.open(asked).direction == direction
    header = {
        **HEADER,
        "operation": "op-2",
        "service": "other",
        "environment": "",
        "reason": "",
        "actor": {},
        "continues": "op-1",
    }
    carried = {
        "event": "carry",
        "from": "op-1",
        "direction": direction,
        "done": {"code": 0.0},
        "undone": {},
        "ever_begun": ["code", "vendor"],
        "notes": {},
        "cause": "step 'vendor': x",
        "cause_about": "release",
        "before": None,
    }
    assert events(tmp_path) == [
        header,
        {"event": "plan", "plan": PLAN},
        carried,
        {"event": "phase", "phase": "plan", "direction": direction},
    ]


def test_work_renews_the_lease_for_the_time_that_was_asked_for(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    guard.open(request(lease_ttl=100.0))
    assert json.loads((tmp_path / "lease.json").read_text())["expires_uptime"] == 1100.0
    later = Time()
    later.clock = lambda: moment.Now(1_700_000_050.0, "boot-1", 1050.0)  # type: ignore[method-assign]
    guard_of(tmp_path, later).must_own("op-1")
    assert json.loads((tmp_path / "lease.json").read_text())["expires_uptime"] == 1150.0
    (tmp_path / "journal.jsonl").unlink()
    guard_of(tmp_path, later).must_own("op-1")
    assert json.loads((tmp_path / "lease.json").read_text())["expires_uptime"] == 1950.0


# -- the end -----------------------------------------------------------------------------------------


def finished(guard: Guard, well: bool) -> tuple[Ending, Any]:
    applied(guard, "op-1", FORWARD, lambda step: None)
    guard.write({"event": "verified", "result": {"ok": well, "reason": "" if well else "status 500"}})
    return guard.close("op-1")


@pytest.mark.parametrize("well", [True, False])
def test_a_close_records_and_lets_go_of_everything(tmp_path: Path, well: bool) -> None:
    guard = opened(tmp_path)
    end, record = finished(guard, well)
    assert end == (Ending("succeeded", True, "to") if well else Ending("failed", True, "to", "status 500"))
    assert record == guard.recorded("op-1") and record["finished"] == AT
    assert not guard.running.held
    assert (guard.lease(), guard.progress(), guard.standing()) == (None, None, "free")
    # Its answer may be lost on the way, and is given again.
    assert guard.close("op-1") == (Ending(end.outcome, True, None, end.error), record)


def test_an_end_halfway_stays_in_the_journal(tmp_path: Path) -> None:
    guard = opened(tmp_path)
    with pytest.raises(StepFailed):
        applied(guard, "op-1", FORWARD, fails_at("vendor", OSError("x")))
    end, record = guard.close("op-1")
    assert end == Ending("failed", False, None, "x") and record is not None
    assert events(tmp_path)[-2:] == [
        {"event": "phase_end", "phase": "close", "at": AT},
        {"event": "closed", "outcome": "failed", "at": AT},
    ]
    assert guard.lease() is None and not guard.running.held


def test_a_refused_plan_takes_back_what_it_said_of_the_folder(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    guard.open(request(subject=Subject("shop", "/srv/shop")))
    named = json.loads((tmp_path / "service.json").read_text())
    assert named == {"system": "shop", "place": "/srv/shop", "environment": "", "operation": "op-1"}
    assert guard.refuse("op-2", Problem("x", "y")) is None
    record: Any = guard.refuse("op-1", Problem("ahead", "the database is ahead"))
    assert (record["outcome"], record["error"], record["left"]) == ("refused", "ahead: the database is ahead", None)
    assert not (tmp_path / "service.json").exists() and not (tmp_path / "journal.jsonl").exists()
    assert guard.refuse("op-1", Problem("x", "y")) is None


def test_a_refusal_over_a_damaged_ledger_is_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(b"rubbish\n")
    guard = guard_of(tmp_path)
    guard.open(request(), accept_damaged_ledger=True)
    assert guard.refuse("op-1", Problem("x", "y")) is None
    assert (tmp_path / "ledger.jsonl").read_bytes() == b"rubbish\n" and guard.lease() is None


def test_a_damaged_ledger_is_kept_under_another_name(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    (tmp_path / "ledger.jsonl").write_bytes(b"rubbish\n")
    kept = guard.set_aside_ledger()
    assert kept == f"{tmp_path}/ledger.jsonl.damaged-" + hashlib.sha256(b"rubbish\n").hexdigest()[:12]
    assert Path(kept).read_bytes() == b"rubbish\n"
    assert not (tmp_path / "ledger.jsonl").exists()
    (tmp_path / "ledger.jsonl").write_bytes(b"")
    guard.set_aside_ledger()
    assert (tmp_path / "ledger.jsonl").exists()


# -- refusals and waiting ----------------------------------------------------------------------------


def held(guard: Guard) -> None:
    """As if a command of a killed module were still at work."""
    guard.running.take = lambda: False  # type: ignore[method-assign]


NOT_OPEN = "operation op-1 is not open here"
RECORD = ("operation_history", "shows its record")


def test_each_refusal_says_what_is_so_and_what_to_type(tmp_path: Path) -> None:
    guard = guard_of(tmp_path / "none")
    missing = f"operation op-1 is not open: {tmp_path}/none is missing"
    assert problem_of(guard.phase("op-1", "apply").__enter__) == refused(
        "not_open", missing, ("the same command again", "opens a new operation, or says how to make the folder")
    )
    assert problem_of(lambda: guard.close("op-1")) == refused("not_open", NOT_OPEN, RECORD)
    history = ("operation_history", "shows what became of it")
    guard = guard_of(tmp_path)
    lost = "operation op-1 lost its lease (nobody holds it now) and changes nothing more"
    assert problem_of(guard.phase("op-1", "apply").__enter__) == refused("lease_lost", lost, history)
    guard.open(request("op-2"))
    lost = "operation op-1 lost its lease (operation op-2 holds it now) and changes nothing more"
    assert problem_of(lambda: guard.must_own("op-1")) == refused("lease_lost", lost, history)
    assert problem_of(lambda: guard.close("op-1")) == refused("not_open", NOT_OPEN, RECORD)
    (tmp_path / "journal.jsonl").write_bytes((tmp_path / "journal.jsonl").read_bytes().replace(b"op-2", b"op-1"))
    lost = "operation op-1 lost its lease to op-2"
    assert problem_of(lambda: guard.close("op-1")) == refused("lease_lost", lost, history)
    gone = "operation op-2 has no journal here any more"
    assert problem_of(guard.phase("op-2", "apply").__enter__) == refused("not_open", gone, RECORD)
    assert not guard.running.held
    (tmp_path / "journal.jsonl").unlink()
    assert problem_of(guard.phase("op-2", "apply").__enter__) == refused("not_open", gone, RECORD)


def test_a_phase_and_a_close_wait_a_minute_for_an_orphan(tmp_path: Path) -> None:
    text = "a process of operation op-1 is still at work on this host"
    ways = (
        ("lock_wait=300", "waits up to 300 seconds for it to end"),
        ("operation_history", "shows if it is at work, or how it ended"),
    )
    for act in (
        lambda guard: guard.phase("op-1", "apply").__enter__(),
        lambda guard: guard.close("op-1"),
    ):
        time = Time()
        guard = guard_of(tmp_path, time)
        if not (tmp_path / "journal.jsonl").exists():
            guard.open(request())
            guard.leave()
        time.passed = 7.0
        held(guard)
        assert problem_of(lambda act=act, guard=guard: act(guard)) == refused("still_running", text, *ways)
        assert 66.9 < time.passed < 67.2


def test_a_takeover_waits_for_the_last_step_of_the_former_owner(tmp_path: Path) -> None:
    for lock_wait, waits, longer in ((0.0, 60.0, 600), (90.5, 90.5, 690)):
        time = Time()
        state = tmp_path / str(lock_wait)
        opened(state)
        guard = guard_of(state, time)
        held(guard)
        guard.running.is_held_by_another = lambda: True  # type: ignore[method-assign]
        asked = request("op-2", lock_takeover="op-1", lock_wait=lock_wait)
        assert problem_of(lambda guard=guard, asked=asked: guard.open(asked)) == refused(
            "takeover_pending",
            "the former owner is still in its last step and will stop after it",
            (f"lock_wait={longer}", "waits longer"),
            ("the same command again", "asks again"),
        )
        assert waits - 0.1 < time.passed < waits + 0.2
        assert not (state / "lease.json").exists()


def test_a_lease_is_asked_for_twice_a_second_until_the_wait_is_over(tmp_path: Path) -> None:
    opened(tmp_path)
    for lock_wait, sleeps in ((0.0, []), (2.0, [0.5] * 4)):
        time = Time()
        asked = request("op-2", lock_wait=lock_wait)
        assert problem_of(lambda time=time, asked=asked: guard_of(tmp_path, time).open(asked))["code"] == "lease_held"
        assert time.sleeps == sleeps


def test_a_holder_of_the_kernel_lock_between_two_looks_is_waited_for_a_moment(tmp_path: Path) -> None:
    time = Time()
    guard = guard_of(tmp_path, time)
    held(guard)
    assert problem_of(lambda: guard.open(request())) == refused(
        "lease_held",
        "a process that has no lease works here now: it has just begun, or is about to end",
        ("lock_wait=300", "waits up to 300 seconds for it to end"),
        ("the same command again", "looks who it is"),
    )
    assert 0.29 < time.passed < 0.41 and not (tmp_path / "journal.jsonl").exists()


def test_a_folder_of_another_service_is_refused_by_a_look_and_by_an_operation(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    (tmp_path / "service.json").write_text('{"system": "laravel", "place": "", "environment": "staging"}')
    asked = request(subject=Subject("laravel", "", "production"))
    refusal = guard.look(asked).refusal
    assert refusal is not None and refusal.code == "state_of_another"
    assert problem_of(lambda: guard.open(asked))["code"] == "state_of_another"


def test_a_folder_that_can_t_be_used_is_a_refusal_of_each_who_reads_it(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    os.symlink(tmp_path / "other", tmp_path / "lease.json")
    for act in (guard.must_read, lambda: guard.look(request()), lambda: guard.must_own("op-1")):
        assert problem_of(act)["code"] == "state_is_link"


@pytest.mark.parametrize("name", ["ledger.jsonl", "journal.jsonl"])
def test_each_file_of_the_state_is_read_where_it_must_be(tmp_path: Path, name: str) -> None:
    guard = guard_of(tmp_path)
    guard.must_read()
    os.symlink(tmp_path / "other", tmp_path / name)
    assert problem_of(guard.must_read)["code"] == "state_is_link"


def test_a_journal_that_was_edited_is_a_refusal(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"x\ny\n" + json.dumps(HEADER).encode() + b"\n")
    found = problem_of(guard.progress)
    assert found["code"] == "journal_damaged" and "line 1 is not an event" in found["text"]


def test_a_ledger_is_read_again_only_where_it_changed_or_that_is_asked_for(tmp_path: Path) -> None:
    guard = opened(tmp_path)
    finished(guard, True)
    book = guard.ledger()
    assert guard.ledger() is book and guard.ledger(verify=True) is not book
    with (tmp_path / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b"rubbish\n")
    assert guard.ledger() is not book
    assert guard.ledger().problems == ("line 2 is not a record",)
    assert guard.recorded("op-2") is None
