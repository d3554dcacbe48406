# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of a diagnosis: the verdict, the next steps, then the facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import unanswered
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Results
from ansible_collections.ops.runbook.plugins.module_utils.console.table import table

_MARKS = {"ok": "OK", "warn": "WARN", "bad": "BAD"}


def diagnosis_lines(results: Results) -> list[str]:
    """One screen for each host."""
    lines: list[str] = []
    for host, result in results.items():
        lines += [""] if lines else []
        if "verdict" not in result:
            lines.append(f"BAD: {host} {unanswered.said(result, 'verdict')}")
            continue
        lines += _host_lines(host, result["verdict"], result["facts"])
    return lines


def _host_lines(host: str, verdict: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    lines = [f"{_MARKS[verdict['level']]}: {host}: {verdict['text']}"]
    if verdict["findings"]:
        lines.append("")
        lines += [f"{_MARKS[one['level']]:<4}  {one['text']}" for one in verdict["findings"]]
        lines += [f"next  {one['next']}" for one in _once(verdict["findings"])]
    lines += ["", *_containers(facts)] if facts["containers"] else []
    lines += ["", *_answers(facts)] if facts["answers"] else []
    lines += [""]
    lines += [
        f"disk  {disk['percent']:.0f} % used, {disk['free_bytes'] / 2**30:.1f} GiB free: {', '.join(disk['paths'])}"
        for disk in facts["disks"]
    ]
    for seen in facts["containers"]:
        if seen["log"]:
            lines += ["", f"last lines of {seen['name']}:", *[f"  {line}" for line in seen["log"]]]
        if seen["health"] == "unhealthy" and seen["checks"]:
            lines += ["", f"health checks of {seen['name']}:", *[f"  {line}" for line in seen["checks"]]]
    return lines


def _once(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({one["next"]: one for one in findings if one["next"]}.values())


def _containers(facts: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            seen["service"],
            seen["state"],
            seen["health"] or "-",
            f"{seen['exit_code']}{' OOM' if seen['oom_killed'] else ''}" if seen["state"] != "running" else "-",
            str(seen["restarts"]),
            _age(seen["up"]),
            facts["drift"].get(seen["service"]) or facts.get("builds", {}).get(seen["service"]) or "as pinned",
        )
        for seen in facts["containers"]
    ]
    there = {seen["service"] for seen in facts["containers"]}
    rows += [(name, "no container", "-", "-", "-", "-", "-") for name in facts["services"] if name not in there]
    return table(("service", "state", "health", "exit", "restarts", "up", "image"), rows)


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


def _answers(facts: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            "the host" if one["where"] == "host" else f"inside {one['where']}",
            one["name"],
            str(one["status"] or "-"),
            one["problem"] or "well",
        )
        for one in facts["answers"]
    ]
    return table(("asked from", "what", "status", ""), rows)
