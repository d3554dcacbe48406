# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ledger file that is read only as far as a question needs, so that an old one costs what a new one does.

Whoever read the whole ledger, and saw that each line follows from the one before it, writes a mark beside it: what
the file was then (number, length, times of the last change), its last hash, its newest releases, and an index. Whoever
appends to it writes the next mark. While the file is the one of the mark nobody has changed it, so its last line and
the mark say what all of it would. Otherwise, or without a mark that can be read, all of it is read again.

    ledger.mark      the mark; SHA-256 of the rest in its first line
    ledger.keys-*    the index, see ledger_index

Both are derived: to remove them costs one reading of the whole ledger, and loses nothing.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import time
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard import (
    ledger,
    ledger_index,
    ledger_keys,
    ledger_mark,
    release_choice,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers, Chain, LedgerDamaged
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_index import Identity, Index, OpenFile
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_mark import Mark
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import Course, History, TooOld
from ansible_collections.ops.runbook.plugins.module_utils.host import clock, durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record

#: Bytes that are read at once from the end, and of one line.
_BLOCK, _LINE = 1 << 14, 1 << 12


class Book(Answers):
    """The ledger of a state folder, as it was when this was made. Raises OSError."""

    def __init__(self, path: str, verify: bool = False) -> None:
        """verify: read all of it, whatever the mark says."""
        self.path = path
        self._folder = os.path.dirname(path)
        try:
            self._file: OpenFile | None = OpenFile(path)
        except FileNotFoundError:
            self._file = None
        found = None if verify or self._file is None else ledger_mark.read(self._folder)
        self._mark = found if found is not None and self._fits(found) else None

    def _fits(self, mark: Mark) -> bool:
        """Tell if the ledger is the one of the mark, from its first byte to its last."""
        if self._file is None or self._file.identity != mark.ledger:
            return False
        line = self._file.read(mark.last, mark.ledger.size)
        if not line.endswith(b"\n") or b"\n" in line[:-1] or ledger.digest(line[:-1]) != mark.head:
            return False
        try:
            self._index(mark).check()
        except ledger_index.Missing:
            return False
        return True

    def _index(self, mark: Mark) -> Index:
        return Index(self._folder, list(mark.segments), dict(mark.recent))

    @property
    def fresh(self) -> bool:
        """Tell if the file is still the one that this has read."""
        try:
            found = OpenFile(self.path).identity
        except FileNotFoundError:
            return self._file is None
        return self._file is not None and found == self._file.identity

    @property
    def verified(self) -> str:
        return "" if self._mark is None else self._mark.verified

    # -- the answers -----------------------------------------------------------------------------

    @property
    def records(self) -> Iterator[Record]:
        """All records, the oldest first, without keeping them."""
        tail, here, ends = b"", 0, self._size
        while self._file is not None and (here < ends or tail):
            block = self._file.read(here, min(here + _BLOCK, ends))
            here += len(block)
            *lines, tail = (tail + block).split(b"\n") if here < ends else [*(tail + block).split(b"\n"), b""]
            for line in lines:
                record = ledger.good_record(line) if line else None
                if record is not None:
                    yield record

    @cached_property
    def _read(self) -> tuple[Chain, Course, dict[bytes, int]]:
        """All of it, read once from its first byte: the chain, the releases, and the places of all keys."""
        course = Course()
        places: dict[bytes, int] = {}

        def visit(record: Record, begins: int) -> None:
            course.add(record)
            ledger_index.add_keys(places, record, begins)

        return ledger.walk(self._content(), visit), course, places

    def _content(self) -> bytes:
        return b"" if self._file is None else self._file.read(0, self._file.identity.size)

    @property
    def _size(self) -> int:
        if self._mark is None:
            return self._read[0].size
        return self._mark.ledger.size

    @property
    def problems(self) -> tuple[str, ...]:  # type: ignore[override]
        return () if self._mark is not None else self._read[0].problems

    @property
    def torn(self) -> bytes:  # type: ignore[override]
        return b"" if self._mark is not None else self._read[0].torn

    @property
    def count(self) -> int:
        return self._read[0].count if self._mark is None else self._mark.count

    def backwards(self) -> Iterator[Record]:
        tail, end = b"", self._size
        while self._file is not None and end > 0:
            start = max(end - _BLOCK, 0)
            lines = (self._file.read(start, end) + tail).split(b"\n")
            # The first piece may begin in the midst of a line.
            tail, end = (lines.pop(0), start) if start else (b"", 0)
            for line in reversed(lines):
                record = ledger.good_record(line) if line else None
                if record is not None:
                    yield record

    @cached_property
    def _opened_index(self) -> Index | None:
        return None if self._mark is None else self._index(self._mark)

    def place(self, kind: str, name: str) -> int | None:
        if self._opened_index is not None:
            try:
                return self._opened_index.place(ledger_keys.hashed(kind, name))
            except ledger_index.Missing:
                self._distrust()
        return self._read[2].get(ledger_keys.hashed(kind, name))

    def record_at(self, place: int) -> Record:
        if self._file is None:
            raise LookupError(f"no ledger {self.path}")
        return cast("Record", foreign_json.load_object(self._line(self._file, ledger_index.begin_of(place))))

    @staticmethod
    def _line(file: OpenFile, begins: int) -> bytes:
        found = file.read(begins, begins + _LINE)
        while b"\n" not in found and begins + len(found) < file.identity.size:
            found += file.read(begins + len(found), begins + len(found) + _BLOCK)
        return found.partition(b"\n")[0]

    def _distrust(self) -> None:
        """A file of the index went away: another process has just written the next one."""
        self._mark = None
        self.__dict__.pop("_opened_index", None)

    def history(self, *more: Record) -> History:
        @functools.cache
        def whole() -> History:
            return release_choice.history(chain(self.records, more))

        with contextlib.suppress(TypeError, KeyError, ValueError, TooOld):
            course = self._course()
            if course is not None:
                for record in more:
                    course.add(record)
                return course.history(whole)
        return self._read[1].history() if self._mark is None and not more else whole()

    def _course(self) -> Course | None:
        """The releases as the mark has them; None without a mark, or where it could not go on with them."""
        if self._mark is None or self._mark.past is None:
            return None
        return Course.from_dict(self._mark.past, self.named(ledger_keys.ARRIVED).__contains__)

    # -- writing, under the lock of the state folder ---------------------------------------------

    def keep(self) -> None:
        """Write a mark where there is none that fits. A ledger with problems gets none."""
        if self._mark is not None and self._mark.past is not None:
            return
        found, course, places = self._read
        if found.count and not (found.problems or found.torn) and found.ends_with_newline:
            index = Index(self._folder, recent=dict(places))
            self._save(index, course, found.head, found.last, found.count, clock.now().text)

    def append(self, record: Record) -> Record:
        """Append a record, chained to the last one, and sync it. Returns the record as written.

        A torn last line is first moved to `<path>.torn-<hash>`: it is evidence, not a record.
        Raises LedgerDamaged when the chain is broken, OSError when the disk refuses; then nothing changed.
        """
        if self.problems:
            raise LedgerDamaged("; ".join(self.problems))
        size = self._size
        if self._mark is not None:
            head, prefix = self._mark.head, b""
        else:
            head, prefix = self._read[0].head, b"" if self._read[0].ends_with_newline else b"\n"
        if self.torn:
            durable_file.replace(f"{self.path}.torn-{ledger.digest(self.torn)[:12]}", self.torn + b"\n")
            durable_file.cut(self.path, size)
        written, line = ledger.line_of(record, head)
        durable_file.append_line(self.path, prefix + line)
        self._mark_appended(written, line, size + len(prefix))
        return written

    def _mark_appended(self, record: Record, line: bytes, begins: int) -> None:
        """Write the next mark. Where that fails the one before it does not fit any more, and all is read again."""
        course: Course | None = None
        if self._mark is None:
            index, course, verified = Index(self._folder, recent=dict(self._read[2])), self._read[1], clock.now().text
        else:
            index, verified = self._index(self._mark), self._mark.verified
            with contextlib.suppress(TypeError, KeyError, ValueError):
                course = self._course()
        try:
            if course is not None:
                course.add(record)
        except (TooOld, ledger_index.Missing):
            course = None
        index.add(record, begins)
        size = begins + len(line) + 1
        self._save(index, course, ledger.digest(line), begins, self.count + 1, verified, size)

    def _save(
        self,
        index: Index,
        course: Course | None,
        head: str,
        last: int,
        count: int,
        verified: str,
        size: int | None = None,
    ) -> None:
        """size: of the ledger after an append; None where it is as it was read."""
        with contextlib.suppress(OSError, ledger_index.Missing):
            index.settle()
            found = self._stamped(size)
            if found is not None:
                past = None if course is None else course.to_dict()
                mark = Mark(found, head, last, count, verified, tuple(index.segments), dict(index.recent), past)
                ledger_mark.write(self._folder, mark)
                index.tidy()

    def _stamped(self, size: int | None) -> Identity | None:
        """The identity of the ledger with a time of change that no other write sets; None where it can't be had.

        The clock of a file system moves in steps of some milliseconds, and a change in the same step as ours would
        leave the times as they are. So the time is set to one between two steps.
        """
        descriptor = owned_folder.open_file(self.path, os.O_WRONLY)
        try:
            before = os.fstat(descriptor)
            as_read = self._file is not None and Identity.of(before) == self._file.identity
            if before.st_size != size and not as_read:
                return None
            wanted = time.time_ns() // 1_000_000 * 1_000_000 + secrets.randbelow(1_000_000)
            os.utime(descriptor, ns=(before.st_atime_ns, wanted))
            found = os.fstat(descriptor)
            return Identity.of(found) if found.st_mtime_ns == wanted else None
        finally:
            os.close(descriptor)


def append(path: str, record: Record) -> Record:
    """Append a record to a ledger file; see Book.append."""
    return Book(path).append(record)
