# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL cluster on this host: what it is, and the programs that are asked about it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

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
_STANZA = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Description(Options):
    """The cluster as the inventory describes it. See the role postgres' argument specs for the meaning."""


def describe(raw: Mapping[str, Any]) -> Description:
    """The description in a module's `service` option. Raises Problem for one that can't be meant."""
    description = described(Description, raw)
    if not _STANZA.fullmatch(description.stanza) or description.stanza.startswith((".", "-")):
        way = ("postgres_stanza=<name>", "in the inventory names it with letters, digits, '-', '_' and '.'")
        raise Problem("stanza_name", f"{description.stanza!r} is not the name of a stanza of pgBackRest", (way,))
    problem = server.connection_problem(description.connection)
    if problem:
        way = ("postgres_connection=service=<name>", "in the inventory names an entry of ~/.pg_service.conf")
        raise Problem("connection_password", f"postgres_connection can't be used: {problem}", (way,))
    return description


class Cluster:
    """The cluster, and the calls of its programs. Only `back_up` changes anything."""

    def __init__(self, description: Description, inherited: Sequence[int] = (), state_dir: str = "") -> None:
        self.description = description
        # Only who holds the guard's lock writes into its folder.
        told = LastLine(os.path.join(state_dir, last_line.NAME), str) if inherited else None
        self.commands = Commands("/", inherited, last_line=told)

    def info(self) -> str:
        """The answer of pgBackRest about the stanza. Raises CommandFailed."""
        return self._pgbackrest(pgbackrest.info_command(self.description.stanza), pgbackrest.READ_SECONDS)

    def archived(self) -> str:
        """The list of the WAL files in the repository. Raises CommandFailed."""
        return self._pgbackrest(pgbackrest.archive_command(self.description.stanza), pgbackrest.READ_SECONDS)

    def verify(self) -> str:
        """The answer of pgBackRest after it read every file. Raises CommandFailed."""
        return self._pgbackrest(pgbackrest.verify_command(self.description.stanza), pgbackrest.VERIFY_SECONDS)

    def back_up(self, kind: str) -> None:
        """Make a backup. kind: full, diff or incr. Raises CommandFailed."""
        words = pgbackrest.backup_command(self.description.stanza, kind)
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
        stanza = self.description.stanza
        asked = (
            (pgbackrest.info_command(stanza), pgbackrest.READ_SECONDS),
            (pgbackrest.archive_command(stanza), pgbackrest.READ_SECONDS),
            (pgbackrest.verify_command(stanza), pgbackrest.VERIFY_SECONDS),
        )
        begin = f"{user_name()} ALL=({self.description.user}) NOPASSWD:"
        return [f"{begin} {' '.join(limited(self.description.pgbackrest, *one))}" for one in asked]

    def ask(self) -> Server:
        """Ask the server about itself. Raises CommandFailed where psql does not run, or does not end."""
        argv = [*self.description.psql, "-X", "-q", "-A", "-t", "-F", "|", "-w", "-d", self.description.connection]
        env = {"PGCONNECT_TIMEOUT": "10", "LC_ALL": "C.UTF-8"}
        done = self.commands.run(argv, env, stdin=server.script(), check=False, timeout=_PSQL_SECONDS)
        return server.read(done.code, done.stdout, done.stderr)


def limited(program: str, words: Sequence[str], seconds: int) -> list[str]:
    """A call that `timeout` ends on the host: a signal from here does not reach a program of another user."""
    return ["/usr/bin/timeout", str(seconds), program, *words]
