# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.dokku_status_info): the endpoints as somebody outside the host sees them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import outside
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint, gate


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module, and asks the endpoints meanwhile."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        try:
            checks = outside.checks(arguments.get("checks") or [], arguments.get("from_controller", True))
        except endpoint.HealthCheckError:
            # The module says what is wrong with them.
            checks = []
        with ThreadPoolExecutor(max_workers=8) as pool:
            asked = [pool.submit(gate.probe, check) for check in checks]
            found = self._execute_module("ops.runbook.dokku_status_info", task_vars=task_vars or {})
            seen = [one.result() for one in asked]
        result.update(outside.joined(found, seen, arguments))
        return result
