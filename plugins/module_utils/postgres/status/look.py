# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at the backups of a PostgreSQL cluster, read once.

It changes nothing but the file of the metrics, and the record of the last reading of every file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import (
    BAD,
    Row,
    disks,
    operation_rows,
    verdict,
)
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive, pgbackrest, wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import drilled, timers, verified
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import facts, metrics
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.judge import judge
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.verified import Verification
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

Value = TypeVar("Value")
NO_PERIODS: Mapping[str, int] = {}
#: Letters of what a program said that a row shows.
_SAID = 300


#: What was read, and the rows about it.
Seen = tuple[Reading, list[Row]]


def by_pgbackrest(cluster: Cluster, limits: Limits, verify: bool) -> Seen:
    """Read a repository of pgBackRest, and judge it."""
    reading = read(cluster, verify)
    return reading, judge(reading, limits)


def status(
    cluster: Cluster,
    guard: Guard,
    limits: Limits,
    verify: bool = False,
    metrics_file: str = "",
    environment: str = "",
    periods: Mapping[str, int] = NO_PERIODS,
    keep: bool = True,
    seen: Seen | None = None,
) -> dict[str, Any]:
    """The whole screen as data: verdict, rows, facts, seconds. A cluster that is down gives a screen too.

    metrics_file: the file for node_exporter that is written; empty for none. environment: of the cluster, as the ledger
    names it. periods: days between two runs of the calendar, see timers.py. keep: whether a reading of every file is
    recorded. seen: what was read and judged already, of a cluster that pgBackRest does not back up.
    """
    started = time.monotonic()
    reading, rows = seen or by_pgbackrest(cluster, limits, verify)
    found, subject = facts(reading), Subject("postgres", cluster.description.place, environment)
    history, problem = _history(guard, subject)
    if not problem:
        rows += _timer_rows(guard.state_dir, reading, history, limits, periods, keep)
    if not cluster.description.dumps:
        rows.append(_last_drill(guard, subject, limits, reading.now))
    rows += operation_rows("postgres", history, problem)
    if metrics_file:
        text = metrics(cluster.description.name, verdict(rows)["level"], found, reading.now)
        try:
            durable_file.rewrite(metrics_file, text.encode())
        except OSError as error:
            rows.append(Row("metrics", BAD, f"{metrics_file} can't be written: {error.strerror}"))
    return {
        "verdict": verdict(rows),
        "rows": [row.document() for row in rows],
        "facts": found,
        "seconds": round(time.monotonic() - started, 3),
    }


def _history(guard: Guard, subject: Subject) -> tuple[Mapping[str, Any], str]:
    try:
        return operation_history.of(guard, subject), ""
    except operation_history.StateUnreadable as error:
        return {}, error.line()


def _timer_rows(
    state_dir: str,
    reading: Reading,
    history: Mapping[str, Any],
    limits: Limits,
    periods: Mapping[str, int],
    keep: bool,
) -> Iterator[Row]:
    """The rows of timers.py. A reading of every file is recorded first, and counts from then on."""
    kept, path = _new_verification(reading), os.path.join(state_dir, verified.NAME)
    try:
        if kept is None:
            kept = verified.read(state_dir)
        elif keep:
            verified.write(state_dir, kept)
    except (OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        yield Row("record", BAD, f"{path}, the record of the last reading of every file: {text}")
    yield from timers.rows(reading, history.get("records") or (), kept, periods, limits.overdue)


def _new_verification(reading: Reading) -> Verification | None:
    """The reading of every file by this look; None without one."""
    found, stanza = reading.verified, reading.stanza
    if found is None or stanza is None:
        return None
    return Verification(reading.now, found.good, stanza.name, stanza.system, found.lines)


def _last_drill(guard: Guard, subject: Subject, limits: Limits, now: float) -> Row:
    """The row of the last restore drill, whose records lie beside those of the cluster."""
    try:
        records = operation_history.of(Guard(f"{guard.state_dir.rstrip('/')}-drill"), subject)["records"]
    except operation_history.StateUnreadable as error:
        return Row("last drill", BAD, error.line())
    return drilled.row(records, limits.drill_days, now)


def read(cluster: Cluster, verify: bool) -> Reading:
    """Read host and repository. The server is asked before the archive is listed, which then has what it archived."""
    problems: dict[str, str] = {}
    ways: dict[str, str] = {}

    def part(name: str, ask: Callable[[], Value]) -> Value | None:
        try:
            return ask()
        except (CommandFailed, ValueError) as error:
            problems[name] = cut(str(error), _SAID)
            if "sudo: " in problems[name]:
                ways[name] = _way(cluster, name)
            return None

    with ThreadPoolExecutor(max_workers=3) as pool:
        stanzas = pool.submit(
            part, "stanza", lambda: pgbackrest.read_info(cluster.info(), cluster.description.stanza_name)
        )
        checked = pool.submit(part, "verified", lambda: pgbackrest.read_verify(cluster.verify())) if verify else None
        server = part("server", cluster.ask) or Server(problem=problems.get("server", ""))
        if server.problem:
            problems["server"] = server.problem
        stanza = stanzas.result()
        size = int(server.get("settings", "wal_size") or wal.USUAL_SIZE)
        folder = stanza.folder if stanza else ""
        listed = part("archive", lambda: archive.of_listing(cluster.archived(), folder, size)) if folder else None
        if not folder:
            problems["archive"] = "the repository has no archive of this cluster" if stanza else "nothing could be read"
    return Reading(
        now=time.time(),
        stanza=stanza,
        archive=listed,
        server=server,
        verified=checked.result() if checked else None,
        asked_to_verify=verify,
        problems=problems,
        ways=ways,
        disks=tuple(disks(_folders(cluster, server))),
    )


def _folders(cluster: Cluster, server: Server) -> list[str]:
    """Folders whose disk a backup or the archiver fills."""
    data = str(server.get("folder", "path") or "")
    return [path for path in (cluster.description.repository_folder, data and os.path.join(data, "pg_wal")) if path]


def _way(cluster: Cluster, name: str) -> str:
    rule = cluster.rules()[{"stanza": 0, "archive": 1, "verified": 2}.get(name, 0)]
    return f"echo '{rule}' | sudo tee -a /etc/sudoers.d/ops-runbook   once, on the host as root, lets it"
