# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proofs from a database dump itself: that it is complete, and how many rows each table has in it.

A dump is looked at while it streams by, so none is ever held in memory or needs a second reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import BadDump, Contents
from ansible_collections.ops.runbook.plugins.module_utils.backup.postgres_dump import PostgresDump
from ansible_collections.ops.runbook.plugins.module_utils.backup.sql_rows import RowCounter

#: Ends every complete dump of mysqldump and mariadb-dump.
SQL_TRAILER = b"-- Dump completed"
#: The opcode that ends a dump of Redis; eight bytes of checksum follow it.
_RDB_END = 0xFF
_RDB_TAIL = 9
_TAIL = 4096

#: A name in backquotes, of which one in it is doubled.
_QUOTED = rb"`((?:[^`]|``)[^`]*(?:``[^`]*)*)`"
_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?" + _QUOTED + rb" \(")
_INSERT = re.compile(
    rb"(?:INSERT|REPLACE)(?: IGNORE)? INTO "
    + _QUOTED
    + rb" (?:\((?:`(?:[^`]|``)[^`]*(?:``[^`]*)*`(?:, ?)?)+\) )?VALUES"
)
#: Bytes of the beginning of a line: an INSERT names 4,096 columns at most.
_HEAD = 1024 * 1024
_START = 64
#: The position of a replicated server that a dump holds. A server that has been there refuses the dump for it.
_GTID = b"SET @@GLOBAL.GTID_PURGED="


class SqlDump:
    """Reads a dump of MySQL or MariaDB piece by piece."""

    engine = "mysql"

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.size = 0
        self._table: str | None = None
        self._last = b""
        self._database = self._server = ""
        self._begin()

    def _begin(self) -> None:
        """A line begins, of which no more than its head is kept."""
        self._head = bytearray()
        self._start = b""
        self._says_something = False
        self._values: RowCounter | None = RowCounter() if self._table is not None else None
        self._into = self._table

    def feed(self, piece: bytes) -> None:
        self.size += len(piece)
        at = 0
        while at < len(piece):
            newline = piece.find(b"\n", at)
            end = len(piece) if newline < 0 else newline
            self._part(piece[at:end])
            if newline >= 0:
                self._end_line()
            at = end + 1

    def _part(self, text: bytes) -> None:
        if len(self._start) < _START:
            self._start += text[: _START - len(self._start)]
        self._says_something = self._says_something or bool(text.strip())
        if self._values is not None:
            self._values.take(text)
        elif len(self._head) < _HEAD:
            self._head += text
            if len(self._head) >= _HEAD:
                self._find_values()

    def _find_values(self) -> None:
        head = bytes(self._head)
        inserted = _INSERT.match(head)
        if inserted:
            self._into, self._values = _name(inserted[1]), RowCounter()
            self._values.take(head[inserted.end() :])

    def _end_line(self) -> None:
        if self._says_something:
            self._last = self._start
        if self._values is None:
            self._outside(bytes(self._head))
        if self._values is not None:
            over = self._values.end()
            table = self._into or ""
            self.rows[table] = self.rows.get(table, 0) + self._values.rows
            self._table = None if over else table
        self._begin()

    def _outside(self, line: bytes) -> None:
        created = _CREATE.match(line)
        if created:
            self.rows.setdefault(_name(created[1]), 0)
            return
        self._find_values()
        if self._values is not None:
            return
        if line.startswith(b"-- Host:") and not self._database:
            self._database = line.rpartition(b"Database:")[2].strip().decode("utf-8", "replace")
        elif line.startswith(b"-- Server version") and not self._server:
            self._server = line[len(b"-- Server version") :].strip().decode("utf-8", "replace")

    def contents(self) -> Contents:
        """Facts of the dump, at its end."""
        last = self._start if self._says_something else self._last
        problem = ""
        if not self.size:
            problem = "it is empty"
        elif not last.startswith(SQL_TRAILER):
            problem = f"it does not end with `{SQL_TRAILER.decode()}`: it was cut off"
        return Contents(self.engine, self.size, dict(self.rows), self._database, self._server, problem)


class RedisDump:
    """Reads a dump of Redis (RDB) piece by piece."""

    engine = "redis"

    def __init__(self) -> None:
        self.size = 0
        self._head = self._tail = b""

    def feed(self, piece: bytes) -> None:
        self.size += len(piece)
        if len(self._head) < _RDB_TAIL:
            self._head = (self._head + piece)[:_RDB_TAIL]
        self._tail = (self._tail + piece[-_TAIL:])[-_TAIL:]

    def contents(self) -> Contents:
        problem = ""
        if not self.size:
            problem = "it is empty"
        elif not re.fullmatch(rb"REDIS\d{4}", self._head):
            problem = "it does not begin as a dump of Redis does"
        elif self.size < 2 * _RDB_TAIL or self._tail[-_RDB_TAIL] != _RDB_END:
            problem = "it does not end as a dump of Redis does: it was cut off"
        return Contents(self.engine, self.size, problem=problem, server=self._head.decode("ascii", "replace"))


def reader(engine: str) -> SqlDump | RedisDump | PostgresDump:
    """The reader for the dumps of an engine. Raises BadDump for one whose dumps can't be proven here.

    That of PostgreSQL reads the SQL of `pg_restore -f -`.
    """
    if engine == "mysql":
        return SqlDump()
    if engine == "redis":
        return RedisDump()
    if engine == "postgres":
        return PostgresDump()
    raise BadDump(f"a dump of {engine} can't be proven here: mysql, redis and postgres can")


def _name(quoted: bytes) -> str:
    return quoted.replace(b"``", b"`").decode("utf-8", "replace")


def quoted(table: str) -> str:
    """A table's name as SQL has it."""
    return "`" + table.replace("`", "``") + "`"


# -- what a running database is asked, through `mysql:connect` and `redis:connect` ----------------------------------

LIST_TABLES = (
    "SELECT TABLE_TYPE, HEX(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
    " ORDER BY TABLE_NAME;\n"
    "SELECT 'ROUTINE', HEX(ROUTINE_NAME) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE();\n"
    "SELECT 'EVENT', HEX(EVENT_NAME) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE();\n"
)
KEYSPACE = "INFO keyspace\n"


@dataclass(frozen=True)
class Objects:
    """The names of what a database has."""

    tables: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    routines: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


def objects(answer: str) -> Objects:
    """The answer to LIST_TABLES. Names come in hexadecimal: a client escapes what it prints in ways of its own."""
    kinds = {"BASE TABLE": "tables", "VIEW": "views", "ROUTINE": "routines", "EVENT": "events"}
    found: dict[str, list[str]] = {name: [] for name in kinds.values()}
    for line in answer.splitlines():
        kind, _, name = line.partition("\t")
        if kind in kinds and re.fullmatch(r"(?:[0-9A-F]{2})+", name):
            found[kinds[kind]].append(bytes.fromhex(name).decode("utf-8", "replace"))
    return Objects(**{name: tuple(names) for name, names in found.items()})


def count_rows(tables: tuple[str, ...]) -> str:
    """The SQL that counts every table exactly, in one consistent look."""
    counts = "".join(
        f"SELECT 'ROWS', '{table.encode().hex().upper()}', COUNT(*) FROM {quoted(table)};\n" for table in tables
    )
    return f"START TRANSACTION WITH CONSISTENT SNAPSHOT;\n{counts}COMMIT;\n"


def counted(answer: str) -> dict[str, int]:
    """The answer to count_rows."""
    rows = {}
    for line in answer.splitlines():
        found = re.fullmatch(r"ROWS\t((?:[0-9A-F]{2})+)\t([0-9]{1,18})", line)
        if found:
            rows[bytes.fromhex(found[1]).decode("utf-8", "replace")] = int(found[2])
    return rows


@dataclass(frozen=True)
class Keys:
    """How many keys a database of Redis has, and how many of them end by themselves."""

    keys: int
    expiring: int


def keyspace(answer: str) -> dict[str, Keys]:
    """The answer to KEYSPACE, by database."""
    pattern = re.compile(r"(db[0-9]{1,6}):keys=([0-9]{1,18}),expires=([0-9]{1,18})")
    return {found[1]: Keys(int(found[2]), int(found[3])) for found in map(pattern.match, answer.splitlines()) if found}


# -- comparison ----------------------------------------------------------------------------------------------------


def row_differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Differences between the expected and the present rows, table by table; empty without a difference."""
    lines = []
    for table in sorted(set(wanted) | set(found)):
        if table not in found:
            lines.append(f"{table} is missing; {wanted[table]} rows were expected")
        elif table not in wanted:
            lines.append(f"{table} was not expected, and has {found[table]} rows")
        elif wanted[table] != found[table]:
            lines.append(f"{table} has {found[table]} rows; {wanted[table]} were expected")
    return lines


def unproven(dumped: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Why a dump of a database in use is not what the database had.

    before and after: counts taken around the dump. A table that nobody wrote to has to agree; one that was written to
    has to lie between the two.
    """
    lines = row_differences(dict.fromkeys(after, 0), dict.fromkeys(dumped, 0))
    for table in sorted(set(dumped) & set(after)):
        low, high = sorted((before.get(table, after[table]), after[table]))
        if not low <= dumped[table] <= high:
            there = str(low) if low == high else f"{low} to {high}"
            lines.append(f"{table} has {dumped[table]} rows in the dump and {there} in the database")
    return [line.replace("; 0 rows were expected", "").replace(", and has 0 rows", "") for line in lines]


def key_range(before: Mapping[str, Keys], after: Mapping[str, Keys]) -> dict[str, list[int]]:
    """Between which numbers the keys of a dump lie, made between two looks; those that expire may be gone."""
    found = {}
    for name in sorted(set(before) | set(after)):
        looks = [before.get(name, Keys(0, 0)), after.get(name, Keys(0, 0))]
        found[name] = [min(one.keys - one.expiring for one in looks), max(one.keys for one in looks)]
    return found


def key_differences(wanted: Mapping[str, Sequence[int]], found: Mapping[str, Keys]) -> list[str]:
    """Differences between the expected and the present keys; empty without a difference."""
    lines = []
    for name in sorted(set(wanted) | set(found)):
        low, high = wanted.get(name, (0, 0))
        there = found.get(name, Keys(0, 0)).keys
        if not low <= there <= high:
            expected = str(low) if low == high else f"{low} to {high}"
            lines.append(f"{name} has {there} keys; {expected} were expected")
    return lines


# -- what is imported ----------------------------------------------------------------------------------------------


def prelude(stray: Objects, dumped: Mapping[str, int]) -> str:
    """The SQL to run before a dump, so that tables that the dump does not know are gone afterwards.

    A dump replaces its own tables only. Foreign keys of the others would make it fail.
    """
    lines = [f"DROP VIEW IF EXISTS {quoted(view)};" for view in stray.views]
    lines += [f"DROP TABLE IF EXISTS {quoted(table)};" for table in stray.tables if table not in dumped]
    return "\n".join(["SET FOREIGN_KEY_CHECKS=0;", *lines, ""]) if lines else ""


class WithoutPosition:
    """Takes the replication position out of a dump: a server that has been there refuses to be set to it again.

    MySQL 9 writes it into every dump, so `mysql:import` of a service's own export ends with error 3546.
    """

    def __init__(self) -> None:
        self._start = b""
        self._dropped: bool | None = None
        self._final = b""
        self._inside = False
        self._over = False

    def feed(self, piece: bytes) -> bytes:
        kept: list[bytes] = []
        at = 0
        while at < len(piece) and not self._over:
            newline = piece.find(b"\n", at)
            end = len(piece) if newline < 0 else newline + 1
            kept.append(self._part(piece[at:end]))
            at = end
        # The header ends with the first table.
        return b"".join([*kept, piece[at:]])

    def _part(self, text: bytes) -> bytes:
        """The kept text of a part of a line; its beginning decides."""
        whole = text.endswith(b"\n")
        if self._dropped is None:
            text = self._start + text
            if len(text) < len(_GTID) and not whole:
                self._start = text
                return b""
            self._start = b""
            self._dropped = self._inside = self._inside or text.startswith(_GTID)
            self._over = not self._dropped and text.startswith((b"CREATE TABLE", b"INSERT INTO", b"LOCK TABLES"))
        dropped = self._dropped
        self._final = text.rstrip()[-1:] or self._final
        if whole:
            self._inside = dropped and self._final != b";"
            self._dropped, self._final = None, b""
        return b"" if dropped else text

    def end(self) -> bytes:
        rest, self._start = self._start, b""
        return rest
