"""A host with a PostgreSQL cluster and its repository of backups."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from lab import Host, Run

REPOSITORY = "/var/lib/pgbackrest"
ARCHIVE = f"{REPOSITORY}/archive/shop/17-1"
#: The line of a row on the screen.
ROW = re.compile(r"(ok|WARN|BAD) +(\w[\w ]*?)  +(.*)")


class Database(Host):
    """The database of the shop."""

    state = "/var/lib/ops-runbook/shop"
    up = "pg_isready -q"

    def status(self, *options: str, **inputs: Any) -> Run:
        return self.play("postgres_backup_status", *options, **inputs)

    def sql(self, query: str) -> str:
        return self.postgres(f"psql -XqAt -d shop -c {shlex.quote(query)}")

    def postgres(self, command: str, check: bool = True) -> str:
        return self._shell("postgres", command, check)

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")
        self.until(f"[ \"$(runuser -u postgres -- psql -XqAt -c 'SHOW {name}')\" = {shlex.quote(value)} ]")

    def until(self, test: str) -> None:
        self.root(f"cd /; for _ in $(seq 3000); do {test} && exit 0; sleep 0.1; done; exit 1")

    def write(self, *options: str) -> None:
        """Write a row, and have the WAL file that has it archived."""
        self.root(f"lab-write {' '.join(options)}")

    def info(self) -> dict[str, Any]:
        """The stanza as pgBackRest itself describes it."""
        found: list[dict[str, Any]] = json.loads(self.postgres("pgbackrest --stanza shop --output json info"))
        return found[0]

    def archived(self) -> list[str]:
        """The WAL files of the archive, by their names there."""
        return self.root(f"find {ARCHIVE} -name '*.gz' | sort").splitlines()

    def repository(self) -> str:
        """Every file of the repository with size, time and inode, and the names in the folder of the operations."""
        return self.root(f"find {REPOSITORY} -type f -printf '%p %s %T@ %i\\n' | sort; ls -A /var/lib/ops-runbook")


def rows(run: Run) -> dict[str, tuple[str, str]]:
    """Level and text of each row of a screen."""
    found = [ROW.fullmatch(line.strip()) for line in run.text.splitlines()]
    return {match[2]: (match[1], match[3]) for match in found if match}
