# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two names of a file system exchanged in one step, so that nobody ever finds either of them missing."""

from __future__ import annotations

import ctypes
import errno
import os

from ansible_collections.ops.runbook.plugins.module_utils.host.durable_file import sync_folder

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100

#: How the kernel says that this file system, or this pair of folders, can't do it.
_CANT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS)


def exchange(first: str, second: str) -> bool:
    """Exchange two names. False where it can't be done in one step; then nothing was changed. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        for folder in {os.path.dirname(os.path.abspath(name)) for name in (first, second)}:
            sync_folder(folder)
        return True
    code = ctypes.get_errno()
    if code in _CANT:
        return False
    raise OSError(code, os.strerror(code), first)
