# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions before a drill: what is restored, up to when, into which folder, and why not. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive as wal_archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Database as Named
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import moment, wal_of, window
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_GIB = 2**30
_END = ("the same command without to_time", "replays the archive to its end")


@dataclass(frozen=True)
class Database:
    """A database as the inventory expects it. tables: least rows by name. empty: it has no row, and that is well."""

    name: str
    tables: Mapping[str, int]
    empty: bool


def refuse_dumps(dumps: bool) -> Problem | None:
    """The refusal to drill a cluster that is dumped: no procedure restores a dump yet."""
    if not dumps:
        return None
    way = ("postgres_engine=pgbackrest", "in the inventory, where pgBackRest backs the cluster up")
    return Problem("drill_of_dumps", "a drill restores backups of pgBackRest, and postgres_engine is dump", (way,))


def databases(named: Sequence[Named]) -> list[Database]:
    """The databases of the inventory. Raises Problem where a drill of them would prove nothing."""
    found = [
        Database(one.name, {table: _number(least) for table, least in one.expect.items()}, one.empty) for one in named
    ]
    way = (
        "postgres_databases",
        "in the inventory names each database with `expect: {table: least rows}` or `empty: true`",
    )
    if not found:
        raise Problem("drill_databases", "postgres_databases names no database, so a drill would prove nothing", (way,))
    for one in found:
        if bool(one.tables) is one.empty:
            text = f"postgres_databases says of {one.name!r} neither which rows it has nor that it is empty"
            raise Problem(
                "drill_databases", text if not one.empty else f"{one.name!r} can't be empty with rows", (way,)
            )
        wrong = [table for table, least in one.tables.items() if least < 1]
        if wrong:
            text = f"postgres_databases expects no row of {wrong[0]!r} in {one.name!r}: name a number from 1 on"
            raise Problem("drill_databases", text, (way,))
    return found


def _number(text: str) -> int:
    """A least number of rows; 0 for a text that is not one, which is refused as such."""
    return int(text) if text.isdecimal() else 0


def until(text: str, now: float) -> float | None:
    """The unix time of the input to_time; None without one. Raises Problem."""
    if not text:
        return None
    way = ("to_time=2026-11-30T14:00:00+00:00", "a time with its zone; Z is UTC")
    try:
        found = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1] in "zZ" else text)
    except ValueError:
        raise Problem("to_time_unreadable", f"to_time={text} is not a time", (way,)) from None
    if found.tzinfo is None:
        raise Problem("to_time_without_zone", f"to_time={text} has no zone, so it may mean another hour", (way,))
    if found.timestamp() > now:
        raise Problem("to_time_in_future", f"to_time={text} is in the future", (way, _END))
    return found.timestamp()


def as_target(seconds: float) -> str:
    """A unix time as recovery_target_time has it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def chosen(stanza: Stanza, archive: Archive, asked: str, target: float | None) -> Backup:
    """The backup that is restored. asked: `latest` or a label. Raises Problem."""
    usable = [one for one in stanza.backups if one.database == stanza.database and one.repository == 1]
    labels = [one.label for one in usable]
    ways = [(f"backup={label}", "restores that one") for label in labels[-3:]]
    if not usable:
        text = f"the repository has no backup of stanza {stanza.name}: {stanza.message} (status {stanza.code})"
        raise Problem("no_backup", text, (("postgres_backup", "makes one"),), stanza.troubles)
    if asked not in ("latest", *labels):
        raise Problem("no_backup", f"the repository has no backup {asked}", ways)
    wanted = [one for one in usable if asked in ("latest", one.label)]
    if target is None:
        return wanted[-1]
    reach = window(stanza, archive, wal_archive.gaps(archive))
    if reach is not None and target > reach.end:
        text = f"the archive reaches {moment(reach.end)}, and to_time is after that"
        raise Problem("to_time_after_window", text, (_END,))
    before = [one for one in wanted if one.stop <= target]
    if not before:
        text = f"to_time is before the end of the backup {wanted[0].label}, {moment(wanted[0].stop)}"
        raise Problem("to_time_before_window", text, (("to_time=<a later time>", "lies in the window"), _END))
    return before[-1]


def refusal(looked: Mapping[str, Any], name: str, stanza: str) -> Problem | None:
    """Why no drill is begun on a host. looked: the answer of the program's verb `look`. name: of the cluster."""
    setup = looked["setup"]
    again = ("ansible-playbook ops.runbook.postgres_drill_setup", "writes the setup of this host anew, as root")
    folder = str(setup["folder"])
    if setup["stanza"] != stanza:
        text = f"the setup of this host drills stanza {setup['stanza']}, and the inventory has {stanza}"
        return Problem("drill_other_stanza", text, (again,))
    near = next((one for one in looked["servers"] if _inside(folder, one) or _inside(one, folder)), "")
    if near:
        text = f"the drill folder {folder} lies with a cluster of this host, {near}"
        other = ("postgres_drill_folder=<path>", "in the inventory names another folder")
        return Problem("drill_is_production", text, (other, again))
    if looked["trouble"]:
        return Problem("drill_folder", f"the drill folder can't be used: {looked['trouble']}", (again,))
    if looked["strangers"]:
        text = f"the drill folder {folder} has {looked['strangers'][0]}, which no drill made"
        way = (f"ls -la {shlex.quote(folder)}", "on the host shows all of it")
        return Problem("drill_folder_not_empty", text, (way,))
    if looked["rests"]:
        one = looked["rests"][0]
        begun = f", begun {moment(float(one['begun']))}" if one.get("begun") else ""
        text = f"{folder} has the cluster of the drill {one['id']}{begun}"
        way = (f"sudo postgres-drill destroy {name} {one['id']}", "on the host removes it")
        return Problem("drill_rests", text, (way,))
    return None


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def room(looked: Mapping[str, Any], backup: Backup, reserve: int) -> Problem | None:
    """Why the disk is too full; None where it is not. reserve: GiB that stay free."""
    free, need = int(looked["free"]), backup.size + backup.size // 10
    if free >= need + reserve * _GIB:
        return None
    text = (
        f"the drill folder has {free / _GIB:.1f} GiB free; {backup.label} needs {need / _GIB:.1f} GiB,"
        f" and {reserve} GiB are to stay free"
    )
    ways = (
        ("postgres_drill_folder=<path>", "in the inventory, on a larger disk"),
        ("postgres_drill_disk_reserve=<GiB>", "in the inventory asks for less"),
    )
    return Problem("drill_disk", text, ways)


def repository_gap(archive: Archive, backup: Backup) -> str:
    """Why a replay from a backup does not reach the end of the archive; empty where it does."""
    own = wal_of(backup, archive)
    if own is None:
        return f"{backup.label} names no WAL of its own"
    lacking = wal_archive.missing(archive, *own)
    if lacking:
        return f"{backup.label} lacks its own WAL {archive.name(lacking[0])}"
    after = [gap for gap in wal_archive.gaps(archive) if gap.last.number > own[1].number]
    if after:
        count = sum(gap.count for gap in after)
        return f"{count} WAL file{'s are' if count > 1 else ' is'} missing, the first is {archive.name(after[0].first)}"
    return ""


def repository_trouble(stanza: Stanza) -> str:
    """The trouble that the status of the repository names; empty without one."""
    return "" if stanza.code == pgbackrest.OK else f"{stanza.message} (status {stanza.code})"
