# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe a PostgreSQL cluster, and the limits of a look at it.

Written by `make generate` from the role's argument specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SERVICE: dict[str, Any] = {
    "service": {
        "type": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "engine": {"type": "str", "choices": ["pgbackrest", "dump"], "default": "pgbackrest"},
            "stanza": {"type": "str", "default": ""},
            "databases": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "expect": {"type": "dict", "default": {}},
                    "empty": {"type": "bool", "default": False},
                },
            },
            "backup_dir": {"type": "path", "default": ""},
            "programs": {"type": "path", "default": ""},
            "user": {"type": "str", "default": "postgres"},
            "pgbackrest": {"type": "str", "default": "/usr/bin/pgbackrest"},
            "psql": {"type": "str", "default": "psql"},
            "connection": {"type": "str", "default": "dbname=postgres"},
            "repository_folder": {"type": "path", "default": ""},
            "drill_program": {"type": "path", "default": "/usr/local/sbin/postgres-drill"},
        },
    },
}
LIMITS: dict[str, Any] = {
    "max_age": {"type": "int", "default": 26},
    "full_days": {"type": "int", "default": 8},
    "overdue": {"type": "int", "default": 2},
    "shrink": {"type": "int", "default": 50},
    "archive_minutes": {"type": "int", "default": 15},
    "archive_files": {"type": "int", "default": 8},
    "drill_days": {"type": "int", "default": 15},
    "disk_warn": {"type": "int", "default": 85},
    "disk_bad": {"type": "int", "default": 95},
}


@dataclass(frozen=True)
class Database:
    """An item of the option databases."""

    name: str
    expect: Mapping[str, str] = field(default_factory=dict)
    empty: bool = False


@dataclass(frozen=True)
class Options:
    """A PostgreSQL cluster as the inventory describes it."""

    name: str
    engine: str = "pgbackrest"
    stanza: str = ""
    databases: tuple[Database, ...] = ()
    backup_dir: str = ""
    programs: str = ""
    user: str = "postgres"
    pgbackrest: str = "/usr/bin/pgbackrest"
    psql: tuple[str, ...] = ("psql",)
    connection: str = "dbname=postgres"
    repository_folder: str = ""
    drill_program: str = "/usr/local/sbin/postgres-drill"


@dataclass(frozen=True)
class Limits:
    """The figures of a PostgreSQL cluster that are a warning, or bad."""

    max_age: int = 26
    full_days: int = 8
    overdue: int = 2
    shrink: int = 50
    archive_minutes: int = 15
    archive_files: int = 8
    drill_days: int = 15
    disk_warn: int = 85
    disk_bad: int = 95
