"""A moment between two tasks at which a test does something, while the run waits for it."""

from __future__ import annotations

import os
import socket
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: at_task
type: aggregate
short_description: Waits for the test when the task that LAB_AT_TASK names begins, once
description: For tests. It connects to the socket LAB_AT_SOCKET, and goes on when that is closed.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "at_task"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._waited = False

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if self._waited or not task.get_name().endswith(os.environ["LAB_AT_TASK"]):
            return
        self._waited = True
        with socket.socket(socket.AF_UNIX) as test:
            test.connect(os.environ["LAB_AT_SOCKET"])
            test.recv(1)
