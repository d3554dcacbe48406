# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at a Laravel service reads, before anything of it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.health import gate as health
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Disk
from ansible_collections.ops.runbook.plugins.module_utils.host.systemd_units import UnitState
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Standing
from ansible_collections.ops.runbook.plugins.module_utils.laravel.caches import Caches


@dataclass(frozen=True)
class Release:
    """What the checkout says. problem: why it can't be read."""

    commit: str = ""
    tags: tuple[str, ...] = ()
    subject: str = ""
    committed: str = ""
    changes: tuple[str, ...] = ()
    repository: str = ""
    problem: str = ""

    @property
    def label(self) -> str:
        short = self.commit[:10]
        return f"{self.tags[0]} ({short})" if self.tags else short


@dataclass(frozen=True)
class Log:
    """Errors of the application's log.

    counts: by level. last: the last distinct messages, newest last, each with how often it stands there.
    minutes: how far back the figures reach, less than asked for where only the end of a file was read.
    silent_minutes: since the newest file was written. problem: why there is no figure.
    """

    files: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    last: tuple[str, ...] = ()
    minutes: float = 0.0
    complete: bool = True
    silent_minutes: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Reading:
    """Everything that was read on the host. Nothing in it is judged.

    stranger: another user to whom the checkout belongs. working_tree: names of the migrations in it.
    cron: what would run a crontab. caches: how the cached configuration stands to what is served. by_hand: the
    command with which somebody changes the service just now.
    hotfixes: how the branches of the remote stand to those of the ledger.
    """

    path_problem: str = ""
    stranger: str = ""
    release: Release = Release()
    app: Mapping[str, Any] = field(default_factory=dict)
    working_tree: tuple[str, ...] = ()
    down: bool = False
    caches: Caches = Caches()
    units: tuple[UnitState, ...] = ()
    units_problem: str = ""
    cron: tuple[UnitState, ...] = ()
    scheduler_problem: str = ""
    health: tuple[health.Result, ...] = ()
    health_note: str = ""
    disks: tuple[Disk, ...] = ()
    log: Log = Log()
    history: Mapping[str, Any] = field(default_factory=dict)
    history_problem: str = ""
    by_hand: str = ""
    hotfixes: tuple[Standing, ...] = ()
