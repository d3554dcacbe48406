# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of WAL files: which file follows which, on each timeline. Pure.

A name has three numbers of eight hexadecimal digits: timeline, log, segment. A log has 4 GiB, so with files of 16 MiB
the segment goes from 00 to FF, and then the log is one more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Bytes of a WAL file, unless the cluster was made with other ones.
USUAL_SIZE = 16 * 2**20
_LOG = 2**32
_NAME = re.compile(r"[0-9A-F]{24}")


@dataclass(frozen=True, order=True)
class Segment:
    """One WAL file. number: counted over all logs of the timeline, from 0."""

    timeline: int
    number: int

    def on(self, timeline: int) -> Segment:
        """The file of the same number on another timeline."""
        return Segment(timeline, self.number)


def per_log(size: int) -> int:
    """How many WAL files a log has. size: bytes of one. Raises ValueError for a size that PostgreSQL does not take."""
    if not 2**20 <= size <= 2**30 or size & (size - 1):
        raise ValueError(f"{size} bytes are not a size of WAL files")
    return _LOG // size


def parse(name: str, size: int) -> Segment:
    """The WAL file of a name. size: bytes of a file. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a WAL file")
    timeline, log, segment = (int(name[at : at + 8], 16) for at in (0, 8, 16))
    if segment >= per_log(size):
        raise ValueError(f"{name} is not a WAL file of a cluster whose files have {size >> 20} MiB")
    return Segment(timeline, log * per_log(size) + segment)


def name(segment: Segment, size: int) -> str:
    """The name of a WAL file."""
    log, number = divmod(segment.number, per_log(size))
    return f"{segment.timeline:08X}{log:08X}{number:08X}"
