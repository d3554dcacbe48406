# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that the modules of every system have; the doc fragment `operation` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
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


def requested(params: Mapping[str, Any], service: str, system: str, place: str = "", adopts: bool = False) -> Request:
    """The request in a module's parameters. system and place: what the state folder has to be of."""
    return Request(
        operation=params["operation"],
        service=service,
        procedure=params["procedure"],
        environment=params["environment"],
        reason=params["reason"],
        actor=params["actor"],
        subject=Subject(system, place, params["environment"]),
        adopts=adopts,
        lock_wait=params["lock_wait"],
        lock_takeover=params["lock_takeover"],
        interrupted=params["interrupted"],
        lease_ttl=params["lease_ttl"],
    )
