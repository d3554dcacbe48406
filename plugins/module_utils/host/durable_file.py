# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durable files: a file written here is on the disk before the caller continues.

Root writes here too, into folders of other users: see owned_folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import owned_folder


def encode(document: dict[str, Any]) -> bytes:
    """One JSON object on one line, with sorted keys: the same object always has the same bytes."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def read_state(path: str) -> bytes:
    """The content of a state file; empty when there is none. Raises if it is a link."""
    try:
        descriptor = owned_folder.open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as handle:
        return handle.read()


def read_bytes(path: str) -> bytes:
    """The content of a file of the user's, whatever link leads to it; empty when there is no such file."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return b""


def sync_folder(path: str) -> None:
    """A rename or a new name survives a power cut only after its folder was synced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: str, content: bytes) -> None:
    """Write a whole file so that a reader sees the old content or the new, never a part."""
    with owned_folder.entered(os.path.dirname(path)) as folder:
        _place(folder, path, content)


def rewrite(path: str, content: bytes) -> None:
    """Replace a file that somebody else reads too: mode, owner, and the link that leads to it stay as they are."""
    if os.path.islink(path):
        # Whoever put the link there may write what it leads to, or this may not either.
        with owned_folder.acting_as(owned_folder.owner_of(os.path.dirname(path))):
            target = os.path.realpath(path)
            folder = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _place(folder, target, content, keep=True)
            finally:
                os.close(folder)
        return
    folder = owned_folder.opened(os.path.dirname(path))
    try:
        _place(folder, path, content, keep=True)
    finally:
        os.close(folder)


def _place(folder: int, path: str, content: bytes, keep: bool = False) -> None:
    """Put a file into an open folder. keep: with mode and owner of the one that has its name."""
    name = os.path.basename(path)
    temporary = f".{name}.{secrets.token_hex(4)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as handle:
            handle.write(content)
            handle.flush()
            if keep:
                _like(handle.fileno(), folder, name)
            os.fsync(handle.fileno())
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        if isinstance(error, OSError) and error.filename in (None, temporary):
            error.filename, error.filename2 = path, None
        raise
    os.fsync(folder)


def _like(descriptor: int, folder: int, name: str) -> None:
    try:
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    # Nothing that is written here is a program, whoever had made one of that name.
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & 0o777)
    # Only an administrator may give a file away; of one's own group everybody may.
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, before.st_uid, before.st_gid)


def append_line(path: str, line: bytes) -> None:
    """Append one line and sync it. A write that fails (disk full) leaves the file as it was."""
    try:
        descriptor, existed = owned_folder.open_file(path, os.O_WRONLY | os.O_APPEND), True
    except FileNotFoundError:
        descriptor, existed = owned_folder.open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), False
    try:
        size = os.fstat(descriptor).st_size
        data = line + b"\n"
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, size)
            # The kernel's error for a full disk has no file name, and a person has to know which disk.
            error.filename = path
            raise
    finally:
        os.close(descriptor)
    if not existed:
        with owned_folder.entered(os.path.dirname(path)) as folder:
            os.fsync(folder)


def cut(path: str, size: int) -> None:
    """Keep the first bytes of a file."""
    descriptor = owned_folder.open_file(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def rename(path: str, name: str) -> None:
    """Give a file another name in its folder, for good."""
    with owned_folder.entered(os.path.dirname(path)) as folder:
        os.rename(os.path.basename(path), name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError), owned_folder.entered(os.path.dirname(path)) as folder:
        os.unlink(os.path.basename(path), dir_fd=folder)
        os.fsync(folder)


@contextlib.contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Hold a short kernel lock: it goes with the process, so a killed holder never leaves it behind."""
    descriptor = owned_folder.open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
