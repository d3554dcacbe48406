# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last line that a running command has printed, where whoever waits for it can read it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from ansible_collections.ops.runbook.plugins.module_utils.host import owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import CONTROL, shown

NAME = "last_line"
#: Bytes of the file, always as many: one write of that length is read whole or not at all.
WIDTH = 240

#: Seconds between two looks at what a command wrote into a file, and how far back from its end its last line may begin.
EVERY = 0.2
REACH = 4096

#: Letters of a line of which the last is shown.
_LONGEST = 65536


class LastLine:
    """A file that holds one line, and is there only while a command runs.

    redact: takes the secrets out of a line. Nothing depends on the file: a full disk is not a failure.
    """

    def __init__(self, path: str, redact: Callable[[str], str]) -> None:
        self.path = path
        self._redact = redact
        self._descriptor: int | None = None
        # Of a command that is given up, a thread may still read. It must not write into what has the number next.
        self._lock = threading.Lock()

    def begin(self) -> None:
        with contextlib.suppress(OSError):
            self._descriptor = owned_folder.open_file(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def said(self, line: str) -> None:
        # Masked before it is cut: half a secret is not known as one.
        text = shown(self._redact(CONTROL.sub("", line[:_LONGEST]))).strip()
        with self._lock, contextlib.suppress(OSError):
            if text and self._descriptor is not None:
                os.pwrite(self._descriptor, text.encode("utf-8", "replace")[:WIDTH].ljust(WIDTH), 0)

    def end(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
                    owned_folder.remove_file(self.path)


def file_in_memory(name: str) -> IO[bytes]:
    """A file without a path for the output of a command, which no broken pipe ends then; in memory if it can be."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create(name), "w+b")
    return tempfile.TemporaryFile()


def await_end(
    process: subprocess.Popen[Any], limit: float | None, outputs: Sequence[IO[bytes]], told: LastLine | None
) -> None:
    """Wait until a command that writes into files ends, and show its last line meanwhile.

    limit: seconds; raises subprocess.TimeoutExpired, and the command goes on.
    """
    if told is None:
        process.wait(limit)
        return
    end = None if limit is None else time.monotonic() + limit
    sizes = [0] * len(outputs)
    told.begin()
    try:
        while True:
            try:
                process.wait(EVERY if end is None else max(0.0, min(EVERY, end - time.monotonic())))
                return
            except subprocess.TimeoutExpired:
                if end is not None and time.monotonic() >= end:
                    raise
            for place, output in enumerate(outputs):
                size = os.fstat(output.fileno()).st_size
                if size > sizes[place]:
                    sizes[place] = size
                    told.said(last_whole_line(os.pread(output.fileno(), REACH, max(0, size - REACH)), size > REACH))
    finally:
        told.end()


def last_whole_line(text: bytes, cut: bool = False) -> str:
    """The last line that says something, of an output that may still grow. Half a line may hold half a secret.

    cut: whether the text begins within a line.
    """
    *whole, _unfinished = re.split(r"[\r\n]", text.decode("utf-8", "replace"))
    return next((line for line in reversed(whole[1:] if cut else whole) if line.strip()), "")
