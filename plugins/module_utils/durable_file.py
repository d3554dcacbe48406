# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durable files: what is written here is on the disk before the caller goes on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import Any


def encode(document: dict[str, Any]) -> bytes:
    """One JSON object on one line, with sorted keys: the same object always has the same bytes."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def read_bytes(path: str) -> bytes:
    """The file's content; empty when there is no such file."""
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
    folder = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.rename(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path
        raise
    sync_folder(folder)


def rewrite(path: str, content: bytes) -> None:
    """Replace a file that somebody else reads too: mode, owner, and the link that leads to it stay as they are."""
    target = os.path.realpath(path)
    try:
        before: os.stat_result | None = os.stat(target)
    except FileNotFoundError:
        before = None
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=os.path.dirname(target))
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            if before is not None:
                os.fchmod(handle.fileno(), stat.S_IMODE(before.st_mode))
                # Only an administrator may give a file away; of one's own group everybody may.
                with contextlib.suppress(PermissionError):
                    os.fchown(handle.fileno(), before.st_uid, before.st_gid)
            else:
                os.fchmod(handle.fileno(), 0o644)
            os.fsync(handle.fileno())
        os.rename(temporary, target)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path
        raise
    sync_folder(os.path.dirname(target))


def append_line(path: str, line: bytes) -> None:
    """Append one line and sync it. A write that fails (disk full) leaves the file as it was."""
    existed = os.path.exists(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        data = line + b"\n"
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, size)
            # A full disk is told without a name, and a person has to know which disk.
            error.filename = path
            raise
    finally:
        os.close(descriptor)
    if not existed:
        sync_folder(os.path.dirname(path))


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync_folder(os.path.dirname(path))


@contextlib.contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Hold a short kernel lock: it goes with the process, so a killed holder never leaves it behind."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
