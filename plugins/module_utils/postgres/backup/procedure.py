# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup by pgBackRest: planned by what the status sees, made once, and proven by the repository."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import size
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive, pgbackrest, wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.backup import decide
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import figures, look
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.judge import judge
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.contract import PostgresPlan

Context = procedure.Context[Cluster]
#: Types of a backup for people.
_WORDS = {"full": "a full backup", "diff": "a differential backup", "incr": "an incremental backup"}
#: Seconds between two looks at a backup that a run before this one began.
_PAUSE = 2.0


def plan(context: Context) -> PostgresPlan:
    """Decide by the status of the repository, and change nothing. Raises Problem."""
    cluster, kind = context.service, str(context.inputs.get("type") or "full")
    reading = look.read(cluster, verify=False)
    stanza = reading.stanza
    if stanza is None:
        said = reading.problems.get("stanza", "")
        ways = [("postgres_backup_status", "shows what is missing")]
        details = [reading.ways["stanza"]] if "stanza" in reading.ways else []
        raise Problem("repository_unreadable", f"the repository can't be read: {said}", ways, details)
    # How long a file may wait is for the status to say; here counts whether archiving works.
    rows = judge(reading, Limits(archive_minutes=10**6, archive_files=10**6))
    must_pass(decide.refusal(stanza, reading.server, rows))
    newest = stanza.backups[-1] if stanza.backups else None
    wanted = {"type": kind, "since": newest.stop if newest else 0.0}
    here = {"id": newest.label if newest else "none", "name": newest.kind if newest else "no backup yet"}
    return {
        "from": here,
        "to": here,
        "chosen": f"{_WORDS[kind]} of stanza {stanza.name}",
        "proven": "by the repository: its label, its own WAL and its pages",
        "steps": [Step("backup", f"make {_WORDS[kind]}", data=wanted).to_dict()],
        "undo": [],
        "also": [["kept there", [_line(backup, reading.now) for backup in stanza.backups] or ["none"]]],
        "warnings": decide.warnings(rows, stanza, kind),
        "backup": wanted,
    }


def _line(backup: Backup, now: float) -> str:
    return f"{backup.label}  {backup.kind}  {figures.age(now - backup.stop)} old  {size(backup.size)}"


def steps(context: Context, plan: PostgresPlan) -> Acts:
    """The function of the step. A backup that a killed run began is awaited, and not begun again."""
    cluster = context.service

    def make(step: Step) -> object:
        kind, since = str(step.data["type"]), float(step.data["since"])
        found = decide.made(_settled(cluster), since, kind)
        if found is None:
            cluster.back_up(kind)
            found = decide.made(_info(cluster), since, kind)
        return {"label": found.label} if found else None

    return {"backup": make}


def _info(cluster: Cluster) -> Stanza:
    return pgbackrest.read_info(cluster.info(), cluster.description.stanza_name)


def _settled(cluster: Cluster) -> Stanza:
    """The stanza, once no backup is under way. Raises CommandFailed where one does not end."""
    end = time.monotonic() + pgbackrest.BACKUP_SECONDS
    stanza = _info(cluster)
    while stanza.busy:
        if time.monotonic() > end:
            raise CommandFailed("the backup that an operation before this one began did not end")
        time.sleep(_PAUSE)
        stanza = _info(cluster)
    return stanza


def verify(context: Context, plan: PostgresPlan, direction: str) -> dict[str, Any]:
    """Look into the repository for the backup, its own WAL and its pages. On the way back one that was made stays."""
    cluster = context.service
    try:
        stanza = _info(cluster)
        found = decide.made(stanza, plan["backup"]["since"], plan["backup"]["type"])
        if direction == BACK:
            busy = "a backup is still under way, which an operation that was cut off began" if stanza.busy else ""
            return blame.answer(
                busy, note=f"the backup {found.label} was made, and stays" if found else "none was made"
            )
        server = cluster.ask()
        listed = archive.of_listing(
            cluster.archived(), stanza.folder, int(server.get("settings", "wal_size") or wal.USUAL_SIZE)
        )
    except (CommandFailed, ValueError) as error:
        return blame.answer(f"the repository can't be read: {error}")
    note = f"backup {found.label} ({found.kind}), {size(found.size)}" if found else ""
    return blame.answer(decide.problem_of(stanza, listed, found), note=note)
