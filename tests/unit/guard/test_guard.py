# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard, with real processes, kernel locks and kills: one operation at a time, and none is ever lost."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import wait_for

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, StepFailed
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, FORWARD, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.opening import Opening
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.host import clock as moment
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

fork = multiprocessing.get_context("fork")

PARTS = ("migration", "code", "vendor")


def request(operation: str = "op-1", **inputs: Any) -> Request:
    actor = {"user": "ada", "controller": "bastion.example.com"}
    return Request(operation, "shop", inputs.pop("procedure", "rollback"), actor=actor, **inputs)


def refusal_of(action: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        action()
    return caught.value


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of kills sync thousands of times."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = tempfile.mkdtemp(dir=memory)
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path)


# -- a host that can be operated ------------------------------------------------------------------


class Host:
    """A service of three parts, each of which is at one release; an operation moves all of them."""

    def __init__(self, root: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self.root = root
        self.guard = Guard(str(root / "state"), sleep=sleep)

    def parts(self) -> set[str]:
        return {(self.root / part).read_text() for part in PARTS}

    def install(self, release: str) -> Host:
        for part in PARTS:
            (self.root / part).write_text(release)
        return self

    def do(self, step: Step) -> object:
        part = self.root / step.data["part"]
        part.with_suffix(".new").write_text(step.data["value"])
        part.with_suffix(".new").rename(part)
        return None

    def plan(self, to: str) -> dict[str, Any]:
        source = (self.root / "code").read_text()
        if self.parts() == {to}:
            return {"from": {"id": to}, "to": {"id": to}, "steps": [], "undo": []}

        def step(name: str, part: str, value: str, **more: Any) -> dict[str, Any]:
            data = {"part": part, "value": value, **more}
            return Step(name, name, not name.startswith("migrate"), data).to_dict()

        return {
            "from": {"id": source},
            "to": {"id": to},
            "steps": [step("migrate_down", "migration", to), step("code", "code", to), step("vendor", "vendor", to)],
            "undo": [
                step("code", "code", source),
                step("vendor", "vendor", source),
                step("migrate_up", "migration", source, after="migrate_down"),
            ],
        }

    def open(self, asked: Request, to: str = "old") -> Opening:
        opening = self.guard.open(asked)
        if opening.direction is None:
            self.guard.write({"event": "plan", "plan": self.plan(to)})
        self.guard.write({"event": "phase_end", "phase": "plan"})
        self.guard.leave()
        return opening

    def apply(self, operation: str, direction: str, execute: Callable[[Step], object] | None = None) -> None:
        with self.guard.phase(operation, "apply", direction) as progress:
            self.guard.run_steps(progress, direction, execute or self.do)

    def verify(self, operation: str) -> None:
        with self.guard.phase(operation, "verify") as progress:
            wanted = (progress.plan or {})["from" if progress.direction == BACK else "to"]["id"]
            well = self.parts() == {wanted}
            self.guard.write({"event": "verified", "result": {"ok": well, "reason": "" if well else "a mix"}})

    def operate(
        self, asked: Request, to: str = "old", execute: Callable[[Step], object] | None = None
    ) -> dict[str, Any] | None:
        """A whole run, as a playbook does it: a failed change goes back."""
        opening = self.open(asked, to)
        try:
            self.apply(asked.operation, opening.direction or FORWARD, execute)
        except StepFailed:
            self.apply(asked.operation, BACK)
        self.verify(asked.operation)
        return self.guard.close(asked.operation)[1]

    def records(self) -> list[dict[str, Any]]:
        book = self.guard.ledger()
        assert not book.problems
        return list(book.records)


def killed_at(nth: int, before: bool, action: Callable[[], object]) -> bool:
    """Run something in a process that is killed at its nth sync; whether it came so far."""
    child = os.fork()
    if child == 0:
        synced, count = os.fsync, iter(range(1, 10_000))

        def die(descriptor: int) -> None:
            last = next(count) == nth
            if last and before:
                os.kill(os.getpid(), signal.SIGKILL)
            synced(descriptor)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

        os.fsync = die  # type: ignore[assignment]
        try:
            action()
        except BaseException:
            os._exit(9)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def inputs_for(host: Host, way: str) -> dict[str, str]:
    """Inputs that an operator types after reading the refusals of a first try."""
    given: dict[str, str] = {}
    for _ in range(3):
        refusal = host.guard.look(request("look", **given)).refusal
        if refusal is None:
            return given
        ways = " ".join(way for way, _ in refusal.ways)
        if refusal.code == "lease_held":
            lease = host.guard.lease()
            assert lease is not None and f"lock_takeover={lease.operation}" in ways
            given["lock_takeover"] = lease.operation
        else:
            assert refusal.code == "interrupted"
            offered = [choice.split("=")[1] for choice, _ in refusal.ways]
            given["interrupted"] = way if way in offered else offered[0]
    raise AssertionError(f"no way out: {refusal}")


def must_be_settled(host: Host) -> None:
    """Nothing is held or unfinished, the host is at one release, and the ledger knows it."""
    assert (host.guard.lease(), host.guard.progress(), host.guard.running.is_held_by_another()) == (None, None, False)
    assert len(host.parts()) == 1
    records = host.records()
    assert len({record["id"] for record in records}) == len(records)
    acted = [record for record in records if record["steps"] or record.get("continues")]
    if acted and acted[-1]["outcome"] in ("succeeded", "reverted"):
        assert {acted[-1]["left"]["id"]} == host.parts()
    for record in records:
        assert record["outcome"] != "succeeded" or record["left"] == record["to"]
        assert record["outcome"] != "reverted" or record["left"] == record["from"]


# -- kills ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["resume", "undo", "accept"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_run_killed_at_any_sync_is_finished_by_what_the_refusal_says(way: str, before: bool) -> None:
    nth, reached = 0, True
    while reached:
        nth += 1
        with folder() as root:
            host = Host(root).install("new")
            reached = killed_at(nth, before, partial(host.operate, request()))
            given = inputs_for(host, way)
            done = host.operate(request("op-2", **given))
            must_be_settled(host)
            assert host.parts() == ({"new"} if given.get("interrupted") == "undo" else {"old"}), nth
            if given.get("interrupted") in ("resume", "undo"):
                assert done is not None and done["continues"] == "op-1"
    assert nth > 30


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 45), st.booleans(), st.sampled_from(["resume", "undo", "accept"])), max_size=4),
    st.sampled_from(["", "code", "vendor"]),
)
def test_runs_killed_again_and_again_end_well(kills: list[tuple[int, bool, str]], broken: str) -> None:
    """Each run may be killed, the one that finishes it too, and a step may fail: the end is a known release."""
    with folder() as root:
        host = Host(root).install("new")

        def execute(step: Step) -> object:
            if step.id == broken and step.data["value"] == "old" and not (root / "mended").exists():
                raise OSError("no space")
            return host.do(step)

        for number, (nth, before, way) in enumerate(kills):
            given = inputs_for(host, way)
            killed_at(nth, before, partial(host.operate, request(f"op-{number}", **given), execute=execute))
        (root / "mended").touch()
        host.operate(request("op-last", **inputs_for(host, "resume")))
        must_be_settled(host)


def test_a_close_killed_between_record_and_end_records_once() -> None:
    with folder() as root:
        host = Host(root).install("new")
        host.open(request())
        host.apply("op-1", FORWARD)
        host.verify("op-1")
        journal, lease = host.guard.path("journal.jsonl"), host.guard.path("lease.json")
        kept = {path: Path(path).read_bytes() for path in (journal, lease)}
        first = host.guard.close("op-1")[1]
        for path, content in kept.items():
            Path(path).write_bytes(content)
        assert host.guard.close("op-1")[1] == first
        assert [record["id"] for record in host.records()] == ["op-1"]
        must_be_settled(host)


def test_a_recorded_end_is_not_recorded_again_by_the_next_operation() -> None:
    with folder() as root:
        host = Host(root).install("new")
        host.open(request())
        host.apply("op-1", FORWARD)
        host.verify("op-1")
        kept = Path(host.guard.path("journal.jsonl")).read_bytes()
        host.guard.close("op-1")
        Path(host.guard.path("journal.jsonl")).write_bytes(kept)
        host.operate(request("op-2"))
        assert [record["id"] for record in host.records()].count("op-1") == 1


def test_a_recorded_operation_has_ended_and_so_has_its_lease() -> None:
    with folder() as root:
        host = Host(root).install("new")
        host.open(request())
        host.apply("op-1", FORWARD)
        host.verify("op-1")
        journal, lease = host.guard.path("journal.jsonl"), host.guard.path("lease.json")
        kept = {path: Path(path).read_bytes() for path in (journal, lease)}
        host.guard.close("op-1")
        for path, content in kept.items():
            Path(path).write_bytes(content)
        assert host.guard.standing() == "died"
        host.operate(request("op-2"), to="new")
        assert [(record["id"], record["outcome"]) for record in host.records()][0] == ("op-1", "succeeded")
        must_be_settled(host)


@pytest.mark.parametrize(("closes", "standing"), [(True, "died"), (False, "waiting")])
def test_a_process_that_was_to_close_and_died_between_two_phases_holds_nothing(
    tmp_path: Path, closes: bool, standing: str
) -> None:
    host = Host(tmp_path).install("new")
    host.open(request())

    def one_phase() -> None:
        with host.guard.phase("op-1", "apply", FORWARD, closes=closes) as progress:
            host.guard.run_steps(progress, FORWARD, host.do)
        # Nobody, the same operation's way back included, comes between two phases of a living process.
        os._exit(0 if Guard(host.guard.state_dir).running.is_held_by_another() else 9)

    assert killed_at(0, False, one_phase) is False
    assert host.guard.standing() == standing


def test_a_close_whose_answer_was_lost_is_answered_again(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.operate(request("op-1"))
    end, record = host.guard.close("op-1")
    assert record is not None
    assert (end.outcome, end.settled, record["id"]) == (host.records()[-1]["outcome"], True, "op-1")


def test_an_end_halfway_is_recorded_and_still_has_to_be_settled(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request())

    def fails_at_code(step: Step) -> object:
        if step.id == "code":
            raise OSError("no space")
        return host.do(step)

    with pytest.raises(StepFailed, match="'code' failed: no space"):
        host.apply("op-1", FORWARD, fails_at_code)
    end, record = host.guard.close("op-1")
    assert (end.outcome, end.settled, record and record["left"]) == ("failed", False, None)
    assert host.guard.lease() is None
    refusal = refusal_of(lambda: host.guard.open(request("op-2")))
    assert (refusal.code, refusal.ways[0][0]) == ("interrupted", "interrupted=undo")
    host.operate(request("op-3", interrupted="undo"))
    assert [(record["id"], record["outcome"]) for record in host.records()] == [
        ("op-1", "failed"),
        ("op-3", "reverted"),
    ]
    must_be_settled(host)


# -- the ledger of a whole run ---------------------------------------------------------------------


def test_a_run_leaves_a_whole_record(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    record = host.operate(request(reason="INC-7", environment="production"))
    assert record is not None
    assert {name: record[name] for name in ("id", "service", "procedure", "environment", "reason", "outcome")} == {
        "id": "op-1",
        "service": "shop",
        "procedure": "rollback",
        "environment": "production",
        "reason": "INC-7",
        "outcome": "succeeded",
    }
    assert (record["from"], record["to"], record["left"]) == ({"id": "new"}, {"id": "old"}, {"id": "old"})
    assert [step["step"] for step in record["steps"]] == ["migrate_down", "code", "vendor"]
    assert record["actor"]["user"] == "ada"
    assert record["started"] <= record["finished"]
    assert host.records() == [record]


def test_a_host_that_was_well_goes_back_for_another_one(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request())
    host.apply("op-1", FORWARD)
    host.verify("op-1")
    with host.guard.phase("op-1", "apply", BACK, "web2 failed: status 500") as progress:
        host.guard.run_steps(progress, BACK, host.do)
    host.verify("op-1")
    end, record = host.guard.close("op-1")
    assert record is not None
    assert (end.outcome, record["error"], record["left"]) == ("reverted", "web2 failed: status 500", {"id": "new"})
    assert "failed_health" not in record
    assert host.parts() == {"new"}
    must_be_settled(host)


def test_the_state_is_private(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.operate(request())
    state = tmp_path / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    assert all(entry.stat().st_mode & 0o077 == 0 for entry in state.iterdir())


def test_nothing_to_do_is_not_recorded(tmp_path: Path) -> None:
    host = Host(tmp_path).install("old")
    assert host.operate(request()) is None
    assert host.records() == []
    must_be_settled(host)


def test_a_look_changes_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.guard.look(request()).refusal is None
    assert not (tmp_path / "state").exists()


# -- one at a time ---------------------------------------------------------------------------------


def race(state: str, operation: str, start: Any, finish: Any, results: Any) -> None:
    guard = Guard(state)
    start.wait()
    try:
        guard.open(request(operation))
        results.put((operation, ""))
    except Problem as refused:
        results.put((operation, f"{refused.code}: {refused.text}"))
    # The winner lives until everybody has looked: a dead one's lease would be free again.
    finish.wait()


def test_of_two_that_open_at_once_exactly_one_wins() -> None:
    for _ in range(40):
        with folder() as root:
            start, finish, results = fork.Barrier(2), fork.Barrier(2), fork.SimpleQueue()
            racers = [
                fork.Process(target=race, args=(str(root / "state"), name, start, finish, results))
                for name in ("op-a", "op-b")
            ]
            for racer in racers:
                racer.start()
            answers = [results.get() for _ in racers]
            for racer in racers:
                racer.join()
            winners = [name for name, refusal in answers if not refusal]
            losers = [refusal for _, refusal in answers if refusal]
            assert len(winners) == len(losers) == 1, answers
            assert losers[0].startswith("lease_held") and f"operation {winners[0]} (" in losers[0]
            lease = Guard(str(root / "state")).lease()
            assert lease is not None and lease.operation == winners[0]


class Holder:
    """Another process that holds an operation of this host in a step."""

    def __init__(self, host: Host, operation: str, execute: Callable[[Step], object]) -> None:
        self.host, self.operation = host, operation
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            answer = "done"
            try:
                host.open(request(operation))
                host.apply(operation, FORWARD, execute)
            except Problem as refused:
                answer = refused.code
            except BaseException as error:
                answer = repr(error)
            os.write(writer, answer.encode())
            os._exit(0)
        os.close(writer)
        self._reader = reader

    def answer(self) -> str:
        text = os.read(self._reader, 1000).decode()
        os.close(self._reader)
        os.waitpid(self.pid, 0)
        return text

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.answer()


def sleeping(host: Host) -> Callable[[Step], object]:
    """A step that says that it works, and works on."""

    def execute(step: Step) -> object:
        (host.root / "working").write_text(step.id)
        signal.pause()
        return None

    return execute


def test_a_killed_holder_is_seen_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    holder = Holder(host, "op-1", sleeping(host))
    wait_for("the holder works", (tmp_path / "working").exists)
    assert host.guard.standing() == "running"
    refusal = refusal_of(lambda: host.guard.open(request("op-2")))
    assert refusal.code == "lease_held" and "op-1" in refusal.text and "at work on this host now" in refusal.text
    holder.kill()
    assert host.guard.standing() == "died"
    assert refusal_of(lambda: host.guard.open(request("op-2"))).code == "interrupted"


def test_a_command_that_outlives_its_killed_module_keeps_the_lock(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    pid_file = tmp_path / "pid"

    def execute(_step: Step) -> object:
        script = f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep infinity"
        return Commands(str(tmp_path), host.guard.inherited).run(["sh", "-c", script])

    holder = Holder(host, "op-1", execute)
    wait_for("the command runs", pid_file.exists)
    holder.kill()
    orphan = int(pid_file.read_text())
    try:
        assert host.guard.running.is_held_by_another()
        assert host.guard.standing() == "running"
        assert refusal_of(lambda: host.guard.open(request("op-2"))).code == "lease_held"
    finally:
        os.kill(orphan, signal.SIGKILL)
    wait_for("the lock is free", lambda: not host.guard.running.is_held_by_another())
    assert host.guard.standing() == "died"


def test_two_that_look_do_not_take_each_other_for_a_worker(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request())
    look = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); print(flush=True); sys.stdin.read()"
    )
    command = ["python3", "-c", look, host.guard.path("running.lock")]
    looker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert looker.stdout is not None
    looker.stdout.readline()
    assert not host.guard.running.is_held_by_another()
    looker.kill()
    looker.communicate()


def test_a_takeover_stops_the_owner_before_its_next_step(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")

    def execute(step: Step) -> object:
        (tmp_path / "working").write_text(step.id)
        if step.id == "migrate_down":
            wait_for("a takeover", lambda: getattr(host.guard.lease(), "operation", ""), "op-2")
        return host.do(step)

    holder = Holder(host, "op-1", execute)
    wait_for("the holder works", (tmp_path / "working").exists)
    assert refusal_of(lambda: host.guard.open(request("op-2", lock_takeover="op-9"))).code == "takeover_of_another"
    # What is to become of the interrupted work has to be said as well.
    assert refusal_of(lambda: host.guard.open(request("op-2", lock_takeover="op-1"))).code == "interrupted"
    record = host.operate(request("op-2", lock_takeover="op-1", interrupted="resume"))
    assert holder.answer() == "lease_lost"
    assert (tmp_path / "working").read_text() == "migrate_down"
    assert record is not None and record["continues"] == "op-1"
    assert [step["step"] for step in record["steps"]] == ["code", "vendor"]
    assert [(entry["id"], entry["outcome"]) for entry in host.records()] == [
        ("op-1", "interrupted"),
        ("op-2", "succeeded"),
    ]
    must_be_settled(host)


def test_the_former_owner_can_neither_change_nor_close_nor_release(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    winner = Host(tmp_path)
    winner.open(request("op-2", lock_takeover="op-1"))
    assert refusal_of(lambda: host.apply("op-1", FORWARD)).code == "lease_lost"
    assert refusal_of(lambda: host.apply("op-1", BACK)).code == "lease_lost"
    # The winner recorded what became of it; closing tells that, and changes nothing.
    assert host.guard.close("op-1")[0].outcome == "interrupted"
    assert host.guard.refuse("op-1", Problem("x", "y")) is None
    lease = host.guard.lease()
    assert lease is not None and lease.operation == "op-2"
    assert host.parts() == {"new"}


def test_a_loser_does_not_remove_the_lease_of_the_winner(tmp_path: Path) -> None:
    """Taken over while it planned: its refusal ends its own journal, and leaves the lease that is not its own."""
    host = Host(tmp_path).install("new")
    host.guard.open(request("op-1"))
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            # The descriptor came with the fork: only the parent is to hold the lock.
            host.guard.leave()
            Host(tmp_path).open(request("op-2", lock_takeover="op-1"))
            os._exit(0)
        os._exit(9)
    wait_for("a takeover", lambda: getattr(host.guard.lease(), "operation", ""), "op-2")
    host.guard.refuse("op-1", Problem("migrations_ahead", "the database is ahead"))
    assert getattr(host.guard.lease(), "operation", "") == "op-2"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    host.apply("op-2", FORWARD)
    assert host.parts() == {"old"}


def test_a_takeover_waits_for_the_step_and_can_be_given_up(tmp_path: Path) -> None:
    """A step that does not end: the takeover is refused, and the owner, whose lease is gone, stops after it."""
    host = Host(tmp_path).install("new")
    holder = Holder(host, "op-1", sleeping(host))
    wait_for("the holder works", (tmp_path / "working").exists)
    impatient = Guard(str(tmp_path / "state"))
    # Waiting is counted, not slept through.
    impatient.running.wait = lambda deadline: False  # type: ignore[method-assign]
    asked = request("op-2", lock_takeover="op-1", interrupted="resume")
    refusal = refusal_of(lambda: impatient.open(asked))
    assert refusal.code == "takeover_pending"
    assert host.guard.lease() is None
    holder.kill()


def test_lock_wait_waits_for_the_end_of_the_other(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    waited: list[float] = []
    assert (
        refusal_of(lambda: Guard(host.guard.state_dir, sleep=waited.append).open(request("op-2"))).code == "lease_held"
    )
    assert waited == []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            host.apply("op-1", FORWARD)
            host.verify("op-1")
            host.guard.close("op-1")

    patient = Guard(str(tmp_path / "state"), sleep=sleep)
    assert patient.open(request("op-2", lock_wait=30)).refusal is None
    assert len(waited) == 3
    patient.leave()


class Timer:
    """Seconds that pass only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_lock_wait_ends(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    timer = Timer()
    waiting = Guard(host.guard.state_dir, sleep=timer.sleep, timer=timer)
    assert refusal_of(lambda: waiting.open(request("op-2", lock_wait=10))).code == "lease_held"
    assert 10 <= timer.now < 11


def test_lock_wait_does_not_wait_for_what_never_comes(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    killed_at(20, True, lambda: host.operate(request()))
    waited: list[float] = []
    guard = Guard(host.guard.state_dir, sleep=waited.append)
    assert refusal_of(lambda: guard.open(request("op-2", lock_wait=30))).code == "interrupted"
    assert waited == []


# -- the lease in time -----------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = moment.Now(1_700_000_000.0, "boot-1", 1000.0)

    def __call__(self) -> moment.Now:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now = moment.later(self.now, seconds)


def test_the_lease_of_a_lost_controller_expires_and_is_renewed_by_work(tmp_path: Path) -> None:
    clock = Clock()
    host = Host(tmp_path).install("new")
    host.guard = Guard(str(tmp_path / "state"), clock=clock)
    host.open(request("op-1", lease_ttl=100.0))
    clock.pass_by(99)
    assert refusal_of(lambda: host.guard.open(request("op-2"))).code == "lease_held"
    host.apply("op-1", FORWARD)
    clock.pass_by(99)
    assert host.guard.standing() == "waiting"
    clock.pass_by(2)
    assert host.guard.standing() == "expired"
    assert refusal_of(lambda: host.guard.open(request("op-2"))).code == "interrupted"


def test_after_a_restart_of_the_host_nobody_holds_it(tmp_path: Path) -> None:
    clock = Clock()
    host = Host(tmp_path).install("new")
    host.guard = Guard(str(tmp_path / "state"), clock=clock)
    host.open(request("op-1"))
    clock.now = replace(clock.now, boot="boot-2", uptime=3.0)
    host.open(request("op-2"))
    assert [(record["id"], record["outcome"]) for record in host.records()] == [("op-1", "interrupted")]


def test_a_lost_lease_is_not_taken_back(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    durable_file.remove(host.guard.path("lease.json"))
    refusal = refusal_of(lambda: host.apply("op-1", FORWARD))
    assert refusal.code == "lease_lost" and "nobody holds it now" in refusal.text
    assert host.parts() == {"new"}


# -- orphans ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def orphan(host: Host) -> Iterator[Callable[[], None]]:
    """A command of a killed module that still works; call the value to end it."""
    command = ["sh", "-c", f"flock -n {host.guard.path('running.lock')} -c 'echo held; exec sleep infinity'"]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert worker.stdout is not None and worker.stdout.readline() == b"held\n"

    def end() -> None:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()

    try:
        yield end
    finally:
        end()


def test_a_phase_waits_for_an_orphan(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.open(request())
    with orphan(host) as end:
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            end()

        patient = Host(tmp_path, sleep=sleep)
        patient.apply("op-1", FORWARD)
        assert waits and host.parts() == {"old"}


def test_a_phase_that_waited_does_not_work_for_another_operation(tmp_path: Path) -> None:
    """While it waited, somebody took the lease over and planned: its steps must not run the other's plan."""
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    with orphan(host) as end:

        def sleep(_seconds: float) -> None:
            end()
            Host(tmp_path).open(request("op-2", lock_takeover="op-1"))

        late = Host(tmp_path, sleep=sleep)
        journal = Path(host.guard.path("journal.jsonl"))
        assert refusal_of(lambda: late.apply("op-1", FORWARD)).code == "lease_lost"
        assert not late.guard.running.is_held_by_another() and late.guard.inherited == ()
        assert host.parts() == {"new"}
        assert [json.loads(line)["event"] for line in journal.read_text().splitlines()] == [
            "open",
            "phase",
            "plan",
            "phase_end",
        ]


def test_a_close_waits_for_an_orphan(tmp_path: Path) -> None:
    """An orphan may still change the host, so its journal must not be ended under it."""
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    with orphan(host) as end:
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            assert Path(host.guard.path("journal.jsonl")).exists()
            end()

        ending, _record = Guard(host.guard.state_dir, sleep=sleep).close("op-1")
        assert (ending.outcome, len(waits)) == ("interrupted", 1)
    must_be_settled(host)


# -- refusals --------------------------------------------------------------------------------------


def test_a_refused_plan_is_recorded_and_gives_the_lease_back(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.guard.open(request())
    record = host.guard.refuse("op-1", Problem("migrations_ahead", "the database is ahead"))
    assert record is not None
    assert (record["outcome"], record["error"]) == ("refused", "migrations_ahead: the database is ahead")
    must_be_settled(host)


def test_a_refused_continuation_does_not_lose_what_was_interrupted(tmp_path: Path) -> None:
    """Several hosts: this one goes on with an interrupted operation, another refuses, and the lease is given back."""
    host = Host(tmp_path).install("new")
    host.open(request("op-1"))
    with pytest.raises(StepFailed):
        host.apply("op-1", FORWARD, lambda step: host.do(step) if step.id != "vendor" else 1 / 0)
    host.guard.close("op-1")
    host.open(request("op-2", interrupted="resume"))
    host.guard.refuse("op-2", Problem("another_host", "web2: it can't be reached"))
    assert host.guard.lease() is None
    assert refusal_of(lambda: host.guard.open(request("op-3"))).code == "interrupted"
    host.operate(request("op-4", interrupted="resume"))
    must_be_settled(host)
    assert host.parts() == {"old"}
    assert [record["outcome"] for record in host.records()] == ["failed", "refused", "succeeded"]


def test_a_state_folder_that_cannot_be_made_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refusal = refusal_of(lambda: Guard(str(tmp_path / "file" / "shop")).open(request()))
    assert refusal.code == "state_dir_not_writable"
    assert any("sudo install -d -o " in way for way, _ in refusal.ways)


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root writes everywhere")
def test_a_state_folder_of_another_user_is_a_refusal(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o555)
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            Guard(str(state)).open(request())
        except Problem as refused:
            os._exit(7 if refused.code == "state_dir_not_writable" else 8)
        os._exit(9)
    os.chmod(tmp_path, 0o755)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("method", ["phase", "close"])
def test_an_operation_that_is_not_open_is_refused(tmp_path: Path, method: str) -> None:
    guard = Guard(str(tmp_path / "none"))
    act = (lambda: guard.phase("op-1", "apply").__enter__()) if method == "phase" else (lambda: guard.close("op-1"))
    assert refusal_of(act).code == "not_open"


# -- damage ----------------------------------------------------------------------------------------


def damage(host: Host) -> None:
    path = Path(host.guard.path("ledger.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"succeeded", b"reverted!", 1))


def test_an_edited_ledger_stops_every_operation_until_it_is_set_aside(tmp_path: Path) -> None:
    host = Host(tmp_path).install("new")
    host.operate(request("op-1"))
    host.operate(request("op-2"), to="new")
    damage(host)
    for refusal in (refusal_of(lambda: host.guard.open(request("op-3"))), host.guard.look(request()).refusal):
        assert refusal is not None and refusal.code == "ledger_damaged"
        assert refusal.details == ("line 2 does not follow from the line before it",)
        assert refusal.ways[0][0] == f"mv -n {host.guard.path('ledger.jsonl')} {host.guard.path('ledger.damaged')}"
    adopting = host.guard.look(request(subject=Subject("shop"), adopts=True)).refusal
    assert adopting is not None and adopting.ways[0][0] == "shop_adopt set_aside_ledger=true"
    assert host.guard.lease() is None
    host.guard.open(request("op-3"), accept_damaged_ledger=True)
    kept = host.guard.set_aside_ledger()
    host.guard.leave()
    assert b"reverted!" in Path(kept).read_bytes()
    assert host.guard.ledger().count == 0


def test_a_torn_journal_line_does_not_swallow_the_next_event(tmp_path: Path) -> None:
    """A power cut tore the last line; the turn back that follows must be read as one."""
    host = Host(tmp_path).install("new")
    host.open(request())
    with pytest.raises(StepFailed):
        host.apply("op-1", FORWARD, lambda step: host.do(step) if step.id != "vendor" else 1 / 0)
    journal = Path(host.guard.path("journal.jsonl"))
    journal.write_bytes(journal.read_bytes()[:-9])
    host.apply("op-1", BACK)
    progress = host.guard.progress()
    assert progress is not None and progress.direction == BACK and progress.back_complete
    host.verify("op-1")
    assert host.guard.close("op-1")[0].outcome == "reverted"
    assert host.parts() == {"new"}


def test_a_full_disk_stops_before_the_act(tmp_path: Path) -> None:
    """A step that can't be journalled is not done."""
    host = Host(tmp_path).install("new")
    host.open(request())

    def limited() -> None:
        import resource

        size = os.path.getsize(host.guard.path("journal.jsonl"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))
        with contextlib.suppress(OSError):
            host.apply("op-1", FORWARD)

    killed_at(0, False, limited)
    assert host.parts() == {"new"}
    host.operate(request("op-2", **inputs_for(host, "resume")))
    must_be_settled(host)


# -- what an operation kept for its way back ---------------------------------------------------------


@pytest.mark.parametrize(
    ("interrupted", "stays"), [("accept", False), ("resume", True), ("undo", True)], ids=["accept", "resume", "undo"]
)
def test_a_kept_file_of_secrets_goes_with_the_last_chance_to_go_back(
    tmp_path: Path, interrupted: str, stays: bool
) -> None:
    """A rotation that was accepted as it was left its former .env in the state folder until the next rotation."""
    state = tmp_path / "state"
    guard = Guard(str(state))
    guard.open(Request("op-1", "shop", "rotate_secrets"))
    kept = state / "secrets" / "op-1.env"
    kept.parent.mkdir()
    kept.write_text("TOKEN=old\n")
    (tmp_path / "outside").write_text("")
    step = {"id": "write_env", "title": "write"}
    plan = {"from": {"id": "a"}, "to": {"id": "a"}, "steps": [step], "undo": [step], "saved_as": "op-1"}
    guard.write({"event": "plan", "plan": {**plan, "kept": ["secrets/op-1.env", "../outside", "/etc/hostname"]}})
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.write({"event": "phase", "phase": "apply"})
    guard.write({"event": "begin", "step": "write_env"})
    guard.leave()
    Guard(str(state)).open(Request("op-2", "shop", "deploy", interrupted=interrupted))
    assert kept.exists() is stays
    assert (tmp_path / "outside").exists() and Path("/etc/hostname").exists()


@pytest.mark.parametrize(("well", "stays"), [(True, False), (False, True)], ids=["succeeded", "failed"])
def test_a_kept_file_goes_at_a_good_end_and_stays_for_a_person_at_a_bad_one(
    tmp_path: Path, well: bool, stays: bool
) -> None:
    guard = Guard(str(tmp_path))
    guard.open(Request("op-1", "shop", "rotate_secrets"))
    kept = tmp_path / "op-1.env"
    kept.write_text("TOKEN=old\n")
    step = {"id": "write_env", "title": "write"}
    plan = {"from": {"id": "a"}, "to": {"id": "a"}, "steps": [step], "undo": [], "saved_as": "op-1"}
    guard.write({"event": "plan", "plan": {**plan, "kept": ["op-1.env"]}})
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.write({"event": "begin", "step": "write_env"})
    guard.write({"event": "done", "step": "write_env"})
    guard.write({"event": "verified", "result": {"ok": well, "reason": "" if well else "it does not answer"}})
    guard.leave()
    end, _record = guard.close("op-1")
    assert (end.outcome, kept.exists()) == ("succeeded" if well else "failed", stays)


def test_a_kept_key_is_a_text_and_names_no_file_of_the_state_folder(tmp_path: Path) -> None:
    """The plan of a key's rotation says in `kept` where the new key lies; each letter of it was taken for a file."""
    guard = Guard(str(tmp_path))
    guard.open(Request("op-1", "ssh_key", "rotate"))
    (tmp_path / "k").write_text("")
    step = {"id": "authorise", "title": "authorise"}
    plan = {"from": {"id": "a"}, "to": {"id": "b"}, "steps": [step], "undo": [], "saved_as": "op-1", "kept": "/k"}
    guard.write({"event": "plan", "plan": plan})
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.write({"event": "begin", "step": "authorise"})
    guard.write({"event": "done", "step": "authorise"})
    guard.write({"event": "verified", "result": {"ok": True, "reason": ""}})
    guard.leave()
    end, _record = guard.close("op-1")
    assert (end.outcome, (tmp_path / "k").exists()) == ("succeeded", True)
