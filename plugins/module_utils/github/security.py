# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Security settings of a repository. Each is read back: GitHub answers some of them with "yes" and does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State, Write, compared

#: Settings of the repository itself, by the name that GitHub has for them.
ANALYSIS = {
    "secret_scanning": "secret_scanning",
    "push_protection": "secret_scanning_push_protection",
}
#: Settings with an address of their own.
ADDRESSES = {
    "dependabot_alerts": "vulnerability-alerts",
    "dependabot_security_updates": "automated-security-fixes",
}
SETTINGS = (*ANALYSIS, *ADDRESSES)

#: Settings that need another one.
NEEDS = {"push_protection": "secret_scanning", "dependabot_security_updates": "dependabot_alerts"}


@dataclass(frozen=True)
class SecurityPresent:
    """Each of SETTINGS; None where GitHub does not show it to this token."""

    values: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """values: of SETTINGS those that are given."""

    repository: str
    values: Mapping[str, bool] = field(default_factory=dict)


def analysis(body: Mapping[str, Any]) -> dict[str, bool | None]:
    """The settings of the repository itself. Pure."""
    shown = body.get("security_and_analysis")
    if not isinstance(shown, Mapping):
        # GitHub leaves the whole of it out for who does not administer the repository.
        return dict.fromkeys(ANALYSIS)
    return {name: (shown.get(key) or {}).get("status") == "enabled" for name, key in ANALYSIS.items()}


def contradiction(values: Mapping[str, bool]) -> str:
    """Settings that can't be wanted together; empty without any. Pure."""
    for one, other in NEEDS.items():
        if values.get(one) and values.get(other) is False:
            return f"{one} needs {other}, and {other} is to be off"
    return ""


def plan(wanted: Wanted, present: SecurityPresent) -> Plan:
    """The differences, and the writes. Pure."""
    hidden = sorted(name for name in wanted.values if present.values.get(name) is None)
    if hidden:
        raise GitHubError(
            "hidden",
            f"GitHub does not show this token {', '.join(hidden)} of {wanted.repository}, so it can't be compared",
            [("the token's settings", "give it the permission administration=write for this repository")],
        )
    target = dict(wanted.values)
    for one, other in NEEDS.items():
        if target.get(one) and not present.values.get(other):
            target[other] = True
        if target.get(other) is False and present.values.get(one):
            target[one] = False
    changes = compared(present.values, target)
    differing = {change.subject for change in changes}
    path = repository_path(wanted.repository)
    writes: list[Write] = []
    body = {
        ANALYSIS[name]: {"status": "enabled" if target[name] else "disabled"} for name in ANALYSIS if name in differing
    }
    if body:
        writes.append(Write("PATCH", path, {"security_and_analysis": body}))
    own = [name for name in ADDRESSES if name in differing]
    # Alerts before the updates that need them, and off in the other order.
    on = [Write("PUT", f"{path}/{ADDRESSES[name]}") for name in own if target[name]]
    off = [Write("DELETE", f"{path}/{ADDRESSES[name]}") for name in reversed(own) if not target[name]]
    return Plan(changes, (*writes, *on, *off))


class Security(State[SecurityPresent]):
    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.what = f"security of {wanted.repository}"
        repository_path(wanted.repository)
        if problem := contradiction(wanted.values):
            raise GitHubError("bad_input", problem, [("the same again", "with both on, or both off")])

    def read(self, github: GitHub) -> SecurityPresent:
        path = repository_path(self.wanted.repository)
        # First: a 404 of the repository does not mean that the alerts are off.
        values = analysis(github.get(path))
        values["dependabot_alerts"] = github.exists(f"{path}/{ADDRESSES['dependabot_alerts']}")
        fixes = github.find(f"{path}/{ADDRESSES['dependabot_security_updates']}")
        values["dependabot_security_updates"] = bool((fixes or {}).get("enabled"))
        return SecurityPresent(values)

    def plan(self, present: SecurityPresent) -> Plan:
        return plan(self.wanted, present)
