# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of Windows that remove folders and files of data."""

from __future__ import annotations

import re

from ansible_collections.ops.runbook.plugins.module_utils.destructive.data import rm

_REMOVES = re.compile(
    r"(?i)(?:\A|[&|;({]|\bcall\b|\bdo\b)\s*(?:&\s*)?(?P<verb>rmdir|rd|del|erase|remove-item|ri)\s+(?P<rest>[^&|;\n]*)"
)
_FORMATS = re.compile(r"(?i)(?:\A|[&|;])\s*(format\s+[a-z]:|clear-disk|format-volume)\b")


def windows_problem(line: str) -> str | None:
    """The rule that a line of a batch file or of PowerShell breaks by removing files."""
    if _FORMATS.search(line):
        return "disk-erase"
    for match in _REMOVES.finditer(line):
        verb, words = match.group("verb").lower(), match.group("rest").replace("\\", "/").split()
        options = [word.lower() for word in words if word.startswith("-") or re.fullmatch(r"/[a-zA-Z](:\S*)?", word)]
        places = [word.strip("\"'") for word in words if word.lower() not in options]
        whole = bool({"/s", "-recurse", "-r"} & {*options})
        if verb in ("remove-item", "ri") or whole or verb in ("del", "erase"):
            rule = rm([*(["-r"] if whole else []), *places])
            if rule:
                return rule
    return None
