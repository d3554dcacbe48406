"""Scenarios of Molecule, side by side where their hosts let them: what each prints is kept, and shown when it ends."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from suite import junit
from suite.scenarios import Scenario

#: Lanes that run at the same time. More would need more than two cores and 8 GB.
AT_A_TIME = 2


@dataclass(frozen=True)
class Ended:
    """A scenario that was run. problem: why it has no results, or is red beside them; empty if nothing is wrong.

    create: seconds until the first test, in which hosts are made, prepared and converged. seconds: of all of it.
    """

    name: str
    report: junit.Report | None
    problem: str
    create: float
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.problem and self.report is not None and not self.report.count("failed")


class Lanes:
    """results: the folder of the files with results. environment: what each `molecule` is given."""

    def __init__(self, root: Path, results: Path, environment: Mapping[str, str]) -> None:
        self._root, self._results = root, results
        self._environment = {**os.environ, **environment}
        self._printing = threading.Lock()
        self._stopped = threading.Event()
        self._live = False

    def run(self, lanes: Sequence[Sequence[Scenario]]) -> list[Ended]:
        """Run each lane's scenarios one after the other, and two lanes at a time."""
        # Nothing is mixed up if there is only one.
        self._live = len(lanes) == 1
        with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
            under_way = [pool.submit(self._lane, lane) for lane in lanes]
            try:
                return [ended for lane in under_way for ended in lane.result()]
            except BaseException:
                self._stopped.set()
                raise

    def _lane(self, lane: Sequence[Scenario]) -> list[Ended]:
        ended: list[Ended] = []
        there = False
        for number, scenario in enumerate(lane):
            if self._stopped.is_set():
                break
            last = number == len(lane) - 1
            found = self._scenario(scenario, there, remove=last or not scenario.shared)
            # Hosts on which something failed are not hosts to begin with.
            there = scenario.shared and not last and found.ok
            ended.append(found)
        return ended

    def _scenario(self, scenario: Scenario, there: bool, remove: bool) -> Ended:
        """there: True if its hosts are those of the scenario before."""
        results, log = self._results / f"{scenario.name}.xml", self._results / f"{scenario.name}.log"
        results.parent.mkdir(parents=True, exist_ok=True)
        results.unlink(missing_ok=True)
        self._say(f"-- {scenario.name} begins; what it prints: {log}")
        began, started = time.time(), time.monotonic()
        with log.open("wb") as output:
            code = self._molecules(scenario, output, there)
            if remove:
                with self._alone():
                    code = self._molecule(output, "destroy", "-s", scenario.name) or code
        ended = self._ended(scenario, results, code, began, time.monotonic() - started)
        self._show(ended, log)
        return ended

    def _molecules(self, scenario: Scenario, output: object, there: bool) -> int:
        name = ("-s", scenario.name)
        with self._alone():
            if not there:
                # What a run that was killed has left.
                self._molecule(output, "destroy", *name)
            code = self._molecule(output, "create", *name)
            if there and not code:
                code = self._molecule(output, "prepare", "--force", *name)
        return code or self._molecule(output, "test", "--destroy=never", *name)

    def _alone(self) -> AbstractContextManager[None]:
        """All lanes write the one key pair and the one file of known hosts."""
        return alone(self._root / ".cache/lab.lock")

    def _ended(self, scenario: Scenario, results: Path, code: int, began: float, seconds: float) -> Ended:
        try:
            report = junit.read(results)
        except junit.Unreadable as problem:
            return Ended(scenario.name, None, f"{problem}; molecule ended with {code}", seconds, seconds)
        # Tests that fail say so themselves.
        problem = f"molecule ended with {code}" if code and not report.count("failed") else ""
        return Ended(scenario.name, report, problem, max(0.0, report.began - began), seconds)

    def _molecule(self, output: object, *words: str) -> int:
        with subprocess.Popen(
            ["molecule", *words],
            cwd=self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            while chunk := os.read(process.stdout.fileno(), 65536):
                output.write(chunk)  # type: ignore[attr-defined]
                output.flush()  # type: ignore[attr-defined]
                if self._live:
                    sys.stdout.buffer.write(chunk)
                    sys.stdout.buffer.flush()
        return process.returncode

    def _show(self, ended: Ended, log: Path) -> None:
        with self._printing:
            if not self._live:
                sys.stdout.flush()
                sys.stdout.buffer.write(log.read_bytes())
                sys.stdout.buffer.flush()
            print(f"-- {ended.name} {'passed' if ended.ok else 'FAILED'} {ended.problem}".rstrip(), flush=True)

    def _say(self, line: str) -> None:
        with self._printing:
            print(line, flush=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else is within such a block with the same file, in this process or another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
