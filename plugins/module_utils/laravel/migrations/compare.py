# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the migrations of two releases of a Laravel application, and those that may be in either. Pure.

The present release is asked: its migrator names its folders and files. The target can't be asked before it is there, so
the same folders are looked up in its git tree, and those of packages by its composer.lock or in its vendor tree.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Position
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: The folder in which every application has migrations; providers, packages and modules add others.
FOLDER = "database/migrations"

#: The files that a migrator takes out of a folder: none of a folder in it, and no name without an underscore.
_FILE = re.compile(r"^[^/_]*_[^/]*\.php$")
_DATED = re.compile(r"^\d{4}_\d{2}_\d{2}_\d{6}_")


def name_of(path: str) -> str:
    """The name that the migrations table has for a file."""
    return posixpath.basename(path).replace(".php", "")


def in_working_tree(app: str) -> list[str]:
    """Names of the migrations in the folder that every application has, on the disk."""
    try:
        listed = os.listdir(os.path.join(app, FOLDER))
    except OSError:
        return []
    return sorted(name_of(file) for file in listed if _FILE.match(file))


# -- what git and Composer say of a commit -------------------------------------------------------


@dataclass(frozen=True)
class Package:
    """A package in composer.lock. place: its folder in the repository, for one that lies there ("path")."""

    version: str
    reference: str
    place: str = ""


def packages(lock: str | None, dev: bool = False) -> dict[str, Package] | None:
    """The packages that a composer.lock asks for, by name; None where there is no lock that can be read."""
    try:
        raw = foreign_json.loads(lock or "")
        listed = [*raw["packages"], *((raw.get("packages-dev") or ()) if dev else ())]
        found: dict[str, Package] = {}
        for one in listed:
            dist, source = one.get("dist") or {}, one.get("source") or {}
            place = posixpath.normpath(str(dist.get("url"))) if dist.get("type") == "path" else ""
            reference = str(dist.get("reference") or source.get("reference") or "")
            found[str(one["name"])] = Package(str(one.get("version")), reference, place)
        return found
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class Commit:
    """A commit: its files, its submodules (folder -> commit), its composer.lock."""

    files: frozenset[str]
    submodules: Mapping[str, str] = field(default_factory=dict)
    lock: str | None = None


def listed(tree: str) -> tuple[frozenset[str], dict[str, str]]:
    """The files and submodules in the output of `git ls-tree -r -z`."""
    files: set[str] = set()
    submodules: dict[str, str] = {}
    for entry in tree.split("\0"):
        head, _, path = entry.partition("\t")
        if head.startswith("160000 "):
            submodules[path] = head.split()[2]
        elif path:
            files.add(path)
    return frozenset(files), submodules


@dataclass(frozen=True)
class Present:
    """The release that runs. files: migration -> path, folders: in which its migrator looks, both as it names them:
    relative to the application, or absolute. booted: the migrator itself said so; otherwise the files were searched
    for by name, and searched says whether each place could be.
    """

    commit: Commit
    files: Mapping[str, str]
    folders: Sequence[str] = (FOLDER,)
    booted: bool = True
    searched: bool = True
    in_place: bool = True


@dataclass(frozen=True)
class Target:
    """The release to go to. vendor: lists the files below a folder of its vendor tree, where that tree is on this
    host; None where it is not.
    """

    commit: Commit
    vendor: Callable[[str], Iterable[str]] | None = None


@dataclass(frozen=True)
class Known:
    """Known migrations of both releases.

    position: for the verdict. places: where the files of the target's migrations are: ("git", path) in its commit,
    ("vendor", path) in its vendor tree, ("here", path) as in the present release. unasked: sentences about questions
    without an answer. elsewhere: files of the target that look like migrations, in folders that only its own migrator
    may
    look into.
    """

    position: Position
    places: Mapping[str, tuple[str, str]]
    unasked: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def known(applied: Sequence[str] | None, error: str, present: Present, target: Target) -> Known:
    """Compare what two releases bring."""
    return _Look(present, target).known(applied, error)


# -- the look ------------------------------------------------------------------------------------

_YES, _NO, _UNTOLD = "yes", "no", "can't tell"


class _Look:
    def __init__(self, present: Present, target: Target) -> None:
        self.present, self.target = present, target
        self.here = packages(present.commit.lock, dev=True)
        self.there = packages(target.commit.lock)
        self.by_name: dict[str, str] = {}
        for path in sorted(target.commit.files):
            if path.endswith(".php") and _DATED.match(posixpath.basename(path)):
                self.by_name.setdefault(name_of(path), path)
        self.tracks_vendor = any(path.startswith("vendor/") for path in target.commit.files)
        self.vendor = None if self.tracks_vendor else target.vendor

    def known(self, applied: Sequence[str] | None, error: str) -> Known:
        places = self._offered()
        unsure: dict[str, str] = {}
        target = set(places)
        for name, path in self.present.files.items():
            if name in target:
                continue
            said, why = self._has(name, path)
            if said == _YES:
                target.add(name)
            elif said == _UNTOLD:
                unsure[name] = why
        strange = [name for name in applied or () if name not in self.present.files and name not in target]
        # No code loads them here, so a file of that name in the target is the sign that they are its own.
        target |= {name for name in strange if name in self.by_name}
        blind = set() if self.present.booted or self.present.searched else set(strange)
        reasons = sorted(set(unsure.values()))
        if blind:
            reasons.append("the present release can't be asked, and its vendor folder can't be searched")
        position = Position(
            applied=applied,
            current=set(self.present.files),
            target=target,
            unsure=set(unsure),
            unsure_here=blind - target,
            error=error,
            why="; ".join(reasons),
        )
        elsewhere = [
            path
            for name, path in self.by_name.items()
            if name not in target and name not in places and name not in unsure
        ]
        new = [path for path in elsewhere if path not in self.present.commit.files]
        unasked = [*self._unasked(), *([f"whether the target looks into the folder of {_some(new)}"] if new else [])]
        return Known(position, places, tuple(unasked), tuple(elsewhere))

    # Files that the target's migrator will find, in the folders in which the present one looks.

    def _offered(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for folder in dict.fromkeys((*self.present.folders, FOLDER)):
            folder = posixpath.normpath(folder)
            if posixpath.isabs(folder):
                continue
            package = self._package(folder)
            if package and self.there is not None and package not in self.there and not self._tracked(folder):
                continue
            place = self._place_there(package, folder)
            for path in self._in_folder(self.target.commit.files, place):
                found.setdefault(name_of(path), ("git", path))
            if self.vendor is not None and package:
                for path in self._in_folder(self.vendor(posixpath.dirname(folder)), folder):
                    found.setdefault(name_of(path), ("vendor", path))
            elif package and self._same(package) and not self.tracks_vendor:
                for name, path in self.present.files.items():
                    if posixpath.dirname(path) == folder or path == folder:
                        found.setdefault(name, ("here", path))
        return found

    def _place_there(self, package: str, folder: str) -> str:
        """The folder of a package in the target's commit, for a package in the repository."""
        there = (self.there or {}).get(package)
        if there is None or not there.place or not folder.startswith(f"vendor/{package}/"):
            return folder
        return posixpath.normpath(posixpath.join(there.place, folder[len(f"vendor/{package}/") :]))

    @staticmethod
    def _in_folder(files: Iterable[str], folder: str) -> list[str]:
        # A provider may name one file instead of a folder.
        if folder.endswith(".php"):
            return [folder] if folder in files else []
        start = f"{folder}/"
        return sorted(path for path in files if path.startswith(start) and _FILE.match(path[len(start) :]))

    # True if the target has a file of the present release.

    def _has(self, name: str, path: str) -> tuple[str, str]:
        """yes, no or can't tell, and then why."""
        present, target = self.present.commit, self.target.commit
        if name in self.by_name:
            return _YES, ""
        if posixpath.isabs(path):
            return _UNTOLD, f"{posixpath.dirname(path)} lies outside the application"
        for folder, commit in present.submodules.items():
            if path.startswith(f"{folder}/"):
                there = target.submodules.get(folder)
                if there is None:
                    return _NO, ""
                return (_YES, "") if there == commit else (_UNTOLD, f"submodule {folder} is at another commit")
        package = self._package(path)
        if package and not self._tracked(path):
            return self._has_of_package(package, path)
        if path in present.files:
            return (_YES, "") if path in target.files else (_NO, "")
        if posixpath.dirname(path) == FOLDER:
            # Untracked: in place it stays; another release's folder does not have it.
            return (_YES if self.present.in_place else _NO), ""
        return _UNTOLD, f"{posixpath.dirname(path)} is neither in git nor in vendor/"

    def _has_of_package(self, package: str, path: str) -> tuple[str, str]:
        if self.vendor is not None:
            # Another version may have moved it.
            names = {name_of(file) for file in self.vendor(f"vendor/{package}")}
            return (_YES if name_of(path) in names else _NO), ""
        if self.there is None:
            return _UNTOLD, "the target has no composer.lock"
        if package not in self.there:
            return _NO, ""
        if self._same(package):
            return _YES, ""
        place = self.there[package].place
        if place and not place.startswith(("/", "..")):
            # It lies in the repository, so that git has its files.
            return (_YES if self._place_there(package, path) in self.target.commit.files else _NO), ""
        here = (self.here or {}).get(package)
        versions = f"{here.version if here else 'unknown'} here, {self.there[package].version} there"
        return _UNTOLD, f"package {package} is another one in the target ({versions})"

    def _tracked(self, path: str) -> bool:
        """True if the present commit has vendor/ itself, or this file anyhow and outside of any package."""
        return path in self.present.commit.files or (path.startswith("vendor/") and self.tracks_vendor)

    def _package(self, path: str) -> str:
        """The package to which a path belongs; empty for none."""
        parts = path.split("/")
        if parts[0] == "vendor" and len(parts) > 2:
            return "/".join(parts[1:3])
        for name, package in (self.here or {}).items():
            if package.place and (path == package.place or path.startswith(f"{package.place}/")):
                return name
        return ""

    def _same(self, package: str) -> bool:
        """True if both locks ask for the same files of a package."""
        here, there = (self.here or {}).get(package), (self.there or {}).get(package)
        # The reference of a package in the repository says nothing about its files.
        return here is not None and here == there and bool(here.reference) and not here.place

    def _unasked(self) -> list[str]:
        """Sources of migrations that are not known yet."""
        if self.tracks_vendor:
            return []
        if self.there is None:
            if self.target.commit.lock is None:
                return ["composer.lock is not in git: the packages of the target are not known"]
            return ["composer.lock of the target can't be read: its packages are not known"]
        other = [name for name, package in sorted(self.there.items()) if not package.place and not self._same(name)]
        if self.vendor is not None:
            # Its tree is here: only a package with a file that looks like a migration is worth a word.
            other = [name for name in other if any(map(_looks_like_one, self.vendor(f"vendor/{name}")))]
        if not other:
            return []
        return [f"packages that are new or of another version in the target: {_some(other)}"]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _looks_like_one(path: str) -> bool:
    return bool(_DATED.match(posixpath.basename(path)))
