# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of a service that somebody is making by hand: its processes, while they run.

A status that looks at the middle of it would call that damage, and tell a second person to mend it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

#: The commands that change something, by the program that has them. A program may have a plugin as its last word.
Programs = Mapping[str, Sequence[str]]

GIT: Programs = {"git": ("pull", "fetch", "checkout", "reset", "merge", "clone")}


@dataclass(frozen=True)
class Process:
    """A process of the host. folder: the one it runs in; empty where only its owner may know."""

    argv: tuple[str, ...]
    folder: str = ""


def read(proc: str = "/proc") -> Iterator[Process]:
    """The processes of this host, but for this one and its own parents."""
    mine = set(_parents(proc, os.getpid()))
    for name in os.listdir(proc):
        if not name.isdigit() or int(name) in mine:
            continue
        with contextlib.suppress(OSError):
            with open(f"{proc}/{name}/cmdline", "rb") as handle:
                argv = handle.read(65536).decode("utf-8", "replace").split("\0")[:-1]
            folder = ""
            with contextlib.suppress(OSError):
                folder = os.readlink(f"{proc}/{name}/cwd")
            if argv:
                yield Process(tuple(argv), folder)


def _parents(proc: str, pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        try:
            with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as handle:
                pid = int(handle.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return


def under_way(processes: Iterable[Process], folder: str, programs: Programs) -> str:
    """The command that changes the service in a folder just now; empty where none does. Pure.

    A process that runs in another folder counts where it names this one.
    """
    top = folder.rstrip("/")
    for process in processes:
        command = _command(process.argv, programs)
        there = process.folder == top or process.folder.startswith(f"{top}/")
        named = any(word == top or word.startswith((f"{top}/", f"--project-directory={top}")) for word in process.argv)
        if command and top and (there or named):
            return command
    return ""


def _command(argv: Sequence[str], programs: Programs) -> str:
    """The program and its command, if it is one that changes a service."""
    words = [os.path.basename(word) for word in argv[:2]] + list(argv[2:])
    for place, word in enumerate(words[:4]):
        for program, commands in programs.items():
            first, _, plugin = program.partition(" ")
            # A plugin is a word behind its program, and a program of its own (docker-something).
            behind = word == plugin and first in words[:place]
            if not behind and word.removesuffix(".phar") != program.replace(" ", "-"):
                continue
            found = next((one for one in words[place + 1 :] if one in commands), "")
            if found:
                return f"{program} {found}"
    return ""
