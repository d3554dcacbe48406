# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of procedures that only read: the status of a service, and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import unanswered
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Results
from ansible_collections.ops.runbook.plugins.module_utils.console.table import table
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

_MARKS = {"ok": "ok", "warn": "WARN", "bad": "BAD"}

#: The document for programs about a host.
_DOCUMENT = (
    "exists",
    "subject",
    "records",
    "total",
    "left_out",
    "chain",
    "lease",
    "interrupted",
    "releases",
    "current",
    "previous",
    "msg",
    "unreachable",
)


# -- status --------------------------------------------------------------------------------------


def status_lines(results: Results) -> list[str]:
    """One screen. For one host every row; for several a table of verdicts, then only what is not well."""
    if len(results) == 1:
        host, result = next(iter(results.items()))
        problem = unanswered.said(result, "verdict")
        if problem:
            return [f"BAD   {host} {problem}"]
        return [_headline(host, result), "", *_rows(result["rows"])]
    lines = table(
        ("host", "verdict", "release", "what"),
        [
            (host, _level(result), _released(result), unanswered.said(result, "verdict") or result["verdict"]["text"])
            for host, result in results.items()
        ],
    )
    for host, result in results.items():
        rows = [row for row in result.get("rows") or [] if row["level"] != "ok"]
        if rows:
            lines += ["", f"on {host}:", *_rows(rows)]
    return lines


def _headline(host: str, result: Mapping[str, Any]) -> str:
    return f"{_level(result)}: {host}: {result['verdict']['text']}"


def _level(result: Mapping[str, Any]) -> str:
    return _MARKS[result["verdict"]["level"]].upper() if "verdict" in result else "BAD"


def _released(result: Mapping[str, Any]) -> str:
    return label((result.get("facts") or {}).get("release"))


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    width = max((len(row["topic"]) for row in rows), default=0)
    lines: list[str] = []
    for row in rows:
        lines.append(f"{_MARKS[row['level']]:<4}  {row['topic']:<{width}}  {row['text']}".rstrip())
        lines += [f"{'':<{width + 8}}{detail}" for detail in row["details"]]
    return lines


# -- history -------------------------------------------------------------------------------------


def history_lines(results: Results) -> list[str]:
    """The ledger of each host, newest last, then its releases, its lease and what is unfinished."""
    lines: list[str] = []
    for host, result in results.items():
        lines += ([""] if lines else []) + _host_history(host, result)
    return lines


def _host_history(host: str, result: Mapping[str, Any]) -> list[str]:
    problem = unanswered.said(result, "chain")
    if problem:
        return [f"{host} {problem}"]
    result = _unpacked(result)
    lines = _chain_lines(host, result)
    if result["records"]:
        lines += ["", *_record_lines(result["records"])]
    more = (result.get("left_out") or {"records": 0})["records"]
    if more != 0:
        older = "there may be older ones" if more is None else f"{_count(more, 'older record')} not shown"
        lines.append(f"{older}; -e limit=0 shows all")
    if result["releases"]:
        lines += ["", *_release_lines(result)]
    return lines + _standing_lines(result)


def _unpacked(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result with its lists, however they came."""
    packed = result.get("packed")
    return result if packed is None else {**result, **foreign_json.load_object(packed)}


def _chain_lines(host: str, result: Mapping[str, Any]) -> list[str]:
    chain, shown, total = result["chain"], len(result["records"]), result["total"]
    if not chain["ok"]:
        problems = [f"  {problem}" for problem in chain["problems"]]
        lines = [f"{host}: THE LEDGER WAS EDITED OR IS INCOMPLETE:", *problems]
    elif not total:
        lines = [f"{host}: no operation was ever recorded here"]
    else:
        some = f", {shown} shown" if shown != total else ""
        of = f" of {Subject(**result['subject'])}" if result.get("subject") else ""
        lines = [f"{host}: {_count(total, 'record')}{of}{some}, each follows from the one before it"]
        if chain.get("verified"):
            lines.append(f"  all of them were read {_clock(chain['verified'])} UTC, and only operations added more")
            lines.append("  -e verify=true reads all of them now")
    if chain["torn"]:
        lines.append("  the last line was cut short, as by a power cut; the next record sets it aside")
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _record_lines(records: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (
            _clock(record.get("finished")),
            str(record.get("procedure")),
            str(record.get("outcome")),
            label(record.get("from")),
            label(record.get("to")),
            str((record.get("actor") or {}).get("user") or "-"),
            str(record.get("id")),
            _shorten("; ".join(str(record[key]) for key in ("reason", "error") if record.get(key))),
        )
        for record in records
    ]
    return table(("finished (UTC)", "procedure", "outcome", "from", "to", "by", "operation", "reason, error"), rows)


def _shorten(text: str, width: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _clock(moment: Any) -> str:
    return str(moment or "")[:19].replace("T", " ")


def _release_lines(result: Mapping[str, Any]) -> list[str]:
    rows = []
    for release in result["releases"]:
        marks = []
        if release["current"]:
            marks.append("current")
        if release["previous"]:
            marks.append("previous: a rollback goes here")
        if not release["good"]:
            marks.append(f"condemned by {release['condemned_by']}")
        rows.append((label(release), _clock(release["since"]), "good" if release["good"] else "BAD", ", ".join(marks)))
    lines = table(("release", "since (UTC)", "", ""), rows)
    more = (result.get("left_out") or {}).get("releases")
    if more:
        lines.append(f"{_count(more, 'older release')} not shown; -e limit=0 shows all")
    if not result["previous"]["id"]:
        lines.append(f"a rollback to `previous` is refused: {result['previous']['why_none']}")
    over = result["previous"].get("passed_over")
    return lines + (["`previous` passes over:", *(f"  {line}" for line in _first(over))] if over else [])


def _first(lines: Sequence[str], count: int = 20) -> list[str]:
    """So many of the lines, and how many more there are."""
    return [*lines[:count], *([f"and {len(lines) - count} more"] if len(lines) > count else [])]


def _standing_lines(result: Mapping[str, Any]) -> list[str]:
    lease, unfinished = result["lease"], result["interrupted"]
    lines: list[str] = []
    if lease:
        word = {
            "running": "is at work on this host now",
            "waiting": f"holds the lease, until {_clock(lease['expires'])} UTC if it is not renewed",
            "died": "held the lease when its process died; the next operation may take it",
            "expired": "let its lease expire; the next operation may take it",
        }.get(lease["standing"], lease["standing"])
        lines.append(f"lease        {lease['holder']} {word}")
    if unfinished:
        lines.append(
            f"interrupted  operation {unfinished['operation']} ({unfinished['procedure']} from "
            f"{label(unfinished['from'])} to {label(unfinished['to'])}): {unfinished['text']}"
        )
        ways = " or ".join(f"-e interrupted={way}" for way in unfinished["ways"])
        lines.append(f"             {unfinished['verdict']}; run the procedure again with {ways}")
    return ["", *lines] if lines else []


def history_document(results: Results) -> dict[str, Any]:
    """The same for a program: hosts by name, each as the module returned it, without what only Ansible needs."""
    return {
        "schema": 1,
        "hosts": {
            host: {key: whole[key] for key in _DOCUMENT if key in whole}
            for host, whole in ((host, _unpacked(result)) for host, result in results.items())
        },
    }
