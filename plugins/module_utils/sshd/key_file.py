# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of keys edited whole: at each moment it is the old one or the new one, and no edit by anybody else is lost."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_tree, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.rename_exchange import exchange

#: So often somebody else may write at the same moment.
TRIES = 5

#: sshd reads a file of any length; what is longer is not one that people wrote.
LARGEST = 4 * 1024 * 1024


class EditFailed(Exception):
    """The file is as it was. The text says why, and quotes nothing of it."""


def read(path: str, follow: bool = True) -> bytes:
    """Raises OSError, FileNotFoundError too. follow: whether it may be a link."""
    # A pipe in its place would hold the reader for ever; sshd does not wait for one either.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as handle:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file, and sshd reads no key from it", path)
        content = handle.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(0, "it is longer than any file of keys", path)
    return content


def edit(path: str, change: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    """Change the file; returns what it held before and after. change: pure, since it may be asked again.

    Whoever writes between the look and the change is seen: the two files are exchanged, and what comes out must be what
    was looked at. Raises EditFailed, OSError, and what change raises.
    """
    with _held(path) as target:
        for _attempt in range(TRIES):
            before = read(target, follow=False)
            after = change(before)
            if after == before or _swap(target, before, after):
                return before, after
    raise EditFailed(f"{path} is being changed by somebody else: {TRIES} times it was another file than a moment ago")


@contextlib.contextmanager
def _held(path: str) -> Iterator[str]:
    """A path to the file itself, which for root stays one: the account may put links in the place of all its folders.

    A link in the place of the file is followed with the rights of whoever may have put it there.
    """
    if os.geteuid() != 0:
        yield os.path.realpath(path)
        return
    folder = owned_folder.opened(os.path.dirname(path))
    try:
        here = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        if not os.path.islink(here):
            yield here
            return
        with owned_folder.rights_in(folder):
            yield os.path.realpath(here)
    finally:
        os.close(folder)


def _swap(target: str, before: bytes, after: bytes) -> bool:
    """Put the new content in the file's place. False where it had changed meanwhile; then it is as somebody left it."""
    temporary = _beside(target, after)
    try:
        if not exchange(temporary, target):
            if not _holds(target, before):
                return False
            durable_tree.rename(temporary, target)
        elif not _holds(temporary, before):
            # Theirs goes back to where they wrote it.
            exchange(temporary, target)
            if not _holds(temporary, after):
                kept, temporary = temporary, ""
                raise EditFailed(f"{target} was changed twice within one moment; one of the versions is in {kept}")
            return False
        return True
    finally:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _holds(path: str, content: bytes) -> bool:
    """True if this is a file of that content; somebody may have put a link or a pipe in its place."""
    try:
        return read(path, follow=False) == content
    except OSError:
        return False


def _beside(target: str, content: bytes) -> str:
    """A file in the same folder with this content and all that the target has: owner, mode, labels."""
    state = os.lstat(target)
    if state.st_nlink > 1:
        raise EditFailed(f"{target} has {state.st_nlink} names (hard links), and only one of them would be changed")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=os.path.dirname(target))
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
                try:
                    os.fchown(handle.fileno(), state.st_uid, state.st_gid)
                except PermissionError as error:
                    raise EditFailed(
                        f"{target} belongs to {state.st_uid}:{state.st_gid}, and only root could keep it so"
                    ) from error
            os.fchmod(handle.fileno(), stat.S_IMODE(state.st_mode) & 0o777)
            for name in _labels(target):
                with contextlib.suppress(OSError):
                    os.setxattr(handle.fileno(), name, os.getxattr(target, name))
            os.fsync(handle.fileno())
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return temporary


def _labels(path: str) -> list[str]:
    """Names of its extended attributes: SELinux's context and access lists are among them."""
    try:
        return os.listxattr(path)
    except OSError:
        return []
