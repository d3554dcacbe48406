# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the rows of the values of an INSERT while they go by, and keeps none of them: a row may have 64 MB."""

from __future__ import annotations

import re

#: Whatever is inside of a text in quotation marks: letters, escaped letters, doubled marks.
_INSIDE = re.compile(rb"[^'\\]*(?:(?:\\.|'')[^'\\]*)*", re.DOTALL)
#: An expression remembers each escaped letter of what it is given.
_PIECE = 65536


class RowCounter:
    """Counts the opening brackets of one line outside of quotation marks, and sees the end of the statement.

    A text that is never closed is not a text: brackets after its last doubled mark, or its beginning, are counted.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._final = b""
        self._inside = False
        # A mark or a backslash at the end of a piece, whose meaning the next letter shows.
        self._carry = b""
        self._rows_if_open = 0
        self._final_if_open = b""

    def take(self, line: bytes) -> None:
        """Read a part of the line."""
        for at in range(0, len(line), _PIECE):
            self._take(line[at : at + _PIECE])

    def _take(self, piece: bytes) -> None:
        text, self._carry = self._carry + piece, b""
        at = 0
        while at < len(text):
            if not self._inside:
                mark = text.find(b"'", at)
                end = len(text) if mark < 0 else mark
                self.rows += text.count(b"(", at, end)
                self._final = text[at:end].rstrip()[-1:] or self._final
                at = end + 1
                if mark >= 0:
                    self._inside, self._rows_if_open, self._final_if_open = True, 0, b"'"
                continue
            found = _INSIDE.match(text, at)
            end = found.end() if found else at
            self._may_be_open(text, at, end)
            at = end + 1
            if end == len(text) - 1:
                self._carry = text[end:]
            elif end < len(text):
                self._inside = False

    def _may_be_open(self, text: bytes, start: int, end: int) -> None:
        doubled = text.rfind(b"''", start, end)
        if doubled >= 0:
            start, self._rows_if_open, self._final_if_open = doubled + 2, 0, b"'"
        self._rows_if_open += text.count(b"(", start, end)
        self._final_if_open = text[start:end].rstrip()[-1:] or self._final_if_open

    def end(self) -> bool:
        """The line is over. Whether it ends the statement."""
        # A mark that was waited with closes the text.
        if self._inside and self._carry != b"'":
            self.rows += self._rows_if_open
            self._final = self._carry or self._final_if_open
        return self._final == b";"
