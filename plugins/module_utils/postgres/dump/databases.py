# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The databases of a server, their tables and rows: the SQL that asks, and the answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.backup.postgres_dump import always_quoted, qualified
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: The databases of the server that one can connect to.
LIST = (
    "SELECT row_to_json(one) FROM (SELECT datname AS name, pg_database_size(oid) AS size FROM pg_database"
    " WHERE datallowconn AND NOT datistemplate ORDER BY datname) one;\n"
)
#: The tables whose rows a dump has. Those of an extension come with it, unless it says that they are its settings.
TABLES = (
    "SELECT row_to_json(one) FROM (SELECT n.nspname AS schema, c.relname AS name,"
    " has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,"
    " EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " AS extension FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema'"
    " AND n.nspname !~ '^pg_' ORDER BY 1, 2) one;\n"
)


@dataclass(frozen=True)
class Database:
    """A database of the server. size: bytes on its disk."""

    name: str
    size: int


@dataclass(frozen=True)
class Table:
    """A table of a database. readable: this user may. extension: it belongs to one."""

    schema: str
    name: str
    readable: bool = True
    extension: bool = False

    @property
    def title(self) -> str:
        return qualified(self.schema, self.name)


def databases(answer: str) -> list[Database]:
    """The answer to LIST. Raises ValueError."""
    rows = map(foreign_json.load_object, _lines(answer))
    return [Database(str(row.get("name")), int(row.get("size") or 0)) for row in rows]


def tables(answer: str) -> list[Table]:
    """The answer to TABLES. Raises ValueError."""
    rows = map(foreign_json.load_object, _lines(answer))
    return [
        Table(str(row.get("schema")), str(row.get("name")), row.get("readable") is True, row.get("extension") is True)
        for row in rows
    ]


def count(several: Sequence[Table]) -> str:
    """The SQL that counts each table exactly, in one consistent look."""
    counts = "".join(
        f"SELECT {place}, count(*) FROM ONLY {always_quoted(table.schema)}.{always_quoted(table.name)};\n"
        for place, table in enumerate(several)
    )
    return f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{counts}COMMIT;\n"


def counted(answer: str, several: Sequence[Table]) -> dict[str, int]:
    """The answer to count. Raises ValueError where a table was not counted."""
    found = (re.fullmatch(r"([0-9]{1,9})\|([0-9]{1,18})", line) for line in _lines(answer))
    rows = {int(match[1]): int(match[2]) for match in found if match}
    if {*rows} != {*range(len(several))}:
        raise ValueError(f"{len(rows)} of {len(several)} tables were counted")
    return {table.title: rows[place] for place, table in enumerate(several)}


def _lines(answer: str) -> list[str]:
    return [line for line in answer.split("\n") if line]
