# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making the parts of a dump: each database, read through and compared with its server, and the roles beside them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import database_dump
from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import BadDump
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.postgres_dump import CLUSTER_TRAILER, PostgresDump
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.host import held_path
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump import databases
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump.databases import Table
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster

#: Dumps of a database that is written to so much that no two counts bound its rows.
_ATTEMPTS = 3
#: Seconds for counting the rows of a database.
_COUNT_SECONDS = 14400.0
ROLES = "roles.sql"


def file_of(database: str) -> str:
    """The file of a database's part, without what encryption adds."""
    return f"database-{database}.tar"


class Maker:
    """Makes the parts of one backup. identity: its id. public_key: what it is encrypted to; empty for none."""

    def __init__(self, cluster: Cluster, store: Store, identity: str, public_key: str) -> None:
        self._cluster, self._store, self._identity, self._public_key = cluster, store, identity, public_key

    def database(self, name: str) -> dict[str, Any]:
        """Dump a database; what a killed run left of it is written over. Raises BadDump, CommandFailed and OSError."""
        self._store.begin(self._identity)
        folder = self._store.making(self._identity, f".dump-{name}")
        try:
            facts = self._proven(name, folder)
            part = self._write(file_of(name), "database", name, lambda take: _packed(folder, take, facts))
        finally:
            # It is not encrypted.
            held_path.remove_tree(self._store.folder, folder, ignore_errors=True)
        return {
            "size": part.size,
            "sha256": part.sha256,
            "tables": len(facts["rows"]),
            "rows": sum(facts["rows"].values()),
        }

    def _proven(self, name: str, folder: str) -> dict[str, Any]:
        """Dump into a folder until its rows are those of the database. Returns its facts."""
        wrong: list[str] = []
        for _ in range(_ATTEMPTS):
            held_path.remove_tree(self._store.folder, folder, ignore_errors=True)
            before = self._rows(name)
            self._cluster.dump(name, folder)
            reader = database_dump.reader("postgres")
            self._cluster.read_through(folder, reader.feed)
            found = reader.contents()
            if found.problem:
                raise BadDump(f"the dump of {name} is not whole: {found.problem}")
            # Tables of extensions are in it if an extension says so; nothing else was counted.
            rows = {table: count for table, count in found.rows.items() if table not in self._of_extensions(name)}
            wrong = database_dump.unproven(rows, before, self._rows(name))
            if not wrong:
                return {"rows": rows, "server": found.server}
        raise BadDump(f"the dump of {name} is not what the database has: {'; '.join(wrong[:6])}")

    def _tables(self, name: str) -> list[Table]:
        return databases.tables(self._cluster.query(databases.TABLES, name))

    def _of_extensions(self, name: str) -> set[str]:
        return {table.title for table in self._tables(name) if table.extension}

    def _rows(self, name: str) -> dict[str, int]:
        own = [table for table in self._tables(name) if not table.extension]
        return databases.counted(self._cluster.query(databases.count(own), name, _COUNT_SECONDS), own)

    def roles(self) -> dict[str, Any]:
        """Dump the roles of the cluster, without their passwords. Raises BadDump and CommandFailed."""
        self._store.begin(self._identity)

        def fill(take: Callable[[bytes], None]) -> dict[str, Any]:
            reader = PostgresDump(CLUSTER_TRAILER)

            def both(piece: bytes) -> None:
                reader.feed(piece)
                take(piece)

            self._cluster.roles(both)
            problem = reader.contents().problem
            if problem:
                raise BadDump(f"the dump of the roles is not whole: {problem}")
            return {}

        part = self._write(ROLES, "roles", "", fill)
        return {"size": part.size, "sha256": part.sha256}

    def _write(
        self, file: str, kind: str, name: str, fill: Callable[[Callable[[bytes], None]], dict[str, Any]]
    ) -> Part:
        return self._store.write(self._identity, file, self._public_key, fill, kind, name)


class _Sink:
    """A file for tarfile that hands on whatever is written."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, piece: bytes) -> int:
        self._take(piece)
        return len(piece)


def _packed(folder: str, take: Callable[[bytes], None], facts: dict[str, Any]) -> dict[str, Any]:
    """The files of a dump as one file, which `tar -x` unpacks for pg_restore."""
    with tarfile.open(fileobj=_Sink(take), mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for name in sorted(os.listdir(folder)):
            archive.add(os.path.join(folder, name), name, recursive=False)
    return facts
