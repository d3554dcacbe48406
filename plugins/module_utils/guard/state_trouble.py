# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a state folder can't be worked in, as a refusal that says what to type: its disk, its owner or its files."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
from collections.abc import Iterator, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.guard import state_owner
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: The disk takes nothing more, whoever asks.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextlib.contextmanager
def told(folder: str, disk: bool = True) -> Iterator[None]:
    """Raise Problem, with what to type, for a state folder that can't be worked in. disk: for a full one too."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK and not disk:
            raise
        if error.errno in _DISK:
            raise _disk_refusal(folder, error) from error
        found = state_owner.unusable(folder, error)
        if found is None:
            raise
        raise found from error


def _disk_refusal(folder: str, error: OSError) -> Problem:
    """Why the disk takes no record; without one nothing may be changed."""
    read_only = error.errno == errno.EROFS
    way = (
        (
            f"sudo mount -o remount,rw {shlex.quote(_mount_point(folder))}",
            "on the host, once it is known why it became read-only (dmesg)",
        )
        if read_only
        else ("df -h && df -i", "on the host, show what is full; free some of it, then the same command again")
    )
    return Problem(
        "state_disk_read_only" if read_only else "state_disk_full",
        f"what is done can't be recorded in {folder}: {error.strerror}",
        (way,),
    )


def _mount_point(path: str) -> str:
    while not os.path.ismount(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def journal_damaged(path: str, error: Exception) -> Problem:
    """Why nothing is known of an operation whose journal can't be read."""
    return Problem(
        "journal_damaged",
        f"the journal {path} was edited or damaged: {error}. What its operation did can't be known from it",
        (
            (
                f"mv {shlex.quote(path)} {shlex.quote(path + '.damaged')}",
                "on the host, once a person has seen which release it serves and that it is whole, sets the journal "
                "aside; the same command again goes on without it",
            ),
        ),
    )


def ledger_damaged(path: str, problems: Sequence[str], system: str = "") -> Problem:
    """Why nothing is decided by a ledger that was edited. system: one with a procedure to adopt."""
    if system:
        way = (
            f"{system}_adopt set_aside_ledger=true",
            "keeps the damaged ledger under another name, and records the present state as a release",
        )
    else:
        way = (
            f"mv -n {shlex.quote(path)} {shlex.quote(path.replace('.jsonl', '.damaged'))}",
            "on the host, keeps the damaged ledger under another name: the next operation begins a new one",
        )
    return Problem("ledger_damaged", f"the ledger {path} was edited or is incomplete", (way,), tuple(problems))
