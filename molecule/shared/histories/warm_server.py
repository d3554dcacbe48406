"""A program that loads Ansible once, and begins each run that is ordered as a child of itself.

It reads its orders from its input, a line of JSON each. At the end of its input, which is the end of whoever gives the
orders, however that ended, it kills all that descends from it: nothing works on at a host that nobody looks at.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def end_with_parent(parent: int) -> None:
    """Let this process be killed once the thread that started it has ended. parent: the process of that thread."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def load() -> None:
    """Load all of Ansible that a run would load."""
    import ansible.cli.playbook
    import ansible.executor.playbook_executor
    import ansible.executor.task_queue_manager
    import ansible.parsing.dataloader
    import ansible.plugins.action.normal
    import ansible.plugins.become.sudo
    import ansible.plugins.callback.default
    import ansible.plugins.connection.ssh
    import ansible.plugins.shell.sh
    import ansible.plugins.strategy.linear  # noqa: F401

    gc.collect()
    gc.freeze()


def run(order: dict[str, Any]) -> None:
    """Become the run. Its output goes to the file that the order names; a cold one is a program of its own."""
    os.setsid()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    output = os.open(order["output"], os.O_WRONLY | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 250
    try:
        if order["cold"]:
            os.execvp(order["words"][0], order["words"])
        from ansible.cli import playbook

        sys.argv = order["words"]
        playbook.main(order["words"])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def told(path: str, text: str) -> None:
    """Write a file that is whole as soon as it is there."""
    Path(f"{path}.part").write_text(text)
    Path(f"{path}.part").rename(path)


class Server:
    def __init__(self) -> None:
        # By process, the file that says how it ended.
        self._runs: dict[int, str] = {}

    def serve(self) -> None:
        # What a killed run leaves, such as its ssh clients, becomes a child of this process.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        buffered = b""
        while True:
            readable, _, _ = select.select([0], [], [], 0.05)
            if readable:
                found = os.read(0, 65536)
                if not found:
                    break
                *lines, buffered = (buffered + found).split(b"\n")
                for line in lines:
                    self._begin(json.loads(line))
            self._reap()
        end_all()

    def _begin(self, order: dict[str, Any]) -> None:
        server = os.getpid()
        child = os.fork()
        if child == 0:
            end_with_parent(server)
            run(order)
        self._runs[child] = order["ended"]
        told(f"{order['ended']}.pid", str(child))

    def _reap(self) -> None:
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if child == 0:
                return
            ended = self._runs.pop(child, "")
            if ended:
                told(ended, str(os.waitstatus_to_exitcode(status)))


def end_all() -> None:
    """Kill the children of this process, and theirs, which are its own once their parents are gone."""
    while children := _children(os.getpid()):
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def _children(of: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == of:
            found.append(int(name))
    return found


if __name__ == "__main__":
    load()
    Server().serve()
