# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe a Compose service. Written by `make generate` from the role's argument specs."""

from __future__ import annotations

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
