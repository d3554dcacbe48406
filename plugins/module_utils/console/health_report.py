# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health results and data safety findings as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import unanswered
from ansible_collections.ops.runbook.plugins.module_utils.console.table import WIDEST, table

_HEAD = ("host", "check", "status", "ms", "TLS", "release", "request id", "verdict")


def health_lines(outcomes: Mapping[str, Any]) -> list[str]:
    """A table of all hosts, and one line that says it all. A host without an outcome is not healthy."""
    rows: list[Sequence[str]] = []
    bad = 0
    for host, outcome in outcomes.items():
        results = outcome.get("results") if isinstance(outcome, Mapping) else None
        if not results:
            rows.append((host, "-", "-", "-", "-", "-", "-", f"NOT ASKED: {_why(outcome)}"))
            bad += 1
            continue
        for result in results:
            rows.append((host, *_row(result)))
            bad += not result["ok"]
    asked = len(rows)
    text = f"{bad} of {asked} unhealthy" if bad else f"{asked} of {asked} healthy" if asked else "nothing was asked"
    head, *rows = [row[1:] if len(outcomes) == 1 else row for row in (_HEAD, *rows)]
    return [*table(head, rows, WIDEST), text]


def _row(result: Mapping[str, Any]) -> tuple[str, ...]:
    days = result.get("tls_days")
    rounds = result.get("attempts", 1)
    verdict = "healthy" if result["ok"] else f"UNHEALTHY: {result['reason']}"
    if not result["ok"] and result.get("status") == 503:
        verdict += "; maintenance mode answers 503 too: the status procedure of its system says whether it is on"
    for warning in result.get("warnings") or ():
        verdict += f"; WARNING: {warning}"
    if rounds > 1:
        verdict += f" (after {rounds} rounds)"
    return (
        str(result["name"]),
        str(result.get("status") or "none"),
        str(round(float(result.get("seconds") or 0) * 1000)),
        "-" if days is None else f"{days} d",
        str(result.get("release") or "-")[:12],
        str(result.get("request_id") or "-"),
        verdict,
    )


def _why(outcome: Any) -> str:
    return unanswered.why(outcome if isinstance(outcome, Mapping) else {})


def safety_lines(outcomes: Mapping[str, Any]) -> list[str]:
    """`file:line rule`, why and what instead, and how much was read."""
    lines: list[str] = []
    for host, outcome in outcomes.items():
        prefix = f"{host}: " if len(outcomes) > 1 else ""
        if not isinstance(outcome, Mapping) or "files" not in outcome:
            lines.append(f"{prefix}NOT READ: {_why(outcome)}")
            continue
        for finding in outcome["findings"]:
            lines.append(f"{prefix}{_place(finding)} {finding['rule']} — {finding['why']} — {finding['instead']}")
            lines.append(f"    {finding['excerpt']}")
        lines += [f"{prefix}{_place(item)} {item['rule']} — waived as disposable" for item in outcome["waived"]]
        lines += [f"{prefix}{item['file']} NOT READ: {item['why']}" for item in outcome["unread"]]
        lines.append(prefix + _total(outcome))
        lines += _read_of(outcome)
    return lines


#: Endings of files that are named; of the others only how many there are.
_NAMED_ENDINGS = 8


def _read_of(outcome: Mapping[str, Any]) -> list[str]:
    """The kinds of files that were read, and the endings of those that were not. A check speaks only of the first."""
    kinds, left = outcome.get("kinds") or {}, outcome.get("left_out") or {}
    parts = [f"read: {_counts(kinds)}"] if kinds else []
    if left:
        parts.append(f"not read: {_counts(left)}")
    return [f"    {'; '.join(parts)}"] if parts else []


def _counts(numbers: Mapping[str, int]) -> str:
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    more = ordered[_NAMED_ENDINGS:]
    named = [f"{number} {name}" for name, number in ordered[:_NAMED_ENDINGS]]
    return ", ".join([*named, *([f"{sum(number for _name, number in more)} others"] if more else [])])


def _place(finding: Mapping[str, Any]) -> str:
    where = f" ({finding['where']})" if finding.get("where") else ""
    return f"{finding['file']}:{finding['line']}{where}"


def _total(outcome: Mapping[str, Any]) -> str:
    found, waived, unread = (len(outcome[key]) for key in ("findings", "waived", "unread"))
    read = _count(len(outcome["files"]), "file") + " read"
    if not outcome["files"] and not unread:
        return "nothing was read: this is not the root of a checkout, or it has nothing that builds or deploys it"
    nothing = f"no destructive command found in {'it' if len(outcome['files']) == 1 else 'them'}"
    parts = [_count(found, "destructive command") + " found" if found else nothing]
    if waived:
        parts.append(f"{waived} waived as disposable")
    if unread:
        parts.append(_count(unread, "file") + " could not be read")
    return f"{read}: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
