# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel lock that shows a process at work: held while a phase works on a host, by its child processes too."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable

from ansible_collections.ops.runbook.plugins.module_utils.host import owned_folder


class RunningLock:
    """The lock on one file, for one process. The kernel lets go of it when the last process that has it dies."""

    def __init__(
        self,
        path: str,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._sleep, self._timer = sleep, timer
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """True if this process has it."""
        return self._descriptor is not None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Descriptors that a child process inherits to hold it too."""
        return () if self._descriptor is None else (self._descriptor,)

    def is_held_by_another(self) -> bool:
        """True if another process has it, seen without taking anything. Only if this one has not."""
        try:
            descriptor = owned_folder.open_file(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # A shared lock: two that look at once must not take each other for a process at work.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)

    def take(self) -> bool:
        """Take it, unless another process has it."""
        if self.held:
            return True
        descriptor = owned_folder.open_file(self.path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def wait(self, deadline: float) -> bool:
        """Take it, waiting for another process until a moment of the timer."""
        while not self.take():
            if self._timer() >= deadline:
                return False
            self._sleep(0.1)
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
