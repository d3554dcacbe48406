# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protection of a branch: checks that must be green, who reviews, who pushes, and what nobody may do.

GitHub's PUT replaces the whole protection. So it carries what is wanted, and the rest as it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State, Write, compared, shown

#: Options that are a yes or a no in GitHub's body under the same name.
SWITCHES = (
    "required_linear_history",
    "allow_force_pushes",
    "allow_deletions",
    "block_creations",
    "required_conversation_resolution",
    "lock_branch",
    "allow_fork_syncing",
)

#: The protection of an unprotected branch, and the defaults of reviews and checks.
NOTHING: dict[str, Any] = {
    "checks": [],
    "strict": False,
    "approvals": None,
    "dismiss_stale": False,
    "code_owners": False,
    "last_push": False,
    "enforce_admins": False,
    "pushers": None,
    "signatures": False,
    **dict.fromkeys(SWITCHES, False),
}

#: Of these the order says nothing.
_REVIEWS = ("dismiss_stale", "code_owners", "last_push")
MOST_APPROVALS = 6


@dataclass(frozen=True)
class ProtectionPresent:
    """A protection as it is. values: the keys of NOTHING. kept: what is carried over as it is, in GitHub's words."""

    there: bool = False
    values: Mapping[str, Any] = field(default_factory=lambda: dict(NOTHING))
    apps: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """values: of the keys of NOTHING those that are given. no_reviews: no pull request is needed."""

    repository: str
    branch: str
    present: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def branch_path(self) -> str:
        return f"{repository_path(self.repository)}/branches/{part(self.branch)}"

    @property
    def path(self) -> str:
        return f"{self.branch_path}/protection"


def checked(wanted: Wanted) -> Wanted:
    """The wanted protection. Raises GitHubError where it can't be; contacts nobody."""
    repository_path(wanted.repository)
    if not wanted.branch or "*" in wanted.branch:
        raise GitHubError(
            "bad_input",
            f"{wanted.branch!r} is not the name of one branch",
            [("ops.runbook.github_ruleset", "protects branches by a pattern")],
        )
    approvals = wanted.values.get("approvals")
    if approvals is not None and not -1 <= approvals <= MOST_APPROVALS:
        raise GitHubError(
            "bad_input",
            f"required_approvals={approvals} is not within 0 and {MOST_APPROVALS}",
            [("required_approvals=-1", "no pull request is needed")],
        )
    return wanted


def _names(found: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    """Names of those who may, by kind, as GitHub's PUT takes them."""
    if found is None:
        return None
    return {
        "users": sorted(str(one["login"]).lower() for one in found.get("users") or []),
        "teams": sorted(str(one["slug"]).lower() for one in found.get("teams") or []),
        "apps": sorted(str(one["slug"]).lower() for one in found.get("apps") or []),
    }


def present_of(body: Mapping[str, Any] | None) -> ProtectionPresent:
    """A protection as GitHub describes it. Pure."""
    if body is None:
        return ProtectionPresent()
    status = body.get("required_status_checks") or {}
    reviews = body.get("required_pull_request_reviews")
    values = {
        **NOTHING,
        "checks": sorted({str(one["context"]) for one in status.get("checks") or []} | {*status.get("contexts", [])}),
        "strict": bool(status.get("strict")),
        "approvals": None if reviews is None else int(reviews.get("required_approving_review_count") or 0),
        "dismiss_stale": bool((reviews or {}).get("dismiss_stale_reviews")),
        "code_owners": bool((reviews or {}).get("require_code_owner_reviews")),
        "last_push": bool((reviews or {}).get("require_last_push_approval")),
        "pushers": _names(body.get("restrictions")),
        "enforce_admins": _on(body, "enforce_admins"),
        "signatures": _on(body, "required_signatures"),
        **{key: _on(body, key) for key in SWITCHES},
    }
    apps = {
        str(one["context"]): int(one["app_id"])
        for one in status.get("checks") or []
        if one.get("app_id") is not None and int(one["app_id"]) > 0
    }
    # No option names who may dismiss a review, or merge without one: that is carried over.
    kept = {
        key: _names(found)
        for key in ("dismissal_restrictions", "bypass_pull_request_allowances")
        if (found := (reviews or {}).get(key)) is not None
    }
    return ProtectionPresent(True, values, apps, kept)


def _on(body: Mapping[str, Any], key: str) -> bool:
    return bool((body.get(key) or {}).get("enabled"))


def merged(wanted: Wanted, present: ProtectionPresent) -> dict[str, Any]:
    """How it is to be: what is given, and the rest as it is. Pure."""
    found = {**present.values, **wanted.values}
    if found["approvals"] == -1:
        found["approvals"] = None
    if found["approvals"] is None:
        if any(wanted.values.get(key) for key in _REVIEWS):
            if wanted.values.get("approvals") == -1:
                raise GitHubError(
                    "bad_input",
                    "rules for reviews are given, and required_approvals=-1 asks for none",
                    [("required_approvals", "0 or more, or without the rules for reviews")],
                )
            found["approvals"] = 1
        else:
            found.update(dict.fromkeys(_REVIEWS, False))
    found["checks"] = sorted(set(found["checks"]))
    return found


def body_of(values: Mapping[str, Any], present: ProtectionPresent) -> dict[str, Any]:
    """The whole body of the PUT. Pure."""
    checks = None
    # Without a check, "up to date before merging" would still hold: it is kept where it is wanted.
    if values["checks"] or values["strict"]:
        checks = {
            "strict": values["strict"],
            # Without `contexts`, although the description asks for it: GitHub answers 422 to a body with both.
            # https://github.com/google/go-github/issues/2976
            "checks": [
                # A check of one app stays that app's; -1 is any.
                {"context": name, "app_id": present.apps.get(name, -1)}
                for name in values["checks"]
            ],
        }
    reviews = None
    if values["approvals"] is not None:
        reviews = {
            "required_approving_review_count": values["approvals"],
            "dismiss_stale_reviews": values["dismiss_stale"],
            "require_code_owner_reviews": values["code_owners"],
            "require_last_push_approval": values["last_push"],
            **present.kept,
        }
    return {
        "required_status_checks": checks,
        "enforce_admins": values["enforce_admins"],
        "required_pull_request_reviews": reviews,
        "restrictions": values["pushers"],
        **{key: values[key] for key in SWITCHES},
    }


def plan(wanted: Wanted, present: ProtectionPresent) -> Plan:
    """The differences, and the writes. Pure."""
    if not wanted.present:
        if not present.there:
            return Plan()
        return Plan((Change("protection", wanted.branch, ""),), (Write("DELETE", wanted.path),))
    target = merged(wanted, present)
    # "None" is a value of these two: compared() would take it for "as it is".
    before, after = _told(present.values), _told(target)
    changes = compared(before, after)
    if not present.there:
        given = tuple(Change(one.subject, "", one.after) for one in changes)
        changes = (Change("protection", "", wanted.branch), *given)
    writes: list[Write] = []
    if any(change.subject != "signatures" for change in changes):
        writes.append(Write("PUT", wanted.path, body_of(target, present)))
    if target["signatures"] != present.values["signatures"]:
        # The one rule that the PUT does not carry.
        method = "POST" if target["signatures"] else "DELETE"
        writes.append(Write(method, f"{wanted.path}/required_signatures"))
    return Plan(changes, tuple(writes), warnings(target))


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **values,
        "approvals": "no pull request needed" if values["approvals"] is None else values["approvals"],
        "pushers": "anybody who may write"
        if values["pushers"] is None
        else shown([f"{kind}: {', '.join(names)}" for kind, names in sorted(values["pushers"].items()) if names]),
    }


def warnings(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The warnings of an audit. Pure."""
    told = []
    if not values["enforce_admins"]:
        told.append("Administrators may push past this protection; enforce_admins=true ends that.")
    if values["allow_force_pushes"]:
        told.append("History of the branch may be rewritten: allow_force_pushes is on.")
    return tuple(told)


class Protection(State[ProtectionPresent]):
    def __init__(self, wanted: Wanted) -> None:
        self.wanted = checked(wanted)
        self.what = f"protection of {wanted.branch} of {wanted.repository}"

    def read(self, github: GitHub) -> ProtectionPresent:
        body = github.find(self.wanted.path)
        if body is None and not github.exists(self.wanted.branch_path):
            github.get(repository_path(self.wanted.repository))
            raise GitHubError(
                "branch_missing",
                f"{self.wanted.repository} has no branch {self.wanted.branch}",
                [
                    ("branch", "check how it is written"),
                    ("ops.runbook.github_ruleset", "protects branches before they are there"),
                ],
            )
        return present_of(body)

    def plan(self, present: ProtectionPresent) -> Plan:
        return plan(self.wanted, present)
