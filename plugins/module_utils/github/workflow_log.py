# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output of the commands in the log of a workflow's job.

A log also has lines that prove nothing: the runner prints the script of a step before it runs, and git prints the
subject of a commit, which anybody may have written who has a commit in the repository.
"""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STAMP = re.compile(r"\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ?")
#: The runner's echo of a step, `##[group]Run php artisan migrate`, its script and its environment, `##[endgroup]`.
_ECHO, _GROUP, _END = re.compile(r"##\[group\]Run\b"), "##[group]", "##[endgroup]"
#: Single commands that an action calls: `[command]/usr/bin/git log -1`.
_COMMAND = re.compile(r"(?:##)?\[command\]")
#: Lines of git that quote the subject of a commit, at whatever place of a line (`remote: HEAD is now at …`).
_SUBJECT = re.compile(
    r"(?:\bHEAD is now at|\bPrevious HEAD position was) [0-9a-f]{4,64}\b"
    # `[main 3f2a91c] subject` of a commit, `* 3f2a91c subject` of a log.
    r"|^\[[^\]]+ [0-9a-f]{4,64}\] "
    r"|^[*|/\\ ]*(?=[0-9a-f]*\d)[0-9a-f]{7,64} (?:\([^)]*\) )?\S"
)


def plain(text: str) -> list[str]:
    """The lines of a log without its time stamps and colours."""
    return [_ANSI.sub("", _STAMP.sub("", line, count=1)).rstrip() for line in text.splitlines()]


def output_of_commands(text: str) -> list[str]:
    """The lines of a log as plain() has them; empty where a line is the runner's echo or quotes a commit."""
    found: list[str] = []
    echo = False
    for line in plain(text):
        if line.startswith(_GROUP):
            echo = bool(_ECHO.match(line))
        elif line.startswith(_END):
            echo = False
        elif not echo and not _COMMAND.match(line) and not _SUBJECT.search(line):
            found.append(line)
            continue
        found.append("")
    return found
