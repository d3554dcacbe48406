# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe a Compose service, and the limits of a look at it.

Written by `make generate` from the role's argument specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SERVICE: dict[str, Any] = {
    "service": {
        "type": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "project_dir": {"type": "path", "required": True},
            "images": {"type": "dict", "required": True},
            "files": {"type": "list", "elements": "str", "default": []},
            "project": {"type": "str", "default": ""},
            "pin": {"type": "str", "choices": ["file", "override"], "default": "file"},
            "pin_file": {"type": "str", "default": "docker-compose.pin.yml"},
            "tag_prefix": {"type": "str", "default": "sha-"},
            "source": {"type": "str", "default": ""},
            "hotfix_into": {"type": "list", "elements": "str", "default": ["main", "staging"]},
            "migration_service": {"type": "str", "default": ""},
            "alembic": {"type": "str", "default": "alembic"},
            "alembic_config": {"type": "str", "default": ""},
            "python": {"type": "str", "default": "python3"},
            "registry_user": {"type": "str", "default": ""},
            "registry_host": {"type": "str", "default": ""},
            "registry_timeout": {"type": "float", "default": 10},
            "keep_releases": {"type": "int", "default": 5},
            "disk_reserve": {"type": "int", "default": 500},
            "command_timeout": {"type": "float", "default": 1800},
            "data_disposable": {"type": "bool", "default": False},
            "docker": {"type": "str", "default": "docker"},
            "env_file": {"type": "str", "default": ".env"},
            "inside_health": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "service": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "contains": {"type": "str", "default": ""},
                },
            },
            "settle": {"type": "float", "default": 3},
            "wait_timeout": {"type": "int", "default": 120},
        },
    },
}
LIMITS: dict[str, Any] = {
    "log_lines": {"type": "int", "default": 15},
    "bundle_lines": {"type": "int", "default": 300},
    "disk_warn": {"type": "int", "default": 85},
    "disk_bad": {"type": "int", "default": 95},
}


@dataclass(frozen=True)
class InsideHealth:
    """An item of the option inside_health."""

    service: str
    url: str
    contains: str = ""


@dataclass(frozen=True)
class Options:
    """A Compose service as the inventory describes it."""

    name: str
    project_dir: str
    images: Mapping[str, str]
    files: tuple[str, ...] = ()
    project: str = ""
    pin: str = "file"
    pin_file: str = "docker-compose.pin.yml"
    tag_prefix: str = "sha-"
    source: str = ""
    hotfix_into: tuple[str, ...] = ("main", "staging")
    migration_service: str = ""
    alembic: tuple[str, ...] = ("alembic",)
    alembic_config: str = ""
    python: tuple[str, ...] = ("python3",)
    registry_user: str = ""
    registry_host: str = ""
    registry_timeout: float = 10.0
    keep_releases: int = 5
    disk_reserve: int = 500
    command_timeout: float = 1800.0
    data_disposable: bool = False
    docker: tuple[str, ...] = ("docker",)
    env_file: str = ".env"
    inside_health: tuple[InsideHealth, ...] = ()
    settle: float = 3.0
    wait_timeout: int = 120


@dataclass(frozen=True)
class Limits:
    """The figures of a Compose service that are a warning, or bad."""

    log_lines: int = 15
    bundle_lines: int = 300
    disk_warn: int = 85
    disk_bad: int = 95
