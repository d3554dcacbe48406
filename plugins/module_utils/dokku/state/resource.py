# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits and reservations of an app's containers. Dokku takes any text; Docker refuses it at the next deploy."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, listed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Limits that Dokku's scheduler on one host hands to Docker; it silently drops all others.
LIMITS = ("cpu", "memory", "memory-swap", "nvidia-gpu")
RESERVATIONS = ("memory",)
_SAMPLES = {"cpu": "2", "memory": "2g", "memory-swap": "2g", "nvidia-gpu": "1"}

#: Processes for which nothing of their own is set.
DEFAULT = "_default_"

_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_CPU = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_MILLI = re.compile(r"(\d+)m")
#: Dokku adds an `m` to whatever does not end in one of its units, so that `2G` or `2Gi` becomes nonsense.
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bkmg]?)")
_LOOSE_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt])i?b?", re.I)

#: Docker's own smallest.
_SMALLEST_MEMORY = 6 << 20
_SMALLEST_CPU = Fraction(1, 100)


def cpu(text: str) -> Fraction:
    """A number of processors. Raises Problem for what `docker --cpus` would refuse."""
    if _CPU.fullmatch(text):
        found = Fraction(text if not text.startswith(".") else "0" + text)
        if found >= _SMALLEST_CPU:
            return found
        raise _bad("cpu", text, "Docker takes 0.01 and more")
    milli = _MILLI.fullmatch(text)
    if milli:
        right = f"{int(milli[1]) / 1000:g}"
        raise _bad(
            "cpu",
            text,
            "thousandths are a form of Kubernetes, and Docker fails the next deploy with `failed to parse "
            f"{text} as a rational number`; the right form is {right}",
        )
    raise _bad("cpu", text, "a number of processors such as 2 or 0.5")


def memory(text: str, what: str = "memory") -> int:
    """A size in bytes. Raises Problem for what Docker would refuse."""
    found = _SIZE.fullmatch(text)
    if found:
        # A bare number: of memory Dokku makes mebibytes of it, of swap nobody does.
        unit = found[2] or ("m" if what == "memory" else "b")
        size = int(Fraction(found[1]) * _UNITS[unit])
        if size >= _SMALLEST_MEMORY:
            return size
        raise _bad(what, text, f"that is {size} bytes, and Docker takes 6m and more")
    loose = _LOOSE_SIZE.fullmatch(text)
    if loose:
        unit = loose[2].lower()
        right = f"{float(loose[1]) * 1024:g}g" if unit == "t" else f"{loose[1]}{unit}"
        raise _bad(
            what, text, f"Dokku knows the units b, k, m and g only, and makes {text}m of it; the right form is {right}"
        )
    raise _bad(what, text, "a size such as 512m or 2g")


def _bad(what: str, text: str, why: str) -> Problem:
    way = (
        f"{what}: {_SAMPLES[what]}",
        "in the inventory, the input or the task: a value of this form, within these bounds",
    )
    return Problem("bad_resource", f"{what} {text!r} can't be: {why}", [way])


def _measure(key: str, text: str) -> object:
    """A value as it is compared, so that 2g is 2048m. Raises Problem."""
    if key == "cpu":
        return cpu(text)
    if key == "nvidia-gpu":
        if text == "all" or text.isdigit():
            return text
        raise _bad(key, text, "a number of processors, or all")
    if key == "memory-swap" and text == "-1":
        return -1
    return memory(text, key)


def _same(key: str, one: str, other: str) -> bool:
    try:
        return _measure(key, one) == _measure(key, other)
    except Problem:
        # The present value may be one that Docker refuses.
        return one == other


@dataclass(frozen=True)
class ResourcePresent:
    """limits and reserve: by process and key, as the report has them. cpus and memory: of the host."""

    limits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reserve: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cpus: int = 0
    memory: int = 0

    @classmethod
    def of_host(
        cls, limits: Mapping[str, Mapping[str, str]], reserve: Mapping[str, Mapping[str, str]]
    ) -> ResourcePresent:
        """With what this host has."""
        return cls(limits, reserve, os.cpu_count() or 0, _host_memory())


@dataclass(frozen=True)
class ResourceState(State[ResourcePresent]):
    """limits, reserve: what is to be; an empty text removes one, and what is not named stays."""

    app: str
    limits: Mapping[str, str] = field(default_factory=dict)
    reserve: Mapping[str, str] = field(default_factory=dict)
    process: str = DEFAULT

    def __post_init__(self) -> None:
        for kind, given, known in (("limit", self.limits, LIMITS), ("reservation", self.reserve, RESERVATIONS)):
            for key, value in given.items():
                if key not in known:
                    raise Problem(
                        "bad_resource",
                        f"a {kind} of {key!r} has no effect on a host with Docker; what has one: {listed(known)}",
                        [("memory: 2g", "in the inventory, the input or the task: one of these")],
                    )
                if value:
                    _measure(key, value)

    def read(self, dokku: Dokku) -> ResourcePresent:
        return ResourcePresent.of_host(*parse(dokku.report(self.app, "resource")))

    def plan(self, present: ResourcePresent) -> Plan:
        changes: list[Change] = []
        commands: list[Command] = []
        where = "" if self.process == DEFAULT else f" of {self.process}"
        process = () if self.process == DEFAULT else ("--process-type", self.process)
        for verb, noun, wanted, everything in (
            ("resource:limit", "limit", self.limits, present.limits),
            ("resource:reserve", "reservation", self.reserve, present.reserve),
        ):
            now = everything.get(self.process, {})
            flags: list[str] = []
            for key, value in sorted(wanted.items()):
                before = now.get(key, "")
                if before == value or (before and value and _same(key, before, value)):
                    continue
                changes.append(Change(f"{key} {noun}{where}", before, value))
                # `resource:limit-clear APP` would clear the limits and the reservations of every process.
                flags += [f"--{key}", value or "clear"]
            if flags:
                commands.append(Command((verb, *flags, *process, self.app)))
        if changes:
            self._must_fit(present)
        return Plan(tuple(changes), tuple(commands), self._warnings(present) if changes else ())

    def _merged(self, present: ResourcePresent) -> tuple[dict[str, str], dict[str, str]]:
        """Limits and reservations of the process, as Docker will get them at the next deploy."""
        sides = []
        for wanted, everything in ((self.limits, present.limits), (self.reserve, present.reserve)):
            own = {**everything.get(self.process, {}), **wanted}
            sides.append({key: value for key, value in {**everything.get(DEFAULT, {}), **own}.items() if value})
        return sides[0], sides[1]

    def _must_fit(self, present: ResourcePresent) -> None:
        limits, reserve = self._merged(present)
        if present.cpus and self.limits.get("cpu") and cpu(self.limits["cpu"]) > present.cpus:
            raise _bad(
                "cpu", self.limits["cpu"], f"this host has {present.cpus}, and Docker refuses a limit above that"
            )
        limit = _size(limits.get("memory"))
        reserved, swap = _size(reserve.get("memory")), limits.get("memory-swap", "")
        if limit and reserved and reserved > limit:
            raise _bad(
                "memory", reserve["memory"], f"a reservation above the limit of {limits['memory']} is refused by Docker"
            )
        if swap and not limit:
            raise _bad("memory-swap", swap, "Docker takes it only together with a limit of memory")
        total = _size(swap, "memory-swap")
        if limit and total and total < limit:
            raise _bad(
                "memory-swap", swap, f"it is memory and swap together, and less than the memory {limits['memory']}"
            )

    def _warnings(self, present: ResourcePresent) -> tuple[str, ...]:
        limits, _ = self._merged(present)
        found = ["limits hold from the next deploy or restart on; the containers that run keep theirs"]
        limit = _size(limits.get("memory"))
        if limit and present.memory and limit > present.memory:
            found.append(f"the memory limit {limits['memory']} is more than this host has ({present.memory >> 20}m)")
        return tuple(found)


def _size(text: str | None, what: str = "memory") -> int:
    """A present size; 0 without one, or if it can't be read."""
    try:
        return memory(text, what) if text else 0
    except Problem:
        return 0


def parse(report: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Limits and reservations by process, from `resource:report`."""
    limits: dict[str, dict[str, str]] = {}
    reserve: dict[str, dict[str, str]] = {}
    for name, value in report.items():
        process, kind, key = (*name.rsplit(".", 2), "", "")[:3]
        if kind in ("limit", "reserve") and value:
            (limits if kind == "limit" else reserve).setdefault(process, {})[key] = value
    return limits, reserve


def _host_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
