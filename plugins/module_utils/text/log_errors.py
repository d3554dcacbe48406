# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds errors in the lines of a log, whichever program wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.text import screen_text
from ansible_collections.ops.runbook.plugins.module_utils.text.bounded import cut_line, lines_of
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

#: A level that the line states itself counts, whatever words follow.
_LEVELS = (
    # Laravel, Monolog
    re.compile(r"(?i)^\[[^\]]*\]\s+[\w.-]+\.(emergency|alert|critical|error|warning|notice|info|debug):"),
    re.compile(r"""(?i)\blevel"?\s*[=:]\s*"?(fatal|panic|critical|error|warn(?:ing)?|notice|info|debug|trace)\b"""),
    # nginx, Apache
    re.compile(r"(?i)\[(?:[\w.-]*:)?(emerg|alert|crit|error|warn(?:ing)?|notice|info|debug)\]"),
    re.compile(r"^(?:\S+\s+){0,3}(FATAL|PANIC|CRITICAL|ERROR|WARN(?:ING)?|NOTICE|INFO|DEBUG|TRACE)\b[\s:\]-]"),
)
_SEVERE = ("emerg", "emergency", "alert", "crit", "critical", "fatal", "panic", "error")
_SLIGHT = ("warn", "warning")

#: An answer of a web server to a request.
_ANSWER = re.compile(r"""(?:\bHTTP/[\d.]+"?|\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+\S+)\s+([1-5]\d\d)\b""")
_NOTHING = re.compile(r"(?i)\b(?:0|no|without)\s+(?:errors?|warnings?|exceptions?)\b|\berrors?\s*[=:]\s*0\b")
_ERROR = re.compile(r"(?i)\b(?:errors?|fatal|critical|panic|traceback|uncaught|segmentation fault)\b|\b\w*exception\b")
_WARNING = re.compile(r"(?i)\bwarn(?:ing)?s?\b")

#: Data of visitors follows: context, and the values bound to a query.
_DATA = re.compile(r"""\{["}]|\((?:Connection: |SQL: )""")

_WIDTH = 160


@dataclass(frozen=True)
class Found:
    """lines: how many were read. counts: by kind, without zeros. last: the last distinct errors, newest last."""

    lines: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    last: tuple[str, ...] = ()


def kind(line: str) -> str:
    """`error`, `warning`, `5xx` for an answer with such a status, or nothing."""
    answer = _ANSWER.search(line)
    if answer:
        return "5xx" if answer[1].startswith("5") else ""
    level = next((match for match in (form.search(line) for form in _LEVELS) if match), None)
    if level:
        word = level[1].lower()
        return "error" if word in _SEVERE else "warning" if word in _SLIGHT else ""
    said = _NOTHING.sub("", line)
    if _ERROR.search(said):
        return "error"
    return "warning" if _WARNING.search(said) else ""


def search(text: str, clean: Callable[[str], str], shown: int = 3) -> Found:
    """Count the errors of a log, and keep so many of the last distinct lines that name one.

    clean: takes known secrets out; a secret beside its name is masked in any case.
    """
    lines = [line for line in (screen_text.shown(raw).rstrip() for raw in lines_of(text)) if line]
    kinds = ((kind(line), line) for line in lines)
    counts, last = tally(
        ((of, shorten(clean(line)) if of in ("error", "5xx") else "") for of, line in kinds if of), shown
    )
    return Found(len(lines), counts, last)


def tally(errors: Iterable[tuple[str, str]], shown: int = 3) -> tuple[dict[str, int], tuple[str, ...]]:
    """The errors of a log by kind, and so many of the last distinct messages, newest last.

    errors: kind and message of each, oldest first; one with an empty message is only counted.
    """
    counts: dict[str, int] = {}
    messages: dict[str, int] = {}
    for kind_of, message in errors:
        counts[kind_of] = counts.get(kind_of, 0) + 1
        if message:
            # Taken out and put back, so that the newest is last.
            messages[message] = messages.pop(message, 0) + 1
    last = list(messages.items())[-shown:] if shown else []
    return counts, tuple(f"{said} ({times} times)" if times > 1 else said for said, times in last)


def without_data(line: str) -> str:
    """A line, cut, without the context and the values of a query that a framework writes behind its message."""
    line = cut_line(line)
    data = _DATA.search(line)
    return line[: data.start()].rstrip() if data else line


def shorten(line: str) -> str:
    """A line without context, without the values of a query, and without what is named a secret."""
    return cut(mask_named(without_data(line)).strip(), _WIDTH) or "(no text)"


def masked(text: str, clean: Callable[[str], str]) -> Iterable[str]:
    """A whole log as it may be kept: plain lines without secrets."""
    return (mask_named(clean(screen_text.shown(line).rstrip())) for line in text.splitlines())
