# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: one JSON line for each operation, each holding the hash of the line before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import durable_file, foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.screen_text import cleaned

GENESIS = "0" * 64
SCHEMA = 1

#: The field that holds the SHA-256 of the line before.
PREVIOUS = "previous_hash"


class LedgerDamaged(Exception):
    """The ledger was edited or a line in its midst is missing; nothing may be appended to it."""


@dataclass(frozen=True)
class Ledger:
    """What a ledger file says.

    records: the operations, oldest first. head: SHA-256 of the last line. torn: bytes of a last line
    that a power cut left unfinished. problems: what is wrong with the chain, with line numbers.
    size: length in bytes of the good part.
    """

    records: tuple[dict[str, Any], ...] = ()
    head: str = GENESIS
    torn: bytes = b""
    problems: tuple[str, ...] = ()
    size: int = 0
    ends_with_newline: bool = True
    ids: frozenset[str] = field(default_factory=frozenset)


def digest(line: bytes) -> str:
    """SHA-256 of a line without its newline, in hexadecimal."""
    return hashlib.sha256(line).hexdigest()


def parse(content: bytes) -> Ledger:
    """Read a ledger's bytes.

    Only the last line may be unfinished: an append is a single write, so a cut can hit nothing else.
    Anything wrong before it was done by somebody and is a problem.
    """
    records: list[dict[str, Any]] = []
    problems: list[str] = []
    head, size, torn, newline = GENESIS, 0, b"", True
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        last = number == len(lines)
        if last and not line:
            break
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
                records.append(record)
            newline = not last
        head = digest(line)
        size += len(line) + (0 if last else 1)
    return Ledger(
        records=tuple(records),
        head=head,
        torn=torn,
        problems=tuple(problems),
        size=size,
        ends_with_newline=newline,
        ids=frozenset(str(record.get("id")) for record in records),
    )


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        return foreign_json.load_object(line)
    except ValueError:
        return None


#: The types of what other code reads of a record; any of them may be missing, or null.
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "service", "environment", "procedure", "reason", "outcome", "error", "about"), str),
    **dict.fromkeys(("started", "finished", "continues"), str),
    **dict.fromkeys(("from", "to", "left", "actor", "facts", "notes"), dict),
    **dict.fromkeys(("steps", "health", "failed_health"), list),
}


def wrong_field(record: dict[str, Any]) -> str:
    """The first field of a record that is of another type than operations write; empty where there is none."""
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


def operations(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids under which the operations of a ledger keep things, the oldest first.

    One that goes on with an interrupted one keeps them by the id of the first.
    """
    found: dict[str, None] = {}
    for record in records:
        names = [record.get("saved_as"), record.get("continues"), record.get("id")]
        for note in (record.get("notes") or {}).values():
            if isinstance(note, Mapping) and note.get("backup"):
                names.insert(0, str(note["backup"]).split("-before")[0])
        found.update((str(name), None) for name in names if name)
    return list(found)


def append(path: str, record: dict[str, Any]) -> dict[str, Any]:
    """Append a record, chained to the last one, and sync it. Returns the record as written.

    A torn last line is first moved to `<path>.torn-<hash>`: it is evidence, not a record.
    Raises LedgerDamaged when the chain is broken, OSError when the disk refuses; then nothing changed.
    """
    ledger = read(path)
    if ledger.problems:
        raise LedgerDamaged("; ".join(ledger.problems))
    if ledger.torn:
        durable_file.replace(f"{path}.torn-{digest(ledger.torn)[:12]}", ledger.torn + b"\n")
        durable_file.cut(path, ledger.size)
    # Texts of servers and files are in it, and it is read on other screens for years.
    written = {**cleaned(record), "schema": SCHEMA, PREVIOUS: ledger.head}
    prefix = b"" if ledger.ends_with_newline else b"\n"
    durable_file.append_line(path, prefix + durable_file.encode(written))
    return written
