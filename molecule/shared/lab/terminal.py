"""A terminal in which an operator runs a procedure."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pexpect
from lab import ROOT, Host, command, operator_environment
from waiting import END


class Terminal:
    """A terminal's picture, and the wait for a part of it."""

    def __init__(self, running: pexpect.spawn) -> None:
        self._running, self._seen = running, io.StringIO()
        running.logfile_read = self._seen

    @property
    def seen(self) -> str:
        return self._seen.getvalue()

    def shows(self, pattern: str) -> None:
        self._running.expect(pattern)

    def ends(self) -> int:
        """The exit code."""
        self._running.expect(pexpect.EOF)
        self._running.close()
        return int(self._running.exitstatus)


@contextlib.contextmanager
def terminal(host: Host, procedure: str, columns: int = 160, **inputs: object) -> Iterator[Terminal]:
    """Run a procedure on a host in a terminal of so many columns, with the screen of the collection."""
    program, *words = command(procedure, "-l", host.name, **inputs)
    environment = {**operator_environment(), "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator", "TERM": "xterm"}
    # They would come before the size of this terminal.
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    with pexpect.spawn(
        program, words, cwd=ROOT, env=environment, dimensions=(24, columns), timeout=END, encoding="utf-8"
    ) as running:
        yield Terminal(running)
