# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last line that a running command has printed, where whoever waits for it can read it."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable

NAME = "last_line"
#: Bytes of the file, always as many: one write of that length is read whole or not at all.
WIDTH = 240

#: Colours and cursor movements, which some programs write into a pipe too.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class LastLine:
    """A file that holds one line, and is there only while a command runs.

    redact: takes the secrets out of a line. Nobody depends on the file: a disk that takes nothing is no failure.
    """

    def __init__(self, path: str, redact: Callable[[str], str]) -> None:
        self.path = path
        self._redact = redact
        self._descriptor: int | None = None
        # Of a command that is given up, a thread may still read. It must not write into what has the number next.
        self._lock = threading.Lock()

    def begin(self) -> None:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)

    def said(self, line: str) -> None:
        # Masked before it is cut: half a secret is not known as one.
        text = "".join(letter for letter in self._redact(CONTROL.sub("", line)).strip() if letter.isprintable())
        with self._lock, contextlib.suppress(OSError):
            if text and self._descriptor is not None:
                os.pwrite(self._descriptor, text.encode("utf-8", "replace")[:WIDTH].ljust(WIDTH), 0)

    def end(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
                    os.unlink(self.path)
