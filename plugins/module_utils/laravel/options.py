# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe a Laravel service, and the limits of a look at it.

Written by `make generate` from the role's argument specs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SERVICE: dict[str, Any] = {
    "service": {
        "type": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "repository": {"type": "str", "default": ""},
            "remote": {"type": "str", "default": "origin"},
            "php": {"type": "str", "default": "php"},
            "composer": {"type": "str", "default": "composer"},
            "git": {"type": "str", "default": "git"},
            "systemctl": {"type": "str", "default": "/usr/bin/systemctl"},
            "php_fpm_unit": {"type": "str", "default": ""},
            "queue_unit": {"type": "str", "default": ""},
            "units": {"type": "list", "elements": "str", "default": []},
            "scheduler": {"type": "str", "default": "crontab"},
            "keep_releases": {"type": "int", "default": 5},
            "extra_commands": {"type": "list", "elements": "str", "default": []},
            "reload_commands": {"type": "list", "elements": "str", "default": []},
            "command_timeout": {"type": "float", "default": 1800},
            "data_disposable": {"type": "bool", "default": False},
            "strategy": {"type": "str", "choices": ["in_place", "releases"], "default": "in_place"},
            "shared": {"type": "list", "elements": "str", "default": [".env", "storage"]},
            "disk_reserve": {"type": "int", "default": 100},
            "realpath_root": {"type": "bool", "default": False},
            "hotfix_into": {"type": "list", "elements": "str", "default": ["main", "staging"]},
        },
    },
}
LIMITS: dict[str, Any] = {
    "disk_warn": {"type": "int", "default": 85},
    "disk_bad": {"type": "int", "default": 95},
    "queue_warn": {"type": "int", "default": 100},
    "failed_jobs_warn": {"type": "int", "default": 1},
    "tls_warn": {"type": "int", "default": 21},
    "log_minutes": {"type": "int", "default": 60},
    "log_kib": {"type": "int", "default": 256},
}


@dataclass(frozen=True)
class Options:
    """A Laravel service as the inventory describes it."""

    name: str
    path: str
    repository: str = ""
    remote: str = "origin"
    php: tuple[str, ...] = ("php",)
    composer: tuple[str, ...] = ("composer",)
    git: tuple[str, ...] = ("git",)
    systemctl: str = "/usr/bin/systemctl"
    php_fpm_unit: str = ""
    queue_unit: str = ""
    units: tuple[str, ...] = ()
    scheduler: str = "crontab"
    keep_releases: int = 5
    extra_commands: tuple[tuple[str, ...], ...] = ()
    reload_commands: tuple[tuple[str, ...], ...] = ()
    command_timeout: float = 1800.0
    data_disposable: bool = False
    strategy: str = "in_place"
    shared: tuple[str, ...] = (".env", "storage")
    disk_reserve: int = 100
    realpath_root: bool = False
    hotfix_into: tuple[str, ...] = ("main", "staging")


@dataclass(frozen=True)
class Limits:
    """The figures of a Laravel service that are a warning, or bad."""

    disk_warn: int = 85
    disk_bad: int = 95
    queue_warn: int = 100
    failed_jobs_warn: int = 1
    tls_warn: int = 21
    log_minutes: int = 60
    log_kib: int = 256
