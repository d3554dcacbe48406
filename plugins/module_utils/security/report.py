# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The weekly look at security: the workflow, the advisories, the audits of a checkout, and a verdict on all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console.table import WIDEST, table
from ansible_collections.ops.runbook.plugins.module_utils.github.report import run_lines
from ansible_collections.ops.runbook.plugins.module_utils.security.dependencies import SEVERITIES
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

#: From which severity on an advisory fails the audit. One of unknown severity always does.
LOWEST = ("low", "medium", "high", "critical")


def advisories(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every advisory with where it is from, the worst first."""
    told = [{**one, "origin": "GitHub"} for one in (found.get("advisories") or {}).get("advisories") or ()]
    for audit in (found.get("audits") or {}).get("audits") or ():
        told += [{**one, "origin": audit["file"]} for one in audit["advisories"]]
    return sorted(told, key=lambda one: (SEVERITIES.index(one["severity"]), one["origin"], one["package"]))


def lines(found: Mapping[str, Any]) -> list[str]:
    """found: results by `runs`, `advisories` and `audits`; one that was not asked for is not there."""
    told = run_lines(found["runs"]) if "runs" in found else []
    listed = advisories(found)
    if listed:
        rows = [
            tuple(str(one[key]) or "-" for key in ("severity", "package", "identifier", "origin", "fixed", "title"))
            for one in listed
        ]
        head = ("severity", "package", "advisory", "from", "fixed in", "what")
        told += ["", *table(head, rows, WIDEST)]
    audits = (found.get("audits") or {}).get("audits") or ()
    if audits:
        told.append("")
    for audit in audits:
        why = f": {audit['why']}" if audit["why"] else ""
        told.append(f"{audit['file']}: {audit['state'].upper()}, {audit['packages']} packages{why}")
        told += [f"{audit['file']}: {note}" for note in audit["notes"]]
    return [*told, "", str(verdict(found, "low")["text"])]


def verdict(found: Mapping[str, Any], lowest: str) -> dict[str, Any]:
    """Counts, a sentence, and what fails. What could not be read always does."""
    listed = advisories(found)
    counted = {severity: sum(one["severity"] == severity for one in listed) for severity in SEVERITIES}
    failing = []
    runs = found.get("runs")
    if runs is not None:
        if "runs" not in runs:
            failing.append(f"the workflow was not read: {told(runs.get('msg')) or 'no answer'}")
        failing += [f"{run['workflow']} {run['text']}" for run in runs.get("runs") or () if not run["ok"]]
    for name in ("advisories", "audits"):
        if name in found and name not in found[name]:
            failing.append(f"the {name} were not read: {told(found[name].get('msg')) or 'no answer'}")
    if "audits" in found and found["audits"].get("audits") == []:
        failing.append("the checkout has none of the lock files that are audited")
    failing += [
        f"{audit['file']} is unknown: {audit['why']}"
        for audit in (found.get("audits") or {}).get("audits") or ()
        if audit["why"]
    ]
    bad = sum(
        number
        for severity, number in counted.items()
        if severity == "unknown" or LOWEST.index(severity) >= LOWEST.index(lowest)
    )
    if bad:
        failing.append(f"{bad} advisories of severity {lowest} or more")
    parts = [f"{number} {severity}" for severity, number in counted.items() if number]
    text = f"{len(listed)} advisories ({', '.join(parts)})" if listed else "no advisory"
    return {"failing": failing, "counts": counted, "text": text}
