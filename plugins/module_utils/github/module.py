# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared parts of the modules of GitHub: its address, the owner of a repository, how a setting is settled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Present
from ansible_collections.ops.runbook.plugins.module_utils.github import record
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, Open, part
from ansible_collections.ops.runbook.plugins.module_utils.github.state import State

#: The variables of the environment that a token is taken from.
TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")

#: How GitHub is reached; the doc fragment `github` describes them.
CALL: dict[str, Any] = {
    "api_url": {"type": "str", "default": "https://api.github.com"},
    "token": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 30},
    "patience": {"type": "float", "default": 300},
    "validate_certs": {"type": "bool", "default": True},
}

REPOSITORY: dict[str, Any] = {**CALL, "repository": {"type": "str", "required": True}}
#: Of a module that changes a repository.
CHANGE: dict[str, Any] = {**REPOSITORY, **record.RECORD}

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*)/[A-Za-z0-9._-]+\Z")


def repository_path(repository: str) -> str:
    """The path of `owner/name`."""
    if not _REPOSITORY.match(repository) or repository.endswith(("/.", "/..")):
        raise GitHubError(
            "bad_input",
            f"{repository!r} is not the name of a repository",
            [("repository", "owner and name with a slash between, as in example/shop")],
        )
    owner, _slash, name = repository.partition("/")
    return f"/repos/{part(owner)}/{part(name)}"


def token(params: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The token: the parameter, else the environment."""
    found = params.get("token") or next((environ[name] for name in TOKENS if environ.get(name)), "")
    if not found:
        raise GitHubError(
            "no_token",
            "there is no token for GitHub",
            [("token", "from a vault"), ("GITHUB_TOKEN", "in the environment of the play")],
        )
    if not re.fullmatch(r"[\x21-\x7e]+", found):
        raise GitHubError(
            "bad_token",
            "the token has a space, a line break or a character that no token has",
            [("token", "give it without the line break at its end")],
        )
    return str(found)


def connect(params: Mapping[str, Any], open_url: Open, environ: Mapping[str, str]) -> GitHub:
    """A client for a module's parameters."""
    if not re.match(r"https?://[^/\s@]+", params["api_url"]):
        raise GitHubError(
            "bad_input",
            f"{params['api_url']!r} is not the address of an API",
            [("api_url", "https://api.github.com, or https://<host>/api/v3 of an Enterprise Server")],
        )
    return GitHub(
        open_url,
        params["api_url"],
        token(params, environ),
        timeout=params["timeout"],
        patience=params["patience"],
        validate_certs=params["validate_certs"],
    )


def settle(
    params: Mapping[str, Any],
    procedure: str,
    make: Callable[[Mapping[str, Any]], State[Present]],
    check_mode: bool,
    open_url: Open,
    environ: Mapping[str, str],
    describe: Callable[[Present], Mapping[str, Any]],
) -> dict[str, Any]:
    """Bring a setting to its state, and say what came of it. Raises GitHubError.

    procedure: the name of it in a record. describe: what the result has of the setting as it is in the end.
    """
    state = make(params)
    github = connect(params, open_url, environ)
    owner = params.get("organization") or params["repository"]
    keep = record.keeper(params, environ, github, owner, procedure)
    brought = desired_state.bring(github, state, check_mode, keep=lambda lines, change: keep(state.told(lines), change))
    return {**desired_state.result(brought, state.what, "requests"), **describe(brought.after)}
