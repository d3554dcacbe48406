# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger keeps of an operation. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import journal
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Progress


def of(progress: Progress, end: journal.Ending, finished: str) -> dict[str, Any]:
    """The record of an operation that ended, as its journal proves. finished: when, RFC 3339."""
    opened, plan = progress.opened, progress.plan or {}
    verified = progress.verified or {}
    steps = [
        {"step": step, "seconds": seconds, **({"direction": BACK} if direction == BACK else {})}
        for step, seconds, direction in progress.past
    ]
    record: dict[str, Any] = {
        "id": progress.operation,
        "service": opened.get("service"),
        "environment": opened.get("environment"),
        "procedure": opened.get("procedure"),
        "actor": opened.get("actor"),
        "reason": opened.get("reason"),
        "started": opened.get("started"),
        "finished": finished,
        "from": plan.get("from"),
        "to": plan.get("to"),
        "left": plan.get(end.left) if end.left else None,
        "migrations": plan.get("migrations"),
        "steps": steps,
        "health": verified.get("health", []),
        "outcome": end.outcome,
        "error": end.error,
    }
    if end.outcome in ("failed", "reverted", "interrupted") and journal.about(progress):
        record["about"] = journal.about(progress)
    if verified.get("surroundings"):
        record["surroundings"] = verified["surroundings"]
    if progress.failed_health:
        # The request id of the answer that failed is what the incident needs.
        record["failed_health"] = progress.failed_health
    if opened.get("continues"):
        record["continues"] = opened["continues"]
        if plan.get("saved_as"):
            record["saved_as"] = plan["saved_as"]
    if plan.get("facts"):
        record["facts"] = plan["facts"]
    if progress.notes:
        record["notes"] = progress.notes
    return record
