# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease: who operates a service on this host, and until when."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host.clock import Now, later
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json


@dataclass(frozen=True)
class Lease:
    """The right to change one service on one host.

    operation: id of the operation that holds it. actor: user, controller, via, job.
    since and expires: RFC 3339, for people. boot and expires_uptime decide, so that a clock
    set back neither prolongs a lease nor ends one.
    """

    operation: str
    procedure: str
    reason: str
    actor: dict[str, Any]
    since: str
    expires: str
    boot: str
    expires_uptime: float

    def to_bytes(self) -> bytes:
        """The lease file's content."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode() + b"\n"


def parse(content: bytes) -> Lease | None:
    """The lease in a lease file; None for an empty or unreadable one (a lease file is replaced whole)."""
    try:
        raw = foreign_json.load_object(content)
        lease = Lease(**raw)
    except (ValueError, TypeError):
        return None
    texts = (lease.operation, lease.procedure, lease.reason, lease.since, lease.expires, lease.boot)
    ends = lease.expires_uptime
    if not all(isinstance(text, str) for text in texts) or not isinstance(lease.actor, dict):
        return None
    return lease if isinstance(ends, (int, float)) and not isinstance(ends, bool) else None


def grant(operation: str, procedure: str, reason: str, actor: dict[str, Any], ttl: float, now: Now) -> Lease:
    """A new lease of so many seconds."""
    end = later(now, ttl)
    return Lease(operation, procedure, reason, actor, now.text, end.text, now.boot, end.uptime)


def renew(lease: Lease, ttl: float, now: Now) -> Lease:
    """The same lease, counted from now."""
    end = later(now, ttl)
    return Lease(
        lease.operation,
        lease.procedure,
        lease.reason,
        lease.actor,
        lease.since,
        end.text,
        now.boot,
        end.uptime,
    )


def standing(lease: Lease | None, running: bool, gone: bool, now: Now) -> str:
    """How alive the lease's operation is.

    free: no lease. running: a process of it works on this host now (it holds the kernel lock).
    died: it was in a phase, or had ended, and the process is gone. expired: between phases for longer than allowed,
    or the host was restarted. waiting: between phases; its controller may be at work elsewhere.
    """
    if lease is None:
        return "free"
    if running:
        return "running"
    if gone:
        return "died"
    if lease.boot != now.boot or now.uptime >= lease.expires_uptime:
        return "expired"
    return "waiting"
