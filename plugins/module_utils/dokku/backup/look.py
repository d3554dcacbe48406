# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader of the facts from which a restore or a rebuild is planned, each when it is asked for. It changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import database as dokku_database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import parts as backup_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.database import SUPPORTED, Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.facts import Config, Facts, Linked, Stored
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import Piece, Survey
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.root_helper import Parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.source import Backups, Source, key_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import NotACommand
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room, room_in
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread

_LIB = "/var/lib/dokku"


class FactReader:
    """Reads the facts of a plan. settings: see make.settings."""

    def __init__(self, context: Context, settings: Mapping[str, Any]) -> None:
        self.context, self.service, self.dokku = context, context.service, context.service.dokku
        self.store = Store(str(settings["folder"]))
        self.parts = Parts(str(settings["helper"]), context.guard.inherited)
        self.survey = Survey(self.service, self.parts)
        self._private_key = str(context.secrets.get("backup_private_key") or "")
        self._reads: dict[str, Callable[[Unread], Any]] = {
            "backups": lambda question: self._backups(),
            "key": lambda question: key_of(self._private_key),
            "problems": lambda question: self._problems(**question.about),
            "helper": lambda question: tuple(filter(None, [self.parts.refusal()])),
            "nginx": lambda question: tuple(filter(None, [nginx_check.look(self.dokku, self.service.app)])),
            "services": lambda question: {title: self._linked(title) for title in question.keys},
            "running": lambda question: {app: runs(context, app) for app in question.keys},
            "room": lambda question: {what: self._room(what, **question.about) for what in question.keys},
            "tables": lambda question: {title: self._database(title).present() for title in question.keys},
            "config": lambda question: self._config(**question.about),
            "storage": lambda question: {name: self._stored(name, **question.about) for name in question.keys},
            "live": lambda question: make.live(self.survey),
            "release": lambda question: self.survey.release(),
            "versions": lambda question: self.survey.versions(),
            "app_exists": lambda question: self._answers("apps:exists", self.service.app),
            "plugins": lambda question: {plugin: self._has_plugin(plugin) for plugin in question.keys},
            "settings": lambda question: self._source(**question.about).document("settings"),
        }

    def read(self, _facts: Facts, question: Unread) -> Any:
        """One fact of the host; see Facts."""
        return self._reads[question.name](question)

    # -- the backup ------------------------------------------------------------------------------

    def _backups(self) -> Backups:
        here, bad = self.store.look()
        return Backups(self.store.folder, tuple(here), bad)

    def _source(self, manifest: Manifest) -> Source:
        return Source(self.store, manifest, self._private_key)

    def _problems(self, manifest: Manifest, parts: Sequence[Part]) -> tuple[str, ...]:
        return tuple(self._source(manifest).problems(parts, self.context.guard.ledger()))

    def _config(self, manifest: Manifest) -> Config:
        addresses = tuple(database.address() for database in dokku_database.linked(self.service))
        return Config(self.service.config(), self._source(manifest).config(), addresses)

    def _stored(self, name: str, manifest: Manifest, part: Part) -> Stored:
        members = self._source(manifest).members(part)
        size, files = self.parts.run("size", "storage", name).split()[:2]
        return Stored(int(files), int(size), len(members), sum(members.values()))

    # -- the host --------------------------------------------------------------------------------

    def _database(self, title: str) -> Database:
        plugin, _, name = title.partition(".")
        return Database(self.service, plugin, name)

    def _linked(self, title: str) -> Linked:
        database = self._database(title)
        if not database.exists():
            return Linked(exists=False)
        links = tuple(database.links())
        asked = self.service.app in links and database.plugin in SUPPORTED
        return Linked(links=links, running=asked and database.running())

    def _room(self, what: str, **about: Any) -> Room:
        """The disk for what will be made: a backup, a rebuild, or a scratch service in a folder."""
        reserve = self.service.description.disk_reserve
        if what == "rebuild":
            return room_in(_LIB, 4 * about["size"], 2000, reserve)
        if what == "backup":
            pieces: Iterable[Piece] = about["pieces"]
            return backup_parts.room_of(self.store, self.survey, pieces, reserve)
        # A database takes about three times its dump while it is imported, and exists twice.
        return room_in(what, 3 * about["dumps"], 1000, reserve)

    def _answers(self, *words: str) -> bool:
        return self.dokku.run(*words, check=False, timeout=60.0).rc == 0

    def _has_plugin(self, plugin: str) -> bool:
        try:
            self.dokku.run(f"{plugin}:list", timeout=60.0)
        except NotACommand:
            return False
        return True


def runs(context: Context, app: str) -> bool:
    """Tell if an app runs, as a whole or in part."""
    return str(context.service.dokku.report(app, "ps").get("running")) in ("true", "mixed")
