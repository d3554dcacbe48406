# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proofs from a dump of PostgreSQL: that it is complete, and how many rows each table has in it.

A dump in the custom or the directory format is read through by `pg_restore -f -`, whose SQL is looked at while it
streams by. `pg_restore -l` reads the table of contents alone, which lies at the beginning: it ends well with a dump
that was cut off.
"""

from __future__ import annotations

import re

from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import Contents

#: Ends every complete dump of a database, and of the roles of a cluster.
TRAILER, CLUSTER_TRAILER = b"-- PostgreSQL database dump complete", b"-- PostgreSQL database cluster dump complete"
#: Newer versions close a bracket around the dump after its trailer.
_AFTER = (b"--", b"\\unrestrict ")
_IDENTIFIER = rb'(?:"(?:[^"]|"")+"|[^\s".(]+)'
_COPY = re.compile(rb"COPY (" + _IDENTIFIER + rb")\.(" + _IDENTIFIER + rb") .*FROM stdin;\s*")
_SERVER = b"-- Dumped from database version "
_END_OF_DATA = b"\\."
#: Bytes of the beginning of a line: a COPY names 1,600 columns at most.
_HEAD = 1024 * 1024


class PostgresDump:
    """Reads the SQL of a dump of PostgreSQL piece by piece. trailer: the line that ends it."""

    engine = "postgres"

    def __init__(self, trailer: bytes = TRAILER) -> None:
        self.rows: dict[str, int] = {}
        self.size = 0
        self._trailer = trailer
        self._table: str | None = None
        self._server = ""
        self._head = bytearray()
        self._complete = False

    def feed(self, piece: bytes) -> None:
        self.size += len(piece)
        at = 0
        while at < len(piece):
            newline = piece.find(b"\n", at)
            end = len(piece) if newline < 0 else newline
            if len(self._head) < _HEAD:
                self._head += piece[at : min(end, at + _HEAD)]
            if newline >= 0:
                self._end_line(bytes(self._head))
                self._head.clear()
            at = end + 1

    def _end_line(self, line: bytes) -> None:
        if self._table is not None:
            if line == _END_OF_DATA:
                self._table = None
            else:
                # A row has no line break in it: COPY escapes them.
                self.rows[self._table] += 1
            return
        if line == self._trailer:
            self._complete = True
        elif line.strip() and not line.startswith(_AFTER):
            self._complete = False
            self._outside(line)
        elif line.startswith(_SERVER) and not self._server:
            self._server = line[len(_SERVER) :].decode("utf-8", "replace").strip()

    def _outside(self, line: bytes) -> None:
        found = _COPY.fullmatch(line)
        if found:
            self._table = qualified(_name(found[1]), _name(found[2]))
            self.rows.setdefault(self._table, 0)

    def contents(self) -> Contents:
        """Facts of the dump, at its end."""
        problem = ""
        if not self.size:
            problem = "it is empty"
        elif self._table is not None:
            problem = f"it ends within the rows of {self._table}: it was cut off"
        elif not self._complete or self._head:
            problem = f"it does not end with `{self._trailer.decode()}`: it was cut off"
        return Contents(self.engine, self.size, dict(self.rows), server=self._server, problem=problem)


def _name(written: bytes) -> str:
    plain = written[1:-1].replace(b'""', b'"') if written.startswith(b'"') else written
    return plain.decode("utf-8", "replace")


def qualified(schema: str, table: str) -> str:
    """The name of a table with its schema, the same for each table wherever it comes from."""
    return f"{quoted(schema)}.{quoted(table)}"


def quoted(name: str) -> str:
    """A name in quotation marks, unless it means itself without them to every reader."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else always_quoted(name)


def always_quoted(name: str) -> str:
    """A name as SQL has it, also if it is a word of SQL."""
    return '"' + name.replace('"', '""') + '"'
