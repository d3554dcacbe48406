# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of one rotation over all its hosts, and the orders that each host gets at its end.

There is one secret and several hosts. Nothing is removed anywhere unless every host lets the new key in and CI has it,
and where one host does not let it in, all of them go back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import rotation
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.rotation import (
    AUTHORISE,
    BEGUN,
    DONE,
    GENERATE,
    KEEP,
    PROVE_CI,
    PROVE_LOGIN,
    PROVE_REMOVED,
    PUT_SECRET,
    REMOVE_OLD,
    Event,
    Progress,
    Step,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """The results of a run so far, by host; empty if a host, or the whole run, has none yet."""

    hosts: Sequence[str]
    planned: Mapping[str, Result] = field(default_factory=dict)
    made: Result = field(default_factory=dict)
    let_in: Mapping[str, Result] = field(default_factory=dict)
    announced: Mapping[str, Result] = field(default_factory=dict)
    put: Result = field(default_factory=dict)
    proven: Result = field(default_factory=dict)
    removed: Mapping[str, Result] = field(default_factory=dict)

    @property
    def undoes(self) -> bool:
        return any(result.get("direction") == "back" for result in self.planned.values())

    @property
    def continues(self) -> list[str]:
        return [host for host, result in self.planned.items() if result.get("continues")]

    @property
    def working(self) -> list[str]:
        """Hosts still to be rotated. A host that holds only the new key was finished by an earlier run."""
        new = self.made.get("fingerprint", "")
        return [host for host in self.hosts if not new or _old(self.planned[host]) != new]

    @property
    def progress(self) -> Progress:
        """Progress of the rotation. Only proofs of this run count; proofs of earlier runs are left out."""
        steps = []
        if self.made.get("ok"):
            steps += [Step(GENERATE), Step(KEEP)]
        hosts = self.working
        for host in hosts:
            result = self.let_in.get(host) or {}
            steps += [Step(AUTHORISE, host)] if AUTHORISE in result.get("done", ()) else []
            steps += [Step(PROVE_LOGIN, host)] if result.get("ok") else []
        steps += [Step(PUT_SECRET)] if self.put.get("ok") else []
        steps += [Step(PROVE_CI)] if self.proven.get("ok") else []
        for host in hosts:
            if (self.removed.get(host) or {}).get("ok"):
                steps += [Step(REMOVE_OLD, host), Step(PROVE_REMOVED, host)]
        return rotation.fold(hosts, [Event(kind, step) for step in steps for kind in (BEGUN, DONE)])

    def may_put(self) -> bool:
        announced = all((self.announced.get(host) or {}).get("ok") for host in self.working)
        return bool(self.working) and announced and rotation.following(self.progress) == Step(PUT_SECRET)


def _old(planned: Result) -> str:
    return str(((planned.get("plan") or {}).get("from") or {}).get("id") or "")


def kept(run: Run) -> tuple[str, str]:
    """Fingerprint and place of the key that an interrupted run kept; empty for a new rotation. Raises ValueError."""
    found = set()
    for host in run.continues:
        plan = run.planned[host]["plan"]
        found.add((str(plan["to"]["id"]), str(plan.get("kept") or "")))
    if len(found) > 1:
        raise ValueError(f"the hosts were interrupted in different rotations: {', '.join(sorted(run.continues))}")
    return found.pop() if found else ("", "")


def absent(run: Run, known: Sequence[str]) -> list[str]:
    """Hosts that the secret opens and that are not in this run, where that would lock CI out of them.

    Once the secret was put, every host had let the new key in: then those that have come to their end may be left out.
    """
    missing = [host for host in known if host not in run.hosts]
    put = any(run.planned[host].get("one_way") for host in run.continues)
    return [] if put or run.undoes else missing


@dataclass(frozen=True)
class Closing:
    """How one host ends. only and reports: steps still to be journalled. back: why it goes back, if it does.

    already: an earlier run finished it.
    """

    only: tuple[str, ...] = ()
    reports: Mapping[str, Result] = field(default_factory=dict)
    back: str = ""
    already: bool = False


def closing(run: Run, host: str) -> Closing:
    """The order that one host gets at its end. Pure."""
    if run.undoes:
        return Closing(back="interrupted=undo") if host in run.continues else Closing(already=True)
    if not run.made.get("ok"):
        # Before anything; what an interrupted run left stays as it is.
        return Closing(back="" if run.planned[host].get("continues") else _why("", run.made, "no key was made"))
    if host not in run.working:
        return Closing(already=True)
    # If only CI may have the new key, no host may lose it.
    one_way = any(result.get("one_way") for result in run.planned.values())
    for other in run.working:
        result = run.let_in.get(other) or {}
        if not result.get("ok"):
            why = _why(other, result, "did not let the new key in")
            return Closing(back="" if one_way else why)
    for other in run.working:
        if not (run.announced.get(other) or {}).get("ok"):
            why = _why(other, run.announced.get(other) or {}, "could not journal the next step")
            # Nothing was put: the others have announced it, and say that it did not happen.
            report = {"ok": False, "untouched": True, "error": why}
            return Closing((PUT_SECRET,), {PUT_SECRET: report}, "" if one_way else why)
    if not run.put.get("ok"):
        untouched = bool(run.put.get("untouched"))
        why = _why("", run.put, "the secret was not put")
        report = {"ok": False, "untouched": untouched, "error": why}
        return Closing((PUT_SECRET,), {PUT_SECRET: report}, why if untouched and not one_way else "")
    put = {PUT_SECRET: {"ok": True, "note": run.put.get("note")}}
    if not run.proven.get("ok"):
        report = {"ok": False, "error": _why("", run.proven, "CI's key was not proven")}
        return Closing((PUT_SECRET, PROVE_CI), {**put, PROVE_CI: report})
    proven = {**put, PROVE_CI: {"ok": True, "note": run.proven.get("note")}}
    mine = run.removed.get(host) or {}
    if mine.get("ok") or mine.get("begun"):
        return Closing()
    failed = [other for other in run.working if run.removed.get(other) and not run.removed[other].get("ok")]
    why = _why(failed[0], run.removed[failed[0]], "") if failed else "its turn never came"
    return Closing(
        (PUT_SECRET, PROVE_CI, REMOVE_OLD),
        {**proven, REMOVE_OLD: {"ok": False, "untouched": True, "error": f"nothing is removed here: {why}"}},
    )


def _why(host: str, result: Result, otherwise: str) -> str:
    text = str(result.get("error") or told(result.get("msg")) or otherwise)
    return f"{host}: {text}" if host else text


def absent_refusal(hosts: Sequence[str], wanted: Sequence[str]) -> Problem:
    """Refuses a rotation that leaves out hosts which the secret opens. wanted: all of them."""
    return Problem(
        "hosts_missing",
        f"the secret opens {', '.join(hosts)} too, which would not let the new key in",
        (
            (f"target={','.join(wanted)}", "rotates on all of them"),
            ("ssh_key_hosts", "in the inventory: the hosts of the secret"),
        ),
    )
