# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions of all hosts of one run together: if they begin, in which batches, and which of them go back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.console.unanswered import reason, understood
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import NO_PLAN
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import identity, label, typed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import (
        Applied,
        End,
        Outcome,
        Plan,
        Planned,
        Release,
    )

#: Results of one task by host name, in the order in which the hosts are worked on; empty for a host without one.
Results = Mapping[str, Mapping[str, Any]]
Plans = Mapping[str, "Planned"]
Outcomes = Mapping[str, "Outcome"]

#: One host alone, then the rest together.
CANARY_FIRST: tuple[str, ...] = ("1", "100%")

#: Why a host was left alone where nobody failed.
STOPPED = "the run was asked to stop"

_SIZE = re.compile(r"[1-9][0-9]*|(?:[1-9][0-9]?|100)%")


class BatchInvalid(ValueError):
    """The value of `batch` is not a list of sizes."""


# -- batches -------------------------------------------------------------------------------------


def batch_sizes(batch: object) -> list[str]:
    """The sizes in the operator's `batch`: hosts or percents; as one value, a list, or a list as text.

    Raises BatchInvalid. Ansible itself would only notice after every lease was taken.
    """
    if batch is None or batch == "":
        return list(CANARY_FIRST)
    given: object = batch
    if isinstance(batch, str):
        try:
            given = json.loads(batch) if batch.lstrip().startswith("[") else batch.split(",")
        except ValueError:
            given = batch
    sizes = [str(size).strip() for size in given] if isinstance(given, (list, tuple)) else [str(given)]
    if not sizes or not all(_SIZE.fullmatch(size) for size in sizes):
        raise BatchInvalid(
            f"batch is {batch!r}; it must be a number of hosts, a percentage, or several of them: "
            "-e batch=1,50%,100% works on one host, then on half of them, then on the rest"
        )
    return sizes


def split(sizes: Sequence[str], hosts: Sequence[str]) -> list[list[str]]:
    """The batches, as Ansible's `serial` makes them: a percentage is of all hosts, the last size is repeated."""
    batches: list[list[str]] = []
    done = 0
    while done < len(hosts):
        size = sizes[min(len(batches), len(sizes) - 1)]
        # In floats, as Ansible does it: 29% of 100 hosts are 28.
        count = (int(int(size[:-1]) / 100.0 * len(hosts)) or 1) if size.endswith("%") else int(size)
        batches.append(list(hosts[done : done + count]))
        done += count
    return batches


# -- before anything is changed ------------------------------------------------------------------


@dataclass(frozen=True)
class Orders:
    """Orders of the operator and the inventory for a run.

    batch: the sizes. on_unhealthy: an unhealthy host does: revert or hold. on_partial: the others do then:
    revert or stop. migrate_on: each host migrates, or only the first.
    """

    batch: Sequence[str] = CANARY_FIRST
    on_unhealthy: str = "revert"
    on_partial: str = "stop"
    migrate_on: str = "each"


def decision(planned: Plans, orders: Orders, check_mode: bool, stopped: bool = False) -> dict[str, Any]:
    """The decision if the hosts go on: all do, or none.

    go: change the hosts. planned: there is a plan to show. refused: at least one host does not go on.
    code and refusal: of the first of them, for the records of the others. together: a refusal that concerns
    no single host, or None. close_at_once: no host can be asked to go back after it was well, so each
    records its own outcome and gives its lease back without another round trip. stopped: whoever started the run
    wants it to end.
    """
    refused = [host for host, result in planned.items() if problem(result)]
    together = None if refused else _refuse_together(planned, orders)
    if stopped and not check_mode and not refused:
        together = Problem(
            "stopped", f"{STOPPED} before anything was changed", (("the same command again", "does it"),)
        )
    if together is not None:
        code, text = together.code, together.text
    else:
        code, text = "another_host", f"{refused[0]}: {problem(planned[refused[0]])}" if refused else ""
    return {
        "go": not text and not check_mode,
        "planned": any(result.get("plan") for result in planned.values()),
        "refused": bool(text),
        "code": code if text else "",
        "refusal": text,
        "together": together.to_dict() if together else None,
        "close_at_once": len(planned) == 1 or orders.on_partial == "stop",
    }


def problem(result: Planned) -> str:
    """Why a host can't go on; empty where it can."""
    if not result:
        return "it was not planned"
    if result.get("unreachable"):
        return f"it can't be reached: {reason(result)}"
    refusal = result.get("refusal")
    if refusal:
        return str(refusal["text"])
    return "" if result.get("plan") else str(told(result.get("msg")) or "it was not planned")


def _refuse_together(planned: Plans, orders: Orders) -> Problem | None:
    return _diverged(planned) or _migrations_beside_others(planned, orders)


def _diverged(planned: Plans) -> Problem | None:
    """`previous` means one release for all hosts, or nothing."""
    plans = {
        host: plan for host, result in planned.items() if (plan := result.get("plan")) and not result.get("continues")
    }
    asked = [host for host, plan in plans.items() if plan.get("asked") == "previous"]
    if not asked or not (_differ(plans.values(), "from") or _differ(plans.values(), "to")):
        return None
    width = max(map(len, plans))
    ways: list[tuple[str, str]] = []
    for release in _distinct(plan.get("to") for plan in plans.values()):
        these = [host for host, plan in plans.items() if identity(plan.get("to")) == identity(release)]
        ways.append(
            (f"to={typed(release)}", f"brings all of them to {label(release)}, the previous one of {', '.join(these)}")
        )
    ways += [(f"-l {host}", f"this host alone, to {label(plan.get('to'))}") for host, plan in plans.items()]
    differ = "are on different releases" if _differ(plans.values(), "from") else "came from different releases"
    return Problem(
        "hosts_diverged",
        f"the hosts {differ}, so `previous` is not the same release on each",
        tuple(ways),
        tuple(
            f"{host.ljust(width)}  is at {label(plan.get('from'))}, previous is {label(plan.get('to'))}"
            for host, plan in plans.items()
        ),
    )


def _differ(plans: Iterable[Plan], end: End) -> bool:
    return len({identity(plan.get(end)) for plan in plans}) > 1


def _migrations_beside_others(planned: Plans, orders: Orders) -> Problem | None:
    """The host that migrates for all must be done before another one switches."""
    first = next(iter(planned))
    together = split(orders.batch, list(planned))[0]
    if orders.migrate_on != "first" or len(together) == 1 or not migrating(planned):
        return None
    return Problem(
        "migrations_need_canary",
        f"migrations are for {first} alone, which has to be done before the other hosts, but the first batch is "
        f"{', '.join(together)}",
        (("batch=1,100%", f"works on {first} alone first, then on the others together; this is the default"),),
    )


def migrating(planned: Plans) -> bool:
    """True if a host of the run has migrations to run or to undo."""
    plans = [(result.get("plan") or NO_PLAN).get("migrations") for result in planned.values()]
    # A question without an answer may bring some.
    return any(
        found and (found.get("run") or found.get("down") or (found.get("migrate") and found.get("unasked")))
        for found in plans
    )


# -- while it is changed -------------------------------------------------------------------------


def halted(applied: Mapping[str, Applied], stopped: bool = False) -> bool:
    """True if a host that was worked on is unhealthy, or the run is to end: the following batches are left alone."""
    return stopped or any(result and not result.get("healthy") for result in applied.values())


def course(planned: Plans, applied: Mapping[str, Applied], orders: Orders) -> dict[str, Any]:
    """The course of each host once no batch follows.

    back: the hosts that are asked to go back, each with the reason to record; empty where its own journal has it.
    untouched: the hosts whose turn never came. why: names the host that was not well.
    """
    tried = [host for host, result in applied.items() if result]
    failed = [host for host in tried if not applied[host].get("healthy")]
    untouched = [host for host in applied if host not in tried]
    if not failed:
        # If all are healthy, only a run that was asked to stop leaves hosts out.
        return {"back": {}, "untouched": untouched, "why": STOPPED if untouched else ""}
    why = f"{failed[0]} {_fault(applied[failed[0]])}"
    batches = split(orders.batch, list(planned))
    # A canary is there to be looked at: what was asked for it is done, and its failure concerns no other host.
    canary = len(batches) == 1 == len(planned) or (len(batches) > 1 and set(tried) <= set(batches[0]))
    back: dict[str, str] = {}
    for host in tried:
        result, plan = applied[host], planned[host].get("plan") or NO_PLAN
        forward = planned[host].get("direction") != "back"
        if not plan.get("steps") or result.get("closed") or result.get("reverted"):
            continue
        if host not in failed:
            if forward and orders.on_partial == "revert" and len(planned) > 1:
                back[host] = why
        elif "healthy" not in result:
            # Its process died or its answer was lost: nothing has gone back there that is known of.
            if orders.on_unhealthy == "revert" or (not canary and orders.on_partial == "revert"):
                back[host] = ""
        elif forward and orders.on_unhealthy == "hold" and not canary and orders.on_partial == "revert":
            back[host] = ""
    return {"back": back, "untouched": untouched, "why": why}


def _fault(result: Applied) -> str:
    if result.get("unreachable"):
        return "can't be reached any more"
    return f"failed: {result.get('error') or told(result.get('msg')) or 'no reason is known'}"


# -- after it ------------------------------------------------------------------------------------


def outcomes(known: Mapping[str, Mapping[str, Any]], ends: str = "") -> dict[str, Outcome]:
    """How the operation ended on each host; with the plan, and what was verified, beside it.

    known: by host, what the guard registered. ends: when the lease of a host that is lost ends.
    """
    found: dict[str, Outcome] = {}
    for host, names in known.items():
        applied, recovered = registered(names, "operation_applied"), registered(names, "operation_recovered")
        closed = applied.get("closed") or registered(names, "operation_closed")
        course = registered(names, "operation_course")
        found[host] = cast(
            "Outcome",
            {
                **closed,
                "planned": registered(names, "operation_planned"),
                "verified": recovered.get("verified") or applied.get("verified") or {},
                "untouched": course["why"] if host in course.get("untouched", []) else "",
                "lease_ends": "" if closed.get("outcome") else ends,
            },
        )
    return found


def registered(known: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The results that a task registered; empty if it did not run."""
    result = known.get(name)
    # A task that is skipped leaves a result too, and has done nothing.
    return understood(result) if isinstance(result, Mapping) and not result.get("skipped") else {}


def plan_of(result: Outcome) -> Plan:
    """The plan of a host; NO_PLAN where it has none."""
    return (result.get("planned") or {}).get("plan") or NO_PLAN


def standing(result: Outcome) -> Release | None:
    """The release of a host at the end; None if nobody knows."""
    record, plan = result.get("record"), plan_of(result)
    there: Release | None = plan.get("to") if result.get("outcome") and not plan.get("steps") else None
    if record:
        there = record.get("left")
    if result.get("untouched"):
        there = plan.get("from")
    return there


def mix(results: Outcomes) -> list[tuple[Mapping[str, Any] | None, list[str]]]:
    """The releases that the hosts are on, each with its hosts; empty where all are on one, or none is on any."""
    if any(plan_of(result).get("halfway") for result in results.values()):
        return []
    stands = {host: standing(result) for host, result in results.items()}
    found: list[tuple[Mapping[str, Any] | None, list[str]]] = [
        (release, [host for host in stands if identity(stands[host]) == identity(release)])
        for release in _distinct(stands.values())
    ]
    lost = [host for host, release in stands.items() if not release]
    found += [(None, lost)] if lost else []
    return found if len(found) > 1 else []


def ends(plans: Iterable[Plan]) -> list[Mapping[str, Any]]:
    """The releases that these plans go to or come from, each once; where they go to comes first."""
    every = list(plans)
    return _distinct([*(plan.get("to") for plan in every), *(plan.get("from") for plan in every)])


# -- a release as text ---------------------------------------------------------------------------


def _distinct(releases: Iterable[Mapping[str, Any] | None]) -> list[Mapping[str, Any]]:
    return list({identity(release): release for release in releases if release and identity(release)}.values())
