# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of an operator for one operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import state_owner


@dataclass(frozen=True)
class Request:
    """The request of an operator.

    operation: the id for this run. subject: what the state folder has to be of. adopts: its system has a procedure
    that begins a new ledger, named <system>_adopt. lock_wait: seconds to wait for the lease. lease_ttl: seconds that
    the lease lasts between two phases.
    """

    operation: str
    service: str
    procedure: str
    environment: str = ""
    reason: str = ""
    actor: dict[str, Any] = field(default_factory=dict)
    subject: state_owner.Subject | None = None
    adopts: bool = False
    lock_wait: float = 0.0
    lock_takeover: str = ""
    interrupted: str = ""
    lease_ttl: float = 900.0
