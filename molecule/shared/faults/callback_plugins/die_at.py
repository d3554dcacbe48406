"""A controller that is killed at one moment: SIGKILL of its whole process group when a task begins."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: die_at
type: aggregate
short_description: Kills the run when the task that LAB_DIE_AT names begins, for the LAB_DIE_AT_NTH time
description: For tests. No other way meets the moment between two tasks for certain.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "die_at"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._left = int(os.environ["LAB_DIE_AT_NTH"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if task.get_name().endswith(os.environ["LAB_DIE_AT"]):
            self._left -= 1
            if not self._left and os.environ.get("LAB_DIE_WHOM") == "parent":
                # What started Ansible, and Ansible goes on.
                os.kill(os.getppid(), signal.Signals[f"SIG{os.environ['LAB_DIE_SIGNAL']}"])
            elif not self._left:
                os.killpg(os.getpgid(0), signal.SIGKILL)
