# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.operation_shown)."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

#: Keys of a result that are about the task that made it.
OF_THE_TASK = ("changed", "invocation", "exception", "warnings", "deprecations")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Gives the result of an earlier task again."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"result": {"type": "dict", "required": True}})
        found = {key: value for key, value in arguments["result"].items() if not key.startswith("_ansible_")}
        return {"changed": False, **{key: value for key, value in found.items() if key not in OF_THE_TASK}}
