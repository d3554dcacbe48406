# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups on a host: one folder each, which is whole or not there. Several services may share the folder that has them.

<folder>/<id>/              a whole backup: manifest.json, SHA256SUMS, the parts
<folder>/.making-<id>/      one that is being made; it counts for nothing
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import manifest as backup_manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup import sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import BadManifest, Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.host import (
    durable_file,
    durable_tree,
    held_path,
    owned_folder,
)
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

_MAKING = ".making-"
_REMOVING = ".removing-"
SUMS = "SHA256SUMS"
#: Bytes; the rows of 100,000 tables.
_LARGEST_MANIFEST = 16 * 1024 * 1024


def is_sealed(part: Part) -> bool:
    """True if a seal shows that an encrypted part is unchanged; parts of older versions have none."""
    return part.key.endswith(sealed_file.SEAL)


def _about(identity: str, kind: str, name: str) -> str:
    return f"{identity} {kind} {name}".strip()


class Store:
    """The folder of backups."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, identity: str, *names: str) -> str:
        return os.path.join(self.folder, identity, *names)

    def making(self, identity: str, *names: str) -> str:
        return os.path.join(self.folder, _MAKING + identity, *names)

    def has(self, identity: str) -> bool:
        return os.path.isdir(self.path(identity))

    # -- reading ---------------------------------------------------------------------------------

    def look(self) -> tuple[list[Manifest], dict[str, str]]:
        """The whole backups, and by folder why another one is not whole. Half-made ones are in neither."""
        found: list[Manifest] = []
        bad: dict[str, str] = {}
        for name in sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []:
            if name.startswith("."):
                continue
            try:
                found.append(self.manifest(name))
            except (BadManifest, OSError) as error:
                bad[name] = str(error)
            except Exception as error:
                # One folder, whatever is in it, must not hide the others.
                bad[name] = f"its manifest can't be read: {type(error).__name__}"
        return found, bad

    def manifest(self, identity: str) -> Manifest:
        """The manifest of a whole backup. Raises BadManifest or OSError."""
        with open(self.path(identity, backup_manifest.NAME), "rb") as handle:
            content = handle.read(_LARGEST_MANIFEST + 1)
        if len(content) > _LARGEST_MANIFEST:
            raise BadManifest(f"the manifest in the folder {identity} is larger than {_LARGEST_MANIFEST >> 20} MiB")
        found = backup_manifest.parse(content)
        if found.id != identity:
            raise BadManifest(f"the manifest in the folder {identity} is of {found.id}")
        return found

    def problems(self, manifest: Manifest, parts: Iterable[Part] | None = None) -> list[str]:
        """Parts of a backup that differ from its manifest; empty without a difference."""
        lines = []
        for part in manifest.parts if parts is None else parts:
            path = self.path(manifest.id, part.file)
            try:
                size, sha256 = sealed_file.digest(path)
            except OSError as error:
                lines.append(f"{part.title}: {part.file} can't be read: {error.strerror}")
                continue
            if size != part.size:
                lines.append(f"{part.title}: {part.file} has {size} bytes; the manifest says {part.size}")
            elif sha256 != part.sha256:
                lines.append(f"{part.title}: {part.file} was changed: its SHA-256 is not the manifest's")
            if part.key:
                lines += self._key_problems(manifest, part)
        return lines

    def _key_problems(self, manifest: Manifest, part: Part) -> list[str]:
        try:
            _, sha256 = sealed_file.digest(self.path(manifest.id, part.key))
        except OSError:
            return [f"{part.title}: its key {part.key} is missing"]
        if part.key_sha256 and sha256 != part.key_sha256:
            return [f"{part.title}: {part.key} was changed: its SHA-256 is not the manifest's"]
        return []

    def read(self, manifest: Manifest, part: Part, private_key: str = "") -> Iterator[bytes]:
        """The content of a part, decrypted, once all of it was checked. Raises SealError or OSError."""
        return sealed_file.read(
            self.path(manifest.id, part.file), part.sha256, self._key(manifest, part, private_key) if part.key else b""
        )

    def _key(self, manifest: Manifest, part: Part, private_key: str) -> bytes:
        """The key of a part. A seal has to be of this part of this backup, as it lies there. Raises SealError."""
        content = durable_file.read_bytes(self.path(manifest.id, part.key))
        if not is_sealed(part):
            return sealed_file.unwrap(content, private_key)
        found = sealed_file.unseal(content, private_key)
        if found.about != _about(manifest.id, part.kind, part.name):
            raise sealed_file.Changed(f"{part.key} is the seal of {found.about!r}, and not of {part.title}")
        if found.sha256 != part.sha256:
            raise sealed_file.Changed(f"{part.file} was changed: its SHA-256 is not that of its seal")
        return found.key

    def must_open(self, manifest: Manifest, part: Part, private_key: str) -> None:
        """Raise SealError unless the part's key can be had, and its seal is of this part."""
        if part.key:
            self._key(manifest, part, private_key)

    # -- making ----------------------------------------------------------------------------------

    def begin(self, identity: str) -> None:
        """Make room for a new backup; what a killed one left of the same id stays."""
        for folder in (self.folder, self.making(identity)):
            owned_folder.make(folder)
        durable_file.sync_folder(self.folder)

    def write(
        self,
        identity: str,
        file: str,
        public_key: str,
        fill: Callable[[Callable[[bytes], None]], dict[str, Any]],
        kind: str,
        name: str,
    ) -> Part:
        """Write one part of a backup that is being made. fill: writes its content, and returns its facts.

        The part is noted beside it, so that a killed operation continues with the next one.
        """
        path = self.making(identity, file + (".enc" if public_key else ""))
        writer = sealed_file.Writer(path, public_key, _about(identity, kind, name))
        try:
            facts = fill(writer.write)
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        key = os.path.basename(path) + sealed_file.SEAL if public_key else ""
        sealed = sealed_file.digest(self.making(identity, key))[1] if key else ""
        part = Part(kind, name, os.path.basename(path), writer.size, writer.sha256, key, facts, sealed)
        durable_file.replace(self.making(identity, f".{file}.part"), durable_file.encode(part.to_dict()))
        return part

    def noted(self, identity: str, file: str) -> Part:
        """A part that was written earlier. Raises OSError where it was not."""
        with open(self.making(identity, f".{file}.part"), "rb") as handle:
            return Part(**foreign_json.loads(handle.read()))

    def sealing(self, identity: str) -> Manifest | None:
        """The manifest that a killed operation had written, after which the notes of the parts may be gone."""
        try:
            with open(self.making(identity, backup_manifest.NAME), "rb") as handle:
                return backup_manifest.parse(handle.read())
        except FileNotFoundError:
            return None

    def seal(self, manifest: Manifest, files: Iterable[str]) -> None:
        """Make a backup whole: from here on it is there. Done once more, it changes nothing."""
        if os.path.isdir(self.path(manifest.id)):
            return
        folder = self.making(manifest.id)
        sums = "".join(f"{part.sha256}  {part.file}\n" for part in manifest.parts)
        durable_file.replace(os.path.join(folder, SUMS), sums.encode())
        durable_file.replace(os.path.join(folder, backup_manifest.NAME), manifest.to_bytes())
        for file in files:
            durable_file.remove(os.path.join(folder, f".{file}.part"))
        durable_file.sync_folder(folder)
        durable_tree.rename(folder, self.path(manifest.id))

    # -- removing --------------------------------------------------------------------------------

    def discard(self, identity: str) -> None:
        """Remove what there is of a half-made backup."""
        held_path.remove_tree(self.folder, self.making(identity), ignore_errors=True)

    def remove(self, identity: str) -> None:
        """Remove a whole backup. It stops being one first."""
        gone = os.path.join(self.folder, _REMOVING + identity)
        if os.path.isdir(self.path(identity)):
            durable_tree.rename(self.path(identity), gone)
        held_path.remove_tree(self.folder, gone, ignore_errors=True)

    def sweep(self, made_here: Callable[[str], bool], but: Iterable[str] = ()) -> list[str]:
        """Remove what operations that have ended left half-made or half-removed. Returns the names.

        made_here: whether the ledger of this service names the operation that began a backup. Another service's may be
        under way in the same folder: the lease is of one service, and the folder is not.
        """
        spared = set(but)
        removed = []
        for name in sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []:
            mark = next((mark for mark in (_MAKING, _REMOVING) if name.startswith(mark)), "")
            identity = name[len(mark) :]
            if mark and made_here(identity) and not (mark == _MAKING and identity in spared):
                held_path.remove_tree(self.folder, os.path.join(self.folder, name), ignore_errors=True)
                removed.append(name)
        return removed
