# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of Dokku, and of the programs that it starts, about a failure. Pure.

Dokku marks its errors and its mere notices in the same way, and passes on the words of Docker and nginx without a mark,
before or after its own. So a line's place counts, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import (
    NOTHING,
    begins_error,
    cut,
    excerpt,
    picked,
    said_lines,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import CONTROL

#: Dokku's marks before the lines of an error.
_MARK = re.compile(r"\s?!\s+")
#: Lines that follow Dokku's last one, and lines of an error of another program before it.
_AFTER, _BEFORE = 6, 4
#: Exit codes of docker itself: it did not start the container, or could not start the command in it.
_DOCKERS = (125, 126, 127)
_DOCKER = re.compile(r"docker: (?!invalid option)|Error response from daemon|Unable to find image ")
_IMAGE = re.compile(r"Unable to find image '([^'\s]+)' locally")
_ANNOUNCED = "Contents below..."


def plain(text: str) -> str:
    """A text without control sequences."""
    return CONTROL.sub("", text).replace("\r\n", "\n")


def problems(text: str) -> tuple[str, ...]:
    """The lines that Dokku marks as errors, without the mark; the same line once."""
    return tuple(dict.fromkeys(_unmarked(line) for line in said_lines(plain(text)) if _MARK.match(line)))


def ending(text: str, lines: int = 6) -> str:
    """Of an output that ended with marked errors the last lines before them, and those that name an error."""
    return " | ".join(picked([cut(line) for line in said_lines(plain(text)) if not _MARK.match(line)], 0, lines))


def quoted(rc: int, out: str, err: str, redact: Callable[[str], str] = str) -> str:
    """The lines to quote of a failed call: the marked ones, those after them, and another program's before them.

    For an exit code of docker's own, docker's lines come first: Dokku's marked lines may be mere notices then. redact:
    takes the secrets out of a whole line.
    """
    lines = _of_docker(rc, out, err)
    for text, other in ((err, out), (out, "")):
        around = _around_marks(said_lines(plain(text)))
        if around:
            lines += _with_contents(around, other)
            break
    else:
        lines += [] if lines else [excerpt(plain(err), plain(out), nothing="", redact=redact)]
    return " | ".join(cut(redact(line)) for line in dict.fromkeys(lines) if line) or NOTHING


def missing_image(rc: int, out: str, err: str) -> str:
    """The image that docker did not find and could not fetch; empty where that is not what happened."""
    found = _IMAGE.search(plain(err) + "\n" + plain(out)) if rc in _DOCKERS else None
    return found[1] if found else ""


def is_dockers(rc: int, out: str, err: str) -> bool:
    """True if docker itself failed: it did not start a container, or could not start the command in it."""
    return bool(_of_docker(rc, out, err))


def _unmarked(line: str) -> str:
    return _MARK.sub("", line, count=1).strip()


def _of_docker(rc: int, out: str, err: str) -> list[str]:
    lines = [*said_lines(plain(err)), *said_lines(plain(out))] if rc in _DOCKERS else []
    return [_unmarked(line) for line in lines if _DOCKER.match(_unmarked(line))][:_AFTER]


def _around_marks(lines: list[str]) -> list[str]:
    """The marked lines, what follows the last of them, and errors of other programs before; empty without a mark."""
    marked = [place for place, line in enumerate(lines) if _MARK.match(line)]
    if not marked:
        return []
    before = [place for place in range(marked[-1]) if place not in marked and begins_error(lines[place])]
    after = range(max(marked[-1] + 1, len(lines) - _AFTER), len(lines))
    return [_unmarked(lines[place]) for place in sorted({*marked, *before[-_BEFORE:], *after})]


def _with_contents(lines: list[str], other: str) -> list[str]:
    """The lines with what one of them announces; nginx's words for the file that Dokku prints."""
    last = next((place for place, line in enumerate(lines) if line.endswith(_ANNOUNCED)), None)
    if last is None:
        return lines
    if last == len(lines) - 1:
        return [*lines, excerpt(plain(other), nothing="")]
    return [line.removesuffix(_ANNOUNCED).rstrip() for line in lines]
