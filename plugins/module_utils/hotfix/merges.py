# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hotfix that went live from its own branch: the merges that are due for it, and whether they were done.

Where main is protected a hotfix is deployed before it is merged. Until its commit is on main and on staging, the next
deploy from there takes the fix away again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import identity
from ansible_collections.ops.runbook.plugins.module_utils.host.clock import minute
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Output

#: Relation of a branch to a commit: it has the commit; it has the same changes under another commit, as after a
#: squash or a rebase; it lacks it; unknown.
HAS, SAME, LACKS, UNKNOWN = "has", "same", "lacks", "unknown"
#: Hotfixes of a ledger that are looked at, the newest.
MOST = 10
#: Commits of a branch whose changes are compared.
_COMPARED = 300

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


class Git(Protocol):
    """Runs git in one repository."""

    def __call__(self, *arguments: str, check: bool = True, stdin: str | None = None) -> Output: ...


@dataclass(frozen=True)
class Hotfix:
    """One of the ledger. branch: empty where it was deployed by its commit. finished: RFC 3339."""

    commit: str
    branch: str = ""
    operation: str = ""
    finished: str = ""

    def label(self) -> str:
        return f"{self.branch} ({self.commit[:10]})" if self.branch else self.commit[:10]


@dataclass(frozen=True)
class Standing:
    """A hotfix with each branch's relation to it: HAS, SAME, LACKS or UNKNOWN. why: the cause of UNKNOWN."""

    hotfix: Hotfix
    branches: Mapping[str, str]
    why: str = ""

    def those(self, *states: str) -> tuple[str, ...]:
        return tuple(name for name, state in self.branches.items() if state in states)


# -- the ledger ----------------------------------------------------------------------------------


def facts(commit: str, branch: str, due: Sequence[Mapping[str, str]], earlier: Iterable[Hotfix] = ()) -> dict[str, Any]:
    """Facts of a hotfix for its record, beside those of any other deploy.

    due: from `merges`. earlier: hotfixes before this one whose merges are due too: the newest record has them all.
    """
    found = [asdict(one) for one in earlier if one.commit != commit][: MOST - 1]
    return {
        "hotfix": True,
        "branch": branch,
        "commit": commit,
        "merges": [dict(one) for one in due],
        **({"earlier": found} if found else {}),
    }


def deployed(records: Iterable[Mapping[str, Any]], condemned: Iterable[str] = ()) -> tuple[Hotfix, ...]:
    """The hotfixes of records, the newest first, with those that their records name as earlier ones.

    condemned: ids of releases that a later operation left as bad: a fix that was taken back need not be merged.
    """
    left, found = frozenset(condemned), dict[str, Hotfix]()
    for record in records:
        known, target = record.get("facts") or {}, record.get("to") or {}
        if record.get("outcome") != "succeeded" or not known.get("hotfix"):
            continue
        own = None if str(target.get("id")) in left else _hotfix(record, known, target)
        for one in (*_earlier(known)[::-1], own):
            if one is not None:
                found.pop(one.commit, None)
                found[one.commit] = one
    return tuple(list(found.values())[::-1][:MOST])


def _hotfix(record: Mapping[str, Any], known: Mapping[str, Any], target: Mapping[str, Any]) -> Hotfix | None:
    names = (known.get("commit"), target.get("revision"), target.get("id"))
    commit = next((str(name) for name in names if _COMMIT.match(str(name or ""))), "")
    branch, operation = str(known.get("branch") or ""), str(record.get("id") or "")
    return Hotfix(commit, branch, operation, str(record.get("finished") or "")) if commit else None


def _earlier(known: Mapping[str, Any]) -> list[Hotfix]:
    """The hotfixes that a record names as earlier ones, the newest first."""
    listed = known.get("earlier")
    found = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    names = ("commit", "branch", "operation", "finished")
    hotfixes = [Hotfix(*(str(one.get(name) or "") for name in names)) for one in found]
    return [one for one in hotfixes if _COMMIT.match(one.commit)]


def of_ledger(book: Answers) -> tuple[Hotfix, ...]:
    """The hotfixes of a ledger whose merges may be due, the newest first, without reading all of it."""
    newest = book.find(ledger_keys.HOTFIX, ledger_keys.LATEST)
    if newest is None:
        return ()
    release = book.history().find(identity(newest.get("to")))
    return deployed([newest], [release.id] if release is not None and not release.good else [])


def condemned(history: Mapping[str, Any]) -> tuple[str, ...]:
    """The releases that a later operation left as bad, of what operation_history read."""
    return tuple(str(one["id"]) for one in history.get("releases") or () if not one.get("good", True))


# -- git -----------------------------------------------------------------------------------------


def contains(git: Git, tip: str, commit: str) -> str:
    """The relation of a branch with this tip to a commit.

    A tip whose history is here has no commit that is not here. The same changes under another commit are looked for
    among the newest commits of the branch.
    """
    if git("cat-file", "-e", f"{tip}^{{commit}}", check=False).code != 0:
        return UNKNOWN
    if git("cat-file", "-e", f"{commit}^{{commit}}", check=False).code != 0:
        return LACKS
    if git("merge-base", "--is-ancestor", commit, tip, check=False).code == 0:
        return HAS
    base = git("merge-base", tip, commit, check=False).stdout.strip()
    try:
        return SAME if base and _same_changes(git, base, tip, commit) else LACKS
    except CommandFailed:
        # Changes that can't be compared do not prove a merge.
        return LACKS


def _same_changes(git: Git, base: str, tip: str, commit: str) -> bool:
    how = ("--no-color", "--no-ext-diff", "--no-textconv", "--full-index")
    log = ("log", "--patch", "--no-merges", f"--max-count={_COMPARED}", *how)
    theirs = _patch_ids(git, *log, f"{base}..{tip}")
    each = _patch_ids(git, *log, f"{base}..{commit}")
    # A squash has them in one commit, a rebase each in one of its own.
    return bool(_patch_ids(git, "diff", *how, base, commit) & theirs) or bool(each) and each <= theirs


def _patch_ids(git: Git, *arguments: str) -> set[str]:
    changes = git(*arguments).stdout
    listed = git("patch-id", "--stable", stdin=changes).stdout if changes.strip() else ""
    return {line.split()[0] for line in listed.splitlines() if line.strip()}


def standing(git: Git, hotfix: Hotfix, into: Sequence[str], tips: Mapping[str, str]) -> Standing:
    """The relation of each branch to a hotfix. A branch that the remote does not have needs no merge."""
    return Standing(hotfix, {name: contains(git, tips[name], hotfix.commit) for name in into if name in tips})


def unknown(hotfix: Hotfix, into: Sequence[str], why: str) -> Standing:
    """A hotfix of which nothing can be known about these branches."""
    return Standing(hotfix, dict.fromkeys(into, UNKNOWN), why)


# -- the merges ----------------------------------------------------------------------------------


def merges(repository: str, hotfix: Hotfix, due: Sequence[str], into: Sequence[str]) -> list[dict[str, str]]:
    """The merges that are due, each with the branch that it goes into and the command that a person types.

    into: all branches that a hotfix goes into, the trunk first. The trunk gets the hotfix; the others get the trunk.
    """
    trunk = into[0] if into else ""
    found = []
    for name in due:
        source = (hotfix.branch or hotfix.commit) if name == trunk else trunk
        found.append({"into": name, "command": _command(repository, source, name)})
    return found


def _command(repository: str, source: str, target: str) -> str:
    host, path = _address(repository)
    first = ""
    if _COMMIT.match(source) and host:
        # A request to merge is of a branch.
        branch = f"hotfix-{source[:10]}"
        first, source = f"git push origin {source}:refs/heads/{branch} && ", branch
    head, base = shlex.quote(source), shlex.quote(target)
    if host == "github.com":
        return f"{first}gh pr create --repo {shlex.quote(path)} --base {base} --head {head} --fill"
    if host.startswith("gitlab."):
        ask = f"glab mr create --repo {shlex.quote(path)} --source-branch {head} --target-branch {base} --fill"
        return f"{first}{ask}"
    what = source if _COMMIT.match(source) else f"origin/{head}"
    update = f"git fetch origin && git switch {base} && git merge --ff-only origin/{base}"
    return f"{update} && git merge {what} && git push origin {base}"


def _address(repository: str) -> tuple[str, str]:
    """Host and owner/name of a repository that takes requests to merge; empty for any other."""
    short = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)([\w./-]+?)(?:\.git)?/?", repository)
    parts = urlsplit(repository)
    host, path = (short[1], short[2]) if short else (parts.hostname or "", parts.path.strip("/").removesuffix(".git"))
    known = host == "github.com" or host.startswith("gitlab.")
    return (host, path) if known and re.fullmatch(r"[\w./-]+/[\w.-]+", path) else ("", "")


def due_still(found: Iterable[Standing]) -> tuple[Hotfix, ...]:
    """The hotfixes whose merges are due, or may be."""
    return tuple(one.hotfix for one in found if one.those(LACKS, UNKNOWN))


def told(due: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """The merges as a plan shows them; nothing where none is due."""
    return [("merges", [f"due into {one['into']}: {one['command']}" for one in due])] if due else []


def lost(git: Git, hotfixes: Iterable[Hotfix], target: str, name: str) -> list[str]:
    """Warnings of a deploy to a release that lacks a hotfix."""
    return [
        f"{name} does not have the hotfix {one.label()}, which was deployed {minute(one.finished)}: it is taken away"
        for one in hotfixes
        if contains(git, target, one.commit) == LACKS
    ]
