"""No secret on any surface: what a run prints with -vvv and --diff, its records, the process lists of both machines
while it works, the files it leaves, the engine's login file, and the logs of the host."""

from __future__ import annotations

import base64
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compose_lab import PROJECT, ComposeLab, tag

# Looks for needles, one a line on standard input, until the file /tmp/lab-watch is gone; says where it saw any.
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
while os.path.exists("/tmp/lab-watch"):
    rounds += 1
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
    time.sleep(0.01)
print("\n".join(sorted(seen)))
print("rounds", rounds)
"""


def secrets(lab: ComposeLab) -> list[str]:
    """The password of the registry, also as a login file has it, and every value of .env that is one."""
    password = lab.password()
    login = base64.b64encode(f"ops:{password}".encode()).decode()
    env = lab.root(f"cat {PROJECT}/.env")
    values = re.findall(r"[0-9a-f]{48}", env)
    assert len(values) == 4, "the host's .env has four generated values"
    return [password, login, *values]


@contextmanager
def watched(lab: ComposeLab, needles: list[str]) -> Iterator[list[str]]:
    """What is seen on the host and in this machine's process list during the block."""
    found: list[str] = []
    lab.root("touch /tmp/lab-watch")
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
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                found.extend(f"controller: {line[:80]!r}" for needle in needles if needle.encode() in line)

    thread = threading.Thread(target=controller)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
        lab.root("rm -f /tmp/lab-watch")
        assert watcher.stdout is not None
        *seen, rounds = watcher.stdout.read().splitlines()
        watcher.wait()
        found += [line for line in seen if line]
        assert int(rounds.split()[1]) > 10, "the watcher hardly looked"


def leaks(text: str, needles: list[str]) -> list[int]:
    return [number for number, needle in enumerate(needles) if needle in text]


def test_no_secret_on_any_surface(lab: ComposeLab) -> None:
    lab.at("good")
    needles = secrets(lab)
    since = lab.root("date -u +%s")
    runs = []
    with watched(lab, needles) as seen:
        for procedure, inputs in (
            ("compose_deploy", {"to": tag("additive")}),
            ("compose_rollback", {"migrations": "down"}),
            ("compose_deploy", {"to": tag("failing")}),
            ("compose_deploy", {"to": tag("crash")}),
        ):
            runs.append(lab.play(procedure, "-vvv", "--diff", **inputs))
    assert [run.green for run in runs] == [True, True, False, False], runs[0].text
    assert seen == []
    for run in runs:
        assert leaks(run.text, needles) == []
    records = lab.root("cat /var/lib/ops-runbook/*/*")
    assert leaks(records, needles) == []
    journal = lab.root(f"journalctl --since @{since} --no-pager -o cat; cat /var/log/*.log 2>/dev/null", check=False)
    assert leaks(journal, needles) == []
    assert lab.root("cat /home/deploy/.docker/config.json 2>/dev/null", check=False) == ""


def test_the_watch_sees_what_is_there(lab: ComposeLab) -> None:
    """A needle on a command line, and one in a file: else the test above proves nothing."""
    with watched(lab, ["canary-in-argv", "canary-in-file"]) as seen:
        lab.deploy("echo canary-in-''file > /tmp/lab-canary; sh -c 'sleep 1; :' canary-in-argv; rm /tmp/lab-canary")
    assert any("process list" in line and line.endswith("needle 0") for line in seen), seen
    assert "/tmp/lab-canary: needle 1" in seen
