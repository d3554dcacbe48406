# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making the parts of an app's backup. A restore uses it too, for the present data."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences, sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import database as dokku_database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.database import SUPPORTED, Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.root_helper import Parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text import ways
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

ALL_KINDS = ("database", "config", "settings", "properties", "storage", "repository")
#: Parts that only root can read; the others are read through `dokku`.
OF_ROOT = ("properties", "storage", "repository", "image")
_STORAGE = "/var/lib/dokku/data/storage/"
_SUFFIX = {
    "config": "json",
    "settings": "json",
    "properties": "tar",
    "storage": "tar",
    "repository": "bundle",
    "image": "tar",
}
#: Without these an app can't be made again; the others are kept where the host has them.
_NEEDED_REPORTS = ("domains", "ports", "docker-options", "ps", "git", "checks")
_REPORTS = (*_NEEDED_REPORTS, "resource", "nginx", "proxy", "builder", "network", "scheduler", "logs", "letsencrypt")


@dataclass(frozen=True)
class Piece:
    """One part to make. name: of the service (plugin.name), the storage folder or the image."""

    kind: str
    name: str = ""

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @property
    def file(self) -> str:
        if self.kind == "database":
            return f"database-{self.name}.{'rdb' if self.name.startswith('redis.') else 'sql'}"
        stem = self.kind + (f"-{re.sub('[^A-Za-z0-9._-]', '-', self.name)}" if self.name else "")
        return f"{stem}.{_SUFFIX[self.kind]}"

    @property
    def title(self) -> str:
        return {
            "database": f"export {self.name} and prove it whole",
            "config": "the configuration",
            "settings": "domains, ports, scale, options, limits and checks, as Dokku reports them",
            "properties": "what Dokku and its plugins keep about the app (certificates, release records, properties)",
            "storage": f"the storage folder {self.name}",
            "repository": "the git repository, as a bundle",
            "image": f"the image {self.name}",
        }[self.kind]


class Survey:
    """The parts of an app that can be backed up, read without a change."""

    def __init__(self, service: DokkuService, parts: Parts) -> None:
        self.service, self.parts = service, parts

    def mounts(self) -> tuple[list[str], list[str]]:
        """The storage folders that the app mounts, and the mounts that no backup has."""
        found = self.service.dokku.json("storage:list", self.service.app)
        folders, others = [], []
        for entry in found:
            path = str(entry.get("host_path") or entry.get("host") or "")
            name = path[len(_STORAGE) :].split("/")[0] if path.startswith(_STORAGE) else ""
            if name:
                folders.append(name)
            else:
                others.append(path)
        return sorted(set(folders)), sorted(set(others))

    def release(self) -> dict[str, str]:
        """The release that runs: commit, image and number, as far as each is known."""
        git = self.service.dokku.report(self.service.app, "git")
        try:
            records = self.service.dokku.json("releases", self.service.app)
        except DokkuError:
            records = []
        return released(git, records)

    def versions(self) -> dict[str, str]:
        """Of Dokku and each plugin."""
        said = self.service.dokku.run("version", timeout=60.0).out.split()
        found = {"dokku": said[-1] if said else ""}
        listed = self.service.dokku.run("plugin:list", check=False, timeout=60.0)
        for line in listed.out.splitlines() if listed.rc == 0 else []:
            words = line.split()
            if len(words) >= 3 and words[2] in ("enabled", "disabled"):
                found[words[0]] = words[1]
        return found

    def bytes(self, pieces: Iterable[Piece]) -> int:
        """About how many bytes the parts will have."""
        total = 1 << 20
        for piece in pieces:
            if piece.kind == "database":
                plugin, _, name = piece.name.partition(".")
                total += Database(self.service, plugin, name).size()
            elif piece.kind == "storage":
                total += int(self.parts.run("size", "storage", piece.name).split()[0])
        return total


def pieces_of(
    survey: Survey, kinds: Iterable[str], leave_out: Iterable[str], image: str = ""
) -> tuple[list[Piece], list[str]]:
    """The parts of a backup, and what of the app is left out, each with why. Raises Problem for what can't be had."""
    wanted, without = set(kinds), set(leave_out)
    pieces: list[Piece] = []
    left: list[str] = [f"{name}: left out as asked" for name in sorted(without)]
    if "database" in wanted:
        for database in dokku_database.linked(survey.service):
            if database.title in without:
                continue
            must_be_backed_up(database.title, database.running)
            pieces.append(Piece("database", database.title))
    pieces += [Piece(kind) for kind in ("config", "settings", "properties") if kind in wanted]
    if "storage" in wanted:
        folders, others = survey.mounts()
        pieces += [Piece("storage", name) for name in folders if name not in without]
        left += [f"{path}: mounted from outside {_STORAGE}" for path in others if path not in without]
    if "repository" in wanted:
        pieces.append(Piece("repository"))
    if image:
        pieces.append(Piece("image", image))
    left += [f"{kind}: not among the parts asked for" for kind in ALL_KINDS if kind not in wanted]
    return pieces, left


def must_be_backed_up(title: str, running: Callable[[], bool]) -> None:
    """Raise Problem for a service whose data can't be had. title: plugin.name; running: whether the service runs."""
    plugin, _, name = title.partition(".")
    way = (ways.given("dokku_backup_leave_out", [title]), "backs up everything else, and says so in the manifest")
    if plugin not in SUPPORTED:
        text = f"{title} is linked, and can't be backed up by this version"
        raise Problem("service_unsupported", text, (way,))
    if not running():
        start = (f"dokku {plugin}:start {name}", "on the host, starts it")
        raise Problem("service_down", f"{title} does not run, so it can't be exported", (start, way))


def room_of(store: Store, survey: Survey, pieces: Iterable[Piece], reserve: int) -> Room:
    """The disk of the backups, for the parts that will be made."""
    several = list(pieces)
    return disk_room.room_in(store.folder, survey.bytes(several), 3 * len(several) + 4, reserve)


def must_have_room(room: Room) -> None:
    """Raise Problem unless the disk has room for the parts, and the reserve is left."""
    fewer = ("dokku_backup_keep", "in the inventory, keeps fewer backups")
    elsewhere = ("dokku_backup_dir=<folder>", "in the inventory, makes them on another disk")
    must_pass(disk_room.refuse(room, "a backup", (fewer, elsewhere)))


def must_be_called(pieces: Iterable[Piece], refused: Callable[[], Problem | None]) -> None:
    """Raise Problem where a part needs root, and this user can't call the helper. refused: why they can't."""
    needing = sorted({piece.kind for piece in pieces if piece.kind in OF_ROOT})
    refusal = refused() if needing else None
    if refusal is not None:
        rest = ",".join(kind for kind in ALL_KINDS if kind not in OF_ROOT)
        way = (f"parts={rest}", f"does without {', '.join(needing)}")
        raise refusal.also([way])


class Maker:
    """Makes the parts of one backup, and seals it.

    identity: the backup's id. public_key: what it is encrypted to; empty for one that anybody with the folder reads.
    """

    def __init__(self, service: DokkuService, store: Store, parts: Parts, identity: str, public_key: str) -> None:
        self.service, self.store, self.parts = service, store, parts
        self.identity, self.public_key = identity, public_key

    def make(self, piece: Piece) -> dict[str, Any]:
        """Make one part; what a killed go left of it is written over. Returns a note without secrets."""
        self.store.begin(self.identity)
        part = self.store.write(
            self.identity, piece.file, self.public_key, lambda take: self._fill(piece, take), piece.kind, piece.name
        )
        return {"size": part.size, "sha256": part.sha256, **_shown(part.facts)}

    def _fill(self, piece: Piece, take: Callable[[bytes], None]) -> dict[str, Any]:
        if piece.kind == "database":
            return self._database(piece.name, take)
        if piece.kind == "config":
            config = self.service.config()
            take(json.dumps(config, sort_keys=True, ensure_ascii=False).encode())
            return {"keys": sorted(config)}
        if piece.kind == "settings":
            settings = self._settings()
            take(json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False).encode())
            return {"reports": sorted(settings["reports"]), "missing": settings["missing"]}
        words = {"storage": ["storage", piece.name], "image": ["image", self.service.app, piece.name]}
        self.parts.read(take, "read", *words.get(piece.kind, [piece.kind, self.service.app]))
        return {}

    def _database(self, title: str, take: Callable[[bytes], None]) -> dict[str, Any]:
        plugin, _, name = title.partition(".")
        database = Database(self.service, plugin, name)
        facts = database.export(take)
        address = database.address()
        config = self.service.config()
        variables = [key for key, value in config.items() if differences.leads_to(value, address)]
        return {**facts, "image": database.image(), "variables": sorted(variables), "links": database.links()}

    def _settings(self) -> dict[str, Any]:
        reports: dict[str, Any] = {}
        missing: dict[str, str] = {}
        for plugin in _REPORTS:
            try:
                reports[plugin] = self.service.dokku.report(self.service.app, plugin)
            except DokkuError as error:
                if plugin in _NEEDED_REPORTS:
                    raise
                missing[plugin] = str(error)
        scale = self.service.dokku.run("ps:scale", self.service.app).out
        storage = self.service.dokku.json("storage:list", self.service.app)
        return {"reports": reports, "missing": missing, "scale": scale_of(scale), "storage": storage}

    def seal(self, pieces: Iterable[Piece], facts: Mapping[str, Any]) -> dict[str, Any]:
        """Make the backup whole. facts: environment, reason, versions, release, left_out and made."""
        several = list(pieces)
        if not self.store.has(self.identity):
            manifest = self.store.sealing(self.identity) or Manifest(
                id=self.identity,
                app=self.service.app,
                host=platform.node(),
                environment=facts["environment"],
                made=clock.now().text,
                reason=facts["reason"],
                recipient=sealed_file.fingerprint(self.public_key) if self.public_key else "",
                versions=facts["versions"],
                release=facts["release"],
                parts=tuple(self._noted(piece) for piece in several),
                left_out=tuple(facts["left_out"]),
            )
            self.store.seal(manifest, [piece.file for piece in several])
        manifest = self.store.manifest(self.identity)
        _, sha256 = sealed_file.digest(self.store.path(self.identity, "manifest.json"))
        return {
            "backup": self.identity,
            "folder": self.store.path(self.identity),
            "bytes": manifest.size,
            "manifest_sha256": sha256,
        }

    def _noted(self, piece: Piece) -> Part:
        try:
            return self.store.noted(self.identity, piece.file)
        except OSError as error:
            raise CommandFailed(f"{piece.id} was not made, or was removed since: {error.strerror}") from error


def released(git: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Commit, image and number of what runs. Dokku's own report names the image that a rollback has left."""
    live = next((record for record in records if record.get("state") == "live"), None)
    found = {"sha": str(git.get("sha") or ""), "source_image": str(git.get("source-image") or "")}
    if live is not None:
        found["source_image"] = str(live.get("source_image") or "")
        found["sha"] = str(live.get("revision") or "") or found["sha"]
        found["number"] = str(live.get("number") or "")
    return {key: value for key, value in found.items() if value and value != "HEAD"}


def scale_of(text: str) -> dict[str, int]:
    """The scale as ps:scale prints it."""
    pairs = (re.fullmatch(r"([A-Za-z0-9_-]+):\s+(\d+)", line.strip()) for line in text.splitlines())
    return {found[1]: int(found[2]) for found in pairs if found}


def _shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the ledger keeps: counts, not names of everything."""
    shown: dict[str, Any] = {}
    if "rows" in facts:
        shown = {"tables": len(facts["rows"]), "rows": sum(facts["rows"].values())}
    if isinstance(facts.get("keys"), dict):
        shown = {"keys": sum(high for _, high in facts["keys"].values())}
    return shown


def step_of(piece: Piece, what: str = "part") -> Step:
    """The journalled step that makes a part."""
    return Step(f"{what}:{piece.id}", piece.title, data={"kind": piece.kind, "name": piece.name})


def piece_of(step: Step) -> Piece:
    return Piece(str(step.data["kind"]), str(step.data["name"]))
