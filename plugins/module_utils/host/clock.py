# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time as an operation needs it: a date for people, and a clock that nobody can set back."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any


@dataclass(frozen=True)
class Now:
    """One moment.

    utc: seconds since the epoch. boot: the kernel's boot id. uptime: seconds since that boot,
    counted through suspend (CLOCK_BOOTTIME): setting the clock does not move it.
    """

    utc: float
    boot: str
    uptime: float

    @property
    def text(self) -> str:
        """RFC 3339, UTC, milliseconds."""
        moment = datetime.fromtimestamp(self.utc, timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def now() -> Now:
    """The present moment on this host."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
            boot = handle.read().strip()
    except OSError:
        boot = "unknown"
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Now(utc=time.time(), boot=boot, uptime=time.clock_gettime(clock))


def seconds(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time in UTC, with any number of decimals; None for anything else."""
    match = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,30})?Z", text)
    if match is None:
        return None
    try:
        whole = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return whole.timestamp() + float(match[2] or 0)


def later(moment: Now, seconds: float) -> Now:
    """The moment so many seconds after this one."""
    return Now(moment.utc + seconds, moment.boot, moment.uptime + seconds)


def operation_id(moment: Now) -> str:
    """A new operation's id: it sorts by time and is short enough to be typed.

    Shape: 20261121T031502Z-4f2a9c.
    """
    stamp = datetime.fromtimestamp(moment.utc, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{secrets.token_hex(3)}"


def minute(moment: Any) -> str:
    """A moment of the ledger (RFC 3339) for people."""
    return str(moment or "?")[:16].replace("T", " ") + " UTC"
