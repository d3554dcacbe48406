# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a screen that says how a service is, and those of them that every system has: disk, lease, ledger."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host.clock import minute
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

OK, WARN, BAD = "ok", "warn", "bad"
ORDER = (OK, WARN, BAD)


@dataclass(frozen=True)
class Row:
    """One line of the screen. level: ok, warn or bad. details: lines below it. ways: remedies, to type.

    moving: an operation at work may be the cause.
    """

    topic: str
    level: str
    text: str
    details: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    moving: bool = False

    def document(self) -> dict[str, Any]:
        """The row as a module returns it; what to type follows the other lines below it."""
        return {"topic": self.topic, "level": self.level, "text": self.text, "details": [*self.details, *self.ways]}


@dataclass(frozen=True)
class Disk:
    """One file system. paths: what of the service lies on it. inodes_percent: None where it has no such limit."""

    paths: tuple[str, ...]
    percent: float
    free_bytes: int
    inodes_percent: float | None = None


def worst(levels: Sequence[str]) -> str:
    """The worst of these levels; ok without any."""
    return max(levels, key=ORDER.index, default=OK)


def verdict(rows: Sequence[Row]) -> dict[str, Any]:
    """The worst level, and the topics that have it."""
    bad = [row.topic for row in rows if row.level == BAD]
    warn = [row.topic for row in rows if row.level == WARN]
    parts = []
    if bad:
        parts.append(f"bad: {', '.join(bad)}")
    if warn:
        parts.append(f"to look at: {', '.join(warn)}")
    return {
        "level": worst([row.level for row in rows]),
        "text": "; ".join(parts) or "all is well",
        "bad": bad,
        "warn": warn,
    }


# -- disks ---------------------------------------------------------------------------------------


def disks(paths: Sequence[str]) -> list[Disk]:
    """The file systems under these paths, each once. A path that is not there counts by its parent."""
    found: dict[int, list[str]] = {}
    for path in dict.fromkeys(paths):
        try:
            found.setdefault(os.stat(_there(path)).st_dev, []).append(path)
        except OSError:
            continue
    read: list[Disk] = []
    for members in found.values():
        # A folder inside another one on the same file system says nothing new.
        shown = tuple(path for path in members if not any(path.startswith(f"{other}/") for other in members))
        try:
            state = os.statvfs(_there(shown[0]))
        except OSError:
            continue
        used, available = state.f_blocks - state.f_bfree, state.f_bavail
        percent = 100.0 * used / (used + available) if used + available else 100.0
        inodes = 100.0 * (state.f_files - state.f_ffree) / state.f_files if state.f_files else None
        read.append(
            Disk(shown, round(percent, 1), available * state.f_frsize, None if inodes is None else round(inodes, 1))
        )
    return read


def _there(path: str) -> str:
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def disk_row(disk: Disk, warn: float, bad: float) -> Row:
    """warn and bad: percent of bytes or of inodes."""
    used = max(disk.percent, disk.inodes_percent or 0.0)
    level = BAD if used >= bad else WARN if used >= warn else OK
    text = f"{disk.percent:.0f} % used, {size(disk.free_bytes)} free"
    if disk.inodes_percent is not None:
        text += f", {disk.inodes_percent:.0f} % of inodes"
    return Row("disk", level, f"{text}: {', '.join(disk.paths)}")


# -- operations ----------------------------------------------------------------------------------


def under_way(history: Mapping[str, Any]) -> str:
    """The operation of this collection that is at work, and since when; empty without one."""
    lease = history.get("lease") or {}
    if lease.get("standing") not in ("running", "waiting"):
        return ""
    return f"{lease.get('procedure') or 'an operation'} since {minute(lease.get('since'))} ({lease.get('operation')})"


def moving(rows: Iterable[Row]) -> list[Row]:
    """Rows of what an operation on the service moves."""
    return [replace(row, moving=True) for row in rows]


def during(rows: Iterable[Row], what: str) -> list[Row]:
    """The rows as shown while something is under way: what it may have caused is not damage to be mended.

    what: the work under way; empty if there is none.
    """
    return [_passing(row, what) if what and row.moving and row.level != OK else row for row in rows]


def _passing(row: Row, what: str) -> Row:
    return replace(row, level=WARN, text=f"{row.text}, while this is under way: {what}", ways=())


def operation_rows(system: str, history: Mapping[str, Any], problem: str) -> Iterator[Row]:
    """Ledger, interrupted operation, lease and last operation, of what operation_history read.

    system: what the names of its playbooks begin with. problem: why the state folder can't be read.
    """
    if problem:
        yield Row("ledger", BAD, problem)
        return
    chain = history.get("chain") or {"ok": True, "problems": []}
    if not chain["ok"]:
        yield Row("ledger", BAD, "it was edited or is incomplete", tuple(chain["problems"][:5]))
    unfinished, lease = history.get("interrupted"), history.get("lease")
    if unfinished:
        ways = " or ".join(f"-e interrupted={way}" for way in unfinished["ways"])
        yield Row(
            "operation",
            BAD,
            f"{unfinished['procedure']} {unfinished['operation']} was interrupted: {unfinished['text']}",
            (f"{system}_{unfinished['procedure']} with {ways}",),
        )
    if lease and lease["standing"] in ("running", "waiting"):
        word = (
            "is at work now" if lease["standing"] == "running" else f"holds the lease until {minute(lease['expires'])}"
        )
        yield Row("lease", WARN, f"{lease['holder']} {word}")
    else:
        yield Row("lease", OK, "free")
    # A refusal changed nothing, so it says nothing about how the service is.
    records = [record for record in history.get("records") or [] if record.get("outcome") != "refused"]
    if records and not unfinished:
        record = records[-1]
        level = OK if record.get("outcome") == "succeeded" else WARN
        text = f"{record.get('procedure')} {record.get('outcome')} {minute(record.get('finished'))} by {who(record)}"
        details = (cut(str(record["error"]), 300),) if record.get("error") else ()
        yield Row("last operation", level, f"{text} ({record.get('id')})", details)


# -- words ---------------------------------------------------------------------------------------


def who(record: Mapping[str, Any]) -> str:
    """The person of a record of the ledger."""
    return str((record.get("actor") or {}).get("user") or "someone")


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
