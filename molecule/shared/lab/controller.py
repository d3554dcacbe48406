"""A running `ansible-playbook` that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab import ROOT, Run, command, operator_environment
from waiting import END


class Controller:
    """A run that goes on in the background, with SSH connections of its own.

    begin: starts it, cold if it dies at a task; without it the run is a process of its own.
    """

    def __init__(
        self,
        hosts: str,
        procedure: str,
        *options: str,
        die_at: str = "",
        nth: int = 1,
        begin: Callable[..., Any] | None = None,
        **inputs: Any,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lab-")
        environment = {**operator_environment(), "ANSIBLE_SSH_CONTROL_PATH_DIR": self._folder.name}
        if die_at:
            environment |= {
                "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parents[1] / "faults/callback_plugins"),
                "ANSIBLE_CALLBACKS_ENABLED": "die_at",
                "LAB_DIE_AT": die_at,
                "LAB_DIE_AT_NTH": str(nth),
            }
        self._process: Any = None
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        words = command(procedure, "-l", hosts, *options, **inputs)
        if begin is not None:
            self._process = begin(words, str(ROOT), environment, self._output, self._folder.name, bool(die_at))
            return
        self._process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.kill()
        self._output.close()
        self._folder.cleanup()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> Run:
        """To its end, also when that is a kill."""
        return Run(*self.raw())

    def raw(self) -> tuple[int, str]:
        """Its exit code and output, as they are."""
        code = self._process.wait(2 * END)
        self._output.seek(0)
        return code, self._output.read()

    def kill(self) -> None:
        """SIGKILL of the run, its workers, its ssh clients and the connections that it shares."""
        for pid in [self._process.pid, *self._children(), *self.connections()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(END)

    def connections(self) -> list[int]:
        """The ssh processes of this run: they name its own folder of sockets."""
        mine = self._folder.name.encode()
        return [pid for pid, line in _command_lines() if mine in line and pid != self._process.pid]

    def _children(self) -> list[int]:
        """All that descend from the run. Its workers have sessions of their own, so no signal to a group meets them."""
        parents = dict(_parents())
        found = {self._process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found - {self._process.pid})


def _processes() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def _command_lines() -> Iterator[tuple[int, bytes]]:
    for pid in _processes():
        with contextlib.suppress(OSError):
            yield pid, Path(f"/proc/{pid}/cmdline").read_bytes()


def _parents() -> Iterator[tuple[int, int]]:
    for pid in _processes():
        with contextlib.suppress(OSError):
            yield pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
