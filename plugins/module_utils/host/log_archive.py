# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of logs: compressed, for their owner only, and only so many of each."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder

_NAME = re.compile(r"(?P<app>.+)-(?P<day>\d{8})\.log\.gz")


def name(app: str, day: str) -> str:
    """The name of an app's archive of a day (YYYYMMDD)."""
    return f"{app}-{day}.log.gz"


def write(folder: str, app: str, day: str, lines: Iterable[str]) -> str:
    """Write the archive of a day, in the place of an earlier one of that day. Returns its path."""
    owned_folder.make(folder)
    # Without a time stamp of its own: the same log makes the same file.
    content = gzip.compress("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"), mtime=0)
    path = os.path.join(folder, name(app, day))
    durable_file.replace(path, content)
    return path


def outdated(names: Iterable[str], app: str, keep: int, today: str) -> list[str]:
    """The archives of an app beyond the newest so many. Those of other apps, and other files, are never named.

    One of a day after today (YYYYMMDD) was written by a wrong clock: it is neither counted nor named.
    """
    found = ((match["day"], match.string, match["app"]) for match in map(_NAME.fullmatch, names) if match)
    mine = sorted((day, name) for day, name, of in found if of == app and day <= today)
    return [found for _, found in (mine[:-keep] if keep > 0 else [])]


def rotate(folder: str, app: str, keep: int, today: str) -> list[str]:
    """Remove the outdated archives of an app. Returns their names."""
    gone = outdated(os.listdir(folder), app, keep, today)
    for one in gone:
        owned_folder.remove_file(os.path.join(folder, one))
    return gone
