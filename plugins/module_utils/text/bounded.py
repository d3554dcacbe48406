# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits for texts that somebody else wrote: a line of a log, the output of a command, the answer of a server."""

from __future__ import annotations

#: Letters of a line of a log. The rest is data of whoever made the application write it.
LINE = 4096
#: Bytes of the beginning, and of the end, of an output that is only shown.
SHOWN = 1024 * 1024
#: Bytes of an output that is parsed.
PARSED = 64 * 1024 * 1024


def cut_line(line: str, limit: int = LINE) -> str:
    """The beginning of a line, as far as a person would read it."""
    return line if len(line) <= limit else line[:limit] + "…"


def lines_of(text: str, limit: int = LINE) -> list[str]:
    """The lines of a text, each cut before anything else is done with it."""
    return [cut_line(line, limit) for line in text.splitlines()]


class Kept:
    """The beginning and the end of an output, however long it is."""

    def __init__(self, head: int, tail: int = 0) -> None:
        self.size = 0
        self._most = head
        self._parts: list[str] = []
        self._rest = ""
        self._tail = tail

    def take(self, text: str) -> None:
        """Read on."""
        self.size += len(text)
        room = self._most - self.size + len(text)
        if room > 0:
            self._parts.append(text[:room])
        if len(text) > max(room, 0):
            self._rest = (self._rest + text[max(room, 0) :])[-self._tail :] if self._tail else ""

    @property
    def is_cut(self) -> bool:
        """True if something is missing."""
        return self.size > self._most + self._tail

    def text(self) -> str:
        """The kept output, with a line that says how much is missing."""
        left_out = self.size - self._most - self._tail
        gap = f"\n… ({left_out} letters are left out here)\n" if left_out > 0 else ""
        return "".join([*self._parts, gap, self._rest])
