# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of the backups of a cluster, whichever engine makes them."""

from __future__ import annotations

from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump import status as by_dump
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import look


def status(cluster: Cluster, guard: Guard, limits: Limits, verify: bool = False, **more: Any) -> dict[str, Any]:
    """The whole screen as data. more: as status/look.py takes it."""
    seen = None
    if cluster.description.dumps:
        found = by_dump.read(cluster, guard.path("backups"), verify)
        seen = found.reading, by_dump.judge(found, limits)
    return look.status(cluster, guard, limits, verify, seen=seen, **more)
