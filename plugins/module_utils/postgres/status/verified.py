# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last reading of every file of a repository: a small file in the state folder of the service.

`pgbackrest verify` leaves no trace, and the ledger has operations alone. Without this file nobody would see that the
weekly reading stopped, and a damage that it found would be gone from the screen on the next morning.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

NAME = "verified.json"
#: Lines of a reading, and letters of each, that are kept.
_LINES, _LETTERS = 6, 300


@dataclass(frozen=True)
class Verification:
    """A reading of every file. finished: unix time. system: identifier of the cluster. lines: what is damaged."""

    finished: float
    good: bool
    stanza: str
    system: str
    lines: tuple[str, ...] = ()


def write(state_dir: str, found: Verification) -> None:
    """Keep a reading in place of the one before it. Raises OSError."""
    owned_folder.make(state_dir)
    kept: dict[str, Any] = {**asdict(found), "lines": [cut(line, _LETTERS) for line in found.lines[:_LINES]]}
    durable_file.replace(os.path.join(state_dir, NAME), durable_file.encode({"schema": 1, **kept}))


def read(state_dir: str) -> Verification | None:
    """The last reading; None without one. Raises OSError, and ValueError for a file that is not such a record."""
    content = durable_file.read_state(os.path.join(state_dir, NAME))
    if not content:
        return None
    raw = foreign_json.load_object(content)
    finished, good, lines = raw.get("finished"), raw.get("good"), raw.get("lines")
    if isinstance(finished, bool) or not isinstance(finished, (int, float)) or not isinstance(good, bool):
        raise ValueError("it is not the record of a reading")
    return Verification(
        float(finished), good, str(raw.get("stanza") or ""), str(raw.get("system") or ""), _texts(lines)
    )


def _texts(lines: object) -> tuple[str, ...]:
    listed: Sequence[object] = lines if isinstance(lines, list) else ()
    return tuple(cut(str(line), _LETTERS) for line in listed[:_LINES])
