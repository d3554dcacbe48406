# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about GitHub's side: differences of a repository, and green and other runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console.table import WIDEST, table
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

Outcomes = Mapping[str, Any]

#: Findings for which an audit may be asked to fail. A setting that can't be read always fails it.
PROTECTION_KINDS = ("difference", "secret")

_LEVELS = {"differs": "DIFFERS", "missing": "MISSING", "unknown": "UNKNOWN", "note": "note", "same": "ok"}


def protection_lines(outcomes: Outcomes) -> list[str]:
    """A line for each difference, what is not known, and what should be; then the verdict."""
    several = len(outcomes) > 1
    head = (*(("repository",) if several else ()), "what", "verdict", "setting", "is", "is to be")
    rows: list[Sequence[str]] = []
    for host, outcome in outcomes.items():
        for row in _rows(outcome):
            cells = (f"{row['kind']} {row['name']}", _LEVELS[row["level"]], row["subject"], row["before"], row["after"])
            rows.append((*((host,) if several else ()), *(str(cell) for cell in cells)))
    return [*(table(head, rows, WIDEST) if rows else []), str(protection_verdict(outcomes, [])["text"])]


def protection_verdict(outcomes: Outcomes, fail_on: Sequence[str]) -> dict[str, Any]:
    """Counts, a sentence, and what fails: what was asked for, and always what could not be read."""
    counts = dict.fromkeys(_LEVELS, 0)
    unread = []
    for host, outcome in outcomes.items():
        if not isinstance(outcome, Mapping) or "counts" not in outcome:
            unread.append(f"{host}: {_why(outcome)}")
            continue
        for level, number in outcome["counts"].items():
            counts[level] += number
    parts = [
        f"{counts['same']} as they should be",
        f"{counts['differs']} that differ",
        f"{counts['missing']} secrets that are missing",
        f"{counts['unknown']} that can't be read or made so",
    ]
    text = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing was asked for"
    if unread:
        text += f"; NOT READ: {'; '.join(unread)}"
    wanted = {"difference": counts["differs"], "secret": counts["missing"]}
    failing = [kind for kind in PROTECTION_KINDS if kind in fail_on and wanted[kind]]
    if counts["unknown"] or unread:
        failing.append("unread")
    return {**counts, "unread": unread, "failing": failing, "text": text}


def run_lines(outcome: Any) -> list[str]:
    """A line for each workflow, where its lines were found, and a verdict."""
    if not isinstance(outcome, Mapping) or "runs" not in outcome:
        return [f"NOT READ: {_why(outcome)}"]
    head = ("workflow", "verdict", "age", "commit", "started by", "what, and where")
    rows: list[Sequence[str]] = []
    for run in outcome["runs"]:
        age = "-" if run["age_hours"] is None else f"{run['age_hours']:.0f} h"
        what = f"{run['text']}  {run['url']}" if run["url"] not in run["text"] else run["text"]
        rows.append(
            (
                run["workflow"],
                "green" if run["ok"] else "NOT GREEN",
                age,
                run["commit"][:12] or "-",
                run["event"] or "-",
                what.strip(),
            )
        )
    lines = table(head, rows, WIDEST)
    for run in outcome["runs"]:
        lines += [
            f"{run['workflow']}: {found['pattern']!r} in line {found['line']} of job {found['job']}"
            for found in run["evidence"]
        ]
    bad = sum(not run["ok"] for run in outcome["runs"])
    total = len(outcome["runs"])
    return [*lines, f"{bad} of {total} not green" if bad else f"{total} of {total} green"]


def _rows(outcome: Any) -> Sequence[Mapping[str, Any]]:
    return (outcome.get("rows") or ()) if isinstance(outcome, Mapping) else ()


def _why(outcome: Any) -> str:
    why = told(outcome.get("msg")) if isinstance(outcome, Mapping) else None
    return str(why or "it was not asked")
