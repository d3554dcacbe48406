# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rungs of a drill: what each answer of a restored cluster proves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill.decide import Database
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import moment

GOOD, BAD, NOT_CLIMBED = "good", "bad", "not climbed"
#: Rungs that no drill climbs yet; a report names them, so that nobody takes them for proven.
NEVER = {
    "application": "the application was not started on the restored data",
    "row hashes": "rows were counted, and not compared with those of the last drill",
    "migrations": "the position of the migrations was not compared with that of the release",
}


@dataclass(frozen=True)
class Rung:
    """One rung. verdict: good, bad or not climbed. text: for a person."""

    rung: str
    verdict: str
    text: str
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        return asdict(self)


def judged(rung: str, trouble: str, well: str) -> Rung:
    """A rung that is bad with a trouble, and good without one."""
    return Rung(rung, BAD if trouble else GOOD, trouble or well)


def not_climbed(rung: str, why: str) -> Rung:
    return Rung(rung, NOT_CLIMBED, why)


def restored(answer: Mapping[str, Any], system: str) -> Rung:
    """The cluster after its replay. system: the identifier that the repository has."""
    if answer.get("system") != system:
        trouble = f"it is cluster {answer.get('system')}, and the repository is of {system}"
        return judged("promoted", trouble, "")
    last = answer.get("replayed") or "none after the backup"
    return judged("promoted", "", f"timeline {answer.get('timeline')}, last transaction {last}")


def ready(answer: Mapping[str, Any], goal: int) -> tuple[Rung, float]:
    """The rung of the recovery time, and that time in seconds. goal: seconds; 0 sets no goal."""
    rto = round(float(answer["ready"]) - float(answer["begun"]), 1)
    late = f"ready after {rto:g} s, the goal is {goal} s" if goal and rto > goal else ""
    return judged(
        "ready", late, f"ready after {rto:g} s" + (f", the goal is {goal} s" if goal else ", no goal is set")
    ), rto


def databases(answer: Mapping[str, Any], wanted: Sequence[Database], before: Mapping[str, Any]) -> Rung:
    """Databases, roles and extensions against the inventory and the last drill. before: its answer; may be empty."""
    found = {str(one["name"]): one for one in answer["databases"]}
    troubles = [f"database {one.name} is missing" for one in wanted if one.name not in found]
    if answer["recovery"]:
        troubles.append("the cluster is still in recovery")
    for name, one in found.items():
        if one["encoding"] == "SQL_ASCII":
            troubles.append(f"{name} is SQL_ASCII, which takes any byte")
        if one["recorded"] != one["actual"]:
            troubles.append(
                f"{name} has the collation version {one['recorded']}, and this host {one['actual']}: check indexes"
            )
    troubles += list(_changed(found, {str(one["name"]): one for one in before.get("databases", [])}))
    gone = sorted({*before.get("roles", [])} - {*answer["roles"]})
    if gone:
        troubles.append(f"role {', '.join(gone)} of the last drill is missing")
    undeclared = sorted({*found} - {one.name for one in wanted} - {"postgres"})
    more = f"; not in postgres_databases: {', '.join(undeclared)}" if undeclared else ""
    return judged("databases", "; ".join(troubles), f"{', '.join(found)}; {len(answer['roles'])} roles{more}")


def _changed(found: Mapping[str, Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for name in found.keys() & before.keys():
        if found[name]["encoding"] != before[name]["encoding"]:
            yield f"{name} is {found[name]['encoding']}, and was {before[name]['encoding']} in the last drill"
        lost = {one.split()[0] for one in before[name]["extensions"]} - {
            one.split()[0] for one in found[name]["extensions"]
        }
        if lost:
            yield f"{name} lacks the extension {', '.join(sorted(lost))} of the last drill"


def rows(answer: Mapping[str, Any], wanted: Sequence[Database], filled: Mapping[str, Sequence[str]]) -> Rung:
    """Least rows of tables, and no row where none is declared. filled: by empty database, its tables with a row."""
    troubles, count = [], 0
    for one in wanted:
        for table, least in one.tables.items():
            count += 1
            seen = answer.get(one.name, {}).get(table) or {"problem": "not counted"}
            if "problem" in seen:
                troubles.append(f"{one.name} {table}: {seen['problem']}")
            elif seen["rows"] < least:
                troubles.append(f"{one.name} {table} has {seen['rows']} rows, at least {least} are expected")
        if one.empty and one.name not in filled:
            troubles.append(f"{one.name} was not looked through")
        elif one.empty and filled[one.name]:
            troubles.append(f"{one.name} is declared empty, and {filled[one.name][0]} has rows")
    empty = sum(one.empty for one in wanted)
    return judged(
        "rows", "; ".join(troubles), f"{count} tables have their least rows, {empty} databases are empty as declared"
    )


def heartbeat(newest: float | None, target: float, every: int, goal: int) -> tuple[Rung, float | None]:
    """The rung of lost time, and that time in seconds. target: unix time up to which nothing should be lost."""
    if newest is None:
        return judged("heartbeat", "the table of the heartbeat is empty", ""), None
    rpo = round(target - newest, 1)
    text = f"the newest row is of {moment(newest)}, {rpo:g} s before"
    if rpo < -every:
        return judged("heartbeat", f"{text}: its clock is not that of this host", ""), rpo
    late = f"{text}; the goal is {goal} s" if goal and rpo > goal else ""
    return judged(
        "heartbeat", late, f"{text} (every {every} s" + (f", the goal is {goal} s)" if goal else ", no goal is set)")
    ), rpo


def sequences(behind: Mapping[str, Sequence[str]]) -> Rung:
    """Sequences below the greatest value of their column: the next insert fails."""
    found = [f"{database} {name}" for database, names in behind.items() for name in names]
    return judged(
        "sequences", f"behind their column: {', '.join(found[:5])}" if found else "", "each is ahead of its column"
    )


def tool(rung: str, answer: Mapping[str, Any], well: str) -> Rung:
    """The verdict of a program that reads the whole cluster. Without a code it did not run."""
    if answer["code"] is None:
        return not_climbed(rung, str(answer["said"]))
    return judged(rung, f"ended with {answer['code']}: {answer['said']}" if answer["code"] else "", well)


def verdict(rungs: Iterable[Rung]) -> str:
    """Why the drill is red; empty where it is green."""
    return "; ".join(f"{one.rung}: {one.text}" for one in rungs if one.verdict == BAD)


def gone(looked: Mapping[str, Any], operation: str, kept: bool) -> str:
    """The rest of a drill that should be gone; empty where it is gone. looked: the answer of the verb `look`."""
    if kept:
        return ""
    left = [f"the folder {one['id']}" for one in looked["rests"] if one["id"] == operation]
    left += [f"the unit {one}" for one in looked["units"]]
    left += [f"the process {one}" for one in looked["processes"]]
    return f"of the drill there is still {', '.join(left)}" if left else ""
