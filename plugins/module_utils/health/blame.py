# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cause of a failure: the release, or surroundings that no release can influence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RELEASE = "release"
SURROUNDINGS = "surroundings"
#: The operation was killed: nobody knows what the release would have done.
CUT = "cut"

#: Errors of a step that the machine, its network or its rights cause, whatever the release.
_MACHINE = re.compile(
    r"no space left on device|enospc|out of disk ?space|(disk )?quota exceeded|read-only file system|input/output error"
    r"|permission denied|operation not permitted|unable to unlink|insufficient permission"
    r"|could not resolve|name resolution|name or service not known|connection (refused|timed out|reset)"
    r"|cannot allocate memory|a password is required|is not allowed to (run|execute)",
    re.IGNORECASE,
)

#: How older records wrote down what no release can influence: answers, units, the scheduler.
_TOLD = re.compile(
    r"([^:]+: )?("
    r"the certificate (ends in -?\d+ days, at least \d+ are asked for|that \S+ shows for \S+ is refused: .*)"
    r"|answers in [\d.]+ s, the limit is [\d.e+]+ s"
    r"|the name \S+ (does not resolve|is not resolved) .*"
    r"|\S+ is (not running|not found on this host|masked|stopping|still starting|in the state)\b.*"
    r"|\S+ has (failed \(|a unit file that systemd cannot read).*"
    r"|\S+ is (active, but has no next run|called active, but its process has ended).*"
    r"|\S+ dies and is restarted again and again.*"
    r"|the crontab has no line that runs .*|the scheduler can't be checked: .*"
    r"|systemctl .*)\Z",
    re.DOTALL,
)


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be after a change. red: the gate does not pass with it."""

    text: str
    about: str = RELEASE
    red: bool = True


def verdict(problems: Iterable[Fault], redact: Callable[[str], str] = str) -> dict[str, Any]:
    """The gate's answer: ok, reason, about (both empty if ok), and surroundings: problems that it passed over."""
    found = list(problems)
    red = [problem for problem in found if problem.red]
    about = RELEASE if any(problem.about == RELEASE for problem in red) else SURROUNDINGS
    return {
        "ok": not red,
        "reason": redact("; ".join(problem.text for problem in red)),
        "about": about if red else "",
        "surroundings": [redact(problem.text) for problem in found if not problem.red],
    }


def answer(reason: str = "", about: str = SURROUNDINGS, **more: Any) -> dict[str, Any]:
    """The gate's answer where one sentence says all of it and no endpoint was asked; without a reason it is well."""
    return {**verdict([Fault(reason, about)] if reason else []), "health": [], **more}


def beside(found: Mapping[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """A gate's answer with problems of what an operation changed beside the release."""
    reasons = [*problems, *([str(found["reason"])] if found["reason"] else [])]
    about = found["about"] or (SURROUNDINGS if reasons else "")
    return {**found, "ok": not reasons, "reason": "; ".join(reasons), "about": about}


def so_before(found: Mapping[str, str], before: Mapping[str, str] | None) -> list[Fault]:
    """Problems of what runs beside the release, by name. What had one before the change is passed over, and named.

    before: the same, just before the change; None where nobody looked.
    """
    return [
        Fault(f"{text}, as before the change: not judged", SURROUNDINGS, red=False)
        if (before or {}).get(name)
        else Fault(text, RELEASE if before is not None else SURROUNDINGS)
        for name, text in found.items()
        if text
    ]


def of_error(error: str) -> str:
    """The cause of a step's error: release or surroundings."""
    return SURROUNDINGS if _MACHINE.search(error) else RELEASE


def of_record(record: Mapping[str, Any]) -> str:
    """The cause of a failed operation: release, surroundings or cut; empty if it is not known.

    Records of older runs do not say it; there the answers and the error show it.
    """
    if record.get("about"):
        return str(record["about"])
    bad = [answer for answer in record.get("failed_health") or record.get("health") or [] if not answer.get("ok")]
    if not all(_only_surroundings(str(answer.get("reason") or "")) for answer in bad):
        return RELEASE
    error = str(record.get("error") or "")
    if error.startswith("step '"):
        return CUT if "cut off" in error else of_error(error)
    told = error[len(_BACK) :] if error.startswith(_BACK) else error
    return SURROUNDINGS if bad or _only_surroundings(told) else ""


_BACK = "after going back: "


def _only_surroundings(text: str) -> bool:
    # A cause may hold a semicolon itself, but only at the end of a unit's sentence.
    parts: Sequence[str] = re.split(r"; (?!its log: )", text)
    return all(_TOLD.match(part) for part in parts)
