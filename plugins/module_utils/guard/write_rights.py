# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders and files that an operation will change and its user may not, found before it changes any."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_LISTED = 10


def held_folders(root: str, names: Iterable[str]) -> list[str]:
    """Folders under root in which git could not replace these files. A file is replaced by its folder's rights."""
    parents = {os.path.dirname(name) for name in names}
    return sorted(folder for folder in {_nearest(root, parent) for parent in parents} if not _writable(folder))


def held_in_git(own: str, common: str) -> list[str]:
    """Folders of git in which it could make no file, and files that it could not go on writing."""
    return held_paths(_git_paths(own, common))


def held_paths(paths: Iterable[str]) -> list[str]:
    """Those of these files and folders that can't be written; one that is not there can."""
    return sorted({path for path in paths if not _writable(path)})


def _git_paths(own: str, common: str) -> Iterator[str]:
    # The checkouts of releases are linked from here.
    yield from (own, common, os.path.join(common, "worktrees"))
    objects = os.path.join(common, "objects")
    yield from (objects, *folders_in(objects))
    # Git replaces most of its files, but writes into these.
    yield from (os.path.join(own, name) for name in ("FETCH_HEAD", "logs/HEAD"))
    for top, with_files in (("refs", False), ("logs", True)):
        for folder, _folders, files in os.walk(os.path.join(common, top)):
            yield folder
            if with_files:
                yield from (os.path.join(folder, name) for name in files)


def files_in(folder: str) -> Iterator[str]:
    """The files in a folder; none where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            yield from [entry.path for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        return


def folders_in(folder: str) -> Iterator[str]:
    """The folders in a folder; none where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            yield from [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return


def _nearest(root: str, parent: str) -> str:
    """The folder, or the nearest above it that is there: in that one it will be made."""
    folder = os.path.join(root, parent)
    while folder != root and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _writable(path: str) -> bool:
    if not os.path.exists(path):
        return True
    return os.access(path, os.W_OK | os.X_OK if os.path.isdir(path) else os.W_OK)


def refuse(user: str, held: Sequence[str], why: str) -> Problem | None:
    """The reason why an operation that writes there does not begin; None where nothing is held."""
    if not held:
        return None
    more = (f"... and {len(held) - _LISTED} more",) if len(held) > _LISTED else ()
    return Problem(
        "not_writable",
        f"{user} may not write {held[0]}" + (f" and {len(held) - 1} more" if len(held) > 1 else "") + f": {why}",
        (
            (
                f"sudo chown -R {shlex.quote(user)} {shlex.join(_tops(held))}",
                "on the host; somebody worked there as another user",
            ),
        ),
        (*held[:_LISTED], *more) if len(held) > 1 else (),
    )


def _tops(paths: Sequence[str]) -> list[str]:
    """Without what lies in another one of them."""
    tops: list[str] = []
    for path in sorted(paths):
        if not any(path.startswith(f"{top}{os.sep}") for top in tops):
            tops.append(path)
    return tops
