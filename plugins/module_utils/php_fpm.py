# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a reload of php-fpm does to the requests that it is answering."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.command import CommandFailed, Commands

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


def control_timeout(commands: Commands, unit: str) -> ControlTimeout | None:
    """The setting of a php-fpm unit; None where its configuration can't be found or read."""
    try:
        shown = commands.run(["systemctl", "show", "--property=ExecStart", "--", unit], check=False).stdout
    except CommandFailed:
        return None
    file = re.search(r"(?:--fpm-config|-y)[ =](\S+)", shown)
    if file is None:
        return None
    try:
        with open(file[1], encoding="utf-8", errors="replace") as handle:
            return ControlTimeout(parse(handle.read()), file[1])
    except OSError:
        return None
