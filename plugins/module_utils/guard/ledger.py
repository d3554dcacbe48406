# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: one JSON line for each operation, each holding the hash of the line before it."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard import (
    journal,
    ledger_index,
    ledger_keys,
    release_choice,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Progress
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import cleaned

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record, StepDone

GENESIS = "0" * 64
SCHEMA = 1

#: The field that holds the SHA-256 of the line before.
PREVIOUS = "previous_hash"


class LedgerDamaged(Exception):
    """The ledger was edited or a line in its midst is missing; nothing may be appended to it."""


class Answers:
    """The questions that are asked of a ledger. Where it is, and how much of it an answer reads, differs."""

    problems: tuple[str, ...]
    torn: bytes

    @property
    def verified(self) -> str:
        """When all of it was last read; empty where that is now."""
        return ""

    @property
    def count(self) -> int:
        """How many records there are."""
        raise NotImplementedError

    def backwards(self) -> Iterator[Record]:
        """The records, the newest first."""
        raise NotImplementedError

    def history(self, *more: Record) -> release_choice.History:
        """The releases of this host in deploy order. more: records that are not in the ledger yet."""
        raise NotImplementedError

    def place(self, kind: str, name: str) -> int | None:
        """A number for the record of a key, which grows with each record; None where no record has the key.

        Of several keys of one record the order counts too: see ledger_index.
        """
        raise NotImplementedError

    def record_at(self, place: int) -> Record:
        """The record of a place."""
        raise NotImplementedError

    def find(self, kind: str, name: str) -> Record | None:
        """The record of a key; None without one. See ledger_keys."""
        place = self.place(kind, name)
        return None if place is None else self.record_at(place)

    def of(self, keys: Iterable[tuple[str, str]]) -> list[Record]:
        """The records of several keys, each once, the oldest first."""
        places = [place for kind, name in keys if (place := self.place(kind, name)) is not None]
        first = {ledger_index.begin_of(place): place for place in places}
        return [self.record_at(place) for _begin, place in sorted(first.items())]

    def named(self, kind: str) -> Named:
        """The names of a kind, to be asked for one of them."""
        return Named(self, kind)


@dataclass(frozen=True)
class Named:
    """The names that a ledger has of one kind of key."""

    answers: Answers
    kind: str

    def __contains__(self, name: object) -> bool:
        return self.place(str(name)) is not None

    def place(self, name: str) -> int | None:
        """A number that grows with the order in which the names came; None for a name that never did."""
        return self.answers.place(self.kind, name)


@dataclass(frozen=True)
class Ledger(Answers):
    """All that a ledger file says.

    records: the operations, oldest first. head: SHA-256 of the last line. torn: bytes of a last line
    that a power cut left unfinished. problems: what is wrong with the chain, with line numbers.
    size: length in bytes of the good part. last: where the last line begins. places: where each record begins.
    """

    records: tuple[Record, ...] = ()
    head: str = GENESIS
    torn: bytes = b""
    problems: tuple[str, ...] = ()
    size: int = 0
    ends_with_newline: bool = True
    last: int = 0
    places: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.records)

    def backwards(self) -> Iterator[Record]:
        return iter(self.records[::-1])

    def history(self, *more: Record) -> release_choice.History:
        return release_choice.history([*self.records, *more])

    @cached_property
    def _begins(self) -> Sequence[int]:
        return self.places or range(len(self.records))

    @cached_property
    def keys(self) -> dict[bytes, int]:
        """The places of all keys."""
        found: dict[bytes, int] = {}
        for begins, record in zip(self._begins, self.records):
            ledger_index.add_keys(found, record, begins)
        return found

    def place(self, kind: str, name: str) -> int | None:
        return self.keys.get(ledger_keys.hashed(kind, name))

    def record_at(self, place: int) -> Record:
        return self.records[bisect_left(self._begins, ledger_index.begin_of(place))]


def digest(line: bytes) -> str:
    """SHA-256 of a line without its newline, in hexadecimal."""
    return hashlib.sha256(line).hexdigest()


@dataclass(frozen=True)
class Chain:
    """Consistency of the lines of a ledger; the fields are those of Ledger. count: of the records."""

    count: int
    head: str
    torn: bytes
    problems: tuple[str, ...]
    size: int
    ends_with_newline: bool
    last: int


def walk(content: bytes, visit: Callable[[Record, int], object]) -> Chain:
    """Go through a ledger's bytes. visit: gets each good record, and where it begins.

    Only the last line may be unfinished: an append is a single write, so a cut can hit nothing else.
    Anything wrong before it was done by somebody and is a problem.
    """
    problems: list[str] = []
    head, torn, newline, begins, count = GENESIS, b"", True, 0, 0
    number = size = 0
    while size < len(content):
        number += 1
        end = content.find(b"\n", size)
        last = end < 0
        line = content[size:] if last else content[size:end]
        record = _record(line)
        if record is None:
            if last:
                torn = line
                break
            problems.append(f"line {number} is not a record")
        else:
            if record.get(PREVIOUS) != head:
                problems.append(f"line {number} does not follow from the line before it")
            wrong = wrong_field(record)
            if wrong:
                problems.append(f"line {number} is not a record of an operation: its field {wrong} is of another type")
            else:
                count += 1
                visit(record, size)
            newline = not last
        head, begins = digest(line), size
        size += len(line) + (0 if last else 1)
    return Chain(count, head, torn, tuple(problems), size, newline, begins)


def parse(content: bytes) -> Ledger:
    """Read a ledger's bytes, and keep all records."""
    records: list[Record] = []
    places: list[int] = []

    def visit(record: Record, begins: int) -> None:
        records.append(record)
        places.append(begins)

    chain = walk(content, visit)
    return Ledger(
        tuple(records),
        chain.head,
        chain.torn,
        chain.problems,
        chain.size,
        chain.ends_with_newline,
        chain.last,
        tuple(places),
    )


def good_record(line: bytes) -> Record | None:
    """The record of a line; None where it is not one of an operation."""
    record = _record(line)
    return None if record is None or wrong_field(record) else record


def _record(line: bytes) -> Record | None:
    try:
        return cast("Record", foreign_json.load_object(line))
    except ValueError:
        return None


#: The types of what other code reads of a record; any of them may be missing, or null.
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "service", "environment", "procedure", "reason", "outcome", "error", "about"), str),
    **dict.fromkeys(("started", "finished", "continues"), str),
    **dict.fromkeys(("from", "to", "left", "actor", "facts", "notes"), dict),
    **dict.fromkeys(("steps", "health", "failed_health"), list),
}


def wrong_field(record: Mapping[str, Any]) -> str:
    """The first field of a record that has another type than operations write; empty if all are right."""
    for name, wanted in _TYPES.items():
        value = record.get(name)
        if value is not None and not isinstance(value, wanted):
            return name
    for name in ("steps", "health", "failed_health"):
        if not all(isinstance(item, dict) for item in record.get(name) or ()):
            return name
    return ""


def read(path: str) -> Ledger:
    """Read a ledger file; one that does not exist is empty."""
    return parse(durable_file.read_state(path))


def line_of(record: Record, head: str) -> tuple[Record, bytes]:
    """A record as it is written after the line with this hash, and its line."""
    # Texts of servers and files are in it, and it is read on other screens for years.
    written = {**cleaned(record), "schema": SCHEMA, PREVIOUS: head}
    return cast("Record", written), durable_file.encode(written)


def record_of(progress: Progress, end: journal.Ending, finished: str) -> Record:
    """The record of an operation that ended, as its journal proves it. finished: the time of the end, RFC 3339."""
    opened, plan = progress.opened, progress.plan or journal.NO_PLAN
    verified = progress.verified or {}
    steps: list[StepDone] = [
        {"step": step, "seconds": seconds, **({"direction": BACK} if direction == BACK else {})}
        for step, seconds, direction in progress.past
    ]
    record: Record = {
        "id": progress.operation,
        "service": opened.get("service"),
        "environment": opened.get("environment"),
        "procedure": opened.get("procedure"),
        "actor": opened.get("actor"),
        "reason": opened.get("reason"),
        "started": opened.get("started"),
        "finished": finished,
        "from": plan.get("from"),
        "to": plan.get("to"),
        "left": {"from": plan.get("from"), "to": plan.get("to")}.get(end.left or ""),
        "migrations": plan.get("migrations"),
        "steps": steps,
        "health": verified.get("health", []),
        "outcome": end.outcome,
        "error": end.error,
    }
    if end.outcome in ("failed", "reverted", "interrupted") and journal.about(progress):
        record["about"] = journal.about(progress)
    if verified.get("surroundings"):
        record["surroundings"] = verified["surroundings"]
    if progress.failed_health:
        # The request id of the answer that failed is what the incident needs.
        record["failed_health"] = progress.failed_health
    if opened.get("continues"):
        record["continues"] = opened["continues"]
        if plan.get("saved_as"):
            record["saved_as"] = plan["saved_as"]
    if plan.get("facts"):
        record["facts"] = plan["facts"]
    if progress.notes:
        record["notes"] = progress.notes
    return record
