"""Faults that strike while an operation is at work, on a host of any system.

`lab_fault.py` holds or kills the module at a write of its state; `die_at.py` kills the controller between two tasks.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller import Controller
from lab import Host, Run
from waiting import wait_for

ON_HOST = Path(__file__).parents[1] / "faults/on_host"
PACKAGES = "/usr/lib/python3/dist-packages"
HELD = "/srv/lab/fault"


def install(host: Host) -> None:
    """Let every Python of the host look for a fault that was ordered."""
    for name in ("fault.py", "lab_fault.py"):
        subprocess.run(
            ["docker", "cp", str(ON_HOST / name), f"{host.name}:{PACKAGES}/{name}"], check=True, capture_output=True
        )
    host.root(
        f"echo 'import lab_fault' > {PACKAGES}/lab_fault.pth; chmod a+r {PACKAGES}/lab_fault.* {PACKAGES}/fault.py"
    )
    clear(host)


def remove(host: Host) -> None:
    """Let no Python of the host look for faults any more."""
    host.root(f"rm -rf {HELD} {PACKAGES}/lab_fault.pth {PACKAGES}/lab_fault.py {PACKAGES}/fault.py")


def clear(host: Host) -> None:
    host.root(f"rm -rf {HELD}; install -d -m 1777 {HELD}")


@dataclass(frozen=True)
class Moment:
    """When a fault strikes. when: before, half or after the nth write; `task` for a moment between two tasks."""

    when: str
    nth: int = 0
    task: str = ""

    @classmethod
    def parse(cls, text: str) -> Moment:
        when, _, rest = text.partition(".")
        return cls("task", task=rest) if when == "task" else cls(when, int(rest or 1))


def order(host: Host, what: str, moment: Moment) -> None:
    """Order a fault. hold: the process waits at its write until `release`."""
    document = {"what": what, "when": moment.when, "write": "*", "nth": moment.nth, "state": host.state}
    host.root(
        f"rm -rf {HELD}/order.json {HELD}/count {HELD}/struck; echo 0 > {HELD}/count; chmod 666 {HELD}/count; "
        f"touch {HELD}/closed; echo '{json.dumps(document)}' > {HELD}/order.json; chmod a+r {HELD}/order.json"
    )


def struck(host: Host) -> str:
    """The write at which a fault struck; empty if it has not."""
    return host.root(f"cat {HELD}/struck", check=False)


def awaited(host: Host, over: Callable[[], bool]) -> str:
    """The write at which a fault struck, once it has; empty if the run is over before."""
    waiting = subprocess.Popen(
        ["docker", "exec", host.name, "sh", "-c", f"until [ -s {HELD}/struck ]; do sleep 0.1; done"]
    )
    try:
        until(lambda: waiting.poll() is not None or over(), "the fault struck, or the run ended")
    finally:
        waiting.kill()
        waiting.wait()
        # The process in the container ends with its file.
        found = struck(host)
        if not found:
            host.root(f"echo none > {HELD}/struck; sleep 0.3; rm -f {HELD}/struck", check=False)
    return found


def release(host: Host) -> None:
    host.root(f"rm -f {HELD}/closed")


def waits(host: Host) -> bool:
    """True if a process of the host waits for a kernel lock, such as the one that a held write has."""
    return " -> " in host.root("cat /proc/locks")


def cancel(host: Host) -> None:
    host.root(f"rm -f {HELD}/closed {HELD}/order.json")


def until(true: Callable[[], object], what: str) -> None:
    wait_for(what, true)


def wait(run: Controller) -> Run:
    until(lambda: run.ended, "the run ended")
    return run.wait()


def is_up(host: Host) -> bool:
    return host.root(f"{host.up} && echo yes", check=False) == "yes"


def power(host: Host, *actions: str) -> None:
    """Stop the container and start it again."""
    for action in actions:
        subprocess.run(["docker", *action.split(), host.name], check=True, capture_output=True)
    until(lambda: is_up(host), "the host is up")
    host.root("systemctl is-system-running --wait", check=False)


class InTheMidst:
    """Faults that strike while a module is held at a write of its state."""

    def __init__(self, host: Host, services: str, second: Callable[[Controller], None]) -> None:
        self.host, self.services, self.second = host, services, second

    def strike(self, name: str, run: Controller) -> None:
        STRIKES[name](self, run)

    def kill_controller(self, run: Controller) -> None:
        run.kill()

    def power_off(self, _run: Controller) -> None:
        self._power("kill")

    def reboot(self, _run: Controller) -> None:
        # As a shutdown does: every process gets a signal first.
        self._power("stop -t 5")

    def _power(self, off: str) -> None:
        power(self.host, off, "start")
        if self.services:
            self.host.root(f"systemctl start {self.services}")

    def engine_restarted(self, _run: Controller) -> None:
        self.host.root("systemctl restart docker.service")

    def registry_stopped(self, _run: Controller) -> None:
        self.host.root("systemctl stop docker-registry.service")

    def cut_session(self, _run: Controller) -> None:
        self.host.root("pkill -9 -x sshd-session", check=False)

    def cut_connection(self, run: Controller) -> None:
        for pid in run.connections():
            # With the first of them others may end.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cut_way(self, _run: Controller) -> None:
        self.host.root("systemctl stop ssh.socket ssh.service 2>/dev/null; pkill -9 -x sshd-session", check=False)

    def clock_back(self, _run: Controller) -> None:
        # The clock of the modules alone: a cookie of Laravel that they make must not be too old for php-fpm (12 hours).
        self.host.root(f"echo -2h > {HELD}/clock; chmod a+r {HELD}/clock")

    def clock_forward(self, _run: Controller) -> None:
        self.host.root(f"echo +2h > {HELD}/clock; chmod a+r {HELD}/clock")

    def second_operator(self, run: Controller) -> None:
        self.second(run)


STRIKES: dict[str, Callable[[InTheMidst, Controller], None]] = {
    name: getattr(InTheMidst, name)
    for name in (
        "kill_controller", "power_off", "reboot", "cut_session", "cut_connection", "cut_way", "clock_back",
        "clock_forward", "second_operator", "engine_restarted", "registry_stopped",
    )
}  # fmt: skip
