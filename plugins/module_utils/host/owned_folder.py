# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders that root works in and somebody else owns: root does there what the owner may do, and no more.

A run with `--become` writes into folders of an unprivileged user, who may put a link in the place of any file there, at
any moment. So root reaches a folder through folders alone, opens a file by its name in the open folder, never through
a link, and has the owner's rights meanwhile. A user who is not root has only rights of their own: then the only rule
here is that a state file is not a link.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pwd
import stat
from collections.abc import Iterator, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.host import held_path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: The group of an owner whom no account is known for.
_NOBODY = 65534
#: As many links as the kernel follows.
_LINKS = 40


class NotFollowed(OSError):
    """A link, or anything that is not a regular file, in the place of a file or a folder. filename says where."""


def _not_followed(path: str, what: str) -> NotFollowed:
    return NotFollowed(errno.ELOOP, what, path)


@contextlib.contextmanager
def acting_as(owner: int, groups: Sequence[int] = ()) -> Iterator[None]:
    """Give files the rights of a user, where this process is root: the kernel refuses what that user may not do.

    For this thread alone: another one may run commands as root meanwhile. groups: more than the one of the account.
    """
    if os.geteuid() != 0:
        yield
        return
    kernel = ctypes.CDLL(None, use_errno=True)
    # Of an impossible user: the call changes nothing, and says who it is now.
    before = kernel.setfsuid(-1), kernel.setfsgid(-1)
    if before[0] == owner:
        yield
        return
    if owner != 0:
        # Root needs no group to do anything, and with its own it could do what the owner can't.
        os.setgroups(list(groups))
    group = _group_of(owner)
    kernel.setfsgid(group)
    kernel.setfsuid(owner)
    try:
        if (kernel.setfsuid(-1), kernel.setfsgid(-1)) != (owner, group):
            raise PermissionError(errno.EPERM, f"root can't take the rights of user {owner} here")
        yield
    finally:
        kernel.setfsuid(before[0])
        kernel.setfsgid(before[1])


def _group_of(owner: int) -> int:
    try:
        return pwd.getpwuid(owner).pw_gid
    except KeyError:
        return _NOBODY


def opened(path: str) -> int:
    """The descriptor of a folder. Raises OSError; NotFollowed where root would follow a link of somebody else's."""
    if os.geteuid() != 0:
        return os.open(path, _FOLDER)
    with acting_as(0):
        return walk(path)


def walk(path: str) -> int:
    """Reach a folder one name at a time. A link is followed only where root alone could have put it."""
    words = os.path.abspath(path).split("/")[1:] if not os.path.isabs(path) else path.split("/")[1:]
    here, links, come = os.open("/", _FOLDER), 0, ""
    try:
        while words:
            word = words.pop(0)
            if word in ("", "."):
                continue
            if stat.S_ISLNK(os.stat(word, dir_fd=here, follow_symlinks=False).st_mode):
                links += 1
                if links > _LINKS or not _roots_alone(os.fstat(here)):
                    raise _not_followed(f"{come}/{word}", "it is a link, in a folder that others than root may write")
                target = os.readlink(word, dir_fd=here)
                words = [*target.split("/"), *words]
                if target.startswith("/"):
                    here, come = _instead(here, os.open("/", _FOLDER)), ""
                continue
            here, come = _instead(here, os.open(word, _FOLDER | os.O_NOFOLLOW, dir_fd=here)), f"{come}/{word}"
        return here
    except OSError as error:
        os.close(here)
        if not isinstance(error, NotFollowed):
            error.filename = path
        raise


def _instead(former: int, now: int) -> int:
    os.close(former)
    return now


def _roots_alone(folder: os.stat_result) -> bool:
    others = folder.st_mode & stat.S_IWOTH or (folder.st_mode & stat.S_IWGRP and folder.st_gid != 0)
    return folder.st_uid == 0 and not others


@contextlib.contextmanager
def entered(path: str) -> Iterator[int]:
    """An open folder, with the rights of its owner."""
    descriptor = opened(path)
    try:
        with rights_in(descriptor):
            yield descriptor
    finally:
        os.close(descriptor)


def open_file(path: str, flags: int) -> int:
    """Open a file by its name in its folder; a new one is for its owner alone.

    Raises NotFollowed for a link, a pipe and anything else that is not a regular file, and OSError.
    """
    with entered(os.path.dirname(path)) as folder:
        try:
            # Without waiting: a pipe in its place would hold root for ever.
            descriptor = os.open(
                os.path.basename(path), flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder
            )
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise _not_followed(path, "it is a link or a pipe, and not a file") from error
            error.filename = path
            raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_followed(path, "it is not a file")
    return descriptor


@contextlib.contextmanager
def rights_in(folder: int) -> Iterator[None]:
    """Have the rights of an open folder's owner. A process that acts for somebody already has no more than those."""
    if os.geteuid() == 0 and ctypes.CDLL(None).setfsuid(-1) != 0:
        yield
        return
    with acting_as(os.fstat(folder).st_uid):
        yield


def owner_of(path: str) -> int:
    """The number of the user who owns a folder, reached as it is worked in."""
    descriptor = opened(path)
    try:
        return os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)


def make(path: str) -> None:
    """A folder for its owner alone, and those above it. It belongs to whoever owns the folder that it is made in."""
    try:
        os.close(opened(path))
        return
    except FileNotFoundError:
        make(os.path.dirname(path.rstrip("/")))
    with entered(os.path.dirname(path.rstrip("/"))) as above, contextlib.suppress(FileExistsError):
        os.mkdir(os.path.basename(path.rstrip("/")), 0o700, dir_fd=above)
    os.close(opened(path))


def remove_file(path: str) -> None:
    """Remove a file, or the link in its place. Raises OSError."""
    with entered(os.path.dirname(path)) as folder:
        os.unlink(os.path.basename(path), dir_fd=folder)


def remove_tree(path: str) -> None:
    """Remove a folder and all below it, as far as its owner may."""
    with contextlib.suppress(OSError), entered(os.path.dirname(path)):
        held_path.remove_tree(os.path.dirname(path), path, ignore_errors=True)


def nearest_owner(path: str) -> int:
    """The number of the user who owns a folder, or the nearest folder above it that exists."""
    try:
        return owner_of(path)
    except FileNotFoundError:
        return nearest_owner(os.path.dirname(path.rstrip("/")))
