# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.operation_begin)."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.ops.runbook.plugins.module_utils import fleet, moment, operator_inputs


class ActionModule(ActionBase):  # type: ignore[misc]
    """Checks the names of the extra variables, and makes the operation's id."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "reason": {"type": "str", "default": ""},
                "reason_required": {"type": "bool", "default": False},
                "batch": {"type": "raw", "default": ""},
            }
        )
        variables = task_vars or {}
        # Only what was typed for this run: inventories may name their variables as they like.
        typed = load_extra_vars(self._loader)
        if typed.get("_raw_params"):
            raise AnsibleActionFail(
                f"'{typed['_raw_params']}' belongs to no input: a value with spaces needs quotes of its own. "
                "Nothing was contacted. Type: -e \"reason='INC-421 login loop'\""
            )
        wrong = operator_inputs.misspelt(typed)
        if wrong:
            name, meant = next(iter(wrong.items()))
            raise AnsibleActionFail(
                f"'{name}' is no input of a procedure; did you mean '{meant}'? Nothing was contacted. "
                f"Type: -e {meant}={typed[name]}"
            )
        if arguments["reason_required"] and not arguments["reason"].strip():
            raise AnsibleActionFail(
                "this operation asks for a reason. Nothing was contacted. Type: -e \"reason='INC-421 login loop'\""
            )
        try:
            fleet.batch_sizes(arguments["batch"])
        except fleet.BatchInvalid as error:
            raise AnsibleActionFail(f"{error}. Nothing was contacted.") from error
        user = os.environ.get("SUDO_USER") or getpass.getuser()
        result.update(
            changed=False,
            operation=moment.operation_id(moment.now()),
            actor=operator_inputs.actor(os.environ, variables, user, socket.gethostname()),
        )
        return result
