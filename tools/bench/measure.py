"""The cost of a command on the machine that runs it: seconds, CPU seconds, memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One run. cpu: user and system seconds of the command and of every child that it waited for."""

    seconds: float
    cpu: float
    code: int
    output: str


@dataclass
class Row:
    """All runs of one contestant. served: what the site answered after each. peak: bytes."""

    samples: list[Sample] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    peak: int = 0


def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Sample:
    """Run a command to its end, with nothing else beside it."""
    sample, _ = _run(command, environment, cwd, watched=False)
    return sample


def run_watched(command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> int:
    """The most memory that a command and its children had at once. Watching costs time, so it is not timed."""
    _, peak = _run(command, environment, cwd, watched=True)
    return peak


def _run(command: Sequence[str], environment: Mapping[str, str], cwd: Path, watched: bool) -> tuple[Sample, int]:
    # A file and no pipe: what a command leaves running would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watcher = Watcher(process.pid)
        if watched:
            watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.over.set()
        if watched:
            watcher.join()
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, process.returncode, text), watcher.peak


class Watcher(threading.Thread):
    """Adds up the memory of a process and of all below it, again and again.

    The proportional set size: a page that forked processes share counts once.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.peak = max(self.peak, sum(map(_memory, _family(self.pid))))


def _family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                waiting += map(int, Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return found


def _memory(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
