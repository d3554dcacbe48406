# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of the apps of a Dokku host as a screen of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import unanswered
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Results

WIDTH = 80
_MARKS = {"ok": "ok", "warn": "WARN", "bad": "BAD"}

#: A long list of releases is one line each; so many lines of details are shown below a row.
_DETAILS = 6


def status_lines(results: Results) -> list[str]:
    """The verdict of each host, and a row for each thing that was looked at, by app."""
    lines: list[str] = []
    for host, result in results.items():
        lines += [""] if lines else []
        if "verdict" not in result:
            lines += _wrapped(f"BAD: {host} {unanswered.said(result, 'verdict')}", "", "  ")
            continue
        verdict = result["verdict"]
        lines += _wrapped(f"{_MARKS[verdict['level']].upper()}: {host}: {verdict['text']}", "", "  ")
        lines += _groups(result["rows"], tuple(result["facts"]["apps"]))
    return lines


def _groups(rows: Sequence[Mapping[str, Any]], apps: Sequence[str]) -> Iterator[str]:
    """Rows under the name of the app that they are about, then those about the host."""
    named = [(*_split(str(row["topic"]), apps), row) for row in rows]
    for app in (*apps, ""):
        group = [(topic, row) for owner, topic, row in named if owner == app]
        width = min(max((len(topic) for topic, _ in group), default=0), 22)
        if group:
            yield ""
            yield app or "host"
        for topic, row in group:
            yield from _row(topic, row, width)


def _split(topic: str, apps: Sequence[str]) -> tuple[str, str]:
    owner = next((app for app in apps if topic.startswith(f"{app} ")), "")
    return owner, topic[len(owner) :].strip()


def _row(topic: str, row: Mapping[str, Any], width: int) -> Iterator[str]:
    begin = f"{_MARKS[row['level']]:<4}  {topic:<{width}}  "
    yield from _wrapped(str(row["text"]), begin, " " * (width + 8))
    for detail in list(row["details"])[:_DETAILS]:
        yield from _wrapped(str(detail), " " * (width + 8), " " * (width + 10))


def _wrapped(text: str, first: str, then: str) -> list[str]:
    """Lines of 80 columns. What can't be broken between words is broken where the line ends."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        drop_whitespace=True,
        break_on_hyphens=False,
        replace_whitespace=True,
    ) or [first.rstrip()]


def document(results: Results) -> dict[str, Any]:
    """The same for a program: hosts by name."""
    keys = ("verdict", "rows", "facts", "seconds", "msg", "unreachable")
    return {
        "schema": 1,
        "hosts": {host: {key: result[key] for key in keys if key in result} for host, result in results.items()},
    }
