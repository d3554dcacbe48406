# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tag of a release: made once, on a commit of an allowed branch whose checks are green, and never moved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError, part
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State, Write
from ansible_collections.ops.runbook.plugins.module_utils.host.ref_name import is_ref_name

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
#: Conclusions that hold nothing up. A check that is asked for by name must be a success.
_HARMLESS = ("success", "neutral", "skipped")


@dataclass(frozen=True)
class TagPresent:
    """at: the commit that the tag leads to, empty without a tag. commit: the wanted one.

    contained: that commit is on the branch. problems: checks that are not green on exactly that commit.
    """

    at: str
    commit: str
    contained: bool = True
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    repository: str
    tag: str
    branch: str = "main"
    commit: str = ""
    message: str = ""
    branches: tuple[str, ...] = ("main", "release/*")
    checks: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return repository_path(self.repository)


def checked(wanted: Wanted) -> Wanted:
    """The wanted tag. Raises GitHubError where it can't be; contacts nobody."""
    repository_path(wanted.repository)
    tag = wanted.tag
    if not is_ref_name(tag):
        raise GitHubError("bad_input", f"{tag!r} is not a name of a tag", [("tag", "as in v1.4.0")])
    if wanted.commit and not _COMMIT.match(wanted.commit):
        raise GitHubError(
            "bad_input",
            f"commit={wanted.commit!r} is not the whole name of a commit",
            [("commit", "all 40 characters: a short name may become another commit's")],
        )
    if not any(fnmatchcase(wanted.branch, pattern) for pattern in wanted.branches):
        raise GitHubError(
            "branch_not_allowed",
            f"releases are tagged on {', '.join(wanted.branches) or 'no branch'}; {wanted.branch} is not one of them",
            [("branch", "one of them")],
        )
    return wanted


#: The right that a token lacks which may not see them.
STATUSES = "statuses=read (Commit statuses: read)"
_UNSEEN = "this token may not see commit statuses"


def problems(
    runs: Sequence[Mapping[str, Any]], statuses: Sequence[Mapping[str, Any]] | None, required: Sequence[str]
) -> tuple[str, ...]:
    """Checks that are not green, in words; empty if all are. Without required names every check counts. Pure.

    runs: check runs, as GitHub Actions and apps make them. statuses: commit statuses, as CircleCI, Jenkins and others
    set them, the latest of each context; None where the token may not see them.
    """
    states = [(str(run["name"]), _state(run)) for run in runs]
    states += [(str(one["context"]), str(one["state"])) for one in statuses or ()]
    found = []
    for name in required:
        mine = [state for known, state in states if known == name]
        if not mine:
            found.append(f"{name} did not run" + (f" as a check, and {_UNSEEN}" if statuses is None else ""))
        found += [f"{name} is {state}" for state in mine if state != "success"]
    if required:
        return tuple(sorted(set(found)))
    bad = {f"{name} is {state}" for name, state in states if state not in _HARMLESS}
    if statuses is None:
        bad.add(_UNSEEN)
    if not any(state == "success" for _name, state in states):
        # A combined status without checks would say "pending" for ever, and "nothing failed" proves nothing.
        bad.add("no check has succeeded")
    return tuple(sorted(bad))


def _state(run: Mapping[str, Any]) -> str:
    return str(run.get("conclusion") if run.get("status") == "completed" else run.get("status"))


def plan(wanted: Wanted, present: TagPresent) -> Plan:
    """The difference, and the write. Pure. Raises GitHubError if the tag must not be made."""
    if present.at == present.commit:
        return Plan()
    if present.at:
        raise GitHubError(
            "tag_exists",
            f"{wanted.tag} exists on {present.at}, and not on {present.commit}. A tag of a release is never moved",
            [("tag", "a new name"), (f"commit={present.at}", f"says that {wanted.tag} is right where it is")],
        )
    if not present.contained:
        raise GitHubError(
            "not_on_branch",
            f"{present.commit} is not on {wanted.branch}",
            [("branch", "the one that has the commit"), ("commit", f"one of {wanted.branch}")],
        )
    if present.problems:
        unseen = any(_UNSEEN in one for one in present.problems)
        raise GitHubError(
            "not_green",
            f"the checks of {present.commit} are not green: {'; '.join(present.problems)}",
            [
                ("the same later", "once they are"),
                *([("the token's settings", f"give it the permission {STATUSES}")] if unseen else []),
            ],
        )
    body = {"ref": f"refs/tags/{wanted.tag}", "sha": present.commit}
    return Plan((Change(wanted.tag, "", present.commit),), (Write("POST", f"{wanted.path}/git/refs", body),))


class ReleaseTag(State[TagPresent]):
    def __init__(self, wanted: Wanted) -> None:
        self.wanted = checked(wanted)
        self.what = f"tag {wanted.tag} of {wanted.repository}"
        # Resolved once: a branch that moves on meanwhile does not take the tag along.
        self._commit = wanted.commit

    def read(self, github: GitHub) -> TagPresent:
        wanted, path = self.wanted, self.wanted.path
        if not self._commit:
            self._commit = self._head(github)
        at = self._at(github)
        if at:
            return TagPresent(at, self._commit)
        compared = github.find(f"{path}/compare/{part(wanted.branch)}...{self._commit}")
        if compared is None:
            raise GitHubError(
                "not_found",
                f"{wanted.repository} has no branch {wanted.branch} or no commit {self._commit}",
                [("branch and commit", "check how they are written")],
            )
        contained = compared["status"] in ("identical", "behind")
        runs = list(github.pages(f"{path}/commits/{self._commit}/check-runs", "check_runs", filter="latest"))
        return TagPresent("", self._commit, contained, problems(runs, self._statuses(github), wanted.checks))

    def plan(self, present: TagPresent) -> Plan:
        return plan(self.wanted, present)

    def apply(self, github: GitHub, plan: Plan, present: TagPresent) -> None:
        wanted = self.wanted
        (write,) = plan.acts
        body = dict(write.body)
        if wanted.message:
            # An object that nothing leads to yet; alone it is seen by nobody.
            made = github.send(
                "POST",
                f"{wanted.path}/git/tags",
                {"tag": wanted.tag, "message": wanted.message, "object": self._commit, "type": "commit"},
            )
            body["sha"] = made["sha"]
        github.send(write.method, write.path, body)

    def left(self, before: TagPresent, after: TagPresent) -> tuple[Change, ...]:
        return () if after.at == before.commit else (Change(self.wanted.tag, after.at, before.commit),)

    def _statuses(self, github: GitHub) -> list[Mapping[str, Any]] | None:
        """The latest commit status of each context; None where the token may not see them."""
        try:
            return list(github.pages(f"{self.wanted.path}/commits/{self._commit}/status", "statuses"))
        except GitHubError as error:
            if error.code != "forbidden":
                raise
            return None

    def _head(self, github: GitHub) -> str:
        wanted = self.wanted
        found = github.find(f"{wanted.path}/branches/{part(wanted.branch)}")
        if found is None:
            raise GitHubError(
                "branch_missing",
                f"{wanted.repository} has no branch {wanted.branch}, or the token does not see it",
                [("branch", "check how it is written")],
            )
        return str(found["commit"]["sha"])

    def _at(self, github: GitHub) -> str:
        """The commit that the tag leads to; empty where there is no tag."""
        found = github.find(f"{self.wanted.path}/git/ref/{part(f'tags/{self.wanted.tag}')}")
        target = (found or {}).get("object") or {}
        for _level in range(5):
            if target.get("type") != "tag":
                break
            target = github.get(f"{self.wanted.path}/git/tags/{target['sha']}")["object"]
        return str(target.get("sha") or "")
