"""The bodies that are sent to GitHub, held against a second authority beside GitHub's published description.

GitHub's description is wrong about some of them: it asks for `contexts` beside `checks`, and GitHub answers 422 to
both. So each body has a row here: the keys that may be in it, keys that exclude each other, and the public client or
report that sends it so. The fake refuses a body without a row, and one that breaks its row, in GitHub's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_REPO = r"/repos/[^/]+/[^/]+"


@dataclass(frozen=True)
class Body:
    """A request with a body. either: places in it, each with keys of which exactly one must be there.

    required: keys that must be there. seen: who sends the same, or reported what GitHub answers.
    """

    method: str
    path: str
    keys: tuple[str, ...]
    seen: str
    required: tuple[str, ...] = ()
    either: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    never_null: tuple[str, ...] = ()

    def of(self, method: str, path: str) -> bool:
        return self.method == method and re.fullmatch(self.path, path) is not None


BODIES = (
    Body(
        "PUT",
        rf"{_REPO}/branches/[^/]+/protection",
        (
            "required_status_checks",
            "enforce_admins",
            "required_pull_request_reviews",
            "restrictions",
            "required_linear_history",
            "allow_force_pushes",
            "allow_deletions",
            "block_creations",
            "required_conversation_resolution",
            "lock_branch",
            "allow_fork_syncing",
        ),
        "google/go-github issue 2976 (each shape by curl) and pull request 2276; ossf/allstar issue 155; "
        "sigmavirus24/github3.py issue 1112; PyGithub issue 2157 for app_id -1; "
        "integrations/terraform-provider-github issues 1374 (null is not an array) and 2261 (neither of the two)",
        required=("required_status_checks", "enforce_admins", "required_pull_request_reviews", "restrictions"),
        either=((("required_status_checks",), ("contexts", "checks")),),
    ),
    Body(
        "PUT",
        rf"{_REPO}/environments/[^/]+",
        ("wait_timer", "prevent_self_review", "reviewers", "deployment_branch_policy", "can_admins_bypass"),
        "google/go-github CreateUpdateEnvironment and issue 2602 (a plan without reviewers takes the policy alone)",
    ),
    Body(
        "POST",
        rf"{_REPO}/environments/[^/]+/deployment-branch-policies",
        ("name", "type"),
        "repository-settings/app pull request 910",
        required=("name",),
    ),
    Body(
        "POST",
        rf"{_REPO}/rulesets",
        ("name", "target", "enforcement", "conditions", "rules", "bypass_actors"),
        "integrations/terraform-provider-github pull request 3438 for actor_id; groktopus/groktocrawl pull request 515 "
        "(integration_id null matches no schema)",
        required=("name", "enforcement"),
        never_null=("integration_id",),
    ),
    Body(
        "PUT",
        rf"{_REPO}/rulesets/\d+",
        ("name", "target", "enforcement", "conditions", "rules", "bypass_actors"),
        "as the POST of the same",
        never_null=("integration_id",),
    ),
    Body(
        "PATCH",
        _REPO,
        ("security_and_analysis",),
        "google/go-github SecurityAndAnalysis",
        required=("security_and_analysis",),
    ),
    Body(
        "PUT",
        r"(?:/orgs/[^/]+/actions|/repos/[^/]+/[^/]+/actions|/repos/[^/]+/[^/]+/environments/[^/]+)/secrets/[^/]+",
        ("encrypted_value", "key_id", "visibility", "selected_repository_ids"),
        "google/go-github EncryptedSecret",
        required=("encrypted_value", "key_id"),
    ),
    Body(
        "PUT",
        r"/orgs/[^/]+/actions/secrets/[^/]+/repositories",
        ("selected_repository_ids",),
        "google/go-github SelectedRepoIDs",
        required=("selected_repository_ids",),
    ),
    Body(
        "POST",
        rf"{_REPO}/actions/workflows/[^/]+/dispatches",
        ("ref", "inputs", "return_run_details"),
        "google/go-github CreateWorkflowDispatchEventRequest",
        required=("ref",),
    ),
    Body("POST", rf"{_REPO}/git/refs", ("ref", "sha"), "google/go-github createRefRequest", required=("ref", "sha")),
    Body(
        "POST",
        rf"{_REPO}/git/tags",
        ("tag", "message", "object", "type"),
        "google/go-github createTagRequest",
        required=("tag", "message", "object", "type"),
    ),
)


def body_of(method: str, path: str) -> Body | None:
    """The row of a request; None where it has none."""
    return next((one for one in BODIES if one.of(method, path)), None)


def _places(body: Any, place: tuple[str, ...]) -> Mapping[str, Any] | None:
    for key in place:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body if isinstance(body, Mapping) else None


def _nulls(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if item is None and key in names:
                yield key
            yield from _nulls(item, names)
    elif isinstance(value, list):
        for item in value:
            yield from _nulls(item, names)


def problem(method: str, path: str, body: Any) -> str:
    """Why GitHub refuses a body, in its own words; empty where it takes it."""
    row = body_of(method, path)
    if row is None:
        return f"{method} {path} with a body: tests/doubles/github_bodies.py has no second authority for it"
    if not isinstance(body, Mapping):
        return f"{body!r} is not an object."
    unknown = sorted({*body} - {*row.keys})
    if unknown:
        return f'"{unknown[0]}" is not a permitted key.'
    for key in row.required:
        if key not in body:
            return f'Invalid request.\n\n"{key}" wasn\'t supplied.'
    for place, keys in row.either:
        found = _places(body, place)
        if found is None:
            continue
        there = [key for key in keys if key in found]
        if len(there) != 1:
            said = "No subschema" if not there else "More than one subschema"
            return (
                f'Invalid request.\n\nNo subschema in "anyOf" matched.\n{said} in "oneOf" matched.\n'
                f"Not all subschemas of \"allOf\" matched.\nFor 'anyOf/1', {dict(found)!r} is not a null."
            )
        if found[there[0]] is None:
            return f"Invalid request.\n\nFor 'properties/{there[0]}', nil is not an array."
    for key in _nulls(body, row.never_null):
        return f"Invalid property /rules/0: data matches no possible input. {key} is null"
    return ""
