# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe an app of Dokku. Written by `make generate` from the role's argument specs."""

from __future__ import annotations

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
