# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard of every operation on a host: lease, journal, ledger, and nothing else takes or writes them.

One service has one folder:

    lease.json      who may change the service now
    journal.jsonl   what the present (or an interrupted) operation does
    ledger.jsonl    one record for each operation that ended; ledger.mark and ledger.keys-* are derived from it
    service.json    what the folder is of: system, place and environment
    state.lock      kernel lock, held for the moment of a change to the files above
    running.lock    kernel lock, held while a phase works on this host, by its child processes too
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import (
    journal,
    ledger,
    ledger_keys,
    phase_refusal,
    state_owner,
    state_trouble,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard import lease as lease_file
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import FORWARD, Progress, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_book import Book
from ansible_collections.ops.runbook.plugins.module_utils.guard.opening import Opening, decide
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.host import clock as moment
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, durable_tree, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.running_lock import RunningLock
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record


class StepFailed(Exception):
    """A step could not be done; the journal says which and why."""

    def __init__(self, step: str, error: str) -> None:
        super().__init__(f"step '{step}' failed: {error}")
        self.step = step
        self.error = error


class Untouched(Exception):
    """A step failed, and it is known that it changed nothing: raised by what does a step."""


class Guard:
    """The state folder of one service on this host, as one operation uses it.

    clock: of leases and records. sleep and timer: of what is waited for; the timer gives seconds, as time.monotonic.
    """

    def __init__(
        self,
        state_dir: str,
        clock: Callable[[], moment.Now] = moment.now,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state_dir = state_dir
        self._clock = clock
        self._sleep, self._timer = sleep, timer
        self.running = RunningLock(self.path("running.lock"), sleep, timer)
        self._book: Book | None = None

    def path(self, name: str) -> str:
        """A file of the state folder."""
        return os.path.join(self.state_dir, name)

    # -- reading ---------------------------------------------------------------------------------

    def lease(self) -> lease_file.Lease | None:
        return lease_file.parse(durable_file.read_state(self.path("lease.json")))

    def progress(self) -> Progress | None:
        """The progress in the journal. Raises Problem if it can't be read."""
        path = self.path("journal.jsonl")
        try:
            return journal.fold(journal.parse(durable_file.read_state(path)))
        except journal.JournalDamaged as error:
            raise state_trouble.journal_damaged(path, error) from error

    def ledger(self, verify: bool = False) -> Book:
        """The ledger as it is now. verify: all of it is read, whatever its mark says."""
        if verify:
            return Book(self.path("ledger.jsonl"), verify=True)
        if self._book is None or not self._book.fresh:
            self._book = Book(self.path("ledger.jsonl"))
        return self._book

    def recorded(self, operation: str) -> Record | None:
        """The ledger's record of an operation; None without one."""
        return self.ledger().find(ledger_keys.RECORD, operation)

    def standing(self) -> str:
        """How alive the present lease is; see lease.standing."""
        lease, progress = self.lease(), self.progress()
        running = not self.running.held and self.running.is_held_by_another()
        gone = progress is not None and (progress.phase is not None or progress.closes)
        # Killed between its record and the end of its lease: what is recorded has ended.
        ended = lease is not None and not running and self.recorded(lease.operation) is not None
        return lease_file.standing(lease, running, gone or ended, self._clock())

    def look(self, request: Request) -> Opening:
        """The result of opening, without changing anything: check mode shows it."""
        with state_trouble.told(self.state_dir):
            return self._look(request)

    def _look(self, request: Request) -> Opening:
        other = state_owner.refusal(self.path(state_owner.NAME), request.subject)
        if other is not None:
            return Opening(refusal=other)
        opening = decide(self.lease(), self.standing(), self._unfinished(), request.interrupted, request.lock_takeover)
        return opening if opening.refusal else self._check_ledger(opening, request)

    def _unfinished(self) -> Progress | None:
        """The journal's operation, unless it is settled and recorded: then only its journal was left over."""
        progress = self.progress()
        if progress is None or not journal.ending(progress).settled or self.recorded(progress.operation) is None:
            return progress
        return None

    def _check_ledger(self, opening: Opening, request: Request) -> Opening:
        problems = self.ledger().problems
        if not problems:
            return opening
        system = request.subject.system if request.adopts and request.subject else ""
        return Opening(refusal=state_trouble.ledger_damaged(self.path("ledger.jsonl"), problems, system))

    # -- opening ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the state folder. Raises Problem with the commands to type where that is not allowed."""
        with state_trouble.told(self.state_dir):
            if not os.path.isdir(self.state_dir):
                owned_folder.make(self.state_dir)
            if not os.access(self.state_dir, os.W_OK | os.X_OK):
                read_only = os.statvfs(self.state_dir).f_flag & os.ST_RDONLY
                number = errno.EROFS if read_only else errno.EACCES
                raise OSError(number, os.strerror(number), self.state_dir)
            # Root reaches it through no link of somebody else's.
            owned_folder.owner_of(self.state_dir)

    def must_read(self) -> None:
        """Raise Problem where there is a state folder that this user can't read."""
        if os.path.isdir(self.state_dir) and not os.access(self.state_dir, os.R_OK | os.W_OK | os.X_OK):
            self.prepare()
        with state_trouble.told(self.state_dir):
            self.lease()
            self.progress()
            self.ledger()

    def open(self, request: Request, accept_damaged_ledger: bool = False) -> Opening:
        """Take the lease and start the journal. Raises Problem; then nothing was changed.

        A continued operation gets a new id, and the plan and progress of the interrupted one.
        """
        self.prepare()
        with state_trouble.told(self.state_dir):
            return self._open(request, accept_damaged_ledger)

    def _open(self, request: Request, accept_damaged_ledger: bool) -> Opening:
        deadline = self._timer() + request.lock_wait
        taken = False
        while True:
            try:
                with durable_file.exclusive(self.path("state.lock")):
                    opening = self._try_open(request, accept_damaged_ledger, taken)
                if opening is not None:
                    return opening
                taken = True
                # The former owner stops before its next step; the step it is in may take a while.
                deadline = max(deadline, self._timer() + max(request.lock_wait, 60.0))
                if not self.running.wait(deadline):
                    self._give_back(request.operation)
                    raise Problem(
                        "takeover_pending",
                        "the former owner is still in its last step and will stop after it",
                        (
                            (f"lock_wait={int(request.lock_wait) + 600}", "waits longer"),
                            ("the same command again", "asks again"),
                        ),
                    )
            except Problem as refused:
                if refused.code != "lease_held" or self._timer() >= deadline:
                    raise
                self._sleep(0.5)

    def _try_open(self, request: Request, accept_damaged_ledger: bool, taken: bool) -> Opening | None:
        other = state_owner.refusal(self.path(state_owner.NAME), request.subject)
        if other is not None:
            raise other
        lease, progress = self.lease(), self._unfinished()
        standing = "died" if taken else self.standing()
        opening = decide(lease, standing, progress, request.interrupted, request.lock_takeover)
        if opening.refusal is None and not accept_damaged_ledger:
            opening = self._check_ledger(opening, request)
        if opening.refusal is not None:
            if taken:
                self._give_back(request.operation)
            raise opening.refusal
        if standing == "running":
            self._write_lease(request)
            return None
        # Waited for a moment: somebody may just be looking at the lock.
        if not self.running.wait(self._timer() + 0.3):
            # The lock was taken between two looks, and the next turn sees its owner; or the owner lost its lease.
            raise phase_refusal.without_lease()
        self.ledger().keep()
        if progress is not None and opening.bury and self.recorded(progress.operation) is None:
            self._bury(progress, accept_damaged_ledger)
        if progress is not None and opening.direction is None:
            self._forget_kept(progress)
        state_owner.name(self.path(state_owner.NAME), request.subject, request.operation)
        # The journal first: a kill between the two leaves an operation that is seen to have died.
        self._write_header(request, progress if opening.direction else None, opening.direction)
        self._write_lease(request)
        return opening

    def _write_header(self, request: Request, continued: Progress | None, direction: str | None) -> None:
        header: dict[str, Any] = {
            "event": "open",
            "operation": request.operation,
            "service": request.service,
            "procedure": request.procedure,
            "environment": request.environment,
            "reason": request.reason,
            "actor": request.actor,
            "started": self._clock().text,
            "lease_ttl": request.lease_ttl,
        }
        events = [header]
        if continued is not None:
            header["continues"] = continued.operation
            # The operation that was begun is finished, whatever playbook finishes it.
            header["procedure"] = continued.opened["procedure"]
            events.append({"event": "plan", "plan": continued.plan})
            events.append(journal.carry(continued, direction or FORWARD))
        # A death before the plan is complete is seen at once, without waiting for the lease to expire.
        events.append({"event": "phase", "phase": "plan", "direction": direction or FORWARD})
        content = b"".join(durable_file.encode(event) + b"\n" for event in events)
        durable_file.replace(self.path("journal.jsonl"), content)

    def _write_lease(self, request: Request) -> None:
        granted = lease_file.grant(
            request.operation,
            request.procedure,
            request.reason,
            request.actor,
            request.lease_ttl,
            self._clock(),
        )
        durable_file.replace(self.path("lease.json"), granted.to_bytes())

    def _bury(self, progress: Progress, accept_damaged_ledger: bool) -> None:
        end = journal.ending(progress)
        if end.outcome == "unchanged" or (accept_damaged_ledger and self.ledger().problems):
            return
        self.ledger().append(ledger.record_of(progress, end, self._clock().text))

    def _forget_kept(self, progress: Progress) -> None:
        """Remove what an operation kept in the state folder for its way back, once nobody can ask it to go back.

        Its plan names it in `kept`, relative to the folder. Secrets must not lie there until the next rotation.
        """
        kept = (progress.plan or journal.NO_PLAN).get("kept") or ()
        for name in () if isinstance(kept, str) else kept:
            path = os.path.normpath(self.path(str(name)))
            if path.startswith(f"{os.path.normpath(self.state_dir)}/"):
                with contextlib.suppress(OSError):
                    durable_file.remove(path)

    def _give_back(self, operation: str) -> None:
        lease = self.lease()
        if lease is not None and lease.operation == operation:
            durable_file.remove(self.path("lease.json"))

    @property
    def inherited(self) -> tuple[int, ...]:
        """File descriptors for child processes: a child that outlives a killed module keeps the kernel lock."""
        return self.running.descriptors

    def leave(self) -> None:
        """Let go of the kernel lock; the lease stays."""
        self.running.release()

    # -- working ---------------------------------------------------------------------------------

    def write(self, event: dict[str, Any]) -> None:
        """Journal an event durably."""
        path = self.path("journal.jsonl")
        # The rest of a line after a power cut must not swallow this one.
        present = durable_file.read_state(path)
        torn = bool(present) and not present.endswith(b"\n")
        line = durable_file.encode({**event, "at": self._clock().text})
        durable_file.append_line(path, b"\n" + line if torn else line)

    def must_own(self, operation: str) -> None:
        """Raise Problem unless this operation still holds the lease; renew it."""
        with state_trouble.told(self.state_dir, disk=False), durable_file.exclusive(self.path("state.lock")):
            lease = self.lease()
            if lease is None or lease.operation != operation:
                holder = "nobody holds it now" if lease is None else f"operation {lease.operation} holds it now"
                raise phase_refusal.lease_lost(operation, f"({holder}) and changes nothing more")
            progress = self.progress()
            ttl = float((progress.opened if progress else {}).get("lease_ttl", 900.0))
            durable_file.replace(self.path("lease.json"), lease_file.renew(lease, ttl, self._clock()).to_bytes())

    @contextlib.contextmanager
    def phase(
        self, operation: str, name: str, direction: str | None = None, cause: str = "", closes: bool = False
    ) -> Iterator[Progress]:
        """One phase of an operation, begun and ended in the journal. Raises Problem when the lease is lost.

        The kernel lock is kept until leave(), close() or the end of the process: a controller that lost its
        connection asks for the way back meanwhile, and must not come between two phases of a living process.
        cause: why a healthy host goes back; the journal of an unhealthy one says why.
        closes: this process closes too, so that its death ends the lease also between two phases.
        """
        if not os.path.isdir(self.state_dir):
            raise phase_refusal.folder_missing(operation, self.state_dir)
        self.must_own(operation)
        # A command that outlived its killed module is waited for: two must not work on one checkout.
        if not self.running.wait(self._timer() + 60.0):
            raise phase_refusal.still_running(operation)
        try:
            # Somebody may have taken the lease over, and left again, while this one waited.
            self.must_own(operation)
            found = self.progress()
            if found is None or found.operation != operation:
                raise phase_refusal.journal_gone(operation)
        except BaseException:
            self.leave()
            raise
        event: dict[str, Any] = {"event": "phase", "phase": name}
        if direction:
            event["direction"] = direction
        if cause:
            event["cause"] = cause
        if closes:
            event["closes"] = True
        try:
            self.write(event)
            yield self.progress() or found
        finally:
            # An exception is an orderly end of a phase; a kill is not, and leaves it open.
            with contextlib.suppress(OSError):
                self.write({"event": "phase_end", "phase": name})

    def announce(self, operation: str, step: str) -> None:
        """Journal a step that is about to be taken elsewhere, such as by the controller; run_steps ends it."""
        self.must_own(operation)
        self.write({"event": "begin", "step": step})

    def run_steps(
        self,
        progress: Progress,
        direction: str,
        execute: Callable[[Step], object],
        only: Collection[str] | None = None,
        trees: Collection[str] = (),
    ) -> dict[str, float]:
        """Do the remaining steps in a direction. Each is journalled, then done, then journalled as done.

        only: stop before the first step outside of these. trees: the folders that steps write to, synced before a
        step counts as done. Returns seconds by step id.
        Raises StepFailed, or Problem when the lease is lost between two steps.
        """
        seconds: dict[str, float] = {}
        for step in progress.remaining(direction):
            if only is not None and step.id not in only:
                break
            self.must_own(progress.operation)
            if step.id != progress.begun:
                self.write({"event": "begin", "step": step.id})
            started = self._timer()
            try:
                note = execute(step)
                durable_tree.sync(*trees)
            except Exception as error:
                event = {"event": "failed", "step": step.id, "error": str(error), "about": blame.of_error(str(error))}
                self.write({**event, "untouched": True} if isinstance(error, Untouched) else event)
                raise StepFailed(step.id, str(error)) from error
            seconds[step.id] = round(self._timer() - started, 3)
            self.write({"event": "done", "step": step.id, "seconds": seconds[step.id], "note": note})
        return seconds

    def run_afterwards(self, progress: Progress, execute: Callable[[Step], object]) -> None:
        """Do what follows a good verification. A failure is noted and changes nothing about the outcome."""
        for step in progress.afterwards:
            self.must_own(progress.operation)
            self.write({"event": "after_begin", "step": step.id})
            started = self._timer()
            try:
                note = execute(step)
            except Exception as error:
                note = {"failed": str(error)}
            seconds = round(self._timer() - started, 3)
            self.write({"event": "after_done", "step": step.id, "seconds": seconds, "note": note})

    # -- closing ---------------------------------------------------------------------------------

    def refuse(self, operation: str, refusal: Problem) -> Record | None:
        """End an operation that the plan refused: record it, and give the lease back.

        One that was to go on with an interrupted one keeps its journal: the host is still where that one left it.
        """
        progress = self.progress()
        if progress is None or progress.operation != operation:
            return None
        left = None if progress.touched else "from"
        end = journal.Ending("refused", not progress.touched, left, f"{refusal.code}: {refusal.text}")
        return self._end(progress, end, unname=True)

    def close(self, operation: str) -> tuple[journal.Ending, Record | None]:
        """End an operation as its journal proves, and give the lease back.

        Returns the ending and the ledger's record (None where nothing was recorded).
        """
        record = self.recorded(operation)
        progress = self.progress()
        if record is not None and (progress is None or progress.operation != operation):
            # The host closed it already, and its answer was lost on the way.
            return journal.Ending(record["outcome"], True, None, record["error"]), record
        self._open_progress(operation)
        # A command that outlived its killed module is waited for: the journal ends only with the work.
        if not self.running.wait(self._timer() + 60.0):
            raise phase_refusal.still_running(operation)
        try:
            progress = self._open_progress(operation)
            end = journal.ending(progress)
            return end, self._end(progress, end)
        finally:
            self.leave()

    def _open_progress(self, operation: str) -> Progress:
        progress = self.progress()
        if progress is None or progress.operation != operation:
            raise phase_refusal.not_open(operation)
        lease = self.lease()
        if lease is not None and lease.operation != operation:
            raise phase_refusal.lease_lost(operation, f"to {lease.operation}")
        return progress

    def _end(self, progress: Progress, end: journal.Ending, unname: bool = False) -> Record | None:
        """unname: take back what this operation said of whose the folder is."""
        record: Record | None = None
        with durable_file.exclusive(self.path("state.lock")):
            if unname:
                state_owner.unname(self.path(state_owner.NAME), progress.operation)
            try:
                # Nothing was changed by an operation without steps, so it says nothing about releases.
                if progress.steps or end.outcome == "refused":
                    record = self.recorded(progress.operation)
                    # A refusal over a damaged ledger can't be recorded in it; an operation has to be.
                    if record is None and not (end.outcome == "refused" and self.ledger().problems):
                        record = self.ledger().append(ledger.record_of(progress, end, self._clock().text))
            finally:
                self._give_back(progress.operation)
            if end.settled:
                if end.outcome != "failed":
                    self._forget_kept(progress)
                durable_file.remove(self.path("journal.jsonl"))
            else:
                self.write({"event": "phase_end", "phase": "close"})
                self.write({"event": "closed", "outcome": end.outcome})
        self.leave()
        return record

    def set_aside_ledger(self) -> str:
        """Keep a damaged ledger under another name, so that a new one can begin. Returns that name."""
        with durable_file.exclusive(self.path("state.lock")):
            path = self.path("ledger.jsonl")
            kept = f"{path}.damaged-{ledger.digest(durable_file.read_state(path))[:12]}"
            if self.ledger().problems:
                durable_file.rename(path, os.path.basename(kept))
            return kept
