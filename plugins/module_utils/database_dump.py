# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database dump proves by itself: that it is complete, and how many rows each table has in it.

A dump is looked at while it streams by, so none is ever held in memory or needs a second reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Ends every complete dump of mysqldump and mariadb-dump.
SQL_TRAILER = b"-- Dump completed"
#: The opcode that ends a dump of Redis; eight bytes of checksum follow it.
_RDB_END = 0xFF
_RDB_TAIL = 9
_TAIL = 4096

_STRING = re.compile(rb"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`((?:[^`]|``)+)` \(")
_INSERT = re.compile(
    rb"(?:INSERT|REPLACE)(?: IGNORE)? INTO `((?:[^`]|``)+)` (?:\((?:`(?:[^`]|``)+`(?:, ?)?)+\) )?VALUES"
)
#: Which position of a replicated server a dump stands for. A server that has been there refuses the dump for it.
_GTID = b"SET @@GLOBAL.GTID_PURGED="


class BadDump(Exception):
    """A dump that must not be restored. The text says why."""


@dataclass(frozen=True)
class Contents:
    """What a dump holds.

    engine: mysql or redis. size: bytes. rows: by table, of a SQL dump. database and server: as its header names them.
    problem: why it is not complete; empty where it is.
    """

    engine: str
    size: int
    rows: dict[str, int] = field(default_factory=dict)
    database: str = ""
    server: str = ""
    problem: str = ""


class SqlDump:
    """Reads a dump of MySQL or MariaDB piece by piece."""

    engine = "mysql"

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.size = 0
        self._rest = b""
        self._table: str | None = None
        self._last = b""
        self._database = self._server = ""

    def feed(self, piece: bytes) -> None:
        self.size += len(piece)
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if line.strip():
            self._last = line
        if self._table is None:
            self._outside(line)
        else:
            self._count(line)

    def _outside(self, line: bytes) -> None:
        created = _CREATE.match(line)
        if created:
            self.rows.setdefault(_name(created[1]), 0)
            return
        inserted = _INSERT.match(line)
        if inserted:
            self._table = _name(inserted[1])
            self._count(line[inserted.end() :])
        elif line.startswith(b"-- Host:") and not self._database:
            self._database = line.rpartition(b"Database:")[2].strip().decode("utf-8", "replace")
        elif line.startswith(b"-- Server version") and not self._server:
            self._server = line[len(b"-- Server version") :].strip().decode("utf-8", "replace")

    def _count(self, values: bytes) -> None:
        """The rows of one line: its opening brackets, once what stands in quotes is away."""
        bare = _STRING.sub(b"", values)
        table = self._table or ""
        self.rows[table] = self.rows.get(table, 0) + bare.count(b"(")
        if bare.rstrip().endswith(b";"):
            self._table = None

    def contents(self) -> Contents:
        """What was read, at its end."""
        last = self._rest if self._rest.strip() else self._last
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


def reader(engine: str) -> SqlDump | RedisDump:
    """What reads the dumps of a Dokku plugin. Raises BadDump for one whose dumps nothing here can prove."""
    if engine == "mysql":
        return SqlDump()
    if engine == "redis":
        return RedisDump()
    raise BadDump(f"a dump of {engine} can't be proven here: mysql and redis can")


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
        if kind in kinds and re.fullmatch(r"([0-9A-F]{2})+", name):
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
        found = re.fullmatch(r"ROWS\t((?:[0-9A-F]{2})+)\t(\d+)", line)
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
    pattern = re.compile(r"(db\d+):keys=(\d+),expires=(\d+)")
    return {found[1]: Keys(int(found[2]), int(found[3])) for found in map(pattern.match, answer.splitlines()) if found}


# -- comparison ----------------------------------------------------------------------------------------------------


def row_differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """What differs between the rows that should be there and those that are, table by table; empty where nothing."""
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
    """What differs between the keys that should be there and those that are; empty where nothing."""
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
    """The SQL that goes before a dump, so that what it does not know is gone afterwards.

    A dump replaces its own tables only. Foreign keys of the others would stand in its way.
    """
    lines = [f"DROP VIEW IF EXISTS {quoted(view)};" for view in stray.views]
    lines += [f"DROP TABLE IF EXISTS {quoted(table)};" for table in stray.tables if table not in dumped]
    return "\n".join(["SET FOREIGN_KEY_CHECKS=0;", *lines, ""]) if lines else ""


class WithoutPosition:
    """Takes the replication position out of a dump: a server that has been there refuses to be set to it again.

    MySQL 9 writes it into every dump, so `mysql:import` of a service's own export ends with error 3546.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._inside = False
        self._over = False

    def feed(self, piece: bytes) -> bytes:
        if self._over:
            return piece
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        kept = [line + b"\n" for line in lines if self._keep(line)]
        if self._over:
            # From the first table on there is none, and long lines need not be cut.
            kept.append(self._rest)
            self._rest = b""
        return b"".join(kept)

    def _keep(self, line: bytes) -> bool:
        if self._over:
            return True
        if self._inside or line.startswith(_GTID):
            self._inside = not line.rstrip().endswith(b";")
            return False
        self._over = line.startswith((b"CREATE TABLE", b"INSERT INTO", b"LOCK TABLES"))
        return True

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest
