# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs of ansible-playbook from one process, as playbook_server makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_all(jobs: Mapping[str, list[str]], folder: Path, **environment: str) -> dict[str, tuple[int, str]]:
    """The exit code and the output of each run, by its name. jobs: the arguments of ansible-playbook."""
    outputs = {name: folder / f"{name}.out" for name in jobs}
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("playbook_server.py"))],
        input=json.dumps([[str(outputs[name]), *arguments] for name, arguments in jobs.items()]),
        text=True,
        check=True,
        timeout=600,
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_NOCOLOR": "1",
            "GITHUB_TOKEN": "",
            **environment,
        },
    )
    found = {}
    for name, path in outputs.items():
        text, _line, code = path.read_text().rpartition("\nexit code ")
        found[name] = (int(code), text)
    return found
