"""A moment within a run of the controller: something happens when a task begins, and the run waits for it."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import END


@contextmanager
def at(task: str, do: Callable[[], None]) -> Iterator[list[str]]:
    """Do something when a task of the runs within begins, while the run waits. Yields what went wrong with it."""
    problems = [f"no run came to {task}"]
    with tempfile.TemporaryDirectory(prefix="lab-") as folder, socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind(f"{folder}/s")
        waiting.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _address = waiting.accept()
                with connection:
                    problems.clear()
                    try:
                        do()
                    except BaseException as problem:
                        problems.append(repr(problem))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        given = {
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "at_task",
            "LAB_AT_TASK": task,
            "LAB_AT_SOCKET": f"{folder}/s",
        }
        os.environ.update(given)
        try:
            yield problems
        finally:
            for name in given:
                del os.environ[name]
            waiting.shutdown(socket.SHUT_RDWR)
            thread.join(END)
