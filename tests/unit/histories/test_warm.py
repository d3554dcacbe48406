# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that a process of histories has begun end with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import END, wait_for

ROOT = Path(__file__).resolve().parents[3]
#: `make histories`, with a history that is one run on this machine.
PLAYS = """
import sys, tempfile
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from histories import draw, main, warm
from lab import operator_environment
def play(history, host, tell):
    words = [*sys.argv[3].split(), host]
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile("w+") as output:
        warm.Warm(words, place, operator_environment(), output, place, sys.argv[4] == "cold").wait(10 ** 6)
        output.seek(0)
        print(output.read(), flush=True)
histories = [draw.History("laravel", "start", ()), draw.History("laravel", "start", ())]
main.play = play
main.play_all(histories, [sys.argv[2]], False, float("inf"), lambda _played: None)
"""
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Write its process, then never end
      ansible.builtin.shell: echo $$ > {place}/part && mv {place}/part {place}/at_work && exec sleep 1000000
"""


def runs(pid: int) -> bool:
    """True if a process is there, and is not only waiting for its parent to read how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def below(pid: int) -> set[int]:
    """The process, and all that descend from it."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.mark.parametrize(
    ("how", "ending"),
    [("warm", "SIGTERM"), ("warm", "SIGINT"), ("warm", "SIGKILL"), ("cold", "SIGKILL")],
)
def test_all_that_it_began_ends_with_it(tmp_path: Path, how: str, ending: str) -> None:
    (tmp_path / "play.yml").write_text(PLAY.format(place=tmp_path))
    command = "ansible-playbook -i localhost, -e ansible_python_interpreter=" + sys.executable
    words = [str(ROOT / "molecule/shared"), str(tmp_path / "play.yml"), command, how]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "output").open("w") as output:
        began = subprocess.Popen(
            [sys.executable, "-c", PLAYS, *words], env=environment, stdout=output, stderr=output, start_new_session=True
        )
        every: set[int] = set()
        try:
            wait_for("the run is at work", lambda: (tmp_path / "at_work").exists() or began.poll() is not None)
            assert began.poll() is None, (tmp_path / "output").read_text()
            at_work = int((tmp_path / "at_work").read_text())
            every = below(began.pid)
            assert at_work in every
            began.send_signal(signal.Signals[ending])
            wait_for("the process ended", lambda: began.poll() is not None)
            wait_for("all that it began ended", lambda: [pid for pid in every if runs(pid)], lambda left: not left)
        finally:
            for pid in every | below(began.pid):
                if runs(pid):
                    os.kill(pid, signal.SIGKILL)
            began.wait(END)
