# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe an app of Dokku, and the limits of a look at it.

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
            "app": {"type": "str", "required": True},
            "command": {"type": "str", "default": "dokku"},
            "user": {"type": "str", "default": "dokku"},
            "domains": {"type": "list", "elements": "str", "default": []},
            "databases": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"plugin": {"type": "str", "required": True}, "name": {"type": "str", "required": True}},
            },
            "repository": {"type": "str", "default": ""},
            "deploy_branch": {"type": "str", "default": ""},
            "hotfix_into": {"type": "list", "elements": "str", "default": ["main", "staging"]},
            "migrations_command": {"type": "str", "default": ""},
            "queue_probe": {"type": "str", "default": ""},
            "keep_releases": {"type": "int", "default": 5},
            "disk_reserve": {"type": "int", "default": 500},
            "command_timeout": {"type": "float", "default": 1800},
            "data_disposable": {"type": "bool", "default": False},
            "settle": {"type": "float", "default": 0},
        },
    },
}
LIMITS: dict[str, Any] = {
    "certificate_warn": {"type": "int", "default": 14},
    "certificate_critical": {"type": "int", "default": 7},
    "memory_warn": {"type": "int", "default": 85},
    "disk_warn": {"type": "int", "default": 85},
    "disk_bad": {"type": "int", "default": 95},
    "log_lines": {"type": "int", "default": 500},
    "log_shown": {"type": "int", "default": 3},
    "log_errors_warn": {"type": "int", "default": 1},
    "maintenance_days": {"type": "int", "default": 8},
}
CALL: dict[str, Any] = {
    "app": {"type": "str", "required": True},
    "command": {"type": "str", "default": "dokku"},
    "user": {"type": "str", "default": "dokku"},
    "timeout": {"type": "float", "default": 1800},
}


@dataclass(frozen=True)
class Database:
    """An item of the option databases."""

    plugin: str
    name: str


@dataclass(frozen=True)
class Options:
    """An app of Dokku as the inventory describes it."""

    app: str
    command: str = "dokku"
    user: str = "dokku"
    domains: tuple[str, ...] = ()
    databases: tuple[Database, ...] = ()
    repository: str = ""
    deploy_branch: str = ""
    hotfix_into: tuple[str, ...] = ("main", "staging")
    migrations_command: tuple[str, ...] = ()
    queue_probe: tuple[str, ...] = ()
    keep_releases: int = 5
    disk_reserve: int = 500
    command_timeout: float = 1800.0
    data_disposable: bool = False
    settle: float = 0.0


@dataclass(frozen=True)
class Limits:
    """The figures of an app of Dokku that are a warning, or bad."""

    certificate_warn: int = 14
    certificate_critical: int = 7
    memory_warn: int = 85
    disk_warn: int = 85
    disk_bad: int = 95
    log_lines: int = 500
    log_shown: int = 3
    log_errors_warn: int = 1
    maintenance_days: int = 8
