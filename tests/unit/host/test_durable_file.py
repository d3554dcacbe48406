# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durable files: whole or not at all, whatever the disk says and whenever the process dies."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file


def in_child(action: Callable[[], object]) -> int:
    """Run something in a process of its own; its wait status (0 is a good end)."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            action()
            code = 0
        except OSError:
            code = 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def on_full_disk(limit: int, action: Callable[[], object]) -> int:
    """Run something where no file may grow beyond a limit, as on a disk that fills up in the midst of a write."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        action()

    return os.waitstatus_to_exitcode(in_child(limited))


def test_the_same_document_always_has_the_same_bytes() -> None:
    assert (
        durable_file.encode({"b": "é", "a": 1}) == durable_file.encode({"a": 1, "b": "é"}) == '{"a":1,"b":"é"}'.encode()
    )


def test_a_document_is_one_line() -> None:
    assert b"\n" not in durable_file.encode({"text": "one\ntwo\r\nthree\u2028"})


def test_a_missing_file_is_empty_and_can_be_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert durable_file.read_bytes(path) == b""
    durable_file.remove(path)


def test_lines_are_appended_in_order_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    durable_file.append_line(str(path), b"one")
    durable_file.append_line(str(path), b"two")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_replaced_file_is_private_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "whole"
    durable_file.replace(str(path), b"old")
    durable_file.replace(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize("room", [0, 1, 5, 9])
def test_an_append_on_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, room: int) -> None:
    path = tmp_path / "lines"
    durable_file.append_line(str(path), b"before")
    was = path.read_bytes()
    assert on_full_disk(len(was) + room, lambda: durable_file.append_line(str(path), b"0123456789")) == 1
    assert path.read_bytes() == was
    durable_file.append_line(str(path), b"after")
    assert path.read_bytes() == was + b"after\n"


@pytest.mark.parametrize("room", [0, 1, 9])
def test_a_replace_on_a_full_disk_leaves_the_old_content(tmp_path: Path, room: int) -> None:
    path = tmp_path / "whole"
    durable_file.replace(str(path), b"old")
    assert on_full_disk(room, lambda: durable_file.replace(str(path), b"0123456789")) == 1
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize("nth", range(1, 3))
def test_a_replace_killed_at_a_sync_leaves_old_or_new(tmp_path: Path, nth: int) -> None:
    path = tmp_path / "whole"
    durable_file.replace(str(path), b"old")

    def killed() -> None:
        synced, count = os.fsync, iter(range(1, 100))

        def die(descriptor: int) -> None:
            if next(count) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            synced(descriptor)

        os.fsync = die  # type: ignore[assignment]
        durable_file.replace(str(path), b"new")

    assert os.waitstatus_to_exitcode(in_child(killed)) == -signal.SIGKILL
    # The first sync is before the rename, the second after it.
    assert path.read_bytes() == (b"old" if nth == 1 else b"new")


HOLDER = """
import sys
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
with durable_file.exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_kernel_lock_goes_with_its_killed_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "state.lock")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", HOLDER, path]
    holder = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    def wait_briefly() -> None:
        signal.alarm(1)
        with durable_file.exclusive(path):
            pass

    assert os.waitstatus_to_exitcode(in_child(wait_briefly)) == -signal.SIGALRM
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert os.waitstatus_to_exitcode(in_child(wait_briefly)) == 0
