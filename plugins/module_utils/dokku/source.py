# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The source of a deploy to an app of Dokku: a commit of its repository, or an image. Pure, but for asking git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.dokku.release import Code, code_asked
from ansible_collections.ops.runbook.plugins.module_utils.guard import journal
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_COMMIT = re.compile(r"[0-9a-f]{7,40}")
#: Names of a branch or tag that git takes, without those that would be an option or a range.
_REF = re.compile(r"(?![-./])(?!.*(?:\.\.|//|@\{|\.lock$|[/.]$))[^\s~^:?*\[\\\x00-\x1f]+")
#: The environment of git: the one who is asked must not wait for a password that nobody types.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10"}


@dataclass(frozen=True)
class Source:
    """The source of a deploy. kind: git or image. ref: as it is given to Dokku. name: as a person calls it.

    proven: how it is known to exist; empty if it is not. warnings: for a person. unresolved: ref is a name whose commit
    only Dokku can find out; until it has, ref is compared with nothing.
    branch: the branch that was named; empty for anything else.
    """

    kind: str
    ref: str
    name: str
    proven: str = ""
    warnings: tuple[str, ...] = ()
    unresolved: bool = False
    branch: str = ""

    @property
    def code(self) -> Code | None:
        """Code that may be compared with running code; None for a name whose commit is not known."""
        return code_asked({"id": self.ref, journal.UNRESOLVED: self.unresolved})


def source_of(to: str, repository: str) -> Source | Problem:
    """The source that `to` names, before anything is asked: an image has a colon or a digest, all else is a commit."""
    if ":" in to or "@" in to or ("/" in to and not repository):
        return _image(to)
    if not repository:
        return Problem(
            "no_repository",
            f"to={to} names a commit, branch or tag, and no repository is known to take it from",
            (
                ("dokku_repository=<git address>", "in the inventory, as the host reaches it"),
                ("to=<image>:<tag>", "deploys an image; to=<image>@sha256:... too"),
            ),
        )
    if not _REF.fullmatch(to):
        return Problem(
            "bad_reference", f"to={to} is not a commit, branch or tag", (("to=<commit, branch or tag>", ""),)
        )
    return Source("git", to, to)


def _image(to: str) -> Source | Problem:
    try:
        reference = image_reference.parse(to)
    except image_reference.BadReference as error:
        return Problem(
            "bad_reference", str(error), (("to=<image>:<tag>", "names an image; to=<image>@sha256:... too"),)
        )
    if reference.digest:
        return Source("image", to, to, "its digest means the same for good; Dokku downloads it before it builds")
    tag = reference.tag or "latest"
    warning = (
        f"{to} is known by its tag alone: an image of that name that is on the host is taken without asking the "
        f"registry whether {tag} was moved; to=<image>@sha256:... means one image for good"
    )
    return Source("image", to, to, "", (warning,))


def resolve(to: str, refs: Mapping[str, str], repository: str) -> Source | Problem:
    """The commit that `to` means, by what the repository lists (name of a ref -> commit)."""
    tag = refs.get(f"refs/tags/{to}^{{}}") or refs.get(f"refs/tags/{to}")
    branch = refs.get(f"refs/heads/{to}")
    if tag and branch and tag != branch:
        ways = ((f"to={tag[:12]}", f"the tag {to}"), (f"to={branch[:12]}", f"the branch {to}"))
        return Problem("ambiguous", f"{to} is a branch and a tag of {repository}, and they differ", ways)
    found = tag or branch
    if found:
        what = "tag" if tag else "branch"
        proven = f"the {what} {to} of {repository} is {found[:12]} now"
        return Source("git", found, to, proven, branch="" if tag else to)
    if _COMMIT.fullmatch(to):
        tips = {commit for commit in refs.values() if commit.startswith(to)}
        if len(tips) == 1:
            commit = tips.pop()
            names = sorted(name.partition("/")[2] for name, value in refs.items() if value == commit and "/" in name)
            return Source("git", commit, "", f"{', '.join(names[:3])} of {repository}")
        # The list has the tips only, and any commit before them can be deployed as well.
        warning = f"{to} is not a tip of a branch or tag: whether it is in {repository} shows when it is fetched"
        return Source("git", to, "", "", (warning,))
    near = sorted(
        name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/")) and "^" not in name
    )
    return Problem(
        "unknown_release",
        f"{repository} has no branch, tag or commit {to}",
        (("to=<commit, branch or tag>", "names one that it has"),),
        (f"it has: {', '.join(near[-12:])}",) if near else (),
    )


def parse_refs(text: str) -> dict[str, str]:
    """The refs of `git ls-remote`: name of a ref -> commit."""
    lines = (line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    return {name.strip(): commit for commit, name in lines if re.fullmatch("[0-9a-f]{40}", commit)}


def ask(source: Source, repository: str, shown: str) -> Source | Problem:
    """The commit that a name means now, asked as the user who operates the host; shown: the address for people.

    A repository that only the user dokku may read is not a reason to refuse: that user fetches it.
    """
    try:
        listed = Commands("/", timeout=30.0).run(["git", "ls-remote", "--", repository], env=_QUIET)
    except CommandFailed:
        warning = (
            f"{shown} can't be read by this user, so it is not proven that it has {source.ref}: "
            "Dokku fetches it with its own key, before it builds"
        )
        if re.fullmatch("[0-9a-f]{40}", source.ref):
            return Source("git", source.ref, source.name, "", (warning,))
        # The beginning of a commit may be the name of a tag as well.
        later = f"which commit {source.ref} is, Dokku says after that: this commit is then verified and recorded"
        return Source("git", source.ref, source.name, "", (warning, later), unresolved=True)
    return resolve(source.ref, parse_refs(listed.stdout), shown)
