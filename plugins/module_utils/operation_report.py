# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads of an operation: the plan, the refusal, the summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Results = Mapping[str, Mapping[str, Any]]


def label(release: Mapping[str, Any] | None) -> str:
    """A release for people: its name and the beginning of its id."""
    if not release or not release.get("id"):
        return "-"
    short = str(release["id"])[:10]
    return f"{release['name']} ({short})" if release.get("name") else short


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a plain table; the last column is not padded."""
    lines = [tuple(header), *[tuple(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[-1]]).rstrip() for line in lines]


# -- the decision for all hosts ------------------------------------------------------------------


def decision(results: Results, check_mode: bool) -> dict[str, Any]:
    """Whether the hosts go on: all do, or none.

    go: change the hosts. planned: there is a plan to show. refused: at least one host does not go on.
    refusal: one line that names the first of them.
    """
    refused = [host for host, result in results.items() if _problem(result)]
    return {
        "go": not refused and not check_mode,
        "planned": any(result.get("plan") for result in results.values()),
        "refused": bool(refused),
        "refusal": f"{refused[0]}: {_problem(results[refused[0]])}" if refused else "",
    }


def _problem(result: Mapping[str, Any]) -> str:
    if not result:
        return "it was not planned"
    if result.get("unreachable"):
        return f"it can't be reached: {result.get('msg', '')}"
    if result.get("refusal"):
        return str(result["refusal"]["text"])
    return "" if result.get("plan") else str(result.get("msg") or "it was not planned")


def halted(applied: Results) -> bool:
    """Whether a host that was worked on is not well, so that the following batches are left alone."""
    return any(result and not result.get("healthy") for result in applied.values())


# -- the plan ------------------------------------------------------------------------------------


def plan_lines(results: Results) -> list[str]:
    """The plan of all hosts. Hosts with the same plan are shown together."""
    planned = {host: result for host, result in results.items() if result.get("plan")}
    rows = []
    for host, result in planned.items():
        plan = result["plan"]
        if result.get("direction") == "back":
            rows.append((host, "between two releases", label(plan.get("from")), _amount(plan)))
        else:
            rows.append((host, label(plan.get("from")), label(plan.get("to")), _amount(plan)))
    lines = table(("host", "from", "to", "plan"), rows)
    shown: list[tuple[list[str], list[str]]] = []
    for host, result in planned.items():
        details = _plan_details(result)
        for hosts, known in shown:
            if known == details:
                hosts.append(host)
                break
        else:
            shown.append(([host], details))
    for hosts, details in shown:
        lines += [""] + ([f"on {', '.join(hosts)}:"] if len(shown) > 1 else []) + details
    return lines


def _amount(plan: Mapping[str, Any]) -> str:
    if "remaining" in plan:
        return f"{len(plan['remaining'])} steps remain"
    if not plan["steps"]:
        return "nothing to do: it is there already"
    return f"{len(plan['steps'])} steps"


def _plan_details(result: Mapping[str, Any]) -> list[str]:
    plan = result["plan"]
    lines = [f"{plan['procedure']}, operation {result['operation']}", f"chosen    {plan['chosen']}"]
    back = result.get("direction") == "back"
    if plan.get("proven") and plan["proven"] not in plan["chosen"] and not back:
        lines.append(f"proven    {plan['proven']}")
    if not back:
        lines += _going_lines(plan)
    steps = plan["undo"] if back else plan["steps"]
    remaining = plan.get("remaining")
    titles = [step["title"] for step in steps if remaining is None or step["id"] in remaining]
    lines += _titled("steps", [f"{number}. {title}" for number, title in enumerate(titles, start=1)])
    lines += [f"WARNING   {warning}" for warning in plan.get("warnings") or []]
    return lines


def _going_lines(plan: Mapping[str, Any]) -> list[str]:
    """What the way forward brings with it; a way back has none of it."""
    lines = _migration_lines(plan.get("migrations"))
    if plan.get("vendor"):
        meaning = {
            "same": "unchanged, Composer is not needed",
            "kept": "from the tree kept on this host, Composer is not needed",
            "composer": "composer install",
        }
        lines.append(f"vendor    {meaning.get(plan['vendor'], plan['vendor'])}")
    if plan.get("maintenance") and plan["procedure"] != "maintenance":
        lines.append("down      the application is in maintenance mode, and stays in it")
    if plan.get("local_changes"):
        lines.append(f"discards  {len(plan['local_changes'])} changed files, saved beside the ledger first")
    return lines + _titled("commits", plan.get("commits") or [])


def _titled(title: str, entries: Sequence[str]) -> list[str]:
    return [f"{title if index == 0 else '':<10}{entry}" for index, entry in enumerate(entries)]


def _migration_lines(migrations: Mapping[str, Any] | None) -> list[str]:
    if not migrations:
        return []
    verdict, lines = migrations["verdict"], []
    text = {
        "same": "the database is where the target expects it",
        "ahead": f"the database has {len(migrations['ahead'])} that the target does not know",
        "behind": f"the target brings {len(migrations['behind'])} that the database does not have",
        "diverged": f"{len(migrations['ahead'])} unknown to the target, {len(migrations['behind'])} missing",
        "unknown": "where the database stands can't be told",
    }[verdict]
    if migrations["down"]:
        lines = [f"database  {text}; they are undone before the switch:"]
        lines += _sql_lines(migrations["down"], migrations["sql"])
        lines.append(f"DESTROYS  {', '.join(migrations['losses']) or 'no table and no column'}")
    elif migrations["run"]:
        lines = [f"database  {text}; they are run:", *_sql_lines(migrations["run"], migrations["sql"])]
    else:
        kept = {"keep": "; kept as it is", "skip": "; none is run"}.get(migrations["mode"], "")
        lines = [f"database  {text}{kept if verdict != 'same' else ''}"]
    return lines


def _sql_lines(names: Sequence[str], sql: Mapping[str, Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for name in names:
        lines += [f"          {name}", *[f"            {statement}" for statement in sql.get(name, [])]]
    return lines


# -- refusals ------------------------------------------------------------------------------------


def refusal_lines(results: Results) -> list[str]:
    """Why nothing was changed, on which host, and what to type next."""
    lines: list[str] = []
    for host, result in results.items():
        problem = _problem(result)
        if not problem:
            continue
        refusal = result.get("refusal") or {}
        code = f" ({refusal['code']})" if refusal else ""
        lines += [f"REFUSED on {host}{code}: {problem}"]
        lines += [f"  {detail}" for detail in refusal.get("details", [])]
        ways = refusal.get("ways", [])
        if ways:
            lines.append("  To go on, give one of:")
            typed = [_typed(way["input"]) for way in ways]
            width = max(map(len, typed))
            lines += [f"    {text.ljust(width)}  {way['effect']}" for text, way in zip(typed, ways)]
    good = [host for host, result in results.items() if not _problem(result)]
    lines.append("Nothing was changed" + (f", nor on {', '.join(good)}." if good else "."))
    return lines


def _typed(way: str) -> str:
    """An input as it is typed: each of several needs its own -e."""
    return re.sub(r"(?<!\S)(?=[a-z_]+=)", "-e ", way)


# -- the summary ---------------------------------------------------------------------------------


def summary_lines(results: Results) -> list[str]:
    """One table: host, outcome, from, to, seconds, request ids; then what needs a word."""
    rows = []
    for host, result in results.items():
        record, plan = result.get("record") or {}, (result.get("planned") or {}).get("plan") or {}
        # Of a release that failed, the failed answer is what the incident notes want.
        answers = record.get("failed_health") or record.get("health") or []
        answers = answers or (result.get("verified") or {}).get("health") or []
        ids = [check["request_id"] for check in answers if check.get("request_id")]
        seconds = sum(step["seconds"] for step in record.get("steps") or [])
        rows.append(
            (
                host,
                _outcome(result),
                label(record.get("from") or plan.get("from")),
                label(record.get("to") or plan.get("to")),
                f"{seconds:.1f}" if record else "-",
                ", ".join(dict.fromkeys(ids)) or "-",
            )
        )
    lines = table(("host", "outcome", "from", "to", "seconds", "request id"), rows)
    operations = sorted({str(result["operation"]) for result in results.values() if result.get("operation")})
    for record in (result["record"] for result in results.values() if result.get("record")):
        operations.append(record["id"])
        lines += _notes(record)
    for result in results.values():
        note = (result.get("verified") or {}).get("note")
        if note and note not in lines:
            lines.append(note)
    if operations:
        lines.append(f"recorded as operation {operations[-1]}")
    return lines


def _notes(record: Mapping[str, Any]) -> list[str]:
    migrations = record.get("migrations") or {}
    lines: list[str] = []
    if record["outcome"] == "reverted" and migrations.get("run"):
        lines.append("going back undid no migration; those of this deploy: " + ", ".join(migrations["run"]))
    if record["outcome"] == "succeeded" and migrations.get("mode") == "keep" and migrations.get("ahead"):
        lines.append("the database stays ahead by: " + ", ".join(migrations["ahead"]))
    for step, note in (record.get("notes") or {}).items():
        if isinstance(note, Mapping) and "saved" in note:
            lines.append(f"discarded changes are in {note['saved']}")
        elif isinstance(note, Mapping) and "kept" in note:
            lines.append(f"the damaged ledger is kept as {note['kept']}")
        elif step == "adopt":
            lines.append(str(note))
    return lines


def _outcome(result: Mapping[str, Any]) -> str:
    if not result:
        return "unknown"
    if result.get("unreachable"):
        return "unreachable"
    return str(result.get("outcome") or "unknown")


def trouble_lines(results: Results) -> list[str]:
    """Why the run is not green, host by host; empty when every host was verified."""
    lines: list[str] = []
    for host, result in results.items():
        outcome = _outcome(result)
        undone = outcome == "reverted" and (result.get("planned") or {}).get("direction") == "back"
        if outcome in ("succeeded", "unchanged") or undone:
            continue
        lines.append(f"{host}: {outcome}: {_why(result, outcome)}")
        if outcome == "reverted":
            lines.append(f"  {host} runs {label((result.get('record') or {}).get('from'))} again, verified.")
        elif outcome in ("unreachable", "unknown"):
            lines.append("  It may have gone on by itself. Before the same command again, look: operation_history.")
        elif outcome in ("refused", "interrupted") and result.get("settled", True):
            lines.append("  Nothing was changed on it.")
        elif not result.get("settled", True):
            lines.append("  The host is between two releases. The same command again says what can be done:")
            lines.append("  -e interrupted=resume goes on, -e interrupted=undo goes back.")
        else:
            record = result.get("record") or {}
            lines.append(f"  {host} is at {label(record.get('left') or record.get('to'))}, and not well.")
    return lines


def _why(result: Mapping[str, Any], outcome: str) -> str:
    if outcome in ("unreachable", "unknown"):
        return str(result.get("msg") or "the host did not answer")
    return str(result.get("error") or "no reason was recorded")
