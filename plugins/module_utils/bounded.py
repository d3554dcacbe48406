# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits for what somebody else wrote: a line of a log, the output of a command, the answer of a server."""

from __future__ import annotations

#: Letters of a line of a log. What follows is data of whoever made the application write it.
LINE = 4096
#: Bytes of the beginning, and of the end, of an output that is only shown.
SHOWN = 1024 * 1024
#: Bytes of an output that is parsed.
PARSED = 64 * 1024 * 1024


def cut_line(line: str, limit: int = LINE) -> str:
    """A line of which no more is read than a person would."""
    return line if len(line) <= limit else line[:limit] + "…"


def lines_of(text: str, limit: int = LINE) -> list[str]:
    """The lines of a text, each cut before anything else is done with it."""
    return [cut_line(line, limit) for line in text.splitlines()]
