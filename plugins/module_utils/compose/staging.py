# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that the images for production passed on the staging host, by that host's own ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label, typed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

Release = Mapping[str, Any]


@dataclass(frozen=True)
class Staging:
    """Staging, as far as it is known. host: its name in the inventory; empty without one.

    seen: the result of operation_history_info there, or its error; None if nobody asked.
    required: images without a proof are refused.
    """

    host: str = ""
    seen: Mapping[str, Any] | None = None
    required: bool = False


@dataclass(frozen=True)
class Proof:
    """passed: the operation by which these images passed; empty where they did not. text: a sentence for a person."""

    passed: str
    text: str
    code: str = ""


def prove(staging: Staging, goal: Release) -> Proof:
    """Proof that staging ran the digests of a release, verified, and did not leave them as bad.

    Services may be named otherwise there, and it may run more of them.
    """
    host, seen = staging.host, staging.seen or {}
    if "releases" not in seen:
        why = " ".join(str(told(seen.get("msg")) or "it was not read").split())
        return Proof(
            "", f"{host} could not be asked, so it is not known whether these images passed there: {why}", "unasked"
        )
    if not seen["chain"]["ok"]:
        why = "; ".join(seen["chain"]["problems"])
        return Proof("", f"the ledger of {host} was edited or is incomplete, so it proves nothing: {why}", "damaged")
    known = [entry for entry in seen["releases"] if entry.get("images")]
    if not known:
        return Proof("", f"no operation on {host} has brought a release yet", "empty")
    needed = _digests(goal)
    same = [entry for entry in known if needed <= _digests(entry)]
    good = [entry for entry in same if entry["good"]]
    if good:
        newest = good[-1]
        when = str(newest["since"])[:16].replace("T", " ")
        now = ", and run there now" if newest["current"] else ""
        text = f"these digests passed on {host} at {when} UTC (operation {newest['operation']}){now}"
        return Proof(str(newest["operation"]), text)
    if same:
        by = same[-1]["condemned_by"]
        return Proof("", f"these digests ran on {host} and were not good there: operation {by}", "condemned")
    name = str(goal.get("name") or "")
    namesake = next((entry for entry in reversed(known) if name and entry["name"] == name), None)
    if namesake is not None:
        differ = "; ".join(_differences(namesake, goal))
        return Proof("", f"{host} ran other images by the name {name}: {differ}", "moved")
    current = next((entry for entry in known if entry["current"]), None)
    more = (seen.get("left_out") or {}).get("releases")
    where = f"are not among the last {len(seen['releases'])} releases of" if more else "never passed on"
    return Proof("", f"these digests {where} {host}, which is at {label(current)}", "never")


def judge(staging: Staging, goal: Release, good_here: str = "") -> tuple[list[str], list[str], dict[str, Any]]:
    """Lines of the plan, warnings, and what the ledger keeps. Raises Problem.

    good_here: for a rollback, the operation by which the target was good on this very host. It needs no other proof:
    a way back must not depend on another machine.
    """
    if not staging.host:
        return [], [], {}
    proof = prove(staging, goal)
    fact = {"staging": {"host": staging.host, "operation": proof.passed, "found": proof.code or "passed"}}
    if proof.passed:
        return [proof.text], [], fact
    if good_here and staging.required:
        return [f"not asked for: this release was good on this host (operation {good_here})"], [proof.text], fact
    if not staging.required:
        return [], [proof.text], fact
    raise Problem("not_on_staging", proof.text, tuple(_ways(staging, proof, goal)))


def _ways(staging: Staging, proof: Proof, goal: Release) -> list[tuple[str, str]]:
    ways: list[tuple[str, str]] = []
    if proof.code in ("never", "empty", "moved"):
        # A name that means other images there would bring them once more.
        to = typed(goal) if proof.code == "moved" or not goal.get("name") else str(goal["name"])
        ways.append((f"compose_deploy with target={staging.host} to={to}", "first; then the same command again"))
    elif proof.code == "condemned":
        ways.append(("to=<another release>", f"that was good on {staging.host}"))
    ways.append(("compose_staging_required=false", "continues without it; the ledger says so"))
    return ways


def _digests(release: Release) -> set[str]:
    return {str(image["digest"]) for image in (release.get("images") or {}).values()}


def _differences(there: Release, here: Release) -> Sequence[str]:
    """Services of which another image ran there. Whatever its name, a digest that ran there is not one."""
    ran = _digests(there)
    lines = []
    for service, image in here["images"].items():
        if image["digest"] in ran:
            continue
        other = str((there["images"].get(service) or {}).get("digest") or "")
        was = f"was {other[:19]}" if other else "had no image"
        lines.append(f"{service} {was} there and is {str(image['digest'])[:19]} here")
    return lines
