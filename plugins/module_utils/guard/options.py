# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specs that the modules share; the doc fragments describe them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Request
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject

OPERATION: dict[str, Any] = {
    "operation": {"type": "str", "required": True},
    "state_dir": {"type": "path", "required": True},
}

OPEN: dict[str, Any] = {
    **OPERATION,
    "environment": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "actor": {"type": "dict", "default": {}},
    "lock_wait": {"type": "float", "default": 0},
    "lock_takeover": {"type": "str", "default": ""},
    "lease_ttl": {"type": "float", "default": 900},
    "interrupted": {"type": "str", "choices": ["", "resume", "undo", "accept"], "default": ""},
}

LARAVEL: dict[str, Any] = {
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
    }
}


COMPOSE: dict[str, Any] = {
    "service": {
        "type": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "project_dir": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "str", "default": []},
            "project": {"type": "str", "default": ""},
            "images": {"type": "dict", "required": True},
            "pin": {"type": "str", "choices": ["file", "override"], "default": "file"},
            "pin_file": {"type": "str", "default": "docker-compose.pin.yml"},
            "tag_prefix": {"type": "str", "default": "sha-"},
            "source": {"type": "str", "default": ""},
            "hotfix_into": {"type": "list", "elements": "str", "default": ["main", "staging"]},
            "migration_service": {"type": "str", "default": ""},
            "alembic": {"type": "str", "default": "alembic"},
            "alembic_config": {"type": "str", "default": ""},
            "python": {"type": "str", "default": "python3"},
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
            "registry_user": {"type": "str", "default": ""},
            "registry_host": {"type": "str", "default": ""},
            "registry_timeout": {"type": "float", "default": 10},
            "keep_releases": {"type": "int", "default": 5},
            "disk_reserve": {"type": "int", "default": 500},
            "command_timeout": {"type": "float", "default": 1800},
            "data_disposable": {"type": "bool", "default": False},
            "docker": {"type": "str", "default": "docker"},
            "env_file": {"type": "str", "default": ".env"},
        },
    }
}


DOKKU: dict[str, Any] = {
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
                "options": {
                    "plugin": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                },
            },
            "repository": {"type": "str", "default": ""},
            "deploy_branch": {"type": "str", "default": ""},
            "hotfix_into": {"type": "list", "elements": "str", "default": ["main", "staging"]},
            "migrations_command": {"type": "str", "default": ""},
            "queue_probe": {"type": "str", "default": ""},
            "settle": {"type": "float", "default": 0},
            "keep_releases": {"type": "int", "default": 5},
            "disk_reserve": {"type": "int", "default": 500},
            "command_timeout": {"type": "float", "default": 1800},
            "data_disposable": {"type": "bool", "default": False},
        },
    }
}


def request(params: Mapping[str, Any], service: str, system: str, place: str = "") -> Request:
    """The request in a module's parameters. system and place: what the state folder has to be of."""
    return Request(
        operation=params["operation"],
        service=service,
        procedure=params["procedure"],
        environment=params["environment"],
        reason=params["reason"],
        actor=params["actor"],
        subject=Subject(system, place, params["environment"]),
        lock_wait=params["lock_wait"],
        lock_takeover=params["lock_takeover"],
        interrupted=params["interrupted"],
        lease_ttl=params["lease_ttl"],
    )
