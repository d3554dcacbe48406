# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths that are held to the folder they belong to: by their text before anything is contacted, and on the disk.

An absolute path or a `..` in an inventory leads out of the folder that it is joined to, and what a procedure removes or
writes there would be somebody else's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text import ways

#: Paths that a release makes for itself, or the releases' own folders: sharing one would destroy it.
OF_EACH_RELEASE = (".git", "vendor", "bootstrap/cache")
_OF_THE_LAYOUT = ("releases", "shared", "repository", "current", "in-place", "public", "artisan")

#: Characters of a list that went through a shell, which took its quotes away.
_OF_A_LIST = "[]'\""


class OutOfFolder(OSError):
    """A path leads out of the folder that it must stay in. Nothing was removed."""


# -- by its text -----------------------------------------------------------------------------------


def problem(given: object) -> str:
    """Why a path can't be joined to a folder; empty where it can."""
    if not isinstance(given, str) or not given.strip():
        return "is empty"
    if not given.isprintable():
        return "has characters that can't be printed"
    if given.startswith("/"):
        return "is an absolute path, and must be relative to its folder"
    parts = [part for part in given.split("/") if part not in ("", ".")]
    if ".." in parts:
        return "leads out of its folder (..)"
    return "" if parts else "is the folder itself"


def name_problem(given: object) -> str:
    """Why a text can't be the name of a file or folder; empty where it can."""
    found = problem(given)
    if found:
        return found
    return "has a / in it, and must be a name" if "/" in str(given) else ""


def shared_problem(given: Sequence[object]) -> str:
    """Why these paths can't be shared between releases; empty where they can. Names the first that is wrong."""
    before: list[str] = []
    for item in given:
        why = problem(item) or _shared_item(str(item), before)
        if why:
            return f"{item!r} {why}"
        before.append(str(item).rstrip("/"))
    return ""


def _shared_item(item: str, before: Sequence[str]) -> str:
    path = item.rstrip("/")
    if any(letter in path for letter in _OF_A_LIST):
        return "has a bracket or a quote in it: a shell took the list apart. Type: " + ways.given(
            "laravel_shared", ["...", "..."]
        )
    if any(part in ("", ".") for part in path.split("/")):
        return "is not written plainly: leave out ./ and //"
    for taken in OF_EACH_RELEASE:
        if _holds(taken, path) or _holds(path, taken):
            return f"can't be shared: each release has its own {taken}"
    if path in _OF_THE_LAYOUT or path.partition("/")[0] in _OF_THE_LAYOUT[:5]:
        return "can't be shared: the layout of the releases has a file or folder of that name"
    for other in before:
        if path == other:
            return "is named twice"
        if _holds(other, path) or _holds(path, other):
            inner, outer = (path, other) if _holds(other, path) else (other, path)
            return f"can't be shared beside {other}: {inner} lies in {outer}"
    return ""


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}/")


#: The folder of the state has the name of the service, in every system.
OF_EVERY_SYSTEM: Mapping[str, str] = {"operation_service": "name"}


def inventory_problems(variables: Mapping[str, Any], kinds: Mapping[str, str]) -> list[str]:
    """Problems of the paths among an inventory's variables, each as a sentence without its full stop.

    kinds: the variables that are joined to a folder. A `name` is one part of a path, a `path` leads down from the
    folder, `paths` are several, the `last` part of a longer path becomes a name, and `shared` paths are those that
    releases side by side have in common.
    """
    found = []
    for name, kind in {**kinds, **OF_EVERY_SYSTEM}.items():
        value = variables.get(name)
        if value is None or value == "" and kind in ("name", "last"):
            # A required path that is missing has a message of its own.
            continue
        if kind == "shared":
            why = shared_problem(value)
        elif kind == "paths":
            why = next((f"{item!r} {problem(item)}" for item in value if problem(item)), "")
        else:
            last = str(value).rstrip("/").rpartition("/")[2]
            why = {"path": problem, "name": name_problem, "last": name_problem}[kind](last if kind == "last" else value)
            why = why and f"{value!r} {why}"
        if why:
            found.append(f"{name}: {why}")
    return found


# -- on the disk -----------------------------------------------------------------------------------


def held(root: str, path: str) -> str:
    """The path, once it is certain that it lies below root. Raises OutOfFolder.

    Links on the way to it are followed, so that none leads out; the path itself is not, since a link is removed and
    not what it leads to.
    """
    top = os.path.realpath(root)
    place = os.path.join(os.path.realpath(os.path.dirname(path.rstrip("/"))), os.path.basename(path.rstrip("/")))
    name = os.path.basename(place)
    if name in ("", ".", "..") or place == top or os.path.commonpath([top, place]) != top:
        raise OutOfFolder(f"{path} does not lie in {root}: it is left alone")
    return path


def remove_tree(root: str, path: str, ignore_errors: bool = False) -> None:
    """Remove a folder below root with all that is in it; of a link, the link. Raises OutOfFolder."""
    if os.path.islink(held(root, path)):
        os.unlink(path)
    else:
        shutil.rmtree(path, ignore_errors=ignore_errors)


def remove_file(root: str, path: str) -> None:
    """Remove a file or a link below root. Raises OutOfFolder."""
    os.unlink(held(root, path))
