# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes that flow from one process to another through this one, which looks at them on their way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import IO, TypeVar

_BLOCK = 1 << 16
_Result = TypeVar("_Result")


def collect(start: Callable[[IO[bytes]], _Result], take: Callable[[bytes], None]) -> _Result:
    """Run what writes into an open file, and hand on what it writes. An error of the taker counts more than its."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def drain() -> None:
        with os.fdopen(reading, "rb", buffering=0) as source:
            try:
                while piece := source.read(_BLOCK):
                    take(piece)
            except BaseException as error:
                # The end of the pipe is closed with it, so that the writer does not wait for ever.
                failed.append(error)

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            result = start(sink)
    except BaseException:
        thread.join()
        if failed:
            raise failed[0] from None
        raise
    thread.join()
    if failed:
        raise failed[0]
    return result


def supply(pieces: Iterable[bytes], start: Callable[[IO[bytes]], _Result]) -> _Result:
    """Run what reads from an open file, and give it the pieces. An error of the pieces counts more than its."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def fill() -> None:
        try:
            with os.fdopen(writing, "wb", buffering=0) as sink:
                for piece in pieces:
                    _write(sink, piece)
        except BrokenPipeError:
            # The reader exited; its own error explains why.
            pass
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        with os.fdopen(reading, "rb", buffering=0) as source:
            result = start(source)
    except BaseException:
        thread.join()
        if failed:
            raise failed[0] from None
        raise
    thread.join()
    if failed:
        raise failed[0]
    return result


def _write(sink: IO[bytes], piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[sink.write(view) :]
