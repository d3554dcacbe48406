"""A watch over a host and this machine's process list, for what must be seen on neither."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import Host
from waiting import wait_for

# Looks for needles, one a line on standard input, until the file /tmp/lab-watch is gone; says where it saw any.
# The file has the number of whole rounds.
WATCH = r"""
import os, sys, time
needles = [line.encode() for line in sys.stdin.read().split("\n") if line]
seen = set()
def look(name, content):
    for number, needle in enumerate(needles):
        if needle in content:
            seen.add("%s: needle %d" % (name, number))
def files():
    for top in ("/tmp", "/var/tmp", "/dev/shm", "/home/deploy", "/var/lib/ops-runbook"):
        for folder, _, names in os.walk(top):
            for name in names:
                # The engine's own, for a moment of each health check: the environment of the container that it enters.
                if not name.startswith("runc-process"):
                    yield os.path.join(folder, name)
rounds = 0
while True:
    try:
        with open("/tmp/lab-watch", "r+") as handle:
            handle.write(str(rounds))
    except FileNotFoundError:
        break
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as handle:
                look("a process list: " + open("/proc/%s/comm" % pid).read().strip(), handle.read())
        except OSError:
            pass
    for path in files():
        try:
            with open(path, "rb") as handle:
                look(path, handle.read(1 << 20))
        except OSError:
            pass
    rounds += 1
    time.sleep(0.01)
print("\n".join(sorted(seen)))
"""


@contextmanager
def watched(lab: Host, needles: list[str]) -> Iterator[list[str]]:
    """The processes on the host and on this machine during the block."""
    found: list[str] = []
    lab.root("rm -f /tmp/lab-watch; touch /tmp/lab-watch")
    watcher = subprocess.Popen(
        ["docker", "exec", "-i", lab.name, "python3", "-c", WATCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdin is not None
    watcher.stdin.write("\n".join(needles))
    watcher.stdin.close()
    over = threading.Event()

    def controller() -> None:
        while not over.wait(0.01):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                found.extend(f"controller: {line[:80]!r}" for needle in needles if needle.encode() in line)

    thread = threading.Thread(target=controller)
    thread.start()
    before = rounds_from_now(lab, 1)
    try:
        yield found
    finally:
        looked = rounds(lab)
        over.set()
        thread.join()
        lab.root("rm -f /tmp/lab-watch")
        assert watcher.stdout is not None
        seen = watcher.stdout.read().splitlines()
        watcher.wait()
        found += [line for line in seen if line]
        assert looked > before, "the watcher did not look at all of the host in the meantime"


def rounds(lab: Host) -> int:
    """The number of times that the watcher on a host has looked at all of it."""
    return int(lab.root("cat /tmp/lab-watch") or 0)


def rounds_from_now(lab: Host, number: int) -> int:
    """Wait until the watcher has made so many whole rounds more. Returns their number in all."""
    before = rounds(lab)
    return wait_for(f"{number} rounds of the watcher", lambda: rounds(lab), lambda seen: seen >= before + number)


def show_canaries(lab: Host) -> None:
    """Have `canary-in-argv` on a command line and `canary-in-file` in a file, until a watcher has looked at all."""
    line = ["docker", "exec", "-i", lab.name, "sh", "-c", "read end; :", "canary-in-argv"]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as held:
        lab.deploy("echo canary-in-''file > /tmp/lab-canary")
        wait_for("the held process", lambda: lab.root("pgrep -f canary-in-arg[v]", check=False))
        # The round that goes on now may be past both.
        rounds_from_now(lab, 2)
        lab.deploy("rm /tmp/lab-canary")
        held.communicate()


def leaks(text: str, needles: list[str]) -> list[int]:
    return [number for number, needle in enumerate(needles) if needle in text]
