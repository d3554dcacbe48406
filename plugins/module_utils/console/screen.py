# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation as a person sees it: tables and blocks that fit a terminal, each line with the tone it is said in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.ops.runbook.plugins.module_utils.console import report
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Outcomes, Plans
from ansible_collections.ops.runbook.plugins.module_utils.console.table import fitted, wrapped
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label, typed

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan, Planned

GOOD, BAD, WARNING, HEAD, PLAIN = "good", "bad", "warning", "head", ""

#: The width for a log, which is not a terminal that could be asked.
LOG_WIDTH = 120


class Line(NamedTuple):
    """One line, and its tone."""

    text: str
    tone: str = PLAIN


# -- layout --------------------------------------------------------------------------------------


#: A way forward as operation_report prints it: what to type, and perhaps what that does.
_WAY = re.compile(r"(?P<typed> {4}\S+(?: \S+)*)(?: {2,}(?P<effect>\S.*))?")


def folded(lines: Iterable[str], width: int) -> list[str]:
    """Lines folded between words; a continuation is under its text and not under its title.

    A command is never folded: it is on a line of its own, which can be copied.
    """
    found: list[str] = []
    for line in lines:
        way = _WAY.fullmatch(line) if len(line) > width else None
        if way and (not way["effect"] or len(way["typed"]) + 6 > width // 2):
            found.append(way["typed"])
            found += wrapped(f"      {way['effect']}", width, "      ") if way["effect"] else []
            continue
        # `title     text`, `  1. text` and `    -e input=  what it does` have their text after the last wide gap.
        gap = re.match(r"\s*(?:\S+(?: \S+)*?\s{2,})?(?:\d+\.\s)?", line)
        hang = min(len(gap.group()) if gap else 0, width // 2)
        found += wrapped(line, width, " " * hang) if len(line) > width else [line]
    return found


# -- the plan ------------------------------------------------------------------------------------


def plan_screen(results: Plans, width: int) -> list[Line]:
    """The plan as a table, then what the hosts have in common or not."""
    planned = {host: (result, plan) for host, result in results.items() if (plan := result.get("plan"))}
    header = ("host", "from", "to", "chosen", "migrations", "lease")
    rows = [
        (host, *_ends(result, plan), str(plan.get("chosen") or "-"), _migrations(plan), _lease(result))
        for host, (result, plan) in planned.items()
    ]
    (head, *shown) = fitted(header, rows, width)
    lines = [Line(text, HEAD) for text in head] + [Line(text) for row in shown for text in row]
    groups: list[tuple[list[str], list[str]]] = []
    for host, (result, _plan) in planned.items():
        # The first two lines name the operation and how its target was chosen, which the table has.
        details = report.plan_details(result)[2:]
        same = next((hosts for hosts, known in groups if known == details), None)
        if same is None:
            groups.append(([host], details))
        else:
            same.append(host)
    for hosts, details in groups:
        lines += [Line("")] + ([Line(f"on {', '.join(hosts)}:", HEAD)] if len(groups) > 1 else [])
        lines += [Line(text, _detail_tone(text)) for text in folded(details, width)]
    return lines


def _ends(result: Planned, plan: Plan) -> tuple[str, str]:
    if result.get("direction") == "back":
        return "between two releases", label(plan.get("from"))
    return label(plan.get("from")), label(plan.get("to"))


def _migrations(plan: Plan) -> str:
    migrations = plan.get("migrations")
    if not migrations:
        return "-"
    if migrations.get("down"):
        return f"{len(migrations['down'])} undone"
    if migrations.get("run"):
        return f"{len(migrations['run'])} run"
    if migrations["verdict"] == "same":
        return "none known" if migrations.get("unasked") else "none"
    return f"{migrations['verdict']}, {'run as found' if migrations.get('migrate') else 'none run'}"


def _lease(result: Planned) -> str:
    return "taken" if result.get("opened") else "free"


def _detail_tone(text: str) -> str:
    return {"WARNING": WARNING, "DESTROYS": BAD}.get(text.split(" ", 1)[0], PLAIN)


# -- refusals and other ends ---------------------------------------------------------------------


def block(text: str, width: int) -> list[Line]:
    """A refusal, or why a run is not green: the heading line of each part is loud."""
    lines: list[Line] = []
    for line in text.split("\n"):
        tone = BAD if line and not line.startswith((" ", "Nothing was changed")) else PLAIN
        # A heading continues in the column of its details.
        parts = wrapped(line, width, "  ") if tone and len(line) > width else folded([line], width)
        lines += [Line(part, tone) for part in parts]
    return lines


def summary_screen(outcomes: Outcomes, width: int) -> list[Line]:
    """How it ended on each host, with what the notes of an incident want."""
    header = ("host", "outcome", "seconds", "request ids", "ledger id")
    rows = [
        (
            host,
            report.outcome_of(result),
            report.seconds_of(result),
            ", ".join(report.request_ids(result)) or "-",
            str((result.get("record") or {}).get("id") or "-"),
        )
        for host, result in outcomes.items()
    ]
    (head, *shown) = fitted(header, rows, width)
    lines = [Line(text, HEAD) for text in head]
    for result, (first, *more) in zip(outcomes.values(), shown):
        lines += [Line(first, outcome_tone(report.outcome_of(result))), *map(Line, more)]
    return lines + [Line(text) for text in folded(report.notes(outcomes), width)]


def settled(planned: Plans) -> str | None:
    """The value of `to` when a command is typed again; empty if the command has it already.

    A rollback to `previous` that went on by itself has made another release the previous one. None if the hosts go to
    different ones, so that no single command means the same.
    """
    plans = [plan for result in planned.values() if (plan := result.get("plan"))]
    if not any(plan.get("asked") == "previous" for plan in plans):
        return ""
    targets = {typed(plan["to"]) for plan in plans if plan.get("to")}
    return targets.pop() if len(targets) == 1 else None


def outcome_tone(outcome: str) -> str:
    """How loud an outcome is."""
    if outcome in ("succeeded", "unchanged"):
        return GOOD
    return WARNING if outcome in ("reverted", "untouched", "refused") else BAD


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
