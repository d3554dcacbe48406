# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index of a ledger: at which byte the record of a key begins, in a few sorted files beside it.

What was added last is kept in the mark of the ledger (ledger_mark); where that grows too long it becomes a file, merged
with the files that are not much longer. So an addition costs the same in the long run, and a look-up a few reads.
A file is 24 bytes for each key, sorted: 16 of the key, 8 of the place. A place is where the record begins in the
ledger, times 256, and the order of the key among those of its record: so places grow with the order in which names
came.
"""

from __future__ import annotations

import os
import secrets
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record

KEY, ENTRY = 16, 24
#: Keys in the mark itself.
RECENT = 256
#: A new file takes in those before it that are at most so many times as long.
_MERGED = 4
#: Keys that are read at once, at the end of a look-up.
_BLOCK = 16


class Missing(Exception):
    """A file of the index is not there any more, or was changed."""


@dataclass(frozen=True)
class Identity:
    """Identity of a file: any write sets the times, and a copy has a number of its own."""

    inode: int
    size: int
    written: int
    changed: int

    @classmethod
    def of(cls, found: os.stat_result) -> Identity:
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def to_list(self) -> list[int]:
        return [self.inode, self.size, self.written, self.changed]


class OpenFile:
    """A file of the state folder that is read at places. Raises OSError."""

    def __init__(self, path: str) -> None:
        self._descriptor = owned_folder.open_file(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self.identity = Identity.of(os.fstat(self._descriptor))

    def read(self, start: int, end: int) -> bytes:
        """The bytes from one place to another, as far as the file has them."""
        found = b""
        while start + len(found) < end:
            piece = os.pread(self._descriptor, end - start - len(found), start + len(found))
            if not piece:
                break
            found += piece
        return found


@dataclass(frozen=True)
class Segment:
    """One file of the index. name: in the state folder. count: of its keys."""

    name: str
    count: int
    identity: Identity

    def to_list(self) -> list[Any]:
        return [self.name, self.count, self.identity.to_list()]


@dataclass
class Index:
    """Places by hashed key. segments: the oldest first. recent: what came after them."""

    folder: str
    segments: list[Segment] = field(default_factory=list)
    recent: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._open: dict[str, OpenFile] = {}

    def place(self, key: bytes) -> int | None:
        """The place of a key's record; None if no record has it. Raises Missing."""
        first = ledger_keys.first_counts(key)
        if not first and key in self.recent:
            return self.recent[key]
        for segment in self.segments if first else reversed(self.segments):
            found = self._find(segment, key)
            if found is not None:
                return found
        return self.recent.get(key)

    def add(self, record: Record, begins: int) -> None:
        """Add the keys of a record that begins at this byte of the ledger."""
        add_keys(self.recent, record, begins)

    def settle(self) -> None:
        """Make a file of what came last, once that is long; other files are merged into it. Raises OSError, Missing."""
        if len(self.recent) <= RECENT:
            return
        content, merged = packed(self.recent), list(self.segments)
        while merged and merged[-1].count * ENTRY <= len(content) * _MERGED:
            former = merged.pop()
            content = merge(self._opened(former).read(0, former.count * ENTRY), content)
        name = f"ledger.keys-{secrets.token_hex(8)}"
        path = os.path.join(self.folder, name)
        durable_file.replace(path, content)
        self.segments = [*merged, Segment(name, len(content) // ENTRY, OpenFile(path).identity)]
        self.recent = {}

    def tidy(self) -> None:
        """Remove the files of which the index has no use any more."""
        used = {segment.name for segment in self.segments}
        for name in os.listdir(self.folder):
            if name.startswith("ledger.keys-") and name not in used:
                durable_file.remove(os.path.join(self.folder, name))

    def check(self) -> None:
        """Raise Missing unless each file is the one that was written."""
        for segment in self.segments:
            self._opened(segment)

    def _opened(self, segment: Segment) -> OpenFile:
        if segment.name not in self._open:
            try:
                found = OpenFile(os.path.join(self.folder, os.path.basename(segment.name)))
            except OSError as error:
                raise Missing(segment.name) from error
            if found.identity != segment.identity or found.identity.size != segment.count * ENTRY:
                raise Missing(segment.name)
            self._open[segment.name] = found
        return self._open[segment.name]

    def _find(self, segment: Segment, key: bytes) -> int | None:
        opened, low, high = self._opened(segment), 0, segment.count
        while high - low > _BLOCK:
            middle = (low + high) // 2
            if opened.read(middle * ENTRY, middle * ENTRY + KEY) <= key:
                low = middle
            else:
                high = middle
        block = opened.read(low * ENTRY, high * ENTRY)
        keys = [block[start : start + KEY] for start in range(0, len(block), ENTRY)]
        at = bisect_left(keys, key)
        if at == len(keys) or keys[at] != key:
            return None
        return int.from_bytes(block[at * ENTRY + KEY : (at + 1) * ENTRY], "big")


def add_keys(places: dict[bytes, int], record: Record, begins: int) -> None:
    """Add the places of all keys of a record."""
    for key in ledger_keys.of(record):
        add(places, key.hashed, (begins << 8) + min(key.order, 255))


def begin_of(place: int) -> int:
    """The byte of the ledger at which the record of a place begins."""
    return place >> 8


def add(places: dict[bytes, int], key: bytes, place: int) -> None:
    """Add the place of a later record."""
    if not (ledger_keys.first_counts(key) and key in places):
        places[key] = place


def packed(places: Mapping[bytes, int]) -> bytes:
    """The content of a file."""
    return b"".join(key + places[key].to_bytes(8, "big") for key in sorted(places))


def merge(older: bytes, newer: bytes) -> bytes:
    """One file of two."""
    places = dict(unpacked(older))
    for key, place in unpacked(newer):
        add(places, key, place)
    return packed(places)


def unpacked(content: bytes) -> Iterable[tuple[bytes, int]]:
    """The keys and places of a file."""
    for start in range(0, len(content), ENTRY):
        yield content[start : start + KEY], int.from_bytes(content[start + KEY : start + ENTRY], "big")
