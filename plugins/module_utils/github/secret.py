# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret of GitHub Actions: of a repository, of one of its environments, or of an organisation.

GitHub never shows a value, only when it was last written. So the value can't be compared; the caller says when it is
written: always, if there is none, or if the present one is older than a moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.seal import seal
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State, Write, compared, shown

#: GitHub's limit of a value, in bytes.
LARGEST = 48 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True)
class SecretPresent:
    """A secret as GitHub shows it. updated: empty without a secret.

    shadows: environments whose secret of that name is taken instead; None if the token may not look.
    key_id, key: the public key to seal with, read only before a value is written.
    """

    updated: str = ""
    created: str = ""
    visibility: str | None = None
    repositories: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    wanted_ids: tuple[int, ...] = ()
    shadows: tuple[str, ...] | None = ()
    key_id: str = ""
    key: str = ""


@dataclass(frozen=True)
class Wanted:
    """repository, or organization; environment only with a repository. value: None where it is to be absent."""

    name: str
    repository: str = ""
    environment: str = ""
    organization: str = ""
    value: str | None = field(default=None, repr=False)
    update: str = "always"
    older_than: str = ""
    visibility: str = ""
    selected: tuple[str, ...] | None = None

    @property
    def wanted_names(self) -> tuple[str, ...]:
        """The selected repositories without their owner, which is the organisation."""
        return tuple(sorted({name.rpartition("/")[2].lower() for name in self.selected or ()}))

    @property
    def base(self) -> str:
        if self.organization:
            return f"/orgs/{part(self.organization)}/actions/secrets"
        path = repository_path(self.repository)
        if self.environment:
            return f"{path}/environments/{part(self.environment)}/secrets"
        return f"{path}/actions/secrets"

    @property
    def path(self) -> str:
        return f"{self.base}/{part(self.name)}"


def moment(text: str) -> datetime:
    """A moment of RFC 3339. One without a zone is refused: it would be another one on another machine."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise GitHubError(
            "bad_input",
            f"older_than={text!r} is not a moment with its zone",
            [("older_than", "as in 2026-11-21T08:00:00Z")],
        )
    return found.astimezone(timezone.utc)


def checked(wanted: Wanted) -> Wanted:
    """The wanted secret with its name as GitHub keeps it. Raises GitHubError where it can't be one; contacts nobody."""
    name = wanted.name.upper()
    if not _NAME.match(name) or name.startswith("GITHUB_"):
        raise GitHubError(
            "bad_input",
            f"{wanted.name!r} is not a name of a secret",
            [("name", "letters, digits and underscores, no digit first, and not beginning with GITHUB_")],
        )
    if bool(wanted.repository) == bool(wanted.organization) or (wanted.environment and not wanted.repository):
        raise GitHubError(
            "bad_input",
            "a secret is of a repository, of an environment of a repository, or of an organisation",
            [("repository", "owner/name, with environment= for one of its environments"), ("organization", "alone")],
        )
    if wanted.organization and not _ORGANISATION.match(wanted.organization):
        way = ("organization", "its name alone, as in github.com/acme")
        raise GitHubError("bad_input", f"{wanted.organization!r} is not the name of an organisation", [way])
    if wanted.repository:
        repository_path(wanted.repository)
    if not wanted.organization and (wanted.visibility or wanted.selected is not None):
        way = ("organization", "with them, or without them for a repository's secret")
        raise GitHubError("bad_input", "visibility and selected_repositories are of an organisation's secret", [way])
    if wanted.selected is not None and wanted.visibility != "selected":
        raise GitHubError(
            "bad_input",
            "selected_repositories are taken with visibility=selected alone",
            [("visibility=selected", "the secret is for these repositories only")],
        )
    if wanted.value is not None:
        if wanted.value == "":
            raise GitHubError("bad_input", f"the value of {name} is empty", [("state=absent", "removes the secret")])
        size = len(wanted.value.encode())
        if size > LARGEST:
            way = ("value", "a key that decrypts the large one, which is kept encrypted in the repository")
            raise GitHubError("bad_input", f"the value of {name} has {size} bytes, and GitHub takes {LARGEST}", [way])
    if (wanted.update == "older") != bool(wanted.older_than):
        way = ("update=older", "with older_than, or neither of them")
        raise GitHubError("bad_input", "update=older and older_than are given together or not at all", [way])
    if wanted.older_than:
        moment(wanted.older_than)
    return replace(wanted, name=name)


def written(wanted: Wanted, present: SecretPresent) -> bool:
    """True if the value is to be written. Pure."""
    if not present.updated:
        return True
    if wanted.update == "older":
        return moment(present.updated) < moment(wanted.older_than)
    return wanted.update == "always"


def access(wanted: Wanted, present: SecretPresent) -> tuple[Change, ...]:
    """Differences in who sees an organisation's secret. Pure."""
    if not wanted.organization:
        return ()
    changes = compared({"visibility": present.visibility}, {"visibility": wanted.visibility or None})
    if wanted.selected is not None and set(wanted.wanted_names) != set(present.names):
        changes += (Change("repositories", shown(sorted(present.names)), shown(sorted(wanted.wanted_names))),)
    return changes


class Secret(State[SecretPresent]):
    """A secret that is there with a value, or is not there."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = checked(wanted)
        owner = wanted.organization or wanted.repository
        of = f"environment {wanted.environment} of {owner}" if wanted.environment else owner
        self.what = f"secret {self.wanted.name} of {of}"

    def read(self, github: GitHub) -> SecretPresent:
        wanted = self.wanted
        if wanted.environment:
            path = f"{repository_path(wanted.repository)}/environments/{part(wanted.environment)}"
            if not github.exists(path):
                raise GitHubError(
                    "environment_missing",
                    f"{wanted.repository} has no environment {wanted.environment}, or the token does not see it",
                    [("ops.runbook.github_environment", "makes one")],
                )
        found = github.find(wanted.path)
        if found is None and not wanted.environment:
            # A 404 may also mean that the owner does not exist; then this says so.
            github.get(
                f"/orgs/{part(wanted.organization)}" if wanted.organization else repository_path(wanted.repository)
            )
        found = found or {}
        ids: tuple[int, ...] = ()
        names: tuple[str, ...] = ()
        if found.get("visibility") == "selected":
            listed = list(github.pages(f"{wanted.path}/repositories", "repositories"))
            ids = tuple(sorted(one["id"] for one in listed))
            names = tuple(sorted(_short(one["full_name"]) for one in listed))
        key: Mapping[str, Any] = {}
        if wanted.value is not None:
            key = github.get(f"{wanted.base}/public-key")
        return SecretPresent(
            updated=str(found.get("updated_at") or ""),
            created=str(found.get("created_at") or ""),
            visibility=found.get("visibility"),
            repositories=ids,
            names=names,
            wanted_ids=self._ids(github),
            shadows=self._shadows(github),
            key_id=str(key.get("key_id", "")),
            key=str(key.get("key", "")),
        )

    def plan(self, present: SecretPresent) -> Plan:
        wanted = self.wanted
        if wanted.value is None:
            if not present.updated:
                return Plan()
            change = Change("secret", f"set, last written {present.updated}", "")
            return Plan((change,), (Write("DELETE", wanted.path),))
        changes = access(wanted, present) if present.updated else ()
        if not written(wanted, present):
            return self._access_only(present, changes)
        before = f"set, last written {present.updated}" if present.updated else ""
        body: dict[str, Any] = {"encrypted_value": seal(wanted.value, present.key), "key_id": present.key_id}
        if wanted.organization:
            body["visibility"] = wanted.visibility or present.visibility or "private"
            if body["visibility"] == "selected":
                chosen = present.wanted_ids if wanted.selected is not None else present.repositories
                body["selected_repository_ids"] = list(chosen)
        told = (Change("secret", before, "set, written anew" if before else "set"), *changes)
        return Plan(told, (Write("PUT", wanted.path, body),), self._warnings(present))

    def left(self, before: SecretPresent, after: SecretPresent) -> tuple[Change, ...]:
        wanted = self.wanted
        if wanted.value is None:
            return () if not after.updated else (Change("secret", f"set, last written {after.updated}", ""),)
        left = access(wanted, after)
        if written(wanted, before) and (not after.updated or after.updated == before.updated):
            # The moment of the last writing is all that GitHub shows of it.
            left = (Change("secret", f"last written {after.updated}" if after.updated else "", "written now"), *left)
        return left

    def _access_only(self, present: SecretPresent, changes: tuple[Change, ...]) -> Plan:
        if not changes:
            return Plan(warnings=self._warnings(present))
        if any(change.subject == "visibility" for change in changes):
            # GitHub changes who sees a secret only together with its value.
            raise GitHubError(
                "value_needed",
                f"the visibility of {self.what} differs, and GitHub takes one only together with a value",
                [("update=always", "writes both")],
            )
        body = {"selected_repository_ids": list(present.wanted_ids)}
        return Plan(changes, (Write("PUT", f"{self.wanted.path}/repositories", body),), self._warnings(present))

    def _warnings(self, present: SecretPresent) -> tuple[str, ...]:
        if present.shadows is None:
            return ("Whether an environment has a secret of the same name, the token may not see.",)
        if not present.shadows:
            return ()
        return (
            f"Jobs in {', '.join(present.shadows)} do not see this secret: the environment has one of the same name.",
        )

    def _ids(self, github: GitHub) -> tuple[int, ...]:
        owner = self.wanted.organization
        return tuple(
            sorted(github.get(f"/repos/{part(owner)}/{part(name)}")["id"] for name in self.wanted.wanted_names)
        )

    def _shadows(self, github: GitHub) -> tuple[str, ...] | None:
        """Environments that have a secret of the same name, which their jobs take instead."""
        wanted = self.wanted
        if wanted.environment or wanted.organization or wanted.value is None:
            return ()
        path = repository_path(wanted.repository)
        try:
            names = [str(one["name"]) for one in github.pages(f"{path}/environments", "environments")]
            return tuple(
                name for name in names if github.exists(f"{path}/environments/{part(name)}/secrets/{wanted.name}")
            )
        except GitHubError as error:
            if error.code in ("forbidden", "not_found"):
                return None
            raise


def _short(full_name: str) -> str:
    return full_name.partition("/")[2].lower()
