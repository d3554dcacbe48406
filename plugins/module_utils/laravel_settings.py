# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Caches of a Laravel service and its .env: whether one was built with the other, and how they are kept and put back.

An application with a cached configuration does not read .env any more. Whoever edits that file sees nothing change
until the caches are built anew.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Container

from ansible_collections.ops.runbook.plugins.module_utils import durable_tree, held_path, owned_folder, release_store
from ansible_collections.ops.runbook.plugins.module_utils.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.laravel_service import LaravelService

_CACHES = os.path.join("bootstrap", "cache")


def outdated(service: LaravelService) -> bool:
    """Whether the cached configuration was built with another .env than the present one."""
    cached = service.file(_CACHES, "config.php")
    if not os.path.isfile(cached):
        return False
    mark = service.store.mark(service.app) if service.description.in_releases else None
    if mark is not None:
        return not release_store.same_settings(mark.settings, service.settings())
    try:
        # What .env leads to counts, where it is a link.
        return os.stat(service.file(".env")).st_mtime > os.stat(cached).st_mtime
    except OSError:
        return False


def keep_caches(service: LaravelService, folder: str, ended: Container[str]) -> None:
    """Keep the cached files, which hold secrets, where only their owner reads them.

    Those that the operations kept which have ended are removed; what else lies beside them is somebody else's.
    """
    above = os.path.dirname(folder)
    owned_folder.make(above)
    for name in os.listdir(above):
        operation = name.split(".part")[0]
        if operation == os.path.basename(folder) or operation in ended:
            held_path.remove_tree(above, os.path.join(above, name))
    owned_folder.make(f"{folder}.part")
    for path in _cached(service):
        copy = os.path.join(f"{folder}.part", os.path.basename(path))
        shutil.copy2(path, copy)
    durable_tree.put(f"{folder}.part", folder)


def put_back_caches(service: LaravelService, folder: str) -> None:
    """Put the kept files back, byte for byte, and remove those that were not there. Raises CommandFailed."""
    if not os.path.isdir(folder):
        raise CommandFailed(f"{folder} is gone: the former caches can't be put back")
    kept = sorted(os.listdir(folder))
    for path in _cached(service):
        if os.path.basename(path) not in kept:
            held_path.remove_file(os.path.dirname(path), path)
    for name in kept:
        target = _place(service, name)
        shutil.copy2(os.path.join(folder, name), f"{target}.part")
        durable_tree.put(f"{target}.part", target)
        with open(target, "rb") as now, open(os.path.join(folder, name), "rb") as before:
            if now.read() != before.read():
                raise CommandFailed(f"{target} is not what it was before")


def _cached(service: LaravelService) -> list[str]:
    found = sorted(glob.glob(os.path.join(glob.escape(service.file(_CACHES)), "*.php")))
    mark = service.file(release_store.MARK)
    # A release's mark says with which settings its caches were built.
    return [*found, mark] if service.description.in_releases and os.path.isfile(mark) else found


def _place(service: LaravelService, name: str) -> str:
    return service.file(name) if name == release_store.MARK else service.file(_CACHES, name)
