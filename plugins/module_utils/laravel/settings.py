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
import shlex
import shutil
from collections.abc import Container

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_tree, held_path, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.laravel import caches, php_fpm, release_folders
from ansible_collections.ops.runbook.plugins.module_utils.laravel.caches import Caches
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import parse_dotenv

_CACHES = os.path.join("bootstrap", "cache")


def read(service: LaravelService) -> Caches:
    """Look at the caches by the environments of artisan, of the pools of php-fpm, and of .env."""
    dotenv = parse_dotenv(service.settings().decode("utf-8", "replace"))
    unit, name = service.description.php_fpm_unit, caches.CONFIGURATION
    pools = caches.ours(service.description.path, php_fpm.pools(service.commands, unit)) if unit else {}
    own = _own_environment(service)
    files = {caches.in_force(service.app, one, dotenv) for one in (own, *pools.values())} - {""}
    outdated = any(_is_outdated(service, file) for file in sorted(files))
    written = caches.path(service.app, name, own, dotenv)
    for pool, environment in pools.items():
        asked = caches.path(service.app, name, environment, dotenv)
        if asked != written:
            command = ["env", f"{name}={environment.get(name, '')}", *service.description.php]
            return Caches(
                outdated,
                f"php-fpm reads the cached configuration from {asked} (env[{name}] of the pool {pool}), and artisan "
                f"writes {written}: what a deploy caches has no effect on the pages",
                f"laravel_php: {shlex.join(command)}",
            )
    return Caches(outdated)


def _is_outdated(service: LaravelService, cached: str) -> bool:
    mark = service.store.mark(service.app) if service.description.in_releases else None
    if mark is not None:
        return not release_folders.same_settings(mark.settings, service.settings())
    try:
        # If .env is a link, its target counts.
        return os.stat(service.file(".env")).st_mtime > os.stat(cached).st_mtime
    except OSError:
        return False


def _own_environment(service: LaravelService) -> dict[str, str]:
    """Of the artisan that this run starts."""
    return {**os.environ, **caches.of_words(service.description.php)}


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
    for name, path in _cached(service).items():
        shutil.copy2(path, os.path.join(f"{folder}.part", name))
    durable_tree.put(f"{folder}.part", folder)


def put_back_caches(service: LaravelService, folder: str) -> None:
    """Put the kept files back, byte for byte, and remove those that were not there. Raises CommandFailed."""
    if not os.path.isdir(folder):
        raise CommandFailed(f"{folder} is gone: the former caches can't be put back")
    kept = sorted(os.listdir(folder))
    for name, path in _cached(service).items():
        if name not in kept:
            held_path.remove_file(os.path.dirname(path), path)
    for name in kept:
        target = _place(service, name)
        shutil.copy2(os.path.join(folder, name), f"{target}.part")
        durable_tree.put(f"{target}.part", target)
        with open(target, "rb") as now, open(os.path.join(folder, name), "rb") as before:
            if now.read() != before.read():
                raise CommandFailed(f"{target} is not what it was before")


def _cached(service: LaravelService) -> dict[str, str]:
    """The files that are there, each by the name under which it is kept."""
    found = sorted(glob.glob(os.path.join(glob.escape(service.file(_CACHES)), "*.php")))
    there = {os.path.basename(path): path for path in found}
    elsewhere = {name: _place(service, name) for name in caches.FILES}
    there |= {name: path for name, path in elsewhere.items() if path not in found and os.path.isfile(path)}
    mark = service.file(release_folders.MARK)
    # A release's mark says with which settings its caches were built.
    return {**there, release_folders.MARK: mark} if service.description.in_releases and os.path.isfile(mark) else there


def _place(service: LaravelService, name: str) -> str:
    """The place of a kept file. One that artisan writes elsewhere is kept by the name of its variable."""
    if name in caches.FILES:
        dotenv = parse_dotenv(service.settings().decode("utf-8", "replace"))
        return caches.path(service.app, name, _own_environment(service), dotenv)
    return service.file(name) if name == release_folders.MARK else service.file(_CACHES, name)
