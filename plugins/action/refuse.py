# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.refuse)."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.ops.runbook.plugins.plugin_utils.refused import Refused


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ends the run of a host with a text."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"text": {"type": "str", "required": True}, "found": {"type": "bool", "default": False}}
        )
        failure = Refused(arguments["text"])
        failure.refused = not arguments["found"]
        raise failure
