# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The umask under which the user of php-fpm can read what an operation makes.

Hardened hosts give every login 077 or 027. git, Composer and artisan would make files that only the deploying user
reads, and the site would answer 500, also after the way back.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence

#: Reading, and passing through a folder.
_READ = 0o055
_GROUP_WRITE = 0o020


def serving(present: int, modes: Sequence[int], writable: int = 0) -> int:
    """The umask that hides nothing that these modes show: those of what is served now.

    writable: the mode of a folder that the group may write too, where this is about what is made in there.
    """
    shown = 0
    for mode in modes:
        shown |= mode
    return present & ~(shown & _READ) & ~(writable & _GROUP_WRITE)


def present_umask() -> int:
    """The umask of this process."""
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    # Before Linux 4.7 only setting it tells it, and another thread could make a file meanwhile.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def of_code(folder: str) -> int:
    """The umask for the code of an application."""
    return serving(present_umask(), modes_of(folder))


def of_storage(folder: str, storage: str) -> int:
    """The umask for files that artisan makes: php-fpm writes into the same log, if its group may."""
    try:
        writable = stat.S_IMODE(os.stat(storage).st_mode)
    except OSError:
        writable = 0
    return serving(present_umask(), modes_of(folder), writable)


def modes_of(folder: str) -> list[int]:
    """The modes that say who may read the application: its folder, and what the web server finds first."""
    found = []
    for place in (folder, os.path.join(folder, "public"), os.path.join(folder, "public", "index.php")):
        with contextlib.suppress(OSError):
            found.append(stat.S_IMODE(os.stat(place).st_mode))
    return found


@contextlib.contextmanager
def as_served(folder: str) -> Iterator[int]:
    """Work under the umask that fits a folder. Yields it."""
    mask = of_code(folder)
    before = os.umask(mask)
    try:
        yield mask
    finally:
        os.umask(before)
