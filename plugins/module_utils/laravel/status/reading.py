# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that a look at a Laravel service reads, before any of them is judged."""

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
    """The release of the checkout. problem: why it can't be read."""

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

    counts: by level. last: the last distinct messages, newest last, each with its number.
    minutes: reach of the figures, less than asked for if only the end of a file was read.
    silent_minutes: since the newest file was written. problem: why there are no figures.
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
    cron: the units that run a crontab. caches: the cached configuration compared with the served files. by_hand: the
    command with which somebody changes the service just now.
    hotfixes: the relation of the remote's branches to those of the ledger.
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
