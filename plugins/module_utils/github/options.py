# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of GitHub's settings, and the states that they ask for; the modules share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github import branch_protection
from ansible_collections.ops.runbook.plugins.module_utils.github import environment as github_environment
from ansible_collections.ops.runbook.plugins.module_utils.github import ruleset as github_ruleset
from ansible_collections.ops.runbook.plugins.module_utils.github import security as github_security
from ansible_collections.ops.runbook.plugins.module_utils.github.branch_protection import SWITCHES, Protection
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.environment import Environment, ReviewedEnvironment
from ansible_collections.ops.runbook.plugins.module_utils.github.ruleset import Ruleset
from ansible_collections.ops.runbook.plugins.module_utils.github.security import SETTINGS, Security

BRANCH_PROTECTION: dict[str, Any] = {
    "branch": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "required_checks": {"type": "list", "elements": "str"},
    "strict_checks": {"type": "bool"},
    "required_approvals": {"type": "int"},
    "dismiss_stale_reviews": {"type": "bool"},
    "require_code_owner_reviews": {"type": "bool"},
    "require_last_push_approval": {"type": "bool"},
    "enforce_admins": {"type": "bool"},
    "restrict_pushes": {"type": "bool"},
    "push_users": {"type": "list", "elements": "str", "default": []},
    "push_teams": {"type": "list", "elements": "str", "default": []},
    "push_apps": {"type": "list", "elements": "str", "default": []},
    "required_signatures": {"type": "bool"},
    **{key: {"type": "bool"} for key in SWITCHES},
}

ENVIRONMENT: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "reviewers": {"type": "list", "elements": "str"},
    "reviewer_teams": {"type": "list", "elements": "str"},
    "wait_timer": {"type": "int"},
    "prevent_self_review": {"type": "bool"},
    "admins_bypass": {"type": "bool"},
    "branch_policy": {"type": "str", "choices": ["all", "protected", "selected"]},
    "branches": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
}

RULESET: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "target": {"type": "str", "choices": ["branch", "tag"], "default": "branch"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "enforcement": {"type": "str", "choices": ["active", "evaluate", "disabled"]},
    "include": {"type": "list", "elements": "str"},
    "exclude": {"type": "list", "elements": "str"},
    "rules": {"type": "list", "elements": "dict"},
    "bypass_actors": {
        # The part of this name that looks like a secret is "pass".
        "no_log": False,
        "type": "list",
        "elements": "dict",
        "options": {
            "type": {
                "type": "str",
                "required": True,
                "choices": ["RepositoryRole", "Team", "Integration", "OrganizationAdmin", "DeployKey"],
            },
            "id": {"type": "int"},
            "mode": {"type": "str", "choices": ["always", "pull_request"], "default": "always"},
        },
    },
}

SECURITY: dict[str, Any] = {name: {"type": "bool"} for name in SETTINGS}

#: Options by the names that the rules have for them.
NAMES = {
    "checks": "required_checks",
    "strict": "strict_checks",
    "approvals": "required_approvals",
    "dismiss_stale": "dismiss_stale_reviews",
    "code_owners": "require_code_owner_reviews",
    "last_push": "require_last_push_approval",
    "enforce_admins": "enforce_admins",
    "signatures": "required_signatures",
    **{key: key for key in SWITCHES},
}


def protection(params: Mapping[str, Any]) -> Protection:
    values = {name: params[option] for name, option in NAMES.items() if params[option] is not None}
    pushers = {kind: sorted({one.lower() for one in params[f"push_{kind}"]}) for kind in ("users", "teams", "apps")}
    if params["restrict_pushes"]:
        values["pushers"] = pushers
    elif any(pushers.values()):
        raise GitHubError(
            "bad_input",
            "who may push is named, and restrict_pushes is not true",
            [("restrict_pushes=true", "nobody else may push")],
        )
    elif params["restrict_pushes"] is False:
        values["pushers"] = None
    return Protection(
        branch_protection.Wanted(params["repository"], params["branch"], params["state"] == "present", values)
    )


def pairs(params: Mapping[str, Any], **options: str) -> tuple[tuple[str, str], ...] | None:
    """Items of two options with their kind; None where neither is given."""
    if all(params[option] is None for option in options.values()):
        return None
    return tuple((kind, item) for kind, option in options.items() for item in params[option] or ())


def environment(params: Mapping[str, Any], reviewed: bool = False) -> Environment:
    """reviewed: it must have a reviewer."""
    reviewers = pairs(params, User="reviewers", Team="reviewer_teams")
    kind = ReviewedEnvironment if reviewed else Environment
    return kind(
        github_environment.Wanted(
            repository=params["repository"],
            name=params["name"],
            present=params["state"] == "present",
            # Logins and slugs are the same in small letters.
            reviewers=None if reviewers is None else tuple((kind, name.lower()) for kind, name in reviewers),
            wait_timer=params["wait_timer"],
            prevent_self_review=params["prevent_self_review"],
            policy=params["branch_policy"],
            patterns=pairs(params, branch="branches", tag="tags"),
            admins_bypass=params["admins_bypass"],
        )
    )


def ruleset(params: Mapping[str, Any]) -> Ruleset:
    actors = params["bypass_actors"]
    return Ruleset(
        github_ruleset.Wanted(
            repository=params["repository"],
            name=params["name"],
            target=params["target"],
            present=params["state"] == "present",
            enforcement=params["enforcement"],
            include=None if params["include"] is None else tuple(params["include"]),
            exclude=None if params["exclude"] is None else tuple(params["exclude"]),
            rules=params["rules"],
            actors=None if actors is None else tuple((one["type"], one["id"], one["mode"]) for one in actors),
        )
    )


def security(params: Mapping[str, Any]) -> Security:
    return Security(
        github_security.Wanted(
            params["repository"], {name: params[name] for name in SETTINGS if params[name] is not None}
        )
    )
