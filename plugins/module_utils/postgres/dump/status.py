# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the dumps of a cluster are: one look at their folder and at the server, and a row for each question."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from ansible_collections.ops.runbook.plugins.module_utils.backup import retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row, disk_row, disks
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump.procedure import folder_of
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza, Verified
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import judge as by_pgbackrest
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading

#: Settings of a server that say nothing about a dump.
_OF_WAL = ("settings", "waiting", "archiver", "wal", "position")


@dataclass(frozen=True)
class Dumps:
    """The folder as it was read. here: whole backups of this service, the oldest first. bad: other folders, with why.

    ahead: ids of backups of the future. named: the databases that have to be in each. room: for the next backup.
    """

    reading: Reading
    folder: str
    here: Sequence[Manifest]
    bad: dict[str, str]
    ahead: Sequence[str]
    named: Sequence[str]
    room: Room


def read(cluster: Cluster, otherwise: str, verify: bool) -> Dumps:
    """Read the folder and ask the server. otherwise: the folder of a cluster that names none."""
    store, name = Store(folder_of(cluster, otherwise)), cluster.description.name
    problems: dict[str, str] = {}
    try:
        found, bad = store.look()
    except OSError as error:
        found, bad = [], {}
        problems["stanza"] = f"{store.folder} can't be read: {error.strerror}"
    owner = Owner(name, (), clock.now().text)
    here = [one for one in retention.in_order(found, owner) if one.reason == "requested"]
    try:
        server = cluster.ask()
    except CommandFailed as error:
        server = Server(problem=str(error))
    source = here[-1].source if here else ""
    backups = tuple(_backup(one) for one in here)
    stanza = None if problems else Stanza(name, 0, "ok", system=source or server.system, backups=backups)
    reading = Reading(
        now=time.time(),
        stanza=stanza,
        server=server,
        verified=_verified(store, here) if verify and here else None,
        asked_to_verify=verify,
        problems={**problems, "server": server.problem, "verified": "there is no backup"},
        disks=tuple(disks([store.folder if os.path.isdir(store.folder) else os.path.dirname(store.folder)])),
    )
    newest = here[-1].size if here else 0
    room = disk_room.room_in(store.folder, 2 * newest, 16, 0)
    ahead = [one.id for one in retention.ahead(found, owner)]
    return Dumps(reading, store.folder, here, bad, ahead, [one.name for one in cluster.description.databases], room)


def _backup(one: Manifest) -> Backup:
    """A dump as the rows of a backup take it. Each is a full one."""
    made = clock.seconds(one.made) or 0.0
    return Backup(one.id, "full", made, made, ("", ""), one.size)


def _verified(store: Store, here: Sequence[Manifest]) -> Verified:
    lines = tuple(f"{one.id}: {line}" for one in here for line in store.problems(one))
    return Verified(not lines, lines)


def judge(dumps: Dumps, limits: Limits) -> list[Row]:
    """The rows of the screen, in the order in which a person wants them. Pure."""
    reading = dumps.reading
    rows = [*_folder_rows(dumps)]
    if reading.stanza is not None:
        rows += by_pgbackrest.backup_rows(reading.stanza, reading.now, limits)
        rows += _content_rows(dumps, limits)
    rows += by_pgbackrest.verify_rows(reading)
    rows += _server_rows(reading.server)
    rows += [disk_row(disk, limits.disk_warn, limits.disk_bad) for disk in reading.disks]
    problem = disk_room.refuse(dumps.room, "the next backup", ())
    return [*rows, *([Row("room", WARN, problem.text)] if problem else [])]


def _folder_rows(dumps: Dumps) -> Iterator[Row]:
    reading, server = dumps.reading, dumps.reading.server
    if reading.stanza is None:
        yield by_pgbackrest.unknown(reading, "stanza", "folder")
        return
    source = dumps.here[-1].source if dumps.here else ""
    if source and server.system and source != server.system:
        yield Row("folder", BAD, f"{dumps.folder} is of another cluster: {source}, and the server is {server.system}")
    else:
        known = f", cluster {source}" if source else ""
        yield Row("folder", OK, f"{dumps.folder}: {len(dumps.here)} backups{known}")
    if dumps.bad:
        lines = tuple(f"{name}: {why}" for name, why in dumps.bad.items())
        yield Row("damaged", BAD, "folders that are not whole backups", lines[:6])
    if dumps.ahead:
        text = f"backups of a time to come, which nothing counts: {by_pgbackrest.some(dumps.ahead)}"
        yield Row("clock", BAD, text)


def _content_rows(dumps: Dumps, limits: Limits) -> Iterator[Row]:
    """The databases of the newest backup: each has to be in it, with not much fewer rows than in those before it."""
    if not dumps.here:
        return
    newest = {part.name: _rows(dumps.here[-1], part.name) for part in dumps.here[-1].of("database")}
    lacking = [name for name in dumps.named if name not in newest]
    if lacking:
        yield Row("databases", BAD, f"the newest backup has not: {', '.join(lacking)}", ways=("postgres_backup",))
        return
    for name in dumps.named:
        before = [_rows(one, name) for one in dumps.here[:-1] if any(part.name == name for part in one.of("database"))]
        usual = median(before) if before else 0
        if newest[name] * 100 < usual * (100 - limits.shrink):
            text = f"{name} has {newest[name]} rows in the newest backup, and {int(usual)} in those before it"
            yield Row("rows", BAD, text)
    tables = sum(len(part.facts.get("rows") or {}) for part in dumps.here[-1].of("database"))
    yield Row("databases", OK, f"{', '.join(dumps.named)}: {tables} tables, {sum(newest.values())} rows")


def _rows(backup: Manifest, name: str) -> int:
    parts = [part for part in backup.of("database") if part.name == name]
    return sum(sum((part.facts.get("rows") or {}).values()) for part in parts)


def _server_rows(server: Server) -> Iterator[Row]:
    if server.problem:
        yield Row("server", BAD, f"not known: {server.problem}")
        return
    about_dumps = Server({name: answer for name, answer in server.answers.items() if name not in _OF_WAL})
    found = [*by_pgbackrest.server_rows(Reading(now=0.0, server=about_dumps))]
    if found and found[0].level == WARN:
        yield found[0]
    else:
        yield Row("server", OK, "encodings and collations are as a restore needs them")
