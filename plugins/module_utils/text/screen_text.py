# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from outside, made fit for a screen, a record and a report.

File names, subjects of commits, labels of images, messages of servers and the ledger of another user may have letters
in them that a screen obeys instead of showing them: a terminal is cleared and written on anew, a line is shown in
another order, a second line looks like one of ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

#: Colours and cursor movements, which some programs write into a pipe too.
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
#: Instead of a letter that a terminal would obey.
MARK = "?"


def shown(text: str) -> str:
    """A text on one line, as it may be shown and kept.

    Colours go, an end of a line and every other blank becomes a blank, a letter that has no width (it may turn the
    order of the others round) goes, and any other letter that can't be printed becomes a question mark.
    """
    return text if text.isprintable() else "".join(map(_shown, CONTROL.sub("", text)))


def paragraph(text: str) -> str:
    """The same of a text whose ends of lines are ours."""
    return text if text.isprintable() else "\n".join(shown(line) for line in text.split("\n"))


def joined(lines: Iterable[str]) -> str:
    """A report of lines, none of which is two."""
    return "\n".join(shown(line) for line in lines)


def told(message: Any) -> Any:
    """The message of a task's result as one text, where it is a list of lines or a block; any other value as it is.

    Screens are lists of lines or blocks, so that each callback shows one line below the other.
    """
    if isinstance(message, (list, tuple)) and all(isinstance(line, str) for line in message):
        return "\n".join(message)
    return message.rstrip("\n") if isinstance(message, str) else message


def cleaned(value: Any) -> Any:
    """A value of mappings and lists with every text in it as paragraph() has it; the names of a mapping too."""
    if isinstance(value, str):
        return paragraph(value)
    if isinstance(value, Mapping):
        return {paragraph(key) if isinstance(key, str) else key: cleaned(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(inner) for inner in value]
    return value


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    if letter in "\t\n\v\f\r\x1c\x1d\x1e\x85" or letter.isspace():
        return " "
    return "" if unicodedata.category(letter) == "Cf" else MARK
