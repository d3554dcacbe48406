# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service of Dokku that holds data of an app: counted, exported, imported, and tried out beside itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import database_dump
from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import BadDump, Contents
from ansible_collections.ops.runbook.plugins.module_utils.backup.database_dump import Objects
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer, Dokku, NotACommand
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.host import byte_stream

#: Plugins whose services can be backed up.
SUPPORTED = ("mysql", "redis")
#: Folders in which the plugins of databases keep their services, one folder a plugin.
_SERVICES = "/var/lib/dokku/services"

_SIZE = (
    "SELECT 'SIZE', COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE();\n"
)
#: Between the name of a service and what follows it in the name of its scratch service.
_SCRATCH = "-check-"


class Database:
    """One service. facts: what proves a dump of it: rows by table, or between which numbers its keys lie."""

    def __init__(self, service: DokkuService, plugin: str, name: str) -> None:
        self.service, self.plugin, self.name = service, plugin, name
        self.dokku: Dokku = service.dokku

    @property
    def title(self) -> str:
        return f"{self.plugin}.{self.name}"

    def _ask(self, command: str, *words: str) -> str:
        return self.dokku.run(f"{self.plugin}:{command}", self.name, *words, timeout=120.0).out

    # -- reading ---------------------------------------------------------------------------------

    def exists(self) -> bool:
        return self.dokku.run(f"{self.plugin}:exists", self.name, check=False, timeout=60.0).rc == 0

    def links(self) -> list[str]:
        return self._ask("links").split()

    def running(self) -> bool:
        return self._ask("info", "--status").strip() == "running"

    def image(self) -> str:
        return self._ask("info", "--version").strip()

    def address(self) -> str:
        """The address by which the app finds it. It holds the password: it is compared, and never shown."""
        found = self._ask("info", "--dsn").strip()
        self.service.hide([found])
        return found

    def _connect(self, text: str) -> str:
        return self.dokku.run(f"{self.plugin}:connect", self.name, stdin=text, timeout=600.0).out

    def objects(self) -> Objects:
        return database_dump.objects(self._connect(database_dump.LIST_TABLES))

    def rows(self) -> dict[str, int]:
        """The number of rows of each table, counted and not estimated."""
        tables = self.objects().tables
        found = database_dump.counted(self._connect(database_dump.count_rows(tables))) if tables else {}
        if set(found) != set(tables):
            raise BadDump(f"the tables of {self.title} could not be counted")
        return found

    def keys(self) -> dict[str, database_dump.Keys]:
        return database_dump.keyspace(self._connect(database_dump.KEYSPACE))

    def size(self) -> int:
        """About how many bytes an export has."""
        if self.plugin == "redis":
            lines = self._connect("INFO memory\n").splitlines()
            return next((int(line[12:]) for line in lines if line.startswith("used_memory:")), 0)
        lines = self._connect(_SIZE).splitlines()
        return next((int(float(line[5:])) for line in lines if line.startswith("SIZE\t") and line[5:6].isdigit()), 0)

    def present(self) -> dict[str, Any]:
        """The present content, in the form of the facts of a dump."""
        if self.plugin == "redis":
            now = self.keys()
            return {"keys": database_dump.key_range(now, now)}
        return {"rows": self.rows()}

    def differences(self, facts: Mapping[str, Any]) -> list[str]:
        """The differences of the content from the facts of a dump."""
        if self.plugin == "redis":
            return database_dump.key_differences(facts["keys"], self.keys())
        return database_dump.row_differences(facts["rows"], self.rows())

    # -- out and in ------------------------------------------------------------------------------

    def export(self, take: Callable[[bytes], None], attempts: int = 3) -> dict[str, Any]:
        """Hand on a dump that is proven to be complete, and return its facts. Raises BadDump or DokkuError.

        Where the database is written to meanwhile, the counts around the dump bound it.
        """
        before = self.keys() if self.plugin == "redis" else self.rows()
        reader = database_dump.reader(self.plugin)

        def both(piece: bytes) -> None:
            reader.feed(piece)
            take(piece)

        byte_stream.collect(lambda out: self.dokku.run(f"{self.plugin}:export", self.name, stdout=out), both)
        contents = reader.contents()
        if contents.problem:
            raise BadDump(f"the export of {self.title} is not whole: {contents.problem}")
        facts: dict[str, Any] = {"plugin": self.plugin, "service": self.name, "server": contents.server}
        if self.plugin == "redis":
            keys = self.keys()
            return {**facts, "keys": database_dump.key_range(before, keys)}  # type: ignore[arg-type]
        wrong = database_dump.unproven(contents.rows, before, self.rows())  # type: ignore[arg-type]
        if wrong:
            raise BadDump(f"the export of {self.title} is not what the database has: {'; '.join(wrong)}")
        objects = self.objects()
        lost = {"routines": list(objects.routines), "events": list(objects.events)}
        return {**facts, "rows": contents.rows, **{kind: names for kind, names in lost.items() if names}}

    def load(self, pieces: Iterable[bytes], known: Mapping[str, int]) -> None:
        """Import a dump in place of what is there. known: its tables; what it does not know is removed."""

        def start(source: IO[bytes]) -> Answer:
            return self.dokku.run(f"{self.plugin}:import", self.name, stdin=source)

        byte_stream.supply(self._prepared(pieces, known), start)

    def _prepared(self, pieces: Iterable[bytes], known: Mapping[str, int]) -> Iterator[bytes]:
        if self.plugin != "mysql":
            yield from pieces
            return
        yield database_dump.prelude(self.objects(), known).encode()
        position = database_dump.WithoutPosition()
        for piece in pieces:
            yield position.feed(piece)
        yield position.end()

    # -- beside itself ---------------------------------------------------------------------------

    def scratch(self, operation: str) -> Scratch:
        """The service in which a dump of this one is tried out by an operation."""
        return Scratch(self.service, self.plugin, f"{self.name}{_SCRATCH}{operation[-6:]}")


class Scratch(Database):
    """A service that an operation made, and whose data may be lost."""

    def create(self, image: str) -> None:
        """Make it anew, of the same version as the original."""
        self.destroy()
        repository, _, version = image.rpartition(":")
        chosen = ["--image", repository, "--image-version", version] if repository else []
        self.dokku.run(f"{self.plugin}:create", self.name, *chosen, timeout=600.0)

    def destroy(self) -> None:
        """Remove it, where it is there."""
        description = self.service.description
        if _SCRATCH not in self.name or not self.exists():
            return
        disposing = Dokku(
            description.command,
            description.user,
            self.dokku.inherited,
            self.service.redact,
            description.command_timeout,
            disposable=True,
        )
        disposing.run(f"{self.plugin}:destroy", self.name, "--force", timeout=600.0)


def proven(contents: Contents, facts: Mapping[str, Any]) -> str:
    """The reason why a dump is not the one that its facts are of; empty where it is."""
    if contents.problem:
        return contents.problem
    if "rows" in facts:
        return "; ".join(database_dump.row_differences(facts["rows"], contents.rows))
    return ""


def plugins() -> list[str]:
    """The plugins of this host that have services."""
    try:
        return sorted(name for name in os.listdir(_SERVICES) if not name.startswith("."))
    except OSError:
        return list(SUPPORTED)


def linked(service: DokkuService) -> list[Database]:
    """Every service that the app is linked to, of each plugin that the host has."""

    def of(plugin: str) -> list[Database]:
        try:
            names = service.dokku.run(f"{plugin}:app-links", service.app, timeout=60.0).out.split()
        except NotACommand:
            return []
        return [Database(service, plugin, name) for name in names]

    found = service.together(*(lambda plugin=plugin: of(plugin) for plugin in plugins()))
    return [database for several in found for database in several]
