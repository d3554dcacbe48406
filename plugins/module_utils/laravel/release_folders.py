# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Release folders: a service whose releases lie side by side, and whose link `current` points to one of them.

releases/<id>/             one release, whole and warm; the id is the beginning of its commit
releases/<id>.half-made    it is being made, or being removed: it is never chosen
shared/                    what all releases share: .env, storage
repository/                the git repository that the releases are checked out from
current                    a link to the release that is served
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, durable_tree, held_path
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: Inside a release: what it was made from. It is written last, so a release without it is not whole.
MARK = ".ops-runbook-release.json"

_HALF_MADE = ".half-made"


@dataclass(frozen=True)
class Mark:
    """The ingredients of a whole release.

    commit: in full. operation: that made it. php: the version that built its caches. vendor: key of its vendor tree.
    settings: of its .env when the caches were built, see `settings_of`. size: bytes on the disk. files: their number.
    """

    commit: str
    operation: str
    php: str
    vendor: str
    settings: str
    size: int
    files: int


def settings_of(content: bytes, salt: str = "") -> str:
    """A fingerprint of a .env, from which nothing of it can be read: `<salt>:<HMAC-SHA256>`."""
    salt = salt or secrets.token_hex(8)
    return f"{salt}:{hmac.new(salt.encode(), content, hashlib.sha256).hexdigest()}"


def same_settings(recorded: str, content: bytes) -> bool:
    """True if a fingerprint was taken of this content."""
    return hmac.compare_digest(settings_of(content, recorded.partition(":")[0] or "-"), recorded)


@dataclass(frozen=True)
class ReleaseStore:
    """The release folders under one root."""

    root: str

    @property
    def repository(self) -> str:
        return os.path.join(self.root, "repository")

    @property
    def link(self) -> str:
        return os.path.join(self.root, "current")

    def shared(self, *parts: str) -> str:
        return os.path.join(self.root, "shared", *parts)

    @property
    def _releases(self) -> str:
        return os.path.join(self.root, "releases")

    def name(self, commit: str) -> str:
        return commit[:12]

    def folder(self, commit: str) -> str:
        return os.path.join(self.root, "releases", self.name(commit))

    # -- reading ---------------------------------------------------------------------------------

    def current(self) -> str:
        """The served folder; empty if `current` is not a link to one of the releases."""
        if not os.path.islink(self.link):
            return ""
        folder = os.path.realpath(self.link)
        inside = os.path.dirname(folder) == os.path.realpath(os.path.join(self.root, "releases"))
        return folder if inside and os.path.isdir(folder) else ""

    def mark(self, folder: str) -> Mark | None:
        """The ingredients of a release; None while it is not whole."""
        if os.path.exists(f"{folder}{_HALF_MADE}"):
            return None
        try:
            with open(os.path.join(folder, MARK), encoding="utf-8") as handle:
                return Mark(**foreign_json.loads(handle.read()))
        except (OSError, ValueError, TypeError):
            return None

    def whole(self, commit: str) -> Mark | None:
        """The mark of this commit's release; None if it has no whole one, or if its vendor tree is gone."""
        folder = self.folder(commit)
        mark = self.mark(folder)
        # People remove vendor/ to free a disk: nothing in such a folder boots, so it is made anew before it is served.
        there = os.path.isfile(os.path.join(folder, "vendor", "autoload.php"))
        return mark if mark is not None and mark.commit == commit and there else None

    def names(self) -> list[str]:
        """Every release, half-made ones too."""
        try:
            entries = os.listdir(os.path.join(self.root, "releases"))
        except FileNotFoundError:
            return []
        return sorted({entry[: -len(_HALF_MADE)] if entry.endswith(_HALF_MADE) else entry for entry in entries})

    def half_made(self) -> list[str]:
        return [name for name in self.names() if self.mark(self.folder(name)) is None]

    def whole_names(self) -> list[str]:
        """The whole releases, the one that was sealed last first."""
        whole = [name for name in self.names() if self.mark(self.folder(name)) is not None]
        return sorted(whole, key=lambda name: -os.stat(os.path.join(self.folder(name), MARK)).st_mtime)

    # -- making and removing ---------------------------------------------------------------------

    def begin(self, commit: str, operation: str) -> str:
        """Make room for a release, and say that it is not whole. Returns its folder, which does not exist yet."""
        folder = self.folder(commit)
        if os.path.realpath(folder) == self.current():
            raise FileExistsError(f"{folder} is served now, and can't be made anew")
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        self._say_half_made(folder, operation)
        held_path.remove_tree(self._releases, folder, ignore_errors=True)
        return folder

    def _say_half_made(self, folder: str, why: str) -> None:
        durable_file.replace(f"{folder}{_HALF_MADE}", why.encode() + b"\n")

    def seal(self, mark: Mark) -> None:
        """Say that a release is whole."""
        folder = self.folder(mark.commit)
        durable_tree.sync(folder)
        durable_file.replace(os.path.join(folder, MARK), json.dumps(asdict(mark), sort_keys=True).encode() + b"\n")
        durable_file.remove(f"{folder}{_HALF_MADE}")

    def remove(self, name: str) -> None:
        """Remove a release. Cut off in the middle, what is left of it counts as half-made."""
        folder = self.folder(name)
        if os.path.realpath(folder) == self.current():
            raise FileExistsError(f"{folder} is served now, and is not removed")
        self._say_half_made(folder, "being removed")
        held_path.remove_tree(self._releases, folder, ignore_errors=True)
        self.remove_views(name)
        if not os.path.lexists(folder):
            durable_file.remove(f"{folder}{_HALF_MADE}")

    def ours(self, name: str) -> bool:
        """True if a folder in `releases` was made here: it has a mark, or a note that it is half-made."""
        folder = self.folder(name)
        marked = os.path.lexists(f"{folder}{_HALF_MADE}") or os.path.isfile(os.path.join(folder, MARK))
        # A longer name is not a commit's: its beginning would mean another folder.
        return marked and name == self.name(name)

    def prune(self, wanted: Iterable[str]) -> list[str]:
        """Remove every release that is neither wanted nor served, and what is half-made. Returns their names.

        What somebody else has put there stays.
        """
        kept = {self.name(commit) for commit in wanted}
        served = os.path.basename(self.current())
        half_made = self.half_made()
        own = [name for name in self.names() if self.ours(name)]
        removed = [name for name in own if name != served and (name in half_made or name not in kept)]
        for name in removed:
            self.remove(name)
        return removed

    def views(self, commit: str) -> str:
        """The folder of this release's compiled views.

        By Laravel's default all releases would share one folder, where a view has the same name in each of them:
        building those of the next release would overwrite what is served.
        """
        return self.shared("storage", "framework", "views", self.name(commit))

    def remove_views(self, commit: str) -> None:
        views = self.views(commit)
        held_path.remove_tree(os.path.dirname(views), views, ignore_errors=True)

    def link_shared(self, folder: str, paths: Iterable[str]) -> None:
        """Let a release use what is shared. What is not shared yet begins with what the release brings.

        A path that ends with a slash is a folder, and is made where neither has it. Raises OutOfFolder, with nothing
        removed, where a path is not one of the release.
        """
        paths = list(paths)
        wrong = held_path.shared_problem(paths)
        if wrong:
            raise held_path.OutOfFolder(f"laravel_shared: {wrong}")
        for given in paths:
            path = given.rstrip("/")
            place, target = held_path.held(folder, os.path.join(folder, path)), self.shared(path)
            if os.path.islink(place):
                held_path.remove_file(folder, place)
            if not os.path.lexists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                if os.path.lexists(place):
                    durable_tree.rename(place, target)
                elif given.endswith("/"):
                    os.makedirs(target)
            elif os.path.isdir(place):
                held_path.remove_tree(folder, place)
            elif os.path.lexists(place):
                held_path.remove_file(folder, place)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(os.path.relpath(target, os.path.dirname(place)), place)

    def unlinked(self, folder: str, paths: Iterable[str]) -> list[str]:
        """The shared paths that a release does not find behind a link: a checkout by hand puts its own in their place.

        What no release shares yet is not one of them.
        """
        found = (given.rstrip("/") for given in paths)
        shared = [(path, self.shared(path)) for path in found if os.path.lexists(self.shared(path))]
        return [path for path, target in shared if not _leads_to(os.path.join(folder, path), target)]

    def relink(self, folder: str, path: str) -> str:
        """The line that lets a release find a shared path, for a person on the host; what the release has is kept."""
        place, target = os.path.join(folder, path), self.shared(path)
        aside = f"{target}.of-{os.path.basename(folder)}"
        link = shlex.join(["ln", "-s", "-T", os.path.relpath(target, os.path.dirname(place)), place])
        return f"{shlex.join(['mv', '-T', '--backup=numbered', place, aside])}; {link}"

    # -- the switch ------------------------------------------------------------------------------

    def switch(self, commit: str) -> None:
        """Let `current` point to a release, in one step. Raises FileNotFoundError where it is not whole."""
        if self.whole(commit) is None:
            raise FileNotFoundError(f"{self.folder(commit)} is not a whole release")
        replace_link(self.link, os.path.join("releases", self.name(commit)))


def _leads_to(place: str, target: str) -> bool:
    return os.path.islink(place) and os.path.realpath(place) == os.path.realpath(target)


def replace_link(link: str, target: str) -> None:
    """Let a link point elsewhere; there is no moment without it."""
    temporary = f"{link}.new"
    if os.path.lexists(temporary):
        held_path.remove_file(os.path.dirname(link), temporary)
    os.symlink(target, temporary)
    durable_tree.rename(temporary, link)


def size_of(folder: str) -> tuple[int, int]:
    """Bytes on the disk of a tree, and the number of its files; links are not followed."""
    size = files = 0
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return size, files
