# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes the backups of a service that no rule keeps."""

from __future__ import annotations

from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Keep, Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store


def retain(store: Store, keep: Keep, current: str, owner: Owner) -> dict[str, Any]:
    """Remove what no rule keeps of this service's. The present one stays, and so does the newest whole one."""
    here, _ = store.look()
    going = retention.expired(here, keep, owner, [current])
    for identity in going:
        store.remove(identity)
    return {"removed": going, "swept": store.sweep(owner.made, [current])}
