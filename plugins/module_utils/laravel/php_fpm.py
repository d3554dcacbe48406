# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of php-fpm: what a reload does to the requests that it is answering, and the environment of a pool."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands

_ENV = re.compile(r"env\[([A-Za-z_]\w*)\]\s*=\s*(.*)$")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class ControlTimeout:
    """seconds: how long a reload waits for requests in flight. file: where that is set."""

    seconds: int
    file: str


def parse(content: str) -> int:
    """The setting process_control_timeout of a php-fpm.conf, in seconds. PHP's default is 0: nothing is waited for."""
    section, found = "global", 0
    for line in content.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]").strip()
        setting = re.match(r"process_control_timeout\s*=\s*[\"']?(\d+)([smhd]?)", line)
        if setting and section == "global":
            found = int(setting[1]) * _UNITS[setting[2]]
    return found


def environments(contents: list[str], inherited: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The environment that each pool gives its processes, by the pool's name. contents: of the files, in their order.

    inherited: of php-fpm itself, which a pool passes on where clear_env is off.
    """
    pools: dict[str, dict[str, str]] = {}
    keeps: set[str] = set()
    section = "global"
    for line in (line.strip() for content in contents for line in content.splitlines()):
        if line.startswith("["):
            section = line.split("]")[0].strip("[").strip()
            if section != "global":
                pools.setdefault(section, {})
        elif section != "global" and (setting := _ENV.match(line)):
            value = _value(setting[2])
            pools[section][setting[1]] = inherited.get(value[1:], "") if value.startswith("$") else value
        elif section != "global" and re.match(r"clear_env\s*=\s*[\"']?(no|off|false|0)\b", line, re.IGNORECASE):
            keeps.add(section)
    return {name: {**(inherited if name in keeps else {}), **own} for name, own in pools.items()}


def _value(text: str) -> str:
    """A value of an ini file: in quotes, or up to a comment."""
    quoted = re.match(r"\"([^\"]*)\"|'([^']*)'", text)
    return (quoted[1] or quoted[2] or "") if quoted else text.partition(";")[0].strip()


def control_timeout(commands: Commands, unit: str) -> ControlTimeout | None:
    """The setting of a php-fpm unit; None where its configuration can't be found or read."""
    file, _inherited = _unit(commands, unit)
    try:
        return ControlTimeout(parse(_read(file)), file) if file else None
    except OSError:
        return None


def pools(commands: Commands, unit: str) -> dict[str, dict[str, str]]:
    """The environment of each pool of a php-fpm unit; empty where its configuration can't be found or read."""
    file, inherited = _unit(commands, unit)
    try:
        contents = [_read(file)] if file else []
        for pattern in re.findall(r"^[ \t]*include[ \t]*=[ \t]*(\S+)", "\n".join(contents), re.M):
            contents += [_read(path) for path in sorted(glob.glob(_value(pattern)))]
    except OSError:
        return {}
    return environments(contents, inherited)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()


def _unit(commands: Commands, unit: str) -> tuple[str, dict[str, str]]:
    """The configuration that a unit starts php-fpm with, empty where that is not known, and its environment."""
    try:
        shown = commands.run(["systemctl", "show", "--property=ExecStart,Environment", "--", unit], check=False).stdout
    except CommandFailed:
        return "", {}
    file = re.search(r"(?:--fpm-config|-y)[ =](\S+)", shown)
    said = re.search(r"^Environment=(.*)$", shown, re.M)
    try:
        words = shlex.split(said[1]) if said else []
    except ValueError:
        words = []
    return file[1] if file else "", dict(word.split("=", 1) for word in words if "=" in word)
