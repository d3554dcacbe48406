# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of the backups of a cluster: the times that a restore reaches, and the metrics for node_exporter. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import ORDER
from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive as wal_archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres import wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive, Gap
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.postgres.wal import Segment

PREFIX = "ops_runbook_postgres"


@dataclass(frozen=True)
class Window:
    """The times that a restore reaches, in unix time. whole: up to the end of the archive."""

    begin: float
    end: float
    whole: bool


def window(stanza: Stanza, archive: Archive, gaps: Sequence[Gap]) -> Window | None:
    """The window that ends last: it begins with the oldest backup whose WAL leads there. None without any."""
    usable = []
    for backup in stanza.backups:
        if backup.database != stanza.database or backup.repository != 1:
            continue
        own = wal_of(backup, archive)
        if own is not None and not wal_archive.missing(archive, *own):
            last = own[1]
            after = [gap for gap in gaps if gap.last.number > last.number and gap.first.timeline >= last.timeline]
            usable.append((backup.stop, _end(archive, after) or backup.stop, not after))
    if not usable:
        return None
    _begin, end, whole = max(usable, key=lambda one: one[1])
    return Window(min(begin for begin, other, _whole in usable if other == end), end, whole)


def wal_of(backup: Backup, archive: Archive) -> tuple[Segment, Segment] | None:
    """The first and the last WAL file that a backup needs by itself; None if it names none, as an offline one."""
    try:
        first, last = (wal.parse(name, archive.size) for name in backup.wal)
    except ValueError:
        return None
    return first, last


def _end(archive: Archive, gaps: Sequence[Gap]) -> float | None:
    """The time of the last file before the first of these gaps, or of the newest timeline."""
    stop = min((gap.first.number for gap in gaps), default=None)
    reached = [time for one, time in archive.times.items() if stop is None or one.number < stop]
    return max(reached, default=None)


def missing_files(reading: Reading) -> list[Gap]:
    """The gaps of the archive that was read; none without one."""
    if reading.archive is None:
        return []
    name = str(reading.server.get("archiver", "last_archived_wal") or "")
    try:
        acknowledged = wal.parse(name, reading.archive.size)
    except ValueError:
        # A history file, a .backup or a .partial one, or nothing yet.
        acknowledged = None
    return wal_archive.gaps(reading.archive, acknowledged, reading.now)


def moment(seconds: float) -> str:
    """A unix time for people, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def age(seconds: float) -> str:
    """A span for people."""
    minutes = max(0, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def facts(reading: Reading) -> dict[str, Any]:
    """The figures behind the rows; None where one is not known."""
    stanza, archive, server = reading.stanza, reading.archive, reading.server
    gaps = missing_files(reading)
    found = window(stanza, archive, gaps) if stanza and archive else None
    newest = archive.newest() if archive else None
    return {
        "stanza": stanza.name if stanza else None,
        "status": stanza.code if stanza else None,
        "system": stanza.system if stanza else None,
        "backups": [
            {"label": one.label, "type": one.kind, "start": one.start, "stop": one.stop, "size": one.size}
            for one in (stanza.backups if stanza else ())
        ],
        "window": {"from": found.begin, "to": found.end} if found else None,
        "gaps": [{"first": archive.name(gap.first), "last": archive.name(gap.last), "files": gap.count} for gap in gaps]
        if archive
        else None,
        "newest_wal": archive.name(newest) if archive and newest else None,
        "timeline": server.timeline or None,
        "archiver": dict(server.answers["archiver"]) if "archiver" in server.answers else None,
        "waiting": server.get("waiting", "files"),
        "wal_bytes": server.get("wal", "bytes"),
        "verified": reading.verified.good if reading.verified else None,
    }


# -- metrics -------------------------------------------------------------------------------------


def metrics(service: str, level: str, found: Mapping[str, Any], now: float) -> str:
    """The text for the textfile collector of node_exporter. A figure that is not known has no line."""
    lines: list[str] = []
    for name, about, values in _families(level, found, now):
        if values:
            lines += [f"# HELP {PREFIX}_{name} {about}", f"# TYPE {PREFIX}_{name} gauge"]
            lines += [f"{PREFIX}_{name}{{{_labels(service, more)}}} {value:.0f}" for more, value in values]
    return "\n".join([*lines, ""])


Values = Sequence[tuple[Mapping[str, str], float]]


def _families(level: str, found: Mapping[str, Any], now: float) -> Iterator[tuple[str, str, Values]]:
    stops: dict[str, float] = {}
    for backup in found["backups"]:
        stops[backup["type"]] = max(backup["stop"], stops.get(backup["type"], 0.0))
    reached, gaps = found["window"], found["gaps"]
    yield "backup_status", "0 well, 1 to look at, 2 bad.", [({}, float(ORDER.index(level)))]
    yield "backup_status_time_seconds", "Unix time of this look.", [({}, now)]
    yield (
        "backup_last_time_seconds",
        "Unix time at which the newest backup of a type ended.",
        [({"type": kind}, stop) for kind, stop in sorted(stops.items())],
    )
    yield (
        "restore_window_time_seconds",
        "Unix times that a restore reaches.",
        [({"end": name}, reached[name]) for name in ("from", "to")] if reached else [],
    )
    yield (
        "archive_missing_files",
        "WAL files that are missing in the archive.",
        [({}, float(sum(gap["files"] for gap in gaps)))] if gaps is not None else [],
    )
    yield "archive_waiting_files", "Finished WAL files that are not archived yet.", _one(found["waiting"])
    yield "wal_bytes", "Bytes of pg_wal.", _one(found["wal_bytes"])


def _one(value: object) -> Values:
    return [({}, float(value))] if isinstance(value, (int, float)) else []


def _labels(service: str, more: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in {"service": service, **more}.items())


def _escaped(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value).replace("\n", r"\n")
