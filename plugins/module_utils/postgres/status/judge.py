# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the backups of a PostgreSQL cluster are, from what was read: one row for each question of a restore. Pure.

Nothing is well because it was not seen: a part that could not be read is bad, or at least a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row, disk_row, size
from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive as wal_archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest, wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive, Gap
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import (
    Window,
    age,
    missing_files,
    moment,
    wal_of,
    window,
)
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.postgres.wal import Segment
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

#: How many gaps, labels or lines of a program a row shows.
_SHOWN = 6
_HOUR, _DAY = 3600.0, 86400.0


def judge(reading: Reading, limits: Limits) -> list[Row]:
    """The rows of the screen, in the order in which a person wants them."""
    rows = [*_repository_rows(reading)]
    if reading.stanza is not None:
        rows += backup_rows(reading.stanza, reading.now, limits)
    rows += _archive_rows(reading)
    rows += _archiver_rows(reading, limits)
    rows += verify_rows(reading)
    rows += server_rows(reading)
    rows += [disk_row(disk, limits.disk_warn, limits.disk_bad) for disk in reading.disks]
    return rows


def unknown(reading: Reading, part: str, topic: str) -> Row:
    way = reading.ways.get(part, "")
    return Row(topic, BAD, f"not known: {reading.problems.get(part, 'it was not read')}", ways=(way,) if way else ())


# -- the repository and its backups ------------------------------------------------------------------


def _repository_rows(reading: Reading) -> Iterator[Row]:
    stanza = reading.stanza
    if stanza is None:
        yield unknown(reading, "stanza", "repository")
        return
    if stanza.code != pgbackrest.OK:
        text = f"{stanza.message} (status {stanza.code} of stanza {stanza.name})"
        yield Row("repository", BAD, text, stanza.troubles, _ways_of(stanza))
    elif reading.server.system and stanza.system != reading.server.system:
        text = f"it is of another cluster: {stanza.system}, and the server is {reading.server.system}"
        ways = ("postgres_stanza=<name>   names the stanza of this cluster",)
        yield Row("repository", BAD, text, ways=ways)
    else:
        known = "" if reading.server.system else "; the server could not be asked whether it is of this cluster"
        text = f"stanza {stanza.name}, PostgreSQL {stanza.version}, cluster {stanza.system}{known}"
        yield Row("repository", OK if reading.server.system else WARN, text)
    if stanza.repositories > 1:
        text = f"there are {stanza.repositories}, and only the archive of the first one was looked through"
        yield Row("repositories", WARN, text)


def _ways_of(stanza: Stanza) -> tuple[str, ...]:
    if stanza.code == pgbackrest.NO_STANZA:
        return (
            "postgres_stanza=<name>   names another stanza; `pgbackrest info` lists those of the repository",
            f"pgbackrest --stanza {stanza.name} stanza-create   makes it, as postgres on the host",
        )
    if stanza.code == pgbackrest.NO_BACKUP:
        return (f"pgbackrest --stanza {stanza.name} --type full backup   makes one, as postgres on the host",)
    return (f"pgbackrest --stanza {stanza.name} check   says more, as postgres on the host",)


def backup_rows(stanza: Stanza, now: float, limits: Limits) -> Iterator[Row]:
    backups = stanza.backups
    if not backups:
        yield Row("backup", BAD, "there is none")
        return
    newest = backups[-1]
    under_way = "; one is under way" if stanza.busy else ""
    old = now - newest.stop > limits.max_age * _HOUR
    text = f"{newest.label} ({newest.kind}), {age(now - newest.stop)} old{under_way}"
    yield Row("backup", BAD if old else OK, text + (f": overdue, more than {limits.max_age} h" if old else ""))
    fulls = [backup for backup in backups if backup.kind == "full"]
    if fulls:
        old = now - fulls[-1].stop > limits.full_days * _DAY
        text = f"{fulls[-1].label}, {age(now - fulls[-1].stop)} old, {size(fulls[-1].size)}"
        late = f": overdue, more than {limits.full_days} days" if old else ""
        yield Row("full backup", BAD if old else OK, text + late)
        yield from _size_rows(fulls, limits)
    damaged = [backup.label for backup in backups if backup.failed_pages]
    if damaged:
        text = f"the database had pages with a wrong checksum when these were made: {some(damaged)}"
        yield Row("pages", BAD, text, ways=("amcheck and a restore beside say what is lost",))


def _size_rows(fulls: Sequence[Backup], limits: Limits) -> Iterator[Row]:
    """A backup of nothing is small: the newest one beside those before it."""
    before = [backup.size for backup in fulls[:-1]]
    if not before:
        return
    usual, newest = median(before), fulls[-1].size
    if newest * 100 < usual * (100 - limits.shrink):
        text = f"the newest full backup has {size(newest)}, and those before it {size(int(usual))}"
        yield Row("size", BAD, text)


# -- the archive ---------------------------------------------------------------------------------


def _archive_rows(reading: Reading) -> Iterator[Row]:
    archive, stanza = reading.archive, reading.stanza
    if archive is None:
        yield unknown(reading, "archive", "archive")
        return
    found = missing_files(reading)
    yield _gap_row(reading, archive, found)
    lost = wal_archive.without_history(archive)
    if lost:
        names = [f"{timeline:08X}.history" for timeline in lost]
        yield Row("timelines", BAD, f"a restore does not find its way, since the archive has no {some(names)}")
    if archive.twice:
        text = f"there are two files with different content of {some(archive.twice)}: two servers archive here"
        yield Row("doubles", BAD, text)
    yield from _fork_rows(reading, archive)
    if stanza is not None and stanza.backups:
        yield _own_wal_row(stanza, archive)
        yield _window_row(window(stanza, archive, found), reading.now)


def _gap_row(reading: Reading, archive: Archive, gaps: Sequence[Gap]) -> Row:
    if gaps:
        count = sum(gap.count for gap in gaps)
        lines = [_gap_line(archive, gap) for gap in gaps[:_SHOWN]]
        lines += [f"and {len(gaps) - _SHOWN} more gaps"] if len(gaps) > _SHOWN else []
        ways = ("a new full backup begins a new window; what lies behind a gap can't be reached from before it",)
        files = "1 WAL file is" if count == 1 else f"{count} WAL files are"
        return Row("archive", BAD, f"{files} missing", tuple(lines), ways)
    if not archive.files:
        return Row("archive", BAD, "there are no WAL files")
    count = sum(len(numbers) for numbers in archive.files.values())
    guess = "" if reading.server.get("settings", "wal_size") else ", read as files of 16 MiB"
    newest = archive.newest()
    return Row(
        "archive", OK, f"{count} WAL files without a gap, up to {archive.name(newest) if newest else '-'}{guess}"
    )


def _gap_line(archive: Archive, gap: Gap) -> str:
    first, last = archive.name(gap.first), archive.name(gap.last)
    return first if gap.count == 1 else f"{first} to {last} ({gap.count})"


def _fork_rows(reading: Reading, archive: Archive) -> Iterator[Row]:
    """Another server, such as a drill, wrote a timeline that the next restore would follow."""
    ours, newest = reading.server.timeline, max(archive.files, default=0)
    if ours and newest > ours:
        text = (
            f"it has timeline {newest}, and the server is on {ours}: a restore to `latest` would follow the other one"
        )
        ways = (f"restore with --target-timeline={ours}, and find who archives: a drill, or a copy of the server",)
        yield Row("fork", BAD, text, ways=ways)


def _own_wal_row(stanza: Stanza, archive: Archive) -> Row:
    """A backup needs the WAL that was written while it was made; without it, it can't be restored at all."""
    broken = []
    for backup in stanza.backups:
        if backup.database != stanza.database or backup.repository != 1:
            continue
        own = wal_of(backup, archive)
        lacking = wal_archive.missing(archive, *own) if own else []
        if own is None:
            broken.append(f"{backup.label}: it names no WAL")
        elif lacking:
            broken.append(f"{backup.label}: {archive.name(lacking[0])} is missing")
    if broken:
        return Row("own WAL", BAD, "backups that can't be restored, their own WAL is missing", tuple(broken[:_SHOWN]))
    return Row("own WAL", OK, "each backup has the WAL that it needs to be consistent")


def _window_row(found: Window | None, now: float) -> Row:
    if found is None:
        return Row("window", BAD, "no time can be restored to: no backup is whole and is followed by its WAL")
    text = f"from {moment(found.begin)} to {moment(found.end)}, {age(now - found.end)} ago"
    if found.whole:
        return Row("window", OK, text)
    return Row("window", BAD, f"{text}, and no further: a gap follows")


# -- the archiver --------------------------------------------------------------------------------


def _archiver_rows(reading: Reading, limits: Limits) -> Iterator[Row]:
    server = reading.server
    if server.problem:
        yield unknown(reading, "server", "archiver")
        return
    if server.standby:
        yield Row("archiver", WARN, "this server is a standby, so its archiver says nothing: look at the primary")
        return
    settings = server.answers.get("settings", {})
    if "archiver" not in server.answers or not settings:
        yield Row("archiver", BAD, f"not known: {cut(next(iter(server.unanswered.values()), 'no answer'))}")
        return
    trouble = _off(settings.get("archive_mode"), settings.get("has_command") is True) or _failing(reading)
    trouble = trouble or _not_stored(reading) or _behind(reading, limits)
    if trouble:
        yield Row("archiver", BAD, trouble, ways=_ARCHIVER_WAYS)
        return
    if "waiting" not in server.answers:
        text = f"files that wait could not be counted: {cut(server.unanswered.get('waiting', ''))}"
        yield Row("archiver", WARN, text, ways=("GRANT pg_monitor TO <user>   as postgres in psql, lets it",))
        return
    files = server.get("waiting", "files")
    waiting = "no finished WAL file waits" if not files else f"finished WAL files that wait: {files}"
    yield Row("archiver", OK, f"{waiting}; pg_wal has {_wal_size(reading)}")


_ARCHIVER_WAYS = ("journalctl -u postgresql@*, or the log of PostgreSQL, has what archive_command printed",)


def _off(mode: object, has_command: bool) -> str:
    if mode not in ("on", "always"):
        return f"archive_mode is {mode}: nothing is archived, and no time after a backup can be restored to"
    return "" if has_command else "archive_command is empty: nothing is archived, and pg_wal grows"


def _failing(reading: Reading) -> str:
    archived, failed = (_number(reading.server.get("archiver", name)) for name in ("archived", "failed"))
    if failed <= archived:
        return ""
    name = reading.server.get("archiver", "last_failed_wal")
    good = f"the last good one was {age(reading.now - archived)} ago" if archived else "none was ever archived"
    return f"{name} failed {age(reading.now - failed)} ago, and {good}; pg_wal has {_wal_size(reading)}"


def _not_stored(reading: Reading) -> str:
    """PostgreSQL counts what archive_command said; the repository has the files."""
    archive, name = reading.archive, str(reading.server.get("archiver", "last_archived_wal") or "")
    if archive is None:
        return ""
    try:
        segment = wal.parse(name, archive.size)
    except ValueError:
        # A history file, a .backup or a .partial one, or nothing yet.
        return ""
    if archive.has(segment):
        return ""
    newest = archive.newest()
    ends = f"ends at {archive.name(newest)}" if newest else "has none"
    return f"the server says that it archived {name}, and the repository {ends}: archive_command stores it elsewhere"


def _behind(reading: Reading, limits: Limits) -> str:
    waits = _number(reading.server.get("waiting", "seconds"))
    if waits > limits.archive_minutes * 60:
        files = reading.server.get("waiting", "files")
        return f"{files} finished WAL files wait, the oldest for {age(waits)}; pg_wal has {_wal_size(reading)}"
    archive, position = reading.archive, reading.server.position
    newest = archive.newest(reading.server.timeline) if archive else None
    if archive is None or newest is None or not position:
        return ""
    behind = _segment(position, archive).number - newest.number - 1
    if behind > limits.archive_files:
        return f"the repository is {behind} WAL files behind the server, which writes {position}"
    return ""


def _segment(name: str, archive: Archive) -> Segment:
    return wal.parse(name, archive.size)


def _wal_size(reading: Reading) -> str:
    found = reading.server.get("wal", "bytes")
    return size(int(found)) if isinstance(found, int) else "an unknown size"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


# -- what else decides about a restore -------------------------------------------------------------


def verify_rows(reading: Reading) -> Iterator[Row]:
    if not reading.asked_to_verify:
        return
    found = reading.verified
    if found is None:
        yield unknown(reading, "verified", "verify")
    elif found.good:
        yield Row("verify", OK, "every file of the repository was read, and is as it was written")
    else:
        yield Row("verify", BAD, "files of the repository are damaged", found.lines[:_SHOWN])


def server_rows(reading: Reading) -> Iterator[Row]:
    server = reading.server
    if server.problem:
        return
    said = []
    if server.get("settings", "checksums") is False:
        said.append("data checksums are off: a damaged page is backed up as it is")
    if server.get("settings", "has_timeout") is False:
        said.append("archive_timeout is 0: what a quiet database wrote stays out of the archive for hours")
    if server.get("ascii", "names"):
        said.append(f"SQL_ASCII takes any byte: {some(server.get('ascii', 'names'))}")
    if server.get("collation", "names"):
        said.append(f"indexes are of another version of the collation: {some(server.get('collation', 'names'))}")
    unasked = {name: why for name, why in server.unanswered.items() if name not in ("waiting", "archiver")}
    if unasked:
        said.append(f"not known: {', '.join(unasked)} ({cut(next(iter(unasked.values())))})")
    if said:
        yield Row("server", WARN, said[0], tuple(said[1:]))
    else:
        yield Row("server", OK, "checksums, archive_timeout, encodings and collations are as a restore needs them")


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(str(name) for name in names[:_SHOWN]) + more
