# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a dump, whatever made it."""

from __future__ import annotations

from dataclasses import dataclass, field


class BadDump(Exception):
    """A dump that must not be restored. The text says why."""


@dataclass(frozen=True)
class Contents:
    """Facts of a dump.

    engine: mysql, redis or postgres. size: bytes. rows: by table, of a SQL dump. database and server: as its header
    names them. problem: why it is not complete; empty where it is.
    """

    engine: str
    size: int
    rows: dict[str, int] = field(default_factory=dict)
    database: str = ""
    server: str = ""
    problem: str = ""
