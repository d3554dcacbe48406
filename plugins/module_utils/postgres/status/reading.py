# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that a look at the backups of a PostgreSQL cluster reads, before any of them is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Disk
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Stanza, Verified
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server


@dataclass(frozen=True)
class Reading:
    """Everything that was read on the host. Nothing in it is judged.

    stanza, archive, verified: None where they could not be read; problems says why by these names, and ways has what to
    type. asked_to_verify: every file was to be read. now: unix time.
    """

    now: float
    stanza: Stanza | None = None
    archive: Archive | None = None
    server: Server = Server()
    verified: Verified | None = None
    asked_to_verify: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)
    disks: tuple[Disk, ...] = ()
