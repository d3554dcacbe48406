# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durable folders: the files of a tree are on the disk before a mark, a name or the journal vouches for them.

Git, Composer, PHP and cp do not sync the files that they write. ext4 and XFS write a new file's content up to half a
minute after its name, so a power cut leaves a whole tree of empty files behind a mark that was synced.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess

from ansible_collections.ops.runbook.plugins.module_utils.host.durable_file import sync_folder
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt


def sync(*folders: str) -> None:
    """Write everything on the file systems of these folders to the disk. Raises OSError where the disk fails.

    One call a file system: syncing each file of a vendor tree (10,000 of them) takes minutes on a disk that turns.
    A folder that does not exist yet counts as the one that it will be made in.
    """
    done = set()
    for folder in folders:
        place = _existing(folder)
        device = os.stat(place).st_dev
        if device not in done:
            done.add(device)
            _sync_file_system(place)


def copy(source: str, target: str) -> None:
    """Copy a tree with its owners, times and links; nothing of it is synced yet. Raises OSError with what cp said."""
    done = subprocess.run(["cp", "-a", "--reflink=auto", source, target], capture_output=True, check=False)
    if done.returncode:
        said = excerpt(done.stderr.decode("utf-8", "replace"))
        raise OSError(f"cp -a {source} {target} ended with {done.returncode}: {said}")


def put(part: str, target: str) -> None:
    """Give a file or tree that was made under another name the name under which it counts as whole."""
    if os.path.isfile(part) and not os.path.islink(part):
        _sync_file(part)
    else:
        sync(part)
    rename(part, target)


def rename(path: str, kept: str) -> None:
    """Rename a file, link or tree that was not written to since it was synced, or that will be removed."""
    os.rename(path, kept)
    for folder in {os.path.dirname(os.path.abspath(name)) for name in (path, kept)}:
        sync_folder(folder)


def _sync_file(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _existing(path: str) -> str:
    # Of a link its own folder counts: what it leads to may lie on another file system.
    while os.path.islink(path) or not os.path.isdir(path):
        path = os.path.dirname(os.path.abspath(path))
    return path


def _sync_file_system(folder: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        # A libc without it: all file systems then, and no word of an error.
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            if code == errno.ENOSYS:
                os.sync()
                return
            raise OSError(code, os.strerror(code), folder)
    finally:
        os.close(descriptor)
