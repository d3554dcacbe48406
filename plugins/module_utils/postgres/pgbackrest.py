# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of pgBackRest, read by what they say: its exit code is 0 for a repository that has nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text import bounded, foreign_json

#: Seconds after which `timeout` ends a call on the host: `info` waits minutes for object storage that is down.
READ_SECONDS = 60
#: The same for a backup.
BACKUP_SECONDS = 86400
#: The same for a call that reads every file of the repository.
VERIFY_SECONDS = 14400

OK, NO_STANZA, NO_BACKUP, NO_STANZA_DATA = 0, 1, 2, 3


@dataclass(frozen=True)
class Backup:
    """One backup. start, stop: unix time. wal: names of its own first and last WAL file. size: bytes of the database.

    failed_pages: it has pages whose checksum is wrong. database: number of the cluster in the repository. repository:
    number of the one that holds it.
    """

    label: str
    kind: str
    start: float
    stop: float
    wal: tuple[str, str]
    size: int = 0
    failed_pages: bool = False
    database: int = 0
    repository: int = 1


@dataclass(frozen=True)
class Stanza:
    """A stanza as `info` describes it. code: of its status; 0 is good. troubles: of each repository with another code.

    database: number, system identifier and version of the newest cluster. folder: of its WAL files in the archive.
    busy: a backup runs. repositories: how many there are.
    """

    name: str
    code: int
    message: str
    troubles: tuple[str, ...] = ()
    database: int = 0
    system: str = ""
    version: str = ""
    folder: str = ""
    backups: tuple[Backup, ...] = ()
    busy: bool = False
    repositories: int = 1


def info_command(stanza: str) -> list[str]:
    """The words after `pgbackrest` that ask for the state of a stanza; a rule of sudo has the same ones."""
    return ["--stanza", stanza, "--output", "json", "info"]


def archive_command(stanza: str) -> list[str]:
    """The words that list the archive of a stanza."""
    return ["--stanza", stanza, "--output", "json", "--recurse", "repo-ls", f"archive/{stanza}"]


def verify_command(stanza: str) -> list[str]:
    """The words that read every file of a stanza. Without --verbose a good result prints nothing."""
    return ["--stanza", stanza, "--output", "text", "--verbose", "verify"]


def backup_command(stanza: str, kind: str) -> list[str]:
    """The words that make a backup. kind: full, diff or incr."""
    return ["--stanza", stanza, "--type", kind, "backup"]


def read_info(text: str, name: str) -> Stanza:
    """The stanza of this name in the output of `info`. Raises ValueError for what is not such an output."""
    try:
        found = [one for one in foreign_json.loads(text) if one["name"] == name]
        if len(found) != 1:
            raise ValueError(f"it names {len(found)} stanzas {name!r}")
        return _stanza(found[0])
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it has another form: {type(error).__name__} {error}") from error


def _stanza(raw: Mapping[str, Any]) -> Stanza:
    database = max(raw["db"], key=lambda one: int(one["id"]), default=None)
    repositories = [(int(one["key"]), one["status"]) for one in raw["repo"]]
    return Stanza(
        name=raw["name"],
        code=int(raw["status"]["code"]),
        message=str(raw["status"]["message"]),
        troubles=tuple(
            f"repository {key}: {status['message']} (status {status['code']})"
            for key, status in repositories
            if status["code"] != OK
        ),
        database=int(database["id"]) if database else 0,
        system=str(database["system-id"]) if database else "",
        version=str(database["version"]) if database else "",
        folder=next((one["id"] for one in raw["archive"] if database and one["database"]["id"] == database["id"]), ""),
        backups=tuple(sorted(_backups(raw["backup"]), key=lambda backup: backup.stop)),
        busy=bool(raw["status"].get("lock", {}).get("backup", {}).get("held", False)),
        repositories=len(repositories),
    )


def _backups(raw: Sequence[Mapping[str, Any]]) -> Iterator[Backup]:
    for one in raw:
        yield Backup(
            label=str(one["label"]),
            kind=str(one["type"]),
            start=float(one["timestamp"]["start"]),
            stop=float(one["timestamp"]["stop"]),
            wal=(str(one["archive"]["start"]), str(one["archive"]["stop"])),
            size=int(one["info"]["size"]),
            failed_pages=bool(one.get("error", False)),
            database=int(one["database"]["id"]),
            repository=int(one["database"]["repo-key"]),
        )


@dataclass(frozen=True)
class Verified:
    """The end of a `verify`. good: every file was read and is as it was written. lines: its findings."""

    good: bool
    lines: tuple[str, ...] = ()


def read_verify(text: str) -> Verified:
    """The output of `verify`. Raises ValueError for one without a status: it proves nothing."""
    lines = [line.strip() for line in bounded.lines_of(text) if line.strip()]
    status = [line.partition(":")[2].strip() for line in lines if line.startswith("status:")]
    if len(status) != 1:
        raise ValueError("verify printed no status")
    bad = [line for line in lines if not line.startswith(("stanza:", "status:"))]
    return Verified(status[0] == "ok", tuple(bad))
