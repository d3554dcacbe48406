# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a drill, as a document and for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill import ladder

#: The rungs in their order, with the step that climbs each.
_STEPS = ("restore recover start databases rows heartbeat sequences amcheck integrity probe checksums").split()


def of(plan: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """The document. notes: what each step returned, by its id."""
    rungs = list(plan["drill"]["first"])
    for step in _STEPS:
        rungs += (notes.get(step) or {}).get("rungs") or []
    rungs += [ladder.not_climbed(rung, why).document() for rung, why in ladder.NEVER.items()]
    red = any(one["verdict"] == ladder.BAD for one in rungs)
    return {
        "verdict": ladder.BAD if red else ladder.GOOD,
        "backup": plan["drill"]["label"],
        "to_time": plan["drill"]["target"],
        "operation": plan["saved_as"],
        "rto": (notes.get("start") or {}).get("rto"),
        "rpo": (notes.get("heartbeat") or {}).get("rpo"),
        "rto_goal": plan["drill"]["rto_goal"],
        "rpo_goal": plan["drill"]["rpo_goal"],
        "climbed": [one["rung"] for one in rungs if one["verdict"] == ladder.GOOD],
        "not_climbed": [one["rung"] for one in rungs if one["verdict"] == ladder.NOT_CLIMBED],
        "rungs": rungs,
    }


def _seconds(value: object) -> str:
    return f"{value:g} s" if isinstance(value, (int, float)) else "not known"


def line(document: Mapping[str, Any]) -> str:
    """One sentence for the summary."""
    return (
        f"{document['backup']}: RTO {_seconds(document['rto'])}, RPO {_seconds(document['rpo'])};"
        f" {len(document['climbed'])} rungs are good; not climbed: {', '.join(document['not_climbed'])}"
    )


def markdown(document: Mapping[str, Any]) -> str:
    """The report as a page."""
    head = [
        f"# Restore drill {document['operation']}: {document['verdict']}",
        "",
        f"Backup {document['backup']}, replayed to {document['to_time'] or 'the end of the archive'}.",
        f"RTO {_seconds(document['rto'])} (goal {document['rto_goal'] or 'none'}), "
        f"RPO {_seconds(document['rpo'])} (goal {document['rpo_goal'] or 'none'}).",
        "",
        "| rung | verdict | seconds | |",
        "|---|---|---|---|",
    ]
    rows = [
        f"| {one['rung']} | {one['verdict']} | {one['seconds']:g} | {_cell(one['text'])} |" for one in document["rungs"]
    ]
    return "\n".join([*head, *rows, ""])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
