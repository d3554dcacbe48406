# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mark of a ledger: what it was when all of it was last known to be whole. See ledger_book."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_index import Identity, Segment
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

NAME = "ledger.mark"
#: Raised whenever a record gets other keys (ledger_keys.of), or the releases are folded otherwise (release_choice):
#: a mark of an earlier version knows nothing of them, and is not believed.
SCHEMA = 3


@dataclass(frozen=True)
class Mark:
    """ledger: the identity of the file. head: SHA-256 of its last line. last: where that begins. count: of records.

    verified: when all of it was last read, RFC 3339. segments and recent: the index. past: the newest releases; None
    where only all records tell them.
    """

    ledger: Identity
    head: str
    last: int
    count: int
    verified: str
    segments: tuple[Segment, ...]
    recent: Mapping[bytes, int]
    past: Mapping[str, Any] | None

    def to_bytes(self) -> bytes:
        body = durable_file.encode(
            {
                "schema": SCHEMA,
                "ledger": self.ledger.to_list(),
                "head": self.head,
                "last": self.last,
                "count": self.count,
                "verified": self.verified,
                "segments": [segment.to_list() for segment in self.segments],
                "recent": {key.hex(): place for key, place in self.recent.items()},
                "past": self.past,
            }
        )
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"


def parse(content: bytes) -> Mark | None:
    """The mark in a file; None where it is torn, edited, of another version, or not there."""
    said, _, rest = content.partition(b"\n")
    body = rest[:-1]
    if not rest.endswith(b"\n") or said != hashlib.sha256(body).hexdigest().encode():
        return None
    try:
        raw = foreign_json.load_object(body)
        if raw["schema"] != SCHEMA:
            return None
        return Mark(
            Identity(*raw["ledger"]),
            str(raw["head"]),
            int(raw["last"]),
            int(raw["count"]),
            str(raw["verified"]),
            tuple(Segment(str(name), int(count), Identity(*identity)) for name, count, identity in raw["segments"]),
            {bytes.fromhex(key): int(place) for key, place in raw["recent"].items()},
            raw["past"],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read(folder: str) -> Mark | None:
    """The mark of the ledger in a folder."""
    try:
        return parse(durable_file.read_state(os.path.join(folder, NAME)))
    except OSError:
        # A link in its place, or a file that this user can't read: then the ledger itself is read.
        return None


def write(folder: str, mark: Mark) -> None:
    """Raises OSError."""
    durable_file.replace(os.path.join(folder, NAME), mark.to_bytes())
