# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that a disk has room for the files that are about to be made."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Room:
    """The disk under a folder: bytes and files that will be made, and are free. reserve: MiB that must stay free."""

    folder: str
    bytes: int
    files: int
    free_bytes: int
    free_files: int
    reserve: int


def room_in(folder: str, size: int, files: int, reserve: int) -> Room:
    """The free space on the disk of a folder, or of the nearest folder above it that exists."""
    there = folder
    while not os.path.exists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    disk = os.statvfs(there)
    return Room(there, size, files, disk.f_bavail * disk.f_frsize, disk.f_favail, reserve)


def refuse(room: Room, target: str, ways: tuple[tuple[str, str], ...]) -> Problem | None:
    """Why a disk has no room for a release; None where it has."""
    reserve = room.reserve * _MIB
    if room.free_bytes >= room.bytes + reserve and (room.free_files >= room.files or not room.free_files):
        return None
    short = room.free_bytes < room.bytes + reserve
    text = (
        f"{_mib(room.bytes)} are needed and {_mib(reserve)} are to stay free, but only {_mib(room.free_bytes)} are free"
        if short
        else f"{room.files} files are needed, but the disk has room for {room.free_files}"
    )
    return Problem(
        "disk_space",
        f"the disk of {room.folder} is too full to make {target}: {text}",
        ways,
    )


def _mib(size: int) -> str:
    return f"{-(-size // _MIB)} MiB"
