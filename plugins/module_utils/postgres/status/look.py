# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at the backups of a PostgreSQL cluster, read once. It changes nothing but the file of the metrics."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import (
    BAD,
    OK,
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
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import drilled
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import facts, metrics
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.judge import judge
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

Value = TypeVar("Value")
#: Letters of what a program said that a row shows.
_SAID = 300


def status(
    cluster: Cluster, guard: Guard, limits: Limits, verify: bool = False, metrics_file: str = "", environment: str = ""
) -> dict[str, Any]:
    """The whole screen as data: verdict, rows, facts, seconds. A cluster that is down gives a screen too.

    metrics_file: the file for node_exporter that is written; empty for none. environment: of the cluster, as the ledger
    names it.
    """
    started = time.monotonic()
    reading = read(cluster, verify)
    rows, found = judge(reading, limits), facts(reading)
    rows.append(_last_drill(guard, Subject("postgres", cluster.description.stanza, environment), limits, reading.now))
    rows += operation_rows("postgres", *_history(guard, Subject("postgres", cluster.description.stanza, environment)))
    if metrics_file:
        text = metrics(cluster.description.name, verdict(rows)["level"], found, reading.now)
        try:
            durable_file.rewrite(metrics_file, text.encode())
        except OSError as error:
            rows.append(Row("metrics", BAD, f"{metrics_file} can't be written: {error.strerror}"))
    return {
        "verdict": _verdict(rows, verify),
        "rows": [row.document() for row in rows],
        "facts": found,
        "seconds": round(time.monotonic() - started, 3),
    }


def _history(guard: Guard, subject: Subject) -> tuple[Mapping[str, Any], str]:
    try:
        return operation_history.of(guard, subject), ""
    except operation_history.StateUnreadable as error:
        return {}, error.line()


def _last_drill(guard: Guard, subject: Subject, limits: Limits, now: float) -> Row:
    """The row of the last restore drill, whose records lie beside those of the cluster."""
    try:
        records = operation_history.of(Guard(f"{guard.state_dir.rstrip('/')}-drill"), subject)["records"]
    except operation_history.StateUnreadable as error:
        return Row("last drill", BAD, error.line())
    return drilled.row(records, limits.drill_days, now)


def _verdict(rows: Sequence[Row], verify: bool) -> dict[str, Any]:
    """The verdict, which does not claim more than was looked at."""
    found = verdict(rows)
    unread = "" if verify else "; no file of the repository was read: -e verify=true"
    return {**found, "text": found["text"] + (unread if found["level"] == OK else "")}


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
        stanzas = pool.submit(part, "stanza", lambda: pgbackrest.read_info(cluster.info(), cluster.description.stanza))
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
