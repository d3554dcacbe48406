# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of the last restore drill: a backup that was never restored is not proven. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import age
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

_WAY = ("postgres_restore_drill   restores the newest backup beside production, and proves it",)


def row(records: Sequence[Mapping[str, Any]], days: int, now: float) -> Row:
    """The row by the records of drills, oldest first. days: after which the last good one is overdue."""
    ended = [one for one in records if one.get("procedure") == "restore_drill" and one.get("outcome") != "refused"]
    if not ended:
        return Row("last drill", WARN, "no backup was ever proven by a restore on this host", ways=_WAY)
    last = ended[-1]
    if last.get("outcome") != "succeeded":
        why = cut(str(last.get("error") or "it has no verdict"), 300)
        return Row("last drill", BAD, f"{last.get('outcome')} {_age(last, now)} ago: {why}", ways=_WAY)
    found = (last.get("notes") or {}).get("report") or {}
    text = f"{found.get('backup') or 'a backup'} was restored {_age(last, now)} ago: {_figures(found)}"
    details = (f"not climbed: {', '.join(found['not_climbed'])}",) if found.get("not_climbed") else ()
    if now - _time(last) > days * 86400:
        return Row("last drill", BAD, f"overdue: {text}", details, _WAY)
    return Row("last drill", OK, text, details)


def _figures(found: Mapping[str, Any]) -> str:
    def seconds(name: str) -> str:
        value = found.get(name)
        return f"{value:g} s" if isinstance(value, (int, float)) else "not known"

    return f"RTO {seconds('rto')}, RPO {seconds('rpo')}, {len(found.get('climbed') or [])} rungs good"


def _time(record: Mapping[str, Any]) -> float:
    """Unix time at which an operation ended; 0 where its record has none, so that it counts as overdue."""
    try:
        return datetime.fromisoformat(str(record.get("finished")).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def _age(record: Mapping[str, Any], now: float) -> str:
    return age(now - _time(record))
