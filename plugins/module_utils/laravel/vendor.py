# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor tree that a Laravel service runs with: which one it is, and how Composer makes it."""

from __future__ import annotations

import os

from ansible_collections.ops.runbook.plugins.module_utils.guard import write_rights
from ansible_collections.ops.runbook.plugins.module_utils.laravel import vendor_store
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService

#: Composer's class map is made of these; a change elsewhere does not ask for a new one.
_NOT_AUTOLOADED = (
    "database/migrations/",
    "resources/",
    "config/",
    "routes/",
    "public/",
    "storage/",
    "lang/",
    "tests/",
)

#: The step's note about a vendor tree that is a part of the commit.
FROM_GIT = "as git has it"


def in_git(service: LaravelService, commit: str) -> bool:
    """True if a commit brings vendor/ itself. Composer would only change tracked files there."""
    return bool(service.checkout.files(commit, "vendor/autoload.php"))


def live_key(service: LaravelService, php: str) -> str:
    """The key of the live vendor tree; empty when it is not exactly what composer.lock asks for."""
    stamp = service.vendor.stamp()
    if stamp is None and service.vendor.is_stamped():
        return ""
    lock = service.checkout.show(stamp.commit if stamp else "HEAD", "composer.lock")
    if stamp is not None and lock is None:
        return stamp.key
    try:
        with open(os.path.join(service.vendor.live, "composer", "installed.json"), encoding="utf-8") as handle:
            installed = handle.read()
    except OSError:
        return ""
    # Somebody may have run Composer by hand since the stamp was written.
    if not lock or not vendor_store.installed_matches(lock, installed):
        return ""
    return stamp.key if stamp else vendor_store.key(lock, php)


def unwritable(tree: str, replaced: bool) -> list[str]:
    """Paths of a vendor tree that Composer could not write. replaced: packages too, not only the list of classes."""
    composer = os.path.join(tree, "composer")
    paths = [tree, os.path.join(tree, "autoload.php"), composer, *write_rights.files_in(composer)]
    if replaced:
        for publisher in write_rights.folders_in(tree):
            paths += [publisher, *write_rights.folders_in(publisher)]
    return write_rights.held_paths(paths)


def class_map_differs(changes: list[tuple[str, str]]) -> bool:
    """True if Composer's optimised class map must be made anew after these changes.

    It lists the application's classes too: skipping Composer for an unchanged lock would leave classes in
    it whose files are gone.
    """
    return any(
        path == "composer.json" or (status != "M" and path.endswith(".php") and not path.startswith(_NOT_AUTOLOADED))
        for status, path in changes
    )


def install(service: LaravelService, key: str, commit: str) -> str:
    """Let Composer make vendor/."""
    # A killed Composer leaves a tree that belongs to no release: the stamp says so first.
    service.vendor.write_stamp("", commit)
    service.composer("install", "--no-dev", "--optimize-autoloader", "--no-progress")
    service.vendor.write_stamp(key, commit)
    return "composer install"


def fit_class_map(service: LaravelService, key: str, commit: str) -> str:
    """Renew the class map of a vendor tree that was made for another commit, where the classes differ."""
    stamp = service.vendor.stamp()
    # A tree that Composer made before there was a stamp: its class map may be of any commit.
    fits = stamp is not None and (
        stamp.commit == commit
        or (
            service.checkout.has(stamp.commit)
            and not class_map_differs(service.checkout.changed_names(stamp.commit, commit))
        )
    )
    if fits:
        return ""
    service.composer("dump-autoload", "--no-dev", "--optimize")
    service.vendor.write_stamp(key, commit)
    return ", class map renewed"
