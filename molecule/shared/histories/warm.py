"""`ansible-playbook` without the second that loading Ansible takes: each run is a fork of a process that has loaded it.

The fork calls the function that the program `ansible-playbook` calls, so screens and exit codes are the same. Settings
that Ansible reads while it loads are those of the process, so a run with others, such as a callback, starts cold.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from typing import IO, Any

from waiting import END, wait_for

SERVER = r"""
import gc, json, os, select, sys, traceback
import ansible.cli.playbook, ansible.executor.playbook_executor, ansible.executor.task_queue_manager
import ansible.plugins.callback.default, ansible.plugins.connection.ssh, ansible.plugins.strategy.linear
import ansible.plugins.become.sudo, ansible.plugins.shell.sh, ansible.plugins.action.normal, ansible.parsing.dataloader
gc.collect(); gc.freeze()
def run(order):
    os.setsid()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    output = os.open(order["output"], os.O_WRONLY | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0); os.dup2(output, 1); os.dup2(output, 2)
    sys.argv = order["words"]
    code = 250
    try:
        ansible.cli.playbook.main(order["words"])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush(); sys.stderr.flush()
    os._exit(code)
runs, buffered = {}, b""
while True:
    readable, _, _ = select.select([0], [], [], 0.05)
    if readable:
        found = os.read(0, 65536)
        if not found:
            break
        buffered += found
        *lines, buffered = buffered.split(b"\n")
        for line in lines:
            order = json.loads(line)
            child = os.fork()
            if child == 0:
                run(order)
            runs[child] = order["ended"]
            with open(order["ended"] + ".pid.part", "w") as handle:
                handle.write(str(child))
            os.rename(order["ended"] + ".pid.part", order["ended"] + ".pid")
    while runs:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            break
        ended = runs.pop(child)
        with open(ended + ".part", "w") as handle:
            handle.write(str(os.waitstatus_to_exitcode(status)))
        os.rename(ended + ".part", ended)
"""


class Warm:
    """A run as subprocess.Popen has it: its process, and its exit code once it has ended."""

    def __init__(self, words: list[str], folder: str, environment: dict[str, str], output: IO[Any], place: str) -> None:
        self._ended = f"{place}/ended"
        order = {
            "words": words,
            "folder": folder,
            "environment": environment,
            "output": f"/proc/{os.getpid()}/fd/{output.fileno()}",
            "ended": self._ended,
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
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, env=environment, start_new_session=True
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
