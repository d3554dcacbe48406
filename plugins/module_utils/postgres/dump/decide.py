# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions about a dump: why none is made now, and what a person should know before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump.databases import Table
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

STATUS = ("postgres_backup_status", "shows all that it rests on")
ROOM_WAYS = (
    ("postgres_backup_keep", "in the inventory keeps fewer backups"),
    ("postgres_backup_dir=<folder>", "in the inventory makes them on another disk"),
)
_SHOWN = 6


def refusal(server: Server, own: Sequence[Manifest]) -> Problem | None:
    """Why no dump is begun; None where one can be made. own: the backups of this service in the folder."""
    if server.problem:
        return Problem("server_down", f"the server can't be asked: {server.problem}", (STATUS,))
    other = next((one for one in reversed(own) if one.source and one.source != server.system), None)
    if other is not None and server.system:
        text = f"the backup {other.id} in the folder is of cluster {other.source}, and the server is {server.system}"
        return Problem("other_cluster", text, (ROOM_WAYS[1], STATUS))
    return None


def missing(names: Sequence[str], there: Sequence[str]) -> Problem | None:
    """A refusal of databases that the server has not."""
    if not names:
        return None
    text = f"the server has no database {', '.join(names)}; it has {', '.join(there)}"
    return Problem("no_database", text, (("postgres_databases", "in the inventory names those it has"),))


def unreadable(database: str, tables: Sequence[Table]) -> Problem | None:
    """A refusal of a database of which this user may not read all."""
    names = [table.title for table in tables if not table.readable and not table.extension]
    if not names:
        return None
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    text = f"{user_name()} may not read these tables of {database}: {', '.join(names[:_SHOWN])}{more}"
    way = ("psql -c 'GRANT pg_read_all_data TO <role>'", "as postgres, once, lets the role of this user read them")
    return Problem("unreadable_tables", text, (way,))


def warnings(bad: Mapping[str, str], encrypted: bool) -> list[str]:
    """Lines that a person should know before a dump. bad: what in the folder is not a backup."""
    found = [f"{name} is not a backup: {why}" for name, why in bad.items()]
    if not encrypted:
        found.append("it is not encrypted, and holds all data of the databases (postgres_backup_public_key)")
    return found
