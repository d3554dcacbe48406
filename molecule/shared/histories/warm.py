"""`ansible-playbook` without the second that loading Ansible takes: each run is a fork of a process that has loaded it.

The fork calls the function that the program `ansible-playbook` calls, so screens and exit codes are the same. Settings
that Ansible reads while it loads are those of the process, so a run with others, such as a callback, starts cold: the
fork becomes the program. Runs end with the process that began them, however that ends: `warm_server.py` sees to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from waiting import END, wait_for

SERVER = Path(__file__).parent / "warm_server.py"


class Warm:
    """A run as subprocess.Popen has it: its process, and its exit code once it has ended.

    output: the file that it writes to. place: a folder for notes about this run alone. cold: load Ansible anew.
    """

    def __init__(
        self,
        words: list[str],
        folder: str,
        environment: dict[str, str],
        output: IO[Any],
        place: str,
        cold: bool = False,
    ) -> None:
        self._ended = f"{place}/ended"
        order = {
            "words": words,
            "folder": folder,
            "environment": environment,
            "output": f"/proc/{os.getpid()}/fd/{output.fileno()}",
            "ended": self._ended,
            "cold": cold,
        }
        server().send(order)
        wait_for("the run begins", self._begun)
        with open(f"{self._ended}.pid") as handle:
            self.pid = int(handle.read())

    def _begun(self) -> bool:
        server().must_live()
        return os.path.exists(f"{self._ended}.pid")

    def poll(self) -> int | None:
        try:
            with open(self._ended) as handle:
                return int(handle.read())
        except FileNotFoundError:
            server().must_live()
            return None

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("ansible-playbook", timeout)
            time.sleep(0.05)
        return code


class Server:
    """The process that has loaded Ansible."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._sending = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER)], stdin=subprocess.PIPE, env=environment, start_new_session=True
        )

    def send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with self._sending:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def must_live(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise RuntimeError(f"the process that has loaded Ansible ended with {code}")

    def stop(self) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(END)


_SERVERS: list[Server] = []
_STARTING = threading.Lock()


def server() -> Server:
    from lab import operator_environment

    with _STARTING:
        if not _SERVERS:
            _SERVERS.append(Server(operator_environment()))
    return _SERVERS[0]


def stop() -> None:
    with _STARTING:
        while _SERVERS:
            _SERVERS.pop().stop()
