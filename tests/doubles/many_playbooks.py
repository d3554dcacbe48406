# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of ansible-playbook as playbook_server makes them: a process of Ansible that is started once for all of them."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Seconds that only a run that hangs takes.
PATIENCE = 600
#: Ansible reads these once, when it is loaded. So each of their values has a server of its own.
_servers: dict[tuple[tuple[str, str], ...], subprocess.Popen[str]] = {}


def _server(env: Mapping[str, str]) -> subprocess.Popen[str]:
    key = tuple(sorted((name, value) for name, value in env.items() if name == "HOME" or name.startswith("ANSIBLE_")))
    if key not in _servers or _servers[key].poll() is not None:
        _servers[key] = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("playbook_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=dict(env),
        )
    return _servers[key]


@atexit.register
def _end() -> None:
    """A server ends with its input."""
    for server in _servers.values():
        server.communicate()


def _codes(env: Mapping[str, str], jobs: Sequence[Mapping[str, Any]]) -> list[int]:
    server = _server(env)
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps(jobs) + "\n")
    server.stdin.flush()
    if not select.select([server.stdout], [], [], PATIENCE)[0]:
        server.kill()
        raise TimeoutError(f"a run of ansible-playbook hangs: {[job['arguments'] for job in jobs]}")
    line = server.stdout.readline()
    assert line, f"the server of playbooks ended: {server.wait()}"
    found: list[int] = json.loads(line)
    return found


def environment(callback: str = "ansible.builtin.default") -> dict[str, str]:
    """The environment of somebody in a checkout, who sees a run by a callback."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "GITHUB_TOKEN": "",
    }


def playbook(*arguments: str | Path, env: Mapping[str, str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook with these arguments in this environment, as `subprocess.run` would."""
    words = [str(word) for word in arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        job = {"arguments": words, "env": dict(env), "cwd": str(cwd), "out": str(out), "err": str(err)}
        (code,) = _codes(env, [job])
        return subprocess.CompletedProcess(["ansible-playbook", *words], code, out.read_text(), err.read_text())


def run_all(jobs: Mapping[str, list[str]], folder: Path, **more: str) -> dict[str, tuple[int, str]]:
    """The exit code and the output of each run, by its name. jobs: the arguments of ansible-playbook."""
    env = {**environment(), **more}
    outputs = {name: str(folder / f"{name}.out") for name in jobs}
    for path in outputs.values():
        Path(path).unlink(missing_ok=True)
    codes = _codes(
        env,
        [
            {"arguments": arguments, "env": env, "cwd": str(ROOT), "out": outputs[name], "err": outputs[name]}
            for name, arguments in jobs.items()
        ],
    )
    return {name: (code, Path(path).read_text()) for (name, path), code in zip(outputs.items(), codes, strict=True)}
