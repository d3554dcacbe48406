# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An environment that deployments wait for: who approves, how long it waits, from which branches.

GitHub's PUT resets each field that it does not get. So one PUT carries all fields: the wanted ones, and the rest as
they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State, Write, compared, shown

#: GitHub's limits.
MOST_REVIEWERS = 6
LONGEST_WAIT = 43200

#: A person or a team that approves, as (User or Team, name).
Reviewer = tuple[str, str]
#: A pattern that deployments may come from, as (branch or tag, pattern).
Pattern = tuple[str, str]


@dataclass(frozen=True)
class EnvironmentPresent:
    """An environment as it is. policy: all, protected or selected. ids: of reviewers and of patterns, by name.

    admins_bypass: None where GitHub does not say.
    """

    there: bool = False
    reviewers: tuple[Reviewer, ...] = ()
    wait_timer: int = 0
    prevent_self_review: bool = False
    policy: str = "all"
    patterns: tuple[Pattern, ...] = ()
    admins_bypass: bool | None = None
    reviewer_ids: tuple[tuple[Reviewer, int], ...] = ()
    pattern_ids: tuple[tuple[Pattern, int], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """None: as it is."""

    repository: str
    name: str
    present: bool = True
    reviewers: tuple[Reviewer, ...] | None = None
    wait_timer: int | None = None
    prevent_self_review: bool | None = None
    policy: str | None = None
    patterns: tuple[Pattern, ...] | None = None
    admins_bypass: bool | None = None

    @property
    def path(self) -> str:
        return f"{repository_path(self.repository)}/environments/{part(self.name)}"


def checked(wanted: Wanted) -> Wanted:
    """The wanted environment. Raises GitHubError where it can't be; contacts nobody."""
    repository_path(wanted.repository)
    if not wanted.name or len(wanted.name) > 255:
        raise GitHubError("bad_input", "the name of an environment has 1 to 255 characters", [("name", "such a name")])
    if wanted.reviewers is not None and len(set(wanted.reviewers)) > MOST_REVIEWERS:
        raise GitHubError(
            "bad_input",
            f"{len(set(wanted.reviewers))} reviewers are wanted, and GitHub takes {MOST_REVIEWERS}",
            [("reviewer_teams", "a team counts as one")],
        )
    if wanted.wait_timer is not None and not 0 <= wanted.wait_timer <= LONGEST_WAIT:
        raise GitHubError(
            "bad_input",
            f"wait_timer={wanted.wait_timer} is not within 0 and {LONGEST_WAIT} minutes",
            [(f"wait_timer={LONGEST_WAIT}", "waits as long as GitHub can")],
        )
    if wanted.patterns and wanted.policy not in (None, "selected"):
        raise GitHubError(
            "bad_input",
            f"branches and tags are named, and branch_policy={wanted.policy} does not look at them",
            [("branch_policy=selected", "deployments come from these alone")],
        )
    return wanted


def present_of(
    body: Mapping[str, Any] | None,
    listed: tuple[Mapping[str, Any], ...] = (),
    known: tuple[tuple[Reviewer, int], ...] = (),
) -> EnvironmentPresent:
    """An environment as GitHub describes it. listed: its patterns. known: ids of the wanted reviewers. Pure."""
    if body is None:
        return EnvironmentPresent(reviewer_ids=known)
    rules = {str(rule.get("type")): rule for rule in body.get("protection_rules") or []}
    required = rules.get("required_reviewers", {})
    found: list[tuple[Reviewer, int]] = []
    for one in required.get("reviewers") or []:
        who = one["reviewer"]
        name = who["login"] if one["type"] == "User" else who["slug"]
        found.append(((str(one["type"]), str(name).lower()), int(who["id"])))
    policy = body.get("deployment_branch_policy")
    patterns = tuple(((str(one.get("type") or "branch"), str(one["name"])), int(one["id"])) for one in listed)
    bypass = body.get("can_admins_bypass")
    return EnvironmentPresent(
        there=True,
        reviewers=tuple(sorted(reviewer for reviewer, _number in found)),
        wait_timer=int(rules.get("wait_timer", {}).get("wait_timer") or 0),
        prevent_self_review=bool(required.get("prevent_self_review")),
        policy="all" if not policy else "protected" if policy.get("protected_branches") else "selected",
        patterns=tuple(sorted(pattern for pattern, _number in patterns)),
        admins_bypass=None if bypass is None else bool(bypass),
        reviewer_ids=tuple(sorted({**dict(found), **dict(known)}.items())),
        pattern_ids=tuple(sorted(patterns)),
    )


def merged(wanted: Wanted, present: EnvironmentPresent) -> EnvironmentPresent:
    """How it is to be: what is wanted, and the rest as it is. Pure."""
    patterns = present.patterns if wanted.patterns is None else tuple(sorted(set(wanted.patterns)))
    policy = wanted.policy or ("selected" if wanted.patterns else present.policy)
    return EnvironmentPresent(
        there=wanted.present,
        reviewers=present.reviewers if wanted.reviewers is None else tuple(sorted(set(wanted.reviewers))),
        wait_timer=present.wait_timer if wanted.wait_timer is None else wanted.wait_timer,
        prevent_self_review=present.prevent_self_review
        if wanted.prevent_self_review is None
        else wanted.prevent_self_review,
        policy=policy,
        patterns=patterns if policy == "selected" else (),
        admins_bypass=present.admins_bypass if wanted.admins_bypass is None else wanted.admins_bypass,
    )


def record(state: EnvironmentPresent) -> dict[str, Any]:
    """The parts of an environment that differences are made of, in words."""
    return {
        "reviewers": [f"{'team ' if kind == 'Team' else ''}{name}" for kind, name in state.reviewers],
        "wait_timer": state.wait_timer,
        "prevent_self_review": state.prevent_self_review,
        "branch_policy": state.policy,
        "patterns": [f"{'tag ' if kind == 'tag' else ''}{name}" for kind, name in state.patterns],
        "admins_bypass": state.admins_bypass,
    }


def body_of(state: EnvironmentPresent, ids: Mapping[Reviewer, int]) -> dict[str, Any]:
    """The whole body of the PUT. Pure."""
    body: dict[str, Any] = {
        "wait_timer": state.wait_timer,
        "prevent_self_review": state.prevent_self_review,
        "reviewers": [{"type": kind, "id": ids[kind, name]} for kind, name in state.reviewers],
        "deployment_branch_policy": None
        if state.policy == "all"
        else {
            "protected_branches": state.policy == "protected",
            "custom_branch_policies": state.policy == "selected",
        },
    }
    if state.admins_bypass is not None:
        # Not in GitHub's description, though its own answers have it. Left out, it is reset to yes.
        body["can_admins_bypass"] = state.admins_bypass
    return body


def plan(wanted: Wanted, present: EnvironmentPresent) -> Plan:
    """The differences, and the writes. Pure."""
    if not wanted.present:
        if not present.there:
            return Plan()
        return Plan((Change("environment", wanted.name, ""),), (Write("DELETE", wanted.path),))
    target = merged(wanted, present)
    if target.prevent_self_review and not target.reviewers:
        raise GitHubError(
            "bad_input",
            "prevent_self_review without a reviewer prevents nothing: GitHub keeps it with the reviewers alone",
            [("reviewers or reviewer_teams", "who approves")],
        )
    now, then = record(present), record(target)
    changes = compared(now, then) if present.there else ()
    if not present.there:
        given = tuple(Change(key, "", shown(value)) for key, value in then.items() if value not in (None, [], 0, False))
        changes = (Change("environment", "", wanted.name), *given)
    writes: list[Write] = []
    if any(change.subject != "patterns" for change in changes):
        writes.append(Write("PUT", wanted.path, body_of(target, dict(present.reviewer_ids))))
    kept = present.patterns if present.policy == "selected" else ()
    policies = f"{wanted.path}/deployment-branch-policies"
    # Added before others are removed: at no moment does nothing match, and no deployment is refused for that.
    for kind, name in target.patterns:
        if (kind, name) not in kept:
            writes.append(Write("POST", policies, {"name": name, "type": kind}))
    numbers = dict(present.pattern_ids)
    if target.policy == "selected":
        writes += [Write("DELETE", f"{policies}/{numbers[one]}") for one in kept if one not in target.patterns]
    return Plan(changes, tuple(writes), warnings(target))


def policy_alone(body: Any) -> bool:
    """True if a body of the PUT asks for nothing but branches: GitHub's Team plan takes no other key there. Pure.

    https://github.com/google/go-github/issues/2602
    """
    if not isinstance(body, Mapping) or "wait_timer" not in body:
        return False
    return not (body["wait_timer"] or body["reviewers"] or body["prevent_self_review"])


def warnings(target: EnvironmentPresent) -> tuple[str, ...]:
    """The warnings of an audit. Pure."""
    told = []
    guarded = bool(target.reviewers or target.wait_timer)
    if guarded and target.admins_bypass:
        told.append("Administrators may deploy past the rules of this environment; admins_bypass=false ends that.")
    if guarded and target.admins_bypass is None:
        told.append("Whether administrators may deploy past the rules is unknown: GitHub did not say.")
    if target.policy == "selected" and not target.patterns:
        told.append("No branch may deploy to this environment: branch_policy=selected, and none is named.")
    return tuple(told)


class Environment(State[EnvironmentPresent]):
    def __init__(self, wanted: Wanted) -> None:
        self.wanted = checked(wanted)
        self.what = f"environment {wanted.name} of {wanted.repository}"

    def read(self, github: GitHub) -> EnvironmentPresent:
        wanted = self.wanted
        body = github.find(wanted.path)
        if body is None:
            # Tells "no such environment" from "no such repository".
            github.get(repository_path(wanted.repository))
        listed: tuple[Mapping[str, Any], ...] = ()
        if body and (body.get("deployment_branch_policy") or {}).get("custom_branch_policies"):
            listed = tuple(github.pages(f"{wanted.path}/deployment-branch-policies", "branch_policies"))
        present = present_of(body, listed)
        known = {reviewer for reviewer, _number in present.reviewer_ids}
        needed = [one for one in wanted.reviewers or () if one not in known]
        return present_of(body, listed, tuple((one, self._number(github, one)) for one in needed))

    def plan(self, present: EnvironmentPresent) -> Plan:
        return plan(self.wanted, present)

    def apply(self, github: GitHub, plan: Plan, present: EnvironmentPresent) -> None:
        for write in plan.acts:
            try:
                github.send(write.method, write.path, write.body)
            except GitHubError as error:
                if error.status != 422 or not policy_alone(write.body):
                    raise
                body = {"deployment_branch_policy": write.body["deployment_branch_policy"]}
                github.send(write.method, write.path, body)

    def _number(self, github: GitHub, reviewer: Reviewer) -> int:
        kind, name = reviewer
        owner = self.wanted.repository.partition("/")[0]
        path = f"/users/{part(name)}" if kind == "User" else f"/orgs/{part(owner)}/teams/{part(name)}"
        found = github.find(path)
        if found is None:
            raise GitHubError(
                "reviewer_missing",
                f"there is no user {name} on GitHub"
                if kind == "User"
                else f"there is no team {name} in {owner}, or the token does not see it",
                [("reviewers" if kind == "User" else "reviewer_teams", "check how it is written")],
            )
        return int(found["id"])


class ReviewedEnvironment(Environment):
    """One that must have a reviewer in the end, named now or there already."""

    def plan(self, present: EnvironmentPresent) -> Plan:
        found = super().plan(present)
        if self.wanted.present and not merged(self.wanted, present).reviewers:
            raise GitHubError(
                "no_reviewer",
                f"{self.what} has no reviewer, and none is named, so anybody deploys to it without being asked",
                [("reviewers or reviewer_teams", "who approves")],
            )
        return found
