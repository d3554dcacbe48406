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
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Any

from fault import Fault

PLUGINS = "ansible_collections.ops.runbook.plugins"
durable_file: Any = importlib.import_module(f"{PLUGINS}.module_utils.host.durable_file")
basic: Any = importlib.import_module("ansible.module_utils.basic")
MODULES: dict[str, Any] = {name: importlib.import_module(f"{PLUGINS}.modules.{name}") for name in sys.argv[1:]}


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
        Fault(**order["fault"]).plant(durable_file, arguments["state_dir"])
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
