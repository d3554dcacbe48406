"""Runs on a lab host: the collection's modules as Ansible runs them there, with a fault at one write of their state.

Modules are processes of their own and run as the user deploy, but without the controller and without a new Python
for each: so a hundred kills take a minute and not an hour. Orders come as JSON lines on standard input, one answer
goes out for each. See ORDERS. The arguments name the modules.
"""

from __future__ import annotations

import importlib
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Any

PLUGINS = "ansible_collections.ops.runbook.plugins"
durable_file: Any = importlib.import_module(f"{PLUGINS}.module_utils.host.durable_file")
basic: Any = importlib.import_module("ansible.module_utils.basic")
MODULES: dict[str, Any] = {name: importlib.import_module(f"{PLUGINS}.modules.{name}") for name in sys.argv[1:]}

#: What fills the disk, beside the state folders.
FILLER = "/var/lib/ops-runbook/filler"


def name_of(path: str, line: bytes) -> str:
    """The name of a write of the state in an order: `begin:code`, `phase:apply`, `verified`, `record`, `lease`."""
    name = os.path.basename(path)
    if name == "journal.jsonl":
        event = json.loads(line.strip().splitlines()[0])
        detail = event.get("step") or event.get("phase")
        return f"{event['event']}:{detail}" if detail else str(event["event"])
    return {"ledger.jsonl": "record", "lease.json": "lease"}.get(name, name)


class Fault:
    """One fault at one write. when: before, half or after it. what: kill, full or denied. nth: of those so called."""

    def __init__(self, what: str, when: str, write: str, nth: int = 1) -> None:
        self.what, self.when, self.write, self.left = what, when, write, nth

    def plant(self, state: str) -> None:
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
        if name == self.write:
            self.left -= 1
            return self.left == 0
        return False

    def _strike(self, when: str, state: str) -> None:
        if when != self.when:
            return
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


def become_module(order: dict[str, Any]) -> None:
    user = pwd.getpwnam("deploy")
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o002)
    os.chdir("/")
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name)
    arguments = order["arguments"]
    if order.get("fault"):
        Fault(**order["fault"]).plant(arguments["state_dir"])
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    while time.monotonic() < order.get("not_before", 0.0):
        pass
    MODULES[order["module"]].main()


def start(order: dict[str, Any]) -> tuple[int, Any]:
    """Fork a module, so that Python starts only once; its process and the file with its output."""
    output = tempfile.TemporaryFile()  # noqa: SIM115
    child = os.fork()
    if child:
        return child, output
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        become_module(order)
    except SystemExit as ending:
        sys.stdout.flush()
        os._exit(int(ending.code or 0))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(1)


def finish(child: int, output: Any) -> dict[str, Any]:
    """A module's result, with rc; -9 is SIGKILL."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output.seek(0)
    text = output.read().decode()
    output.close()
    lines = text.strip().splitlines()
    try:
        result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    except ValueError:
        result = {"text": text}
    return {"rc": code, **result}


def do_module(order: dict[str, Any]) -> dict[str, Any]:
    return finish(*start(order))


def do_together(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Modules that begin at the same moment."""
    moment = time.monotonic() + 0.05
    return [finish(*begun) for begun in [start({**one, "not_before": moment}) for one in order["modules"]]]


def do_shell(order: dict[str, Any]) -> str:
    done = subprocess.run(["bash", "-c", order["command"]], capture_output=True, text=True, check=False)
    if done.returncode != 0 and order.get("check", True):
        raise RuntimeError(f"{order['command']}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


ORDERS: dict[str, Any] = {"module": do_module, "together": do_together, "shell": do_shell}

if __name__ == "__main__":
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer: dict[str, Any] = {"answer": ORDERS[order["do"]](order)}
        except Exception:
            answer = {"problem": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
