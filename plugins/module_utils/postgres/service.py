# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL cluster on this host: what it is, and the programs that are asked about it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import SAFE_NAME
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import described
from ansible_collections.ops.runbook.plugins.module_utils.host import last_line
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import LastLine
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest, server
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Options
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Seconds beyond those of `timeout` on the host, which ends the program with its own rights.
_SPARE = 15.0
#: Seconds for psql, which asks a dozen questions.
_PSQL_SECONDS = 120.0
#: Seconds for a dump of a database, and for reading it through; and for a short answer of a program.
DUMP_SECONDS, READ_SECONDS = 86400.0, 300.0
_ENV = {"PGCONNECT_TIMEOUT": "10", "LC_ALL": "C.UTF-8"}
_STANZA = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Description(Options):
    """The cluster as the inventory describes it. See the role postgres' argument specs for the meaning."""

    @property
    def dumps(self) -> bool:
        """True if backups are dumps of databases."""
        return self.engine == "dump"

    @property
    def place(self) -> str:
        """The place that the records of this cluster are of."""
        return self.connection if self.dumps else self.stanza_name

    @property
    def stanza_name(self) -> str:
        """The stanza; that of a cluster that names none has the name of its service."""
        return self.stanza or self.name


def describe(raw: Mapping[str, Any]) -> Description:
    """The description in a module's `service` option. Raises Problem for one that can't be meant."""
    description = described(Description, raw)
    (_must_name_databases if description.dumps else _must_name_a_stanza)(description)
    _must_need_no_password(description)
    return description


def _must_name_a_stanza(description: Description) -> None:
    if not _STANZA.fullmatch(description.stanza_name) or description.stanza_name.startswith((".", "-")):
        way = ("postgres_stanza=<name>", "in the inventory names it with letters, digits, '-', '_' and '.'")
        raise Problem("stanza_name", f"{description.stanza_name!r} is not the name of a stanza of pgBackRest", (way,))


def _must_need_no_password(description: Description) -> None:
    problem = server.connection_problem(description.connection)
    if problem:
        way = ("postgres_connection=service=<name>", "in the inventory names an entry of ~/.pg_service.conf")
        raise Problem("connection_password", f"postgres_connection can't be used: {problem}", (way,))


def _must_name_databases(description: Description) -> None:
    """Raise Problem unless each database that is dumped has a name that may become that of a file."""
    names = [database.name for database in description.databases]
    wrong = [name for name in names if not SAFE_NAME.fullmatch(name)]
    if not names or wrong or len({*names}) < len(names):
        text = f"{', '.join(map(repr, wrong or names)) or 'nothing'} in postgres_databases can't be dumped"
        way = (
            "postgres_databases",
            "in the inventory names each database once, with letters and digits",
        )
        raise Problem("database_name", text, (way,))
    if description.backup_dir and not os.path.isabs(description.backup_dir):
        way = ("postgres_backup_dir=/srv/backups", "in the inventory is a full path")
        raise Problem("backup_dir", f"postgres_backup_dir is not a full path: {description.backup_dir!r}", (way,))


class Cluster:
    """The cluster, and the calls of its programs. Only `back_up` changes anything."""

    def __init__(self, description: Description, inherited: Sequence[int] = (), state_dir: str = "") -> None:
        self.description = description
        # Only who holds the guard's lock writes into its folder.
        told = LastLine(os.path.join(state_dir, last_line.NAME), str) if inherited else None
        self.commands = Commands("/", inherited, last_line=told)

    def info(self) -> str:
        """The answer of pgBackRest about the stanza. Raises CommandFailed."""
        return self._pgbackrest(pgbackrest.info_command(self.description.stanza_name), pgbackrest.READ_SECONDS)

    def archived(self) -> str:
        """The list of the WAL files in the repository. Raises CommandFailed."""
        return self._pgbackrest(pgbackrest.archive_command(self.description.stanza_name), pgbackrest.READ_SECONDS)

    def verify(self) -> str:
        """The answer of pgBackRest after it read every file. Raises CommandFailed."""
        return self._pgbackrest(pgbackrest.verify_command(self.description.stanza_name), pgbackrest.VERIFY_SECONDS)

    def back_up(self, kind: str) -> None:
        """Make a backup. kind: full, diff or incr. Raises CommandFailed."""
        words = pgbackrest.backup_command(self.description.stanza_name, kind)
        argv = self._as_owner(words, pgbackrest.BACKUP_SECONDS)
        self.commands.run(argv, timeout=pgbackrest.BACKUP_SECONDS + _SPARE, tell=True)

    def _pgbackrest(self, words: Sequence[str], seconds: int) -> str:
        return self.commands.run(self._as_owner(words, seconds), timeout=seconds + _SPARE).stdout

    def _as_owner(self, words: Sequence[str], seconds: int) -> list[str]:
        called = limited(self.description.pgbackrest, words, seconds)
        if user_name() == self.description.user:
            return called
        return ["sudo", "-n", "-u", self.description.user, *called]

    def rules(self) -> list[str]:
        """The rules of sudo that let this user look at the backups."""
        stanza = self.description.stanza_name
        asked = (
            (pgbackrest.info_command(stanza), pgbackrest.READ_SECONDS),
            (pgbackrest.archive_command(stanza), pgbackrest.READ_SECONDS),
            (pgbackrest.verify_command(stanza), pgbackrest.VERIFY_SECONDS),
        )
        begin = f"{user_name()} ALL=({self.description.user}) NOPASSWD:"
        return [f"{begin} {' '.join(limited(self.description.pgbackrest, *one))}" for one in asked]

    def ask(self) -> Server:
        """Ask the server about itself. Raises CommandFailed where psql does not run, or does not end."""
        argv = self._psql(self.description.connection)
        done = self.commands.run(argv, _ENV, stdin=server.script(), check=False, timeout=_PSQL_SECONDS)
        return server.read(done.code, done.stdout, done.stderr)

    def _psql(self, connection: str) -> list[str]:
        return [*self.description.psql, "-X", "-q", "-A", "-t", "-F", "|", "-w", "-d", connection]

    # -- dumps -----------------------------------------------------------------------------------

    def query(self, script: str, database: str = "", seconds: float = _PSQL_SECONDS) -> str:
        """The answer of a database to SQL, all of which has to succeed. Raises CommandFailed."""
        argv = [*self._psql(self._connection(database)), "-v", "ON_ERROR_STOP=1"]
        return self.commands.run(argv, _ENV, stdin=script, timeout=seconds).stdout

    def dump(self, database: str, folder: str) -> None:
        """Dump a database into a new folder, in the directory format. Raises CommandFailed."""
        words = ["-Fd", "-w", "-f", folder, "-d", self._connection(database)]
        self.commands.run([self._program("pg_dump"), *words], _ENV, timeout=DUMP_SECONDS, tell=True)

    def read_through(self, folder: str, take: Callable[[bytes], None]) -> None:
        """Read a whole dump, and hand on its SQL. Raises CommandFailed."""
        replace(self.commands, timeout=DUMP_SECONDS).stream(
            [self._program("pg_restore"), "-f", "-", folder], take, _ENV
        )

    def roles(self, take: Callable[[bytes], None]) -> None:
        """Hand on the SQL of the roles of the cluster, without their passwords. Raises CommandFailed."""
        words = ["--globals-only", "--no-role-passwords", "-w", "-d", self.description.connection]
        replace(self.commands, timeout=READ_SECONDS).stream([self._program("pg_dumpall"), *words], take, _ENV)

    def version(self) -> str:
        """The version of pg_dump. Raises CommandFailed."""
        return self.commands.run([self._program("pg_dump"), "--version"], timeout=READ_SECONDS).stdout.strip()

    def _program(self, name: str) -> str:
        return os.path.join(self.description.programs, name)

    def _connection(self, database: str) -> str:
        return server.connection_to(self.description.connection, database)


def limited(program: str, words: Sequence[str], seconds: int) -> list[str]:
    """A call that `timeout` ends on the host: a signal from here does not reach a program of another user."""
    return ["/usr/bin/timeout", str(seconds), program, *words]
