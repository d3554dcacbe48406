# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ruleset of a repository: rules for the branches or tags that match its patterns, and who may pass by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State, Write, compared, shown

_FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/"}

#: Rules by their type, with their parameters.
Rules = Mapping[str, Mapping[str, Any]]
#: An actor that may bypass: type, number (None if the type has none), and when.
Actor = tuple[str, "int | None", str]


#: Required parameters of a rule, by GitHub's description. Each value asks for nothing, as a rule without it.
NEEDED: dict[str, dict[str, Any]] = {
    "pull_request": {
        "required_approving_review_count": 0,
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    },
    "required_status_checks": {"strict_required_status_checks_policy": False},
}


@dataclass(frozen=True)
class RulesetPresent:
    """A ruleset as it is. number: None without a ruleset. actors: None if GitHub hides them from the token."""

    number: int | None = None
    enforcement: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: Rules = field(default_factory=dict)
    actors: tuple[Actor, ...] | None = ()


@dataclass(frozen=True)
class Wanted:
    """None: as it is; of a new ruleset active, with no exception and nobody who passes by."""

    repository: str
    name: str
    target: str = "branch"
    present: bool = True
    enforcement: str | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    rules: Sequence[Mapping[str, Any]] | None = None
    actors: tuple[Actor, ...] | None = None

    @property
    def path(self) -> str:
        return f"{repository_path(self.repository)}/rulesets"


def pattern(target: str, name: str) -> str:
    """A pattern as GitHub keeps it: a short one is of the target's own folder. Pure."""
    return name if name.startswith(("~", "refs/")) else _FOLDERS[target] + name


def patterns(target: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({pattern(target, name) for name in names}))


def by_type(rules: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rules by their type. Raises GitHubError for one without a type, or twice there. Pure."""
    found: dict[str, dict[str, Any]] = {}
    for rule in rules:
        kind, parameters = rule.get("type"), rule.get("parameters") or {}
        unknown = sorted(set(rule) - {"type", "parameters"})
        if not isinstance(kind, str) or not kind or not isinstance(parameters, Mapping) or unknown:
            raise GitHubError(
                "bad_input",
                f"{dict(rule)!r} is not a rule",
                [("rules", "each has a type, and parameters where the type has some")],
            )
        if kind in found:
            raise GitHubError("bad_input", f"the rule {kind} is there twice", [("rules", "one of each type")])
        found[kind] = without_null(parameters)
    return found


def without_null(value: Any) -> Any:
    """A value without its empty keys: GitHub takes no null where it takes a number. Pure."""
    if isinstance(value, Mapping):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [without_null(item) for item in value]
    return value


def checked(wanted: Wanted) -> Wanted:
    """The wanted ruleset. Raises GitHubError where it can't be; contacts nobody."""
    repository_path(wanted.repository)
    if not wanted.name.strip():
        raise GitHubError("bad_input", "a ruleset has a name", [("name", "by which it is found again")])
    other = _FOLDERS["tag" if wanted.target == "branch" else "branch"]
    for name in (*(wanted.include or ()), *(wanted.exclude or ())):
        if name.startswith(other) or (wanted.target == "tag" and name == "~DEFAULT_BRANCH"):
            raise GitHubError(
                "bad_input", f"{name!r} is not a pattern of a {wanted.target}", [("target", "branch or tag")]
            )
    by_type(wanted.rules or ())
    for kind, number, _mode in wanted.actors or ():
        if number is None and kind not in ("OrganizationAdmin", "DeployKey"):
            raise GitHubError(
                "bad_input", f"a {kind} that may pass by needs its number", [("bypass_actors", "give id")]
            )
    return wanted


def actor(body: Mapping[str, Any]) -> Actor:
    """An actor that may bypass. GitHub has numbers for what needs none (1 for administrators). Pure."""
    kind = str(body["actor_type"])
    number = None if kind in ("OrganizationAdmin", "DeployKey") else body.get("actor_id")
    return kind, None if number is None else int(number), str(body.get("bypass_mode") or "always")


def present_of(body: Mapping[str, Any] | None) -> RulesetPresent:
    """A ruleset as GitHub describes it. Pure."""
    if body is None:
        return RulesetPresent()
    names = (body.get("conditions") or {}).get("ref_name") or {}
    listed = body.get("bypass_actors")
    return RulesetPresent(
        number=int(body["id"]),
        enforcement=str(body["enforcement"]),
        include=tuple(sorted(names.get("include") or ())),
        exclude=tuple(sorted(names.get("exclude") or ())),
        rules={str(rule["type"]): dict(rule.get("parameters") or {}) for rule in body.get("rules") or ()},
        # Left out for a token that may not see it: unknown, which is not "nobody".
        actors=None if listed is None else tuple(sorted(map(actor, listed), key=str)),
    )


def covers(there: Any, wanted: Any) -> bool:
    """True if a parameter is as wanted; GitHub adds members that nobody gave. A list has no order here. Pure."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(covers(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)):
        if not isinstance(there, (list, tuple)) or len(there) != len(wanted):
            return False
        left = list(there)
        for one in wanted:
            match = next((other for other in left if covers(other, one)), None)
            if match is None:
                return False
            left.remove(match)
        return True
    return type(there) is type(wanted) and bool(there == wanted)


def merged(wanted: Wanted, present: RulesetPresent) -> RulesetPresent:
    """How it is to be: what is given, and the rest as it is. Pure."""
    rules: dict[str, Mapping[str, Any]] = {**present.rules}
    if wanted.rules is not None:
        rules = {}
        for kind, parameters in by_type(wanted.rules).items():
            there = present.rules.get(kind)
            # As it is where it already says so: then nothing that GitHub added is a difference.
            as_it_is = there is not None and covers(there, parameters)
            filled = {**NEEDED.get(kind, {}), **(there or {}), **parameters}
            rules[kind] = there if as_it_is and there is not None else filled
    return RulesetPresent(
        number=present.number,
        enforcement=wanted.enforcement or present.enforcement or "active",
        include=present.include if wanted.include is None else patterns(wanted.target, wanted.include),
        exclude=present.exclude if wanted.exclude is None else patterns(wanted.target, wanted.exclude),
        rules=rules,
        actors=present.actors if wanted.actors is None else tuple(sorted(set(wanted.actors), key=str)),
    )


def record(state: RulesetPresent) -> dict[str, Any]:
    """The parts of a ruleset that differences are made of, in words: one line for each rule."""
    actors = None
    if state.actors is not None:
        actors = [" ".join(str(item) for item in one if item is not None) for one in state.actors]
    found: dict[str, Any] = {
        "enforcement": state.enforcement,
        "include": list(state.include),
        "exclude": list(state.exclude),
        "bypass_actors": actors,
    }
    return {**found, **{f"rule {kind}": shown(dict(value)) or "yes" for kind, value in sorted(state.rules.items())}}


def body_of(wanted: Wanted, target: RulesetPresent) -> dict[str, Any]:
    """The whole body. Pure."""
    body: dict[str, Any] = {
        "name": wanted.name,
        "target": wanted.target,
        "enforcement": target.enforcement,
        "conditions": {"ref_name": {"include": list(target.include), "exclude": list(target.exclude)}},
        "rules": [
            {"type": kind, "parameters": without_null(value)} if value else {"type": kind}
            for kind, value in sorted(target.rules.items())
        ],
    }
    if target.actors is not None:
        body["bypass_actors"] = [
            # GitHub gives administrators of an organisation the number 1; a deploy key has none.
            {"actor_type": kind, "actor_id": 1 if kind == "OrganizationAdmin" else number, "bypass_mode": mode}
            for kind, number, mode in target.actors
        ]
    return body


def plan(wanted: Wanted, present: RulesetPresent) -> Plan:
    """The differences, and the writes. Pure."""
    if not wanted.present:
        if present.number is None:
            return Plan()
        return Plan((Change("ruleset", wanted.name, ""),), (Write("DELETE", f"{wanted.path}/{present.number}"),))
    if wanted.actors is not None and present.actors is None:
        raise GitHubError(
            "hidden",
            f"GitHub does not show this token who may pass by the ruleset {wanted.name}, so it can't be compared",
            [("the token's settings", "give it the permission administration=write for this repository")],
        )
    target = merged(wanted, present)
    if not target.include:
        raise GitHubError(
            "bad_input",
            f"the ruleset {wanted.name} has no pattern, so it would hold for nothing",
            [("include", "names or patterns, or ~ALL")],
        )
    before, after = record(present), record(target)
    gone = tuple(Change(key, str(before[key]), "") for key in before if key not in after)
    changes = (*compared(before, after), *gone)
    told = warnings(target)
    if present.number is None:
        made = tuple(Change(one.subject, "", one.after) for one in changes)
        return Plan(
            (Change("ruleset", "", wanted.name), *made), (Write("POST", wanted.path, body_of(wanted, target)),), told
        )
    if not changes:
        return Plan(warnings=told)
    return Plan(changes, (Write("PUT", f"{wanted.path}/{present.number}", body_of(wanted, target)),), told)


def warnings(target: RulesetPresent) -> tuple[str, ...]:
    """The warnings of an audit. Pure."""
    told = []
    if target.actors is None:
        told.append("Who may pass by this ruleset is unknown: GitHub hides it from this token.")
    if target.enforcement != "active":
        told.append(f"The ruleset holds for nobody: its enforcement is {target.enforcement}.")
    return tuple(told)


class Ruleset(State[RulesetPresent]):
    def __init__(self, wanted: Wanted) -> None:
        self.wanted = checked(wanted)
        self.what = f"ruleset {wanted.name} of {wanted.repository}"

    def read(self, github: GitHub) -> RulesetPresent:
        wanted = self.wanted
        # Those of the organisation hold here too, and are not this repository's to change.
        listed = github.pages(wanted.path, includes_parents="false")
        mine = [
            one
            for one in listed
            if one["name"] == wanted.name and one["target"] == wanted.target and one["source_type"] == "Repository"
        ]
        if len(mine) > 1:
            numbers = ", ".join(str(one["id"]) for one in mine)
            raise GitHubError(
                "ambiguous",
                f"{wanted.repository} has {len(mine)} rulesets with the name {wanted.name}: {numbers}",
                [("GitHub, Settings, Rules", "rename all but one")],
            )
        return present_of(github.get(f"{wanted.path}/{mine[0]['id']}") if mine else None)

    def plan(self, present: RulesetPresent) -> Plan:
        return plan(self.wanted, present)
