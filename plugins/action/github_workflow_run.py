# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of `github_workflow_run`: it shows what the run goes through while it is followed.

A module says what it has to say when it ends. So the run is started by one call and followed by short ones.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

#: Seconds that one call follows the run. A call costs half a second of its own.
SLICE = 30.0

#: Codes of a call that ended because its time was up, while the run continues.
GOES_ON = ("timed_out", "waiting_for_approval")
#: Options that only a dispatch takes.
DISPATCH = ("workflow", "ref", "inputs", "nonce_input")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Starts the run where one is to be started, then follows it."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        if self._task.check_mode or not _yes(arguments.get("wait", True)):
            result.update(self._call(arguments, variables))
            return result
        first: dict[str, Any] = {}
        if arguments.get("workflow"):
            first = self._call({**arguments, "wait": False}, variables)
            if first.get("failed"):
                result.update(first)
                return result
            arguments = {key: value for key, value in arguments.items() if key not in DISPATCH}
            arguments |= {"run_id": first["run"]["id"], "nonce": first.get("nonce", "")}
        result.update(self._follow(arguments, variables, first))
        return result

    def _follow(self, arguments: dict[str, Any], variables: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
        ends = time.monotonic() + float(arguments.get("wait_timeout") or 1800)
        progress: list[str] = list(first.get("progress", ()))
        while True:
            left = ends - time.monotonic()
            found = self._call({**arguments, "wait_timeout": max(min(SLICE, left), 0)}, variables)
            for text in found.get("progress", ()):
                # Each call begins with how the run is.
                if text not in progress[-1:]:
                    progress.append(text)
                    Display().display(text)
            waits = found.get("code") == "waiting_for_approval" and arguments.get("approval") == "fail"
            if found.get("code") in GOES_ON and left > SLICE and not waits:
                continue
            kept: dict[str, Any] = {key: value for key, value in first.items() if key in ("changed", "known_by")}
            warnings = [*first.get("warnings", ()), *found.get("warnings", ())]
            return {**found, **kept, "progress": progress, **({"warnings": warnings} if warnings else {})}

    def _call(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._execute_module(
            "ops.runbook.github_workflow_run", module_args=arguments, task_vars=variables
        )
        return found


def _yes(value: Any) -> bool:
    return str(value).lower() in ("true", "yes", "on", "1", "y", "t")
