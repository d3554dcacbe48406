"""One fault at one write of an operation's state, in the process of a module.

`driver.py` plants it into the modules that it runs. `lab_fault.py` plants it into those that Ansible sends.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

#: What fills the disk, beside the state folders.
FILLER = "/var/lib/ops-runbook/filler"
#: Where a held process says that it waits, and learns that it may continue. A reboot keeps it.
HELD = "/srv/lab/fault"


def name_of(path: str, line: bytes) -> str:
    """The name of a write of the state in an order: `begin:code`, `phase:apply`, `verified`, `record`, `lease`."""
    name = os.path.basename(path)
    if name == "journal.jsonl":
        event = json.loads(line.strip().splitlines()[0])
        detail = event.get("step") or event.get("phase")
        return f"{event['event']}:{detail}" if detail else str(event["event"])
    return {"ledger.jsonl": "record", "lease.json": "lease"}.get(name, name)


class Fault:
    """One fault at one write. when: before, half or after it. what: kill, full, denied or hold.

    nth: of those so called. write: the name of the write, or `*` for any. counted: counts those of several processes.
    """

    def __init__(
        self, what: str, when: str, write: str, nth: int = 1, counted: Callable[[], int] | None = None
    ) -> None:
        self.what, self.when, self.write, self.nth = what, when, write, nth
        self._here = 0
        self._counted = counted or self._count

    def _count(self) -> int:
        self._here += 1
        return self._here

    def plant(self, durable_file: Any, state: str) -> None:
        append, replace, remove = durable_file.append_line, durable_file.replace, durable_file.remove

        def appended(path: str, line: bytes) -> None:
            if not self._meets(name_of(path, line)):
                append(path, line)
                return
            self._strike("before", state)
            if self.when == "half":
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                os.write(descriptor, line[: len(line) // 2])
                self._strike("half", state)
            append(path, line)
            self._strike("after", state)

        def replaced(path: str, content: bytes) -> None:
            met = self._meets(name_of(path, content))
            if met:
                self._strike("before", state)
            replace(path, content)
            if met:
                self._strike("after", state)

        def removed(path: str) -> None:
            met = self._meets(f"remove:{os.path.basename(path)}")
            if met:
                self._strike("before", state)
            remove(path)
            if met:
                self._strike("after", state)

        durable_file.append_line, durable_file.replace, durable_file.remove = appended, replaced, removed

    def _meets(self, name: str) -> bool:
        self.name = name
        return self.write in ("*", name) and self._counted() == self.nth

    def _strike(self, when: str, state: str) -> None:
        if when != self.when:
            return
        if self.what == "hold":
            hold(self.name)
            return
        if os.path.isdir(HELD):
            mark("struck", self.name)
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.what == "full":
            fill()
        elif self.what == "denied":
            for name in os.listdir(state):
                if not os.path.isdir(f"{state}/{name}"):
                    os.chmod(f"{state}/{name}", 0o400)
            os.chmod(state, 0o500)


def fill() -> None:
    """Leave no block free on the file system of the state."""
    descriptor = os.open(FILLER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for size in (1 << 16, 1 << 12, 1):
        try:
            while os.write(descriptor, b"x" * size):
                pass
        except OSError:
            continue
    os.close(descriptor)


def mark(name: str, content: str) -> None:
    with open(f"{HELD}/{name}", "w") as handle:
        handle.write(content)


def hold(write: str) -> None:
    """Wait until somebody lets this process continue, or ends it."""
    mark("struck", write)
    end = time.monotonic() + 900
    while os.path.exists(f"{HELD}/closed") and time.monotonic() < end:
        time.sleep(0.02)
