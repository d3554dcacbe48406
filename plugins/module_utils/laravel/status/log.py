# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors at the end of the log that a Laravel application writes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status.reading import Log
from ansible_collections.ops.runbook.plugins.module_utils.text.bounded import lines_of
from ansible_collections.ops.runbook.plugins.module_utils.text.log_errors import shorten, tally

#: The newest log files that are read; with daily files one for each day.
_LOG_FILES = 5

_ENTRY = re.compile(
    r"^\[(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)[^\]]*\] [\w.-]+\."
    r"(EMERGENCY|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG): (.*)$"
)
_ERRORS = ("EMERGENCY", "ALERT", "CRITICAL", "ERROR")


def read_log(folder: str, limits: Limits, now: float) -> Log:
    """The errors at the end of the newest log files of a folder."""
    found = glob.glob(os.path.join(glob.escape(folder), "laravel*.log"))
    try:
        dated = sorted(((os.stat(path).st_mtime, path) for path in found if os.path.isfile(path)), reverse=True)
    except OSError as error:
        return Log(problem=f"{folder} can't be read: {error.strerror}")
    if not dated:
        return Log(problem="" if os.path.isdir(folder) else f"there is no folder {folder}")
    window = limits.log_minutes * 60.0
    entries: list[tuple[float, str, str]] = []
    complete = True
    for written, path in dated[:_LOG_FILES]:
        if now - written > window:
            continue
        try:
            text, whole = tail_of(path, limits.log_kib * 1024)
        except OSError as error:
            return Log(problem=f"{path} can't be read: {error.strerror}")
        ages = list(parse_log(text, now - written))
        entries += [entry for entry in ages if entry[0] <= window]
        complete = complete and (whole or any(age > window for age, _, _ in ages))
    return summarise(
        entries,
        tuple(os.path.basename(path) for _, path in dated[:_LOG_FILES]),
        complete,
        limits.log_minutes,
        max(0.0, now - dated[0][0]) / 60,
    )


def tail_of(path: str, size: int) -> tuple[str, bool]:
    """The end of a file from the beginning of a line, and whether that is the whole file."""
    with open(path, "rb") as handle:
        length = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, length - size))
        content = handle.read(size)
    if length > size:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", "replace"), length <= size


def parse_log(text: str, last_age: float) -> Iterator[tuple[float, str, str]]:
    """(age in seconds, level, message) of each entry, of which the last was written `last_age` seconds ago.

    Its stamps are in a time zone that only the application knows, so that only their differences count.
    """
    entries = []
    for stamp, level, message in (match.groups() for match in map(_ENTRY.match, lines_of(text)) if match):
        try:
            moment = datetime.strptime(stamp.replace("T", " "), "%Y-%m-%d %H:%M:%S")
        except ValueError:
            # Somebody's text in a message of several lines, which only looks like an entry.
            continue
        entries.append((moment, level, message))
    for moment, level, message in entries:
        yield max(0.0, last_age + (entries[-1][0] - moment).total_seconds()), level, message


def summarise(
    entries: Sequence[tuple[float, str, str]],
    files: tuple[str, ...],
    complete: bool,
    minutes: int,
    silent: float,
) -> Log:
    """Count the errors among entries, and keep the last messages."""
    oldest_first = sorted(entries, key=lambda entry: -entry[0])
    counts, last = tally((level, f"{level}: {shorten(text)}") for _, level, text in oldest_first if level in _ERRORS)
    oldest = max((age for age, _, _ in entries), default=0.0)
    return Log(
        files=files,
        counts=counts,
        last=last,
        minutes=float(minutes) if complete else round(oldest / 60, 1),
        complete=complete,
        silent_minutes=round(silent, 1),
    )
