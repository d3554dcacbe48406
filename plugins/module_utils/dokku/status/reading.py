# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that a look at the apps of a Dokku host reads, before any of them is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.nginx_check import Broken
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Disk
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Standing
from ansible_collections.ops.runbook.plugins.module_utils.text.log_errors import Found

PRODUCTION, STAGING = "production", "staging"


@dataclass(frozen=True)
class Usage:
    """Memory and CPU of one container. limit: bytes that it is held to; None without. cores: at work just now."""

    memory: int | None = None
    limit: int | None = None
    cores: float | None = None
    oom_kills: int = 0


@dataclass(frozen=True)
class Certificate:
    """The certificate that an app has on the host. days: left; None where there is no certificate.

    renews: whether letsencrypt made it, and so can renew it. scheduled: whether it is renewed by itself.
    """

    days: int | None = None
    renews: bool = False
    scheduled: bool = False


@dataclass(frozen=True)
class App:
    """Facts of one app. problems: why a part could not be read, by the name of the part.

    processes: by name, such as web.1, what each is. limits: of resource:report. usage: by process.
    releases: of the plugin, the newest first; None where the host has no such plugin. report: its report.
    builds: of Dokku itself, where the plugin is missing. log_shown: whether lines of the log may be shown.
    proxied: whether nginx stands before the app; asked only where it has no configuration of nginx.
    """

    name: str
    role: str = PRODUCTION
    missing: bool = False
    deployed: bool = True
    running: str = ""
    processes: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    certificate: Certificate | None = None
    releases: Sequence[Mapping[str, Any]] | None = None
    report: Mapping[str, str] = field(default_factory=dict)
    builds: Sequence[Mapping[str, Any]] = ()
    log: Found | None = None
    log_shown: bool = True
    locked: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)
    proxied: bool = True


@dataclass(frozen=True)
class Service:
    """A database or a cache. status: of its container. linked: to the app; None where that was not asked.

    answer: milliseconds for a question; None where it was not asked or did not answer. problem: why.
    """

    plugin: str
    name: str
    status: str = ""
    linked: bool | None = None
    answer: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Reading:
    """Everything that was read on the host. Nothing in it is judged.

    call_problem: why dokku can't be called at all, and way: the remedy to type. now: seconds since the epoch.
    nginx: why nginx refuses the configuration of the host. hotfixes: the relation of the repository's branches to the
    hotfixes of the
    ledger.
    """

    apps: tuple[App, ...] = ()
    services: tuple[Service, ...] = ()
    endpoints: tuple[gate.Result, ...] = ()
    disks: tuple[Disk, ...] = ()
    history: Mapping[str, Any] = field(default_factory=dict)
    history_problem: str = ""
    call_problem: str = ""
    way: str = ""
    now: float = 0.0
    nginx: Broken | None = None
    hotfixes: tuple[Standing, ...] = ()
    repository: str = ""
    hotfix_into: tuple[str, ...] = ()
