# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that describe a Laravel service. Written by `make generate` from the role's argument specs."""

from __future__ import annotations

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
