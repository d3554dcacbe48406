# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory and CPU that containers use, from the kernel's own files.

The files may be read by everybody. The engine's `stats` says the same, but a user who may ask the engine is as good as
root.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Folders in which the kernel shows its groups: version 2, and of version 1 the controllers that matter here.
ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct")

#: A container's folder is under the engine's own, or a slice of systemd; deeper where the engine is in a container.
_DEPTH = 8
_NAME = re.compile(r"(?:docker-|cri-containerd-)?([0-9a-f]{64})(?:\.scope)?")

#: The kernel's value for "no limit" in version 1: more than any machine has.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class Sample:
    """One look at a container. memory: bytes without the file cache that can be dropped. cpu_seconds: since its start.

    limit: bytes; None without a limit. oom_kills: processes that were killed for want of memory.
    """

    at: float
    memory: int | None = None
    limit: int | None = None
    cpu_seconds: float | None = None
    oom_kills: int = 0


def folders(containers: Iterable[str], roots: Iterable[str] = ROOTS) -> dict[str, list[str]]:
    """The folders of the kernel for each of these containers, which are given by the beginnings of their ids."""
    wanted = [identity for identity in containers if len(identity) >= 8]
    found: dict[str, list[str]] = {identity: [] for identity in wanted}
    for root in dict.fromkeys(os.path.realpath(root) for root in roots) if wanted else []:
        for folder, below, _files in os.walk(root):
            match = _NAME.fullmatch(os.path.basename(folder))
            for identity in wanted if match else []:
                if match and match[1].startswith(identity) and folder not in found[identity]:
                    found[identity].append(folder)
            if folder[len(root) :].count(os.sep) >= _DEPTH:
                below.clear()
    return found


def sample(places: Iterable[str]) -> Sample:
    """Present memory and CPU of one container, from its folders."""
    memory = limit = cpu = None
    kills = 0
    for place in places:
        used = _number(place, "memory.current", "memory.usage_in_bytes")
        if used is not None:
            statistics = _fields(place, "memory.stat")
            cache = statistics.get("total_inactive_file", statistics.get("inactive_file", 0))
            memory = max(used - cache, 0)
            limit = _number(place, "memory.max", "memory.limit_in_bytes")
            events = {**_fields(place, "memory.oom_control"), **_fields(place, "memory.events")}
            kills = max(kills, events.get("oom_kill", 0))
        nanoseconds = _number(place, "cpuacct.usage")
        microseconds = _fields(place, "cpu.stat").get("usage_usec")
        if microseconds is not None:
            cpu = microseconds / 1e6
        elif nanoseconds is not None:
            cpu = nanoseconds / 1e9
    return Sample(time.monotonic(), memory, None if limit is None or limit >= _NO_LIMIT else limit, cpu, kills)


def cores(before: Sample, after: Sample) -> float | None:
    """Number of cores at work between two samples; None if it is not known."""
    passed = after.at - before.at
    if before.cpu_seconds is None or after.cpu_seconds is None or passed <= 0:
        return None
    return max(after.cpu_seconds - before.cpu_seconds, 0.0) / passed


def _read(folder: str, name: str) -> str:
    with contextlib.suppress(OSError):
        with open(os.path.join(folder, name), encoding="ascii", errors="replace") as handle:
            return handle.read()
    return ""


def _number(folder: str, *names: str) -> int | None:
    for name in names:
        text = _read(folder, name).strip()
        if text.isdigit():
            return int(text)
    return None


def _fields(folder: str, name: str) -> Mapping[str, int]:
    pairs = (line.split() for line in _read(folder, name).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
