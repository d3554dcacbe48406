# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions to a server of PostgreSQL, and how its answers are read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ansible_collections.ops.runbook.plugins.module_utils.text import bounded, foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

#: Milliseconds for one question.
STATEMENT_MS = 10000
#: Each answers one line by itself: the others are answered where one may not be asked.
_QUESTIONS = {
    "system": "SELECT system_identifier::text AS id FROM pg_control_system()",
    "checkpoint": "SELECT timeline_id FROM pg_control_checkpoint()",
    "recovery": "SELECT pg_is_in_recovery() AS standby",
    "position": "SELECT pg_walfile_name(pg_current_wal_lsn()) AS file WHERE NOT pg_is_in_recovery()",
    "archiver": (
        "SELECT archived_count, last_archived_wal, extract(epoch FROM last_archived_time) AS archived, failed_count,"
        " last_failed_wal, extract(epoch FROM last_failed_time) AS failed FROM pg_stat_archiver"
    ),
    "settings": (
        "SELECT current_setting('archive_mode') AS archive_mode,"
        " current_setting('archive_timeout') <> '0' AS has_timeout,"
        " coalesce(current_setting('archive_command', true), '') NOT IN ('', '(disabled)')"
        " OR coalesce(current_setting('archive_library', true), '') <> '' AS has_command,"
        " current_setting('data_checksums') = 'on' AS checksums,"
        " (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS wal_size"
    ),
    "waiting": (
        "SELECT count(*) AS files, extract(epoch FROM now() - min(modification)) AS seconds"
        " FROM pg_ls_archive_statusdir() WHERE name ~ '^[0-9A-F]{24}[.]ready$'"
    ),
    "wal": "SELECT coalesce(sum(size), 0)::bigint AS bytes FROM pg_ls_waldir()",
    "folder": "SELECT current_setting('data_directory') AS path",
    "ascii": "SELECT json_agg(datname) AS names FROM pg_database WHERE pg_encoding_to_char(encoding) = 'SQL_ASCII'",
    "collation": (
        "SELECT json_agg(datname) AS names FROM pg_database WHERE datallowconn"
        " AND datcollversion <> pg_database_collation_actual_version(oid)"
    ),
}
_PASSWORD = re.compile(r"password\s*=|//[^/@\s]*:[^/@\s]*@", re.IGNORECASE)


def script() -> str:
    """The questions for psql: it reads them from its input, and goes on after one that fails."""
    begin = [
        "\\set ON_ERROR_STOP off",
        f"SET statement_timeout = {STATEMENT_MS};",
        "SET default_transaction_read_only = on;",
    ]
    return "\n".join(
        [*begin, *(f"SELECT '{name}', row_to_json(one) FROM ({text}) one;" for name, text in _QUESTIONS.items()), ""]
    )


def connection_problem(connection: str) -> str:
    """Why a connection may not stand in the inventory; empty for one that may."""
    if _PASSWORD.search(connection):
        return "it has a password; write that into ~/.pgpass on the host"
    return ""


def connection_to(connection: str, database: str) -> str:
    """The same connection to another database; the same one where none is named."""
    if not database:
        return connection
    if "://" in connection:
        place, mark, options = connection.partition("?")
        scheme, _, rest = place.partition("://")
        kept = "&".join(one for one in options.split("&") if one and not one.startswith("dbname="))
        address = f"{scheme}://{rest.partition('/')[0]}/{quote(database, safe='')}"
        return f"{address}{mark if kept else ''}{kept}"
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    # Of two words of one name the last one counts.
    return f"{connection} dbname='{escaped}'"


@dataclass(frozen=True)
class Server:
    """Answers of a server. problem: why it can't be asked at all. unanswered: the questions without an answer, and why.

    answers: by question, the columns of its row.
    """

    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problem: str = ""
    unanswered: Mapping[str, str] = field(default_factory=dict)

    def get(self, question: str, column: str) -> Any:
        """A column of an answer; None where the server did not answer the question."""
        return self.answers.get(question, {}).get(column)

    @property
    def standby(self) -> bool:
        return self.get("recovery", "standby") is True

    @property
    def system(self) -> str:
        return str(self.get("system", "id") or "")

    @property
    def position(self) -> str:
        """Name of the WAL file that is written now; empty for a standby."""
        return str(self.get("position", "file") or "")

    @property
    def timeline(self) -> int:
        """The timeline that the server is on; 0 where it is not known."""
        if self.position:
            return int(self.position[:8], 16)
        return int(self.get("checkpoint", "timeline_id") or 0)


def read(code: int, out: str, err: str) -> Server:
    """The answers in the output of psql. code: its exit code."""
    answers: dict[str, Mapping[str, Any]] = {}
    for line in bounded.lines_of(out):
        name, mark, row = line.partition("|")
        if mark and name in _QUESTIONS:
            try:
                answers[name] = foreign_json.load_object(row)
            except ValueError:
                continue
    said = excerpt(err, "") if err.strip() else f"psql ended with {code}"
    if not answers:
        return Server(problem=said)
    # A standby has no position, and that is its answer.
    expected = [name for name in _QUESTIONS if name != "position" or not answers.get("recovery", {}).get("standby")]
    return Server(answers, unanswered={name: said for name in expected if name not in answers})
