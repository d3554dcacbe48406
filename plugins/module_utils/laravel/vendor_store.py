# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kept vendor trees: what a rollback needs of Composer, so that it needs neither Composer nor Packagist.

A tree belongs to a key, which is the content of composer.lock and the version of PHP. A tree is either
live (the application's vendor/) or kept (a folder in the store, named by its key); a switch exchanges the
two by rename and copies nothing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import (
    durable_file,
    durable_tree,
    held_path,
    owned_folder,
)
from ansible_collections.ops.runbook.plugins.module_utils.host.rename_exchange import exchange
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: Inside vendor/: which key and commit the tree was made for. Composer leaves unknown files alone.
STAMP = ".ops-runbook.json"

#: Beside the live tree, only where it can't be exchanged in one step.
_BESIDE, _FORMER = ".ops-runbook-new", ".ops-runbook-old"

#: The end of the name of a tree that is being made or removed: it is not whole, whatever its stamp says.
_PART = ".part"


def key(lock: str | None, php_version: str) -> str:
    """The key of a vendor tree; empty where there is no composer.lock, since then nothing is pinned."""
    if lock is None:
        return ""
    return hashlib.sha256(f"{minor(php_version)}\0{lock}".encode()).hexdigest()[:16]


def minor(php_version: str) -> str:
    """`8.4` of `8.4.1`: what Composer's choice of packages depends on."""
    return ".".join(php_version.split(".")[:2])


@dataclass(frozen=True)
class Stamp:
    """key: of the tree. commit: the release whose classes are in its autoloader."""

    key: str
    commit: str


def installed_matches(lock: str, installed: str) -> bool:
    """True if Composer's record of what is installed is exactly what the lock asks for, without dev packages."""
    try:
        wanted = {_package(package) for package in foreign_json.loads(lock).get("packages", [])}
        record = foreign_json.loads(installed)
        # Composer 1 wrote the list alone.
        present = {_package(package) for package in (record if isinstance(record, list) else record["packages"])}
    except (ValueError, AttributeError, KeyError, TypeError):
        return False
    return wanted == present


def _package(package: dict[str, Any]) -> tuple[str, str, str]:
    place = package.get("dist") or package.get("source") or {}
    return str(package.get("name")), str(package.get("version")), str(place.get("reference") or "")


@dataclass(frozen=True)
class VendorStore:
    """live: the application's vendor folder. folder: where the kept trees are."""

    live: str
    folder: str

    def stamp(self, tree: str | None = None) -> Stamp | None:
        """The stamp of a tree (the live one by default); None without one, or if the tree was being changed."""
        try:
            with open(os.path.join(tree or self.live, STAMP), encoding="utf-8") as handle:
                raw = foreign_json.loads(handle.read())
            return Stamp(str(raw["key"]), str(raw["commit"])) if raw.get("key") else None
        except (OSError, ValueError, KeyError, AttributeError):
            return None

    def is_stamped(self) -> bool:
        return os.path.exists(os.path.join(self.live, STAMP))

    def write_stamp(self, name: str, commit: str) -> None:
        """Stamp the live tree. An empty name says that it is being changed: then it belongs to no key."""
        os.makedirs(self.live, exist_ok=True)
        if name:
            durable_tree.sync(self.live)
        durable_file.replace(
            os.path.join(self.live, STAMP), json.dumps({"key": name, "commit": commit}).encode() + b"\n"
        )

    def kept(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def has(self, name: str) -> bool:
        """True if a tree of this key is kept."""
        return bool(self.tree(name))

    def tree(self, name: str) -> str:
        """The folder of the kept tree of this key, or empty. Its stamp decides, not its name: see tidy."""
        if not name or not os.path.isdir(self.folder):
            return ""
        folders = [self.kept(entry) for entry in sorted(os.listdir(self.folder)) if not entry.endswith(_PART)]
        for folder in [self.kept(name), *folders, f"{self.live}{_FORMER}"]:
            stamp = self.stamp(folder)
            if stamp is not None and stamp.key == name:
                return folder
        return ""

    def keys(self) -> list[str]:
        """The keys of all kept trees; half-made ones have a dot in their name and are left out."""
        try:
            return sorted(name for name in os.listdir(self.folder) if "." not in name)
        except FileNotFoundError:
            return []

    def keep_copy(self, name: str) -> None:
        """Keep a copy of the live tree, before Composer changes it in place."""
        if not name or self.has(name):
            return
        owned_folder.make(self.folder)
        part = self.kept(f"{name}{_PART}")
        held_path.remove_tree(self.folder, part, ignore_errors=True)
        durable_tree.copy(self.live, part)
        durable_tree.put(part, self.kept(name))

    def bring_live(self, name: str) -> None:
        """Put a kept tree in the live one's place; the live one is kept if it has a key, or removed.

        Killed at any point and done again, it ends the same.
        """
        self.tidy()
        live = self.stamp()
        if live is not None and live.key == name:
            return
        if os.path.isdir(self.live):
            _exchange(self.kept(name), self.live)
        else:
            _move(self.kept(name), self.live)
        self.tidy()

    def tidy(self) -> None:
        """Give each tree in the store the name of its key; remove half-made ones and doubles.

        A kill right after an exchange leaves the former live tree under the name of the new one.
        """
        owned_folder.make(self.folder)
        if os.path.isdir(f"{self.live}{_FORMER}"):
            if os.path.isdir(self.kept("former.aside")):
                _discard(self.kept("former.aside"))
            _move(f"{self.live}{_FORMER}", self.kept("former.aside"))
        for part in (f"{self.live}{_BESIDE}", f"{self.live}{_FORMER}{_PART}", f"{self.live}{_PART}"):
            held_path.remove_tree(os.path.dirname(self.live), part, ignore_errors=True)
        live = self.stamp()
        for name in sorted(os.listdir(self.folder)):
            stamp = self.stamp(self.kept(name))
            if stamp is None or name.endswith(_PART) or (live is not None and stamp.key == live.key):
                _discard(self.kept(name))
        for name in sorted(os.listdir(self.folder)):
            stamp = self.stamp(self.kept(name))
            if stamp is None or stamp.key == name:
                continue
            if os.path.isdir(self.kept(stamp.key)):
                _discard(self.kept(name))
            else:
                durable_tree.rename(self.kept(name), self.kept(stamp.key))

    def prune(self, wanted: set[str], ours: Container[str]) -> list[str]:
        """Remove kept trees that no kept release needs, and what was half-made. Returns the removed keys.

        ours: the commits that the ledger of this service names. A tree of another commit stays.
        """
        self.tidy()
        removed = [name for name in self.keys() if name not in wanted and self._commit(name) in ours]
        for name in removed:
            _discard(self.kept(name))
        return removed

    def _commit(self, name: str) -> str:
        stamp = self.stamp(self.kept(name))
        return stamp.commit if stamp is not None else ""


def _exchange(kept: str, live: str) -> None:
    """Exchange two folders in one step, so that the application is never without a vendor tree."""
    if exchange(kept, live):
        return
    # Another file system, or one without exchange: a copy beside the live tree, then two renames.
    durable_tree.copy(kept, f"{live}{_BESIDE}")
    durable_tree.sync(f"{live}{_BESIDE}")
    durable_tree.rename(live, f"{live}{_FORMER}")
    durable_tree.rename(f"{live}{_BESIDE}", live)
    _discard(kept)


def _discard(tree: str) -> None:
    """Remove a tree that, half removed, is never taken for a whole one."""
    part = tree if tree.endswith(_PART) else f"{tree}{_PART}"
    if part != tree:
        held_path.remove_tree(os.path.dirname(tree), part, ignore_errors=True)
        durable_tree.rename(tree, part)
    held_path.remove_tree(os.path.dirname(tree), part)


def _move(source: str, target: str) -> None:
    """Move a folder, across file systems too; a half-made copy never has the target's name."""
    try:
        durable_tree.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = f"{target}{_PART}"
        held_path.remove_tree(os.path.dirname(target), part, ignore_errors=True)
        durable_tree.copy(source, part)
        durable_tree.put(part, target)
        _discard(source)
