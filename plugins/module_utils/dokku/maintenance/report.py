# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a maintenance: for a person, who ticks what is left to do, and for a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import items
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

_MARKS = {items.DONE: "done", items.SKIPPED: "skipped", items.FAILED: "FAILED", items.PLANNED: "NOT DONE"}


def document(host: str, app: str, planned: Mapping[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    """The report as data. planned and applied: what the two phases of dokku_operation returned."""
    plan, verified = planned.get("plan") or {}, applied.get("verified") or {}
    closed = applied.get("closed") or {}
    cadence = str(plan.get("cadence") or items.WEEKLY)
    found = verified.get("items") or items.entries(cadence, plan.get("before") or {}, {})
    record = closed.get("record") or {}
    healthy = bool(applied.get("healthy"))
    reason = str(applied.get("error") or verified.get("reason") or told(applied.get("msg")) or "")
    return {
        "schema": 1,
        "host": host,
        "app": app,
        "cadence": cadence,
        "operation": str(planned.get("operation") or ""),
        "started": record.get("started"),
        "finished": record.get("finished"),
        "outcome": closed.get("outcome") or ("unchanged" if healthy else "failed"),
        "green": healthy,
        "reason": "" if healthy else reason or "it was not verified",
        "summary": items.summary(found),
        "items": [dict(entry) for entry in found],
        "checklist": [str(line) for line in plan.get("checklist") or items.checklist(cadence)],
    }


def markdown(report: Mapping[str, Any]) -> str:
    """The same for a person."""
    lines = [
        f"# {str(report['cadence']).capitalize()} maintenance of {report['app']} on {report['host']}",
        "",
        f"{'Green' if report['green'] else 'NOT GREEN'}: {report['summary']}.",
        "",
    ]
    if report["reason"]:
        lines += [f"Why it is not green: {_cell(report['reason'])}", ""]
    lines += [f"Operation {report['operation']}, ended {report['finished'] or 'without a record'}.", ""]
    lines += ["| item | what it does | how it went | why, and when |", "|---|---|---|---|"]
    lines += [_row(entry) for entry in report["items"]]
    for entry in report["items"]:
        if entry.get("details"):
            lines += ["", f"## {entry['item']}", "", *[f"- {_plain(line)}" for line in entry["details"]]]
    lines += ["", "## For a person", "", *[f"- [ ] {line}" for line in report["checklist"]]]
    return "\n".join(lines) + "\n"


def _row(entry: Mapping[str, Any]) -> str:
    mark = _MARKS.get(str(entry["status"]), str(entry["status"]))
    if entry.get("attention"):
        mark += ", look at it"
    why = str(entry.get("text") or "")
    if entry.get("when"):
        why += f" (on {str(entry['when'])[:10]}, by {entry['operation']})"
    return f"| {entry['item']} | {_cell(entry['title'])} | {mark} | {_cell(why)} |"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: Any) -> str:
    """One line that neither HTML nor a heading can come out of."""
    return " ".join(str(text).split()).replace("<", "&lt;")
