# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs of the calendar that no longer come: the newest backup, and the newest reading of every file. Pure.

A timer that stopped says nothing by itself. So the status asks when each run was last, and is bad after some periods of
the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import age, moment
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.verified import Verification

_DAY = 86400.0
#: Seconds by which a time of this host may lie ahead: its clock was set back a little.
_AHEAD = 3600.0
_WAYS = (
    "systemctl list-timers 'ops-runbook-*'   on the machine that has the timers, says when they ran",
    "ops-runbook schedule   writes them from the calendar",
)
_READ = "postgres_backup_status with -e verify=true   reads every file"


def rows(
    reading: Reading,
    records: Sequence[Mapping[str, Any]],
    kept: Verification | None,
    periods: Mapping[str, int],
    overdue: int,
) -> Iterator[Row]:
    """The rows of what was last verified, and of the runs that are overdue.

    records: of the ledger. kept: the last reading of every file. periods: days between two runs, by `backup` and
    `verify`. overdue: periods after which a run is; 0 for never.
    """
    kept = kept if kept and _is_of(reading, kept) else None
    if kept is not None and not reading.asked_to_verify:
        yield _verified_row(kept, reading.now)
    if not overdue:
        return
    lasts = {"backup": _last_backup(reading, records), "verify": kept.finished if kept else 0.0}
    late, lines = [], []
    for name, days in periods.items():
        last = lasts[name]
        lines.append(f"{name} {_when(last, reading.now)}, due {'each day' if days == 1 else f'each {days} days'}")
        since = last or _first(reading, records)
        # Without any time nothing says that it is overdue; a cluster without a backup is bad by another row.
        if since and not -_AHEAD <= reading.now - since <= overdue * days * _DAY:
            late.append(lines[-1])
    if late:
        yield Row("timers", BAD, f"overdue: {'; '.join(late)}: a timer stopped, or its runs fail", ways=_WAYS)
    elif not all(lasts[name] for name in periods):
        yield Row("timers", WARN, "; ".join(lines), ways=(_READ,))
    elif lines:
        yield Row("timers", OK, "; ".join(lines))


def _when(last: float, now: float) -> str:
    if last > now + _AHEAD:
        return f"at {moment(last)}, which is yet to come"
    return f"{age(now - last)} ago" if last else "never"


def _is_of(reading: Reading, kept: Verification) -> bool:
    """True unless the reading is known to be of another cluster."""
    stanza = reading.stanza
    return stanza is None or kept.stanza == stanza.name and kept.system in ("", stanza.system)


def _verified_row(kept: Verification, now: float) -> Row:
    when = f"{age(now - kept.finished)} ago"
    if kept.good:
        return Row("verify", OK, f"every file of the repository was read {when}, and was as it was written")
    return Row("verify", BAD, f"files of the repository were damaged {when}", kept.lines, (f"{_READ} again",))


def _last_backup(reading: Reading, records: Sequence[Mapping[str, Any]]) -> float:
    """The unix time of the newest backup, by the ledger or by the repository; 0 without one."""
    done = [one for one in records if one.get("procedure") == "backup" and one.get("outcome") == "succeeded"]
    stops = [backup.stop for backup in (reading.stanza.backups if reading.stanza else ())]
    return max([*_finished(done), *stops], default=0.0)


def _first(reading: Reading, records: Sequence[Mapping[str, Any]]) -> float:
    """The earliest unix time at which the cluster is known to have been operated; 0 without one."""
    stops = [backup.stop for backup in (reading.stanza.backups if reading.stanza else ())]
    return min([*_finished(records), *stops], default=0.0)


def _finished(records: Sequence[Mapping[str, Any]]) -> list[float]:
    found = (clock.seconds(str(record.get("finished") or "")) for record in records)
    return [one for one in found if one is not None]
