# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a service whose releases lie side by side, as they are done on the host."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys, release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, durable_tree, held_path
from ansible_collections.ops.runbook.plugins.module_utils.laravel import release_folders, vendor_store
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark, ReleaseStore
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.steps import LaravelSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import (
    FROM_GIT,
    fit_class_map,
    in_git,
    install,
    live_key,
)


class ReleaseSteps(LaravelSteps):
    """The steps of deploy and rollback, by id."""

    @property
    def acts(self) -> dict[str, Callable[[Step], object]]:
        return {
            **super().acts,
            "release": self.make_release,
            "seal": self.seal_release,
            "switch": self.switch_release,
        }

    @property
    def store(self) -> ReleaseStore:
        return self.service.store

    def _place(self, step: Step) -> LaravelService:
        commit = step.data.get("in") or step.data.get("commit")
        return self.service.at(self.store.folder(commit)) if commit else self.service

    def keep_releases(self, step: Step) -> object:
        """Keep what going back needs; remove what is beyond the retention, and what was never finished."""
        checkout, present, target = self.service.checkout, self.plan["from"]["id"], step.data["release"]["id"]
        checkout.keep(present)
        checkout.keep(target)
        past = self.guard.ledger().history()
        wanted = {*release_choice.kept(past, present, self.service.description.keep_releases), target}
        ours = self.guard.ledger().named(ledger_keys.RELEASE)
        for commit in checkout.kept():
            if commit not in wanted and commit in ours:
                checkout.forget(commit)
        removed = self.store.prune(wanted)
        return {"removed": removed} if removed else None

    def make_release(self, step: Step) -> object:
        """Check the commit out into a new folder, and let it use what is shared."""
        commit = step.data["commit"]
        folder = self.store.begin(commit, self.plan["saved_as"])
        self.service.checkout.add_linked(self.store.repository, folder, commit)
        revision = os.path.join(folder, "REVISION")
        if not os.path.lexists(revision):
            # Capistrano and Deployer leave it there too, so that an application can find its release.
            durable_file.replace(revision, commit.encode() + b"\n")
            os.chmod(revision, 0o644)
        self.store.link_shared(folder, self.service.description.shared)
        _let_in(os.path.join(folder, "bootstrap", "cache"), self.store.shared("storage", "framework"))
        public = os.path.join(folder, "public", "storage")
        if os.path.islink(self.service.file("public", "storage")) and not os.path.lexists(public):
            # `artisan storage:link` made it once; it is not in the repository.
            os.symlink("../storage/app/public", public)
        return None

    def bring_vendor(self, step: Step) -> object:
        """Make vendor/: a copy of a tree that was made for the same lock, or by Composer."""
        commit, place = step.data["commit"], self._place(step)
        if in_git(place, commit):
            return FROM_GIT
        live = place.vendor.live
        if step.data.get("missing_only") and os.path.isfile(os.path.join(live, "autoload.php")):
            return "as it was"
        wanted = self._key(commit)
        held_path.remove_tree(place.app, live, ignore_errors=True)
        source = self._tree(wanted)
        if not source:
            return install(place, wanted, commit)
        held_path.remove_tree(place.app, f"{live}.part", ignore_errors=True)
        durable_tree.copy(source, f"{live}.part")
        durable_tree.put(f"{live}.part", live)
        how = "copied" + fit_class_map(place, wanted, commit)
        place.vendor.write_stamp(wanted, commit)
        return how

    def _tree(self, wanted: str) -> str:
        """A whole vendor tree of this key; empty without one."""
        if not wanted:
            return ""
        folders = [self.service.app, *(self.store.folder(name) for name in self.store.names())]
        for folder in dict.fromkeys(folders):
            whole = folder == self.service.app or self.store.mark(folder) is not None
            if whole and live_key(self.service.at(folder), self.plan["php"]) == wanted:
                return os.path.join(folder, "vendor")
        return self.service.vendor.tree(wanted)

    def build_caches(self, step: Step) -> object:
        commit, place = step.data["in"], self._place(step)
        views = self.store.views(commit)
        self.store.remove_views(commit)
        os.makedirs(views)
        _let_in(views, os.path.dirname(views))
        settings = release_folders.settings_of(place.settings())
        note = self._rebuild(place, step.data["commands"], views)
        mark = self.store.whole(commit)
        if mark is not None:
            self.store.seal(Mark(**{**vars(mark), "settings": settings, "php": self.plan["php"]}))
        return note

    def seal_release(self, step: Step) -> object:
        commit, place = step.data["commit"], self._place(step)
        size, files = release_folders.size_of(place.app)
        self.store.seal(
            Mark(
                commit=commit,
                operation=self.plan["saved_as"],
                php=self.plan["php"],
                vendor=vendor_store.key(place.checkout.show(commit, "composer.lock"), self.plan["php"]),
                settings=release_folders.settings_of(place.settings()),
                size=size,
                files=files,
            )
        )
        return None

    def switch_release(self, step: Step) -> object:
        """Serve the release from now on; the worker takes it up when its job is done."""
        self.store.switch(step.data["commit"])
        return self._call(self._place(step), step.data["commands"], ["cache:clear"])

    def reload_php(self, step: Step) -> object:
        if step.data.get("stale_only") and self._serves(os.path.realpath(self.store.link)):
            return "not needed: it serves the release already"
        return super().reload_php(step)

    def _serves(self, folder: str) -> bool:
        """True if the site itself says, twice, that it serves this release; where it can't say, it does not count."""
        mark = self.store.mark(folder)
        asked = [check for check in self.checks if check.release]
        if mark is None or not asked:
            return False
        return all(gate.probe(check, mark.commit).ok for check in (*asked, *asked))

    def adopt(self, step: Step) -> object:
        """Keep the present release as the first one that a rollback may go to."""
        self.service.checkout.keep(step.data["commit"])
        return None


def _let_in(folder: str, model: str) -> None:
    """Give a folder the group and mode of another one, so that php-fpm's user may write where it may there."""
    os.makedirs(folder, exist_ok=True)
    like = os.stat(model)
    # A user outside that group can't hand it over; what php-fpm must write is then in its own folders.
    with contextlib.suppress(PermissionError):
        os.chown(folder, -1, like.st_gid)
        os.chmod(folder, like.st_mode & 0o7777)
