# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions about a backup: why none is made now, which one a step made, and whether it can be restored. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive as wal_archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import wal_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Rows of a status that a backup does not make worse, and that a person should know before it.
_TOLD = ("archive", "window", "fork", "timelines", "doubles", "server", "pages", "disk", "own WAL")
_STATUS = ("postgres_backup_status", "shows all that it rests on")


def refusal(stanza: Stanza, server: Server, rows: Sequence[Row]) -> Problem | None:
    """Why no backup is begun; None where one can be made. rows: of the status."""
    if stanza.code not in (pgbackrest.OK, pgbackrest.NO_BACKUP):
        text = f"pgBackRest has no repository for stanza {stanza.name}: {stanza.message} (status {stanza.code})"
        way = ("postgres_stanza=<name>", "in the inventory names another one")
        return Problem("no_stanza", text, (way, _STATUS), stanza.troubles)
    if server.problem:
        return Problem("server_down", f"the server can't be asked: {server.problem}", (_STATUS,))
    if server.standby:
        text = "this server is a standby, and its cluster is backed up by the primary"
        return Problem("standby", text, (("target=<host>", "names the primary"),))
    if server.system != stanza.system:
        text = f"the repository is of cluster {stanza.system}, and the server is {server.system or 'not known'}"
        way = ("postgres_stanza=<name>", "in the inventory names the stanza of this cluster")
        return Problem("other_cluster", text, (way, _STATUS))
    if stanza.busy:
        text = f"a backup of stanza {stanza.name} is under way, which no operation of the ledger began"
        return Problem("backup_runs", text, (("the same command", "once it has ended"), _STATUS))
    archiver = next((row for row in rows if row.topic == "archiver" and row.level == BAD), None)
    if archiver is not None:
        text = f"a backup waits for its WAL, and the archiver is not well: {archiver.text}"
        return Problem("archiver", text, (_STATUS,), archiver.ways)
    return None


def warnings(rows: Sequence[Row], stanza: Stanza, kind: str) -> list[str]:
    """Lines that a person should know before the backup."""
    found = [f"{row.topic}: {row.text}" for row in rows if row.topic in _TOLD and row.level in (WARN, BAD)]
    if kind != "full" and not any(backup.kind == "full" for backup in stanza.backups):
        found.append("the repository has no full backup yet, so pgBackRest makes a full one")
    return found


def made(stanza: Stanza, since: float, kind: str) -> Backup | None:
    """The newest backup of a kind that ended after a unix time; pgBackRest makes a full one where it has none yet."""
    found = [one for one in stanza.backups if one.stop > since and one.kind in (kind, "full")]
    return found[-1] if found else None


def problem_of(stanza: Stanza, archive: Archive, backup: Backup | None) -> str:
    """Why the backup that was to be made can't be restored; empty where it can."""
    if backup is None:
        return "the repository has no newer backup than before"
    if stanza.code != pgbackrest.OK:
        return f"the repository says {stanza.message} (status {stanza.code})"
    own = wal_of(backup, archive)
    if own is None:
        return f"{backup.label} names no WAL"
    lacking = wal_archive.missing(archive, *own)
    if lacking:
        return f"{backup.label} can't be restored: its own WAL {archive.name(lacking[0])} is missing in the archive"
    if backup.failed_pages:
        return f"{backup.label} holds pages of the database whose checksum is wrong"
    return ""
