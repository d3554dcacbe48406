"""Runs on the lab host: operations whose module process is killed at one line of the journal, then finished.

Modules are run as Ansible runs them on a host, as processes of their own and as the user deploy, but without
the controller: so a hundred kills take minutes and not an hour.

    interrupt.py                   cases as JSON lines on standard input; prints what an observer finds after each
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
NAMES = ("laravel_operation", "operation_history_info")
durable_file: Any = importlib.import_module(f"{PLUGINS}.module_utils.durable_file")
basic: Any = importlib.import_module("ansible.module_utils.basic")
MODULES: dict[str, Any] = {name: importlib.import_module(f"{PLUGINS}.modules.{name}") for name in NAMES}

STATE = "/var/lib/ops-runbook/vertex"
APP = "/var/www/vertex-laravel-api"
SERVICE = {
    "name": "vertex",
    "path": APP,
    "php_fpm_unit": "php8.4-fpm",
    "queue_unit": "vertex-queue",
    "units": ["nginx"],
}
CHECK = {
    "name": "health",
    "url": "http://127.0.0.1/api/v1/health",
    "json": {"status": "ok"},
    "release": "release",
}


def become_module(name: str, kill: str, arguments: dict[str, Any]) -> None:
    """Become the module. kill=<when>:<number> ends it before or after that line of the journal is durable."""
    when, _, number = kill.partition(":")
    append, written = durable_file.append_line, 0

    def counted(path: str, line: bytes) -> None:
        nonlocal written
        if not path.endswith("journal.jsonl"):
            append(path, line)
            return
        written += 1
        if when == "before" and written == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        append(path, line)
        if when == "after" and written == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    durable_file.append_line = counted
    user = pwd.getpwnam("deploy")
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o002)
    os.chdir("/")
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {"state_dir": STATE, **arguments}}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    MODULES[name].main()


def module(name: str, kill: str = "", **arguments: object) -> dict[str, Any]:
    """Run a module in a process of its own, forked so that Python starts only once; its result, with rc."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            try:
                become_module(name, kill, dict(arguments))
            except SystemExit as ending:
                sys.stdout.flush()
                os._exit(int(ending.code or 0))
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        lines = output.read().decode().strip().splitlines()
    result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return {"rc": code, **result}


def shell(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def operation(number: int) -> str:
    return f"2026112{number}T000000Z-{number:06d}"


def case(job: dict[str, Any]) -> dict[str, Any]:
    """Restore the start, begin the operation, kill it, finish it in the given way, and look."""
    shell(
        # The worker may take a second to stop, and nobody has to wait for it.
        "restore() { find $2 -mindepth 1 -delete; cp -a $1/. $2/; };"
        f"restore {job['start']}/app {APP}; restore {job['start']}/state /var/lib/ops-runbook;"
        f"restore {job['start']}/database /var/lib/vertex; systemctl reload php8.4-fpm;"
        "systemctl restart --no-block vertex-queue"
    )
    carried = {"service": SERVICE, "endpoints": [CHECK]}
    opened = {**carried, "procedure": job["procedure"], "to": job["to"], "migrations": job["migrations"]}
    planned = module("laravel_operation", phase="plan", operation=operation(1), **opened)
    if not planned.get("plan"):
        return {"problem": "the first plan", **planned}
    when, _, number = job["kill"].partition(":")
    last = 2 + 2 * len(planned["plan"]["steps"])
    if int(number) > last or (when == "after" and int(number) == last):
        return {"finished": True}
    killed = module("laravel_operation", phase="apply", kill=job["kill"], operation=operation(1), **carried)
    seen: dict[str, Any] = {"killed": killed["rc"]}
    if killed["rc"] != -signal.SIGKILL:
        return {**seen, "problem": "it was not killed", **killed}
    refused = module("laravel_operation", phase="plan", operation=operation(2), **opened)
    seen["refusal"] = (refused.get("refusal") or {}).get("code")
    seen["ways"] = [way["input"] for way in (refused.get("refusal") or {}).get("ways", [])]
    if seen["refusal"] is None:
        # Nothing had been changed: the run went on with its own plan.
        seen["went_on"] = True
        direction, run = "forward", 2
    else:
        again = module("laravel_operation", phase="plan", operation=operation(3), interrupted=job["way"], **opened)
        if not again.get("plan"):
            return {**seen, "problem": "the second plan", **again}
        direction, run = again["direction"], 3
    applied = module(
        "laravel_operation",
        phase="apply",
        operation=operation(run),
        **carried,
        direction=direction,
        deadline=8,
        successes=1,
        close=True,
    )
    seen.update(
        applied=applied.get("error", applied),
        outcome=(applied.get("closed") or {}).get("outcome"),
        commit=shell(f"git -c safe.directory='*' -C {APP} rev-parse HEAD"),
        version=json.loads(shell("curl -s -m 5 http://127.0.0.1/api/v1/health") or "{}").get("version"),
        greeter=json.loads(shell("curl -s -m 5 http://127.0.0.1/api/v1/health") or "{}").get("greeter"),
        migrations=shell(
            "sqlite3 /var/lib/vertex/database.sqlite 'select migration from migrations order by 1'"
        ).split(),
        left=sorted(name for name in os.listdir(STATE) if name in ("journal.jsonl", "lease.json")),
        history=module("operation_history_info").get("chain"),
        dirty=shell(f"git -c safe.directory='*' -C {APP} status --porcelain --untracked-files=no"),
    )
    return seen


if __name__ == "__main__":
    for line in sys.stdin:
        started = time.monotonic()
        result = case(json.loads(line))
        print(json.dumps({**result, "seconds": round(time.monotonic() - started, 2)}), flush=True)
