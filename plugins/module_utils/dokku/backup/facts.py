# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a host from which a restore or a rebuild is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.source import Backups, Key
from ansible_collections.ops.runbook.plugins.module_utils.dokku.nginx_check import Broken
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


@dataclass(frozen=True)
class Linked:
    """The service of a database on this host. links: the apps that use it."""

    exists: bool = True
    links: tuple[str, ...] = ()
    running: bool = True


@dataclass(frozen=True)
class Config:
    """Configurations of an app, with their secrets. addresses: of the services that are linked to it now."""

    present: Mapping[str, str]
    backup: Mapping[str, str]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """A storage folder now and in the backup: files and their bytes."""

    files: int
    bytes: int
    backup_files: int
    backup_bytes: int


@dataclass(frozen=True)
class Facts:
    """Facts that were read on the host so far; None, or an entry that is missing, was not read (see guard/facts.py).

    problems: of the parts of the backup that are needed. helper: why this user can't call the program that reads for
    root; empty if they can. nginx: the configuration that it refuses; empty if it takes it. services: by title
    (plugin.name). running: by app. room: of the disk, by what is made. tables: by title, what a database has now.
    live: the release, as a plan has it; release: the same as a backup has it. app_exists: on the host of a rebuild.
    plugins: whether a plugin of services answers. versions: of Dokku and its plugins. settings: of the backup.
    """

    app: str
    backups: Backups | None = None
    key: Key | None = None
    problems: tuple[str, ...] | None = None
    helper: tuple[Problem, ...] | None = None
    nginx: tuple[Broken, ...] | None = None
    services: Mapping[str, Linked] = field(default_factory=dict)
    running: Mapping[str, bool] = field(default_factory=dict)
    room: Mapping[str, Room] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    config: Config | None = None
    storage: Mapping[str, Stored] = field(default_factory=dict)
    live: Mapping[str, str] | None = None
    release: Mapping[str, str] | None = None
    versions: Mapping[str, str] | None = None
    app_exists: bool | None = None
    plugins: Mapping[str, bool] = field(default_factory=dict)
    settings: Mapping[str, Any] | None = None
