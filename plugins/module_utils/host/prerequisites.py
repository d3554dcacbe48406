# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prerequisites of a host for a procedure, checked without changing anything."""

from __future__ import annotations

import getpass
import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import serving_umask

#: A tool that does not answer at once is as good as missing.
TIMEOUT = 10


def look(
    state_dir: str, tools: Sequence[Sequence[str]], rights: Sequence[Sequence[str]], served: str = ""
) -> dict[str, Any]:
    """tools: commands that print a version. rights: commands that sudo must allow without a password.

    served: a folder from which another user, such as that of php-fpm, serves an application.
    """
    return {
        "user": getpass.getuser(),
        "python": platform.python_version(),
        "time": time.time(),
        "state_dir": state_folder(state_dir) if state_dir else None,
        # `docker compose version` is asked of another tool than `docker --version`.
        "tools": {" ".join(command[:-1]): version(command) for command in tools if len(command) > 1},
        "umask": umask(served) if served and os.path.isdir(served) else None,
        "rights": [{"command": list(command), "allowed": allowed(command)} for command in rights if command],
    }


def umask(served: str) -> dict[str, Any]:
    """The umask of this login, and whether it hides new files from the user who serves them."""
    mask = serving_umask.present_umask()
    return {"mask": f"{mask:03o}", "hides": serving_umask.serving(mask, serving_umask.modes_of(served)) != mask}


def state_folder(path: str) -> dict[str, Any]:
    """Says if operations can be recorded in the state folder: it is there and writable, or can be made."""
    present = os.path.isdir(path)
    where = path if present else os.path.dirname(path.rstrip("/"))
    writable = os.path.isdir(where) and os.access(where, os.W_OK | os.X_OK)
    return {"path": path, "present": present, "usable": writable}


def version(command: Sequence[str]) -> str | None:
    """The version that a command prints; None where it does not run."""
    try:
        ran = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if ran.returncode != 0:
        return None
    found = re.search(r"\d{1,9}(?:\.\d{1,9})+", ran.stdout)
    return found.group() if found else "?"


def allowed(command: Sequence[str]) -> bool:
    """True if sudo would run it, as root or as the user whom `-u` in front of it names; it is not run."""
    if os.geteuid() == 0:
        return True
    whom, words = (command[1:2], command[2:]) if command[0] == "-u" else ((), command)
    if getpass.getuser() in whom:
        return True
    try:
        asked = subprocess.run(
            ["sudo", "-n", "-l", *(f"--user={name}" for name in whom), "--", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
