# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A short excerpt of a long output that still holds the cause of a failure.

Programs name the cause in different places: git, ssh and npm first, Python and a shell script last, a build and a
database somewhere between. So an excerpt has the first lines, the last lines, and of those between the ones that name
an error; a long line keeps its beginning and its end. Nothing else in this collection shortens an output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.text import bounded
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

#: Lines of the beginning, of the end, and of what names an error between them.
FIRST, LAST, BETWEEN = 4, 8, 4
#: Letters of a line.
WIDTH = 400
NOTHING = "it printed nothing"

#: A line that begins with an error, as the program that met it prints it.
_BEGINS = re.compile(
    r"\W{0,3}(?:[\w.\\-]{1,80}: )?"
    r"(?:fatal|panic|error|critical|emerg|alert|crit|killed|npm err|sqlstate\[|e: |docker: |curl: \(|sudo: "
    r"|[\w.\\]{1,200}(?:error|exception)(?:\W|\Z)|[a-z_]\w{0,60}(?:\.\w{1,60}){1,6}: )",
    re.IGNORECASE,
)
#: Words by which a line within an output names what went wrong.
_NAMES = re.compile(
    r"permission denied|access denied|authentication failed|verification failed|refused|could not|couldn't"
    r"|cannot |can't |unable to|no such|not found|no space left|timed out|failed|is not allowed|not permitted"
    r"|already exists|does not exist|doesn't exist|undefined|out of memory|denied|unknown |invalid |sqlstate"
    r"|exception|\berror\b|\[(?:emerg|crit|alert)\]",
    re.IGNORECASE,
)
#: Letters of a line in which an error is looked for.
_LOOKED_AT = 1000


def cut(text: str, width: int = WIDTH) -> str:
    """A line of at most that many letters. A longer one keeps its beginning and its end, where the cause may be."""
    if len(text) <= width:
        return text
    end = max(width // 3, 1)
    return f"{text[: max(width - end - 3, 1)]} … {text[-end:]}"


def said_lines(text: str) -> list[str]:
    """The lines that say something, each on one line and without colours; the same line once."""
    found = (shown(cut(line, bounded.LINE)).strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in found if line))


def names_error(line: str) -> bool:
    """True if a line says by itself what went wrong."""
    return begins_error(line) or bool(_NAMES.search(line[:_LOOKED_AT]))


def picked(
    lines: Sequence[str], first: int = FIRST, last: int = LAST, kept: Callable[[str], bool] | None = None
) -> list[str]:
    """The lines of an excerpt, in their order, with a line that says how many are left out where some are. Pure.

    kept: what is always in, by its form; None for the lines that name an error, a few of them.
    """
    if len(lines) <= first + last:
        return list(lines)
    places = {*range(first), *range(len(lines) - last, len(lines))}
    between = range(first, len(lines) - last)
    places |= {place for place in between if kept(lines[place])} if kept else _causes(lines, between)
    found: list[str] = []
    before = -1
    for place in [*sorted(places), len(lines)]:
        if place - before > 1:
            found.append(f"… ({place - before - 1} lines are left out)")
        if place < len(lines):
            found.append(lines[place])
        before = place
    return found


def excerpt(
    *outputs: str,
    first: int = FIRST,
    last: int = LAST,
    width: int = WIDTH,
    nothing: str = NOTHING,
    redact: Callable[[str], str] = str,
) -> str:
    """The lines to quote of a command that failed, joined to one line.

    outputs: most telling first, stderr and then stdout. Of a later output only the lines that name an error are quoted
    if an earlier one said something, or its last lines if that named no error. redact: takes the secrets out of a
    whole line, before it is cut. nothing: the text to return if all outputs are empty.
    """
    found: list[str] = []
    for output in outputs:
        lines = said_lines(output)
        if not found:
            found = picked(lines, first, last)
            continue
        new = [line for line in lines if line not in found]
        found += [new[place] for place in sorted(_causes(new, range(len(new))))] or (
            [] if any(map(names_error, found)) else new[-min(last, 3) :]
        )
    return " | ".join(cut(redact(line), width) for line in found) or nothing


def _causes(lines: Sequence[str], between: range) -> set[int]:
    """The lines that name an error, a few: those that begin with one, and then those that speak of one."""
    found: list[int] = []
    for names in (begins_error, names_error):
        new = [place for place in between if place not in found and names(lines[place])]
        room = BETWEEN - len(found)
        found += new if len(new) <= room else [*new[: room - room // 2], *new[len(new) - room // 2 :]]
    return set(found)


def begins_error(line: str) -> bool:
    """True if a line begins as the error of a program does."""
    return bool(_BEGINS.match(line[:_LOOKED_AT]))
