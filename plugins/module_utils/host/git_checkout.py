# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A git checkout as an operation reads and changes it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_tree, git_names
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands, Output
from ansible_collections.ops.runbook.plugins.module_utils.host.ref_name import is_ref_name
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Refs under this name hold the commits of kept releases, so that git never collects them.
KEPT_REFS = "refs/ops-runbook/releases/"

# Background helpers would outlive the command and keep the guard's kernel lock; a changed mode bit
# (chmod -R on storage/) is not a change of the application.
_SETTINGS = (
    "gc.auto=0",
    "maintenance.auto=false",
    "core.fsmonitor=false",
    "core.fileMode=false",
    "core.quotePath=false",
)

_HEX = re.compile(r"^[0-9a-fA-F]{4,40}$")


@dataclass(frozen=True)
class Resolved:
    """A commit that was proven to exist. name: tag or branch. how: one sentence about the proof.

    branch: the branch that was named; empty for a tag or a commit.
    """

    commit: str
    name: str
    how: str
    branch: str = ""


@dataclass
class Checkout:
    """One checkout. scratch: a folder that takes new objects instead of the checkout (check mode).

    aside: tracked paths that are something else here, and do not count as changes.
    """

    commands: Commands
    git: Sequence[str] = ("git",)
    remote: str = "origin"
    scratch: str = ""
    aside: Sequence[str] = ()
    _network_error: str = field(default="", init=False)

    def run(self, *arguments: str, check: bool = True, stdin: str | None = None) -> Output:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        # Without optional locks `git status` does not rewrite the index: a look changes nothing.
        environment = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        if self.scratch:
            environment["GIT_OBJECT_DIRECTORY"] = self.scratch
            environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.path.join(self.folders()[1], "objects")
        return self.commands.run([*self.git, *settings, *arguments], env=environment, check=check, stdin=stdin)

    def text(self, *arguments: str) -> str:
        return self.run(*arguments).stdout.strip()

    # -- reading ---------------------------------------------------------------------------------

    def head(self) -> str:
        """The commit that is checked out. Raises Problem if the path is not a checkout of its own."""
        path = self.commands.cwd
        asked = self.run("rev-parse", "--show-toplevel", "--verify", "HEAD^{commit}", check=False)
        if asked.code != 0:
            said = excerpt(asked.stderr)
            raise Problem("not_a_checkout", f"{path} is not a git checkout: {said}", (_whose(path),))
        top, commit = asked.stdout.split("\n")[:2]
        if os.path.realpath(top) != os.path.realpath(path):
            text = f"{path} is not a git checkout of its own: it lies inside {top}"
            raise Problem("not_a_checkout", text, (_whose(path),))
        return commit

    def repository(self) -> str:
        """The remote's address; empty if it has none."""
        return self.run("remote", "get-url", self.remote, check=False).stdout.strip()

    def tags_at(self, commit: str) -> list[str]:
        names = self.text("tag", "--points-at", commit, "--sort=-version:refname").split("\n")
        return [name for name in names if name]

    def changes(self) -> list[str]:
        """Changes of tracked files that are not committed, as `XY path` lines."""
        where = ["--", ".", *[f":(exclude){path}" for path in self.aside]] if self.aside else []
        status = self.run("status", "--porcelain=v1", "--no-renames", "--untracked-files=no", "-z", *where).stdout
        return [entry for entry in status.split("\0") if entry and not self.link_above(entry[3:])]

    def link_above(self, name: str) -> str:
        """A link to another place at or above this file, where git has a folder; empty if there is none.

        Such a link puts a data volume into a checkout. git would take the files behind it for removed, and replace the
        link by a folder of its own.
        """
        parts = name.split("/")[:-1]
        above = ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        return next((part for part in above if os.path.islink(os.path.join(self.commands.cwd, part))), "")

    def links(self, *commits: str) -> list[str]:
        """Folders of these commits that are links to somewhere else here."""
        names: set[str] = set()
        for commit in commits:
            names |= {*self.run("ls-tree", "-r", "-d", "--name-only", "-z", commit).stdout.split("\0")} - {""}
        there = (name for name in sorted(names) if os.path.islink(os.path.join(self.commands.cwd, name)))
        return [name for name in there if not self.link_above(name)]

    def behind_links(self, source: str, target: str) -> dict[str, list[str]]:
        """By link, the files that differ between two commits, and that git can't bring without replacing that link.

        Files that only make git keep a folder are of no use behind one.
        """
        found: dict[str, list[str]] = {}
        for _, name in self.changed_names(source, target):
            link = self.link_above(name)
            if link and os.path.basename(name) not in (".gitignore", ".gitkeep", ".keep"):
                found.setdefault(link, []).append(name)
        return found

    def in_the_way(self, source: str, target: str) -> list[str]:
        """Files that git does not track now, and that the target would overwrite."""
        added = self.run("diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", source, target).stdout
        names = [name for name in added.split("\0") if name and not self.link_above(name)]
        found = dict.fromkeys(self._in_place_of(name) for name in names)
        return [name for name in found if name and not self._tracks(source, name) and not self._left_of(target, name)]

    def _in_place_of(self, name: str) -> str:
        """The path that is in the way of a file of git: that file itself, or a file or link where it needs a folder."""
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            part = "/".join(parts[:depth])
            full = os.path.join(self.commands.cwd, part)
            if not os.path.lexists(full):
                return ""
            if os.path.islink(full) or not os.path.isdir(full):
                return part
        return name

    def _left_of(self, target: str, name: str) -> bool:
        """True if it is the folder of a submodule, which git leaves behind where a commit has it no more."""
        listed = self.run("ls-tree", "-z", target, "--", name).stdout
        return listed.startswith("160000 ") and os.path.isdir(os.path.join(self.commands.cwd, name))

    def _tracks(self, commit: str, name: str) -> bool:
        return bool(self.run("ls-tree", "-z", "--name-only", commit, "--", name).stdout)

    def files(self, commit: str, folder: str) -> list[str]:
        listed = self.run("ls-tree", "-r", "--name-only", "-z", commit, "--", folder, check=False).stdout
        return [name for name in listed.split("\0") if name]

    def tree(self, commit: str) -> str:
        """Every file of a commit, as `git ls-tree -r -z` lists them."""
        return self.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout

    def show(self, commit: str, path: str) -> str | None:
        """The content of a file of a commit; None if the commit has no such file."""
        shown = self.run("show", f"{commit}:{path}", check=False)
        return shown.stdout if shown.code == 0 else None

    def changed_names(self, source: str, target: str) -> list[tuple[str, str]]:
        """(status letter, path) of each file that differs between two commits."""
        parts = self.run("diff", "--name-status", "--no-renames", "-z", source, target).stdout.split("\0")
        return [(parts[index], parts[index + 1]) for index in range(0, len(parts) - 1, 2)]

    def size_of_change(self, source: str, target: str) -> tuple[int, int]:
        """Bytes and number of the files of the target that differ from another commit."""
        names = {name for letter, name in self.changed_names(source, target) if letter != "D"}
        if not names:
            return 0, 0
        size = 0
        for entry in self.run("ls-tree", "-r", "-l", "-z", target).stdout.split("\0"):
            facts, _, name = entry.partition("\t")
            if name in names and facts.split()[-1].isdigit():
                size += int(facts.split()[-1])
        return size, len(names)

    def has(self, commit: str) -> bool:
        return self.run("cat-file", "-e", f"{commit}^{{commit}}", check=False).code == 0

    def heads(self, names: Sequence[str]) -> tuple[dict[str, str], str]:
        """The branches of the remote with these names, each with its commit, and why they are not as they are now.

        Where the remote can't be asked, they are as they were last fetched to this host.
        """
        if not names:
            return {}, ""
        asked = self.run("ls-remote", "--heads", self.remote, *(f"refs/heads/{name}" for name in names), check=False)
        if asked.code == 0:
            listed = (line.partition("\t") for line in asked.stdout.splitlines())
            tips = {name.removeprefix("refs/heads/"): commit for commit, _tab, name in listed}
            if not all(self.has(commit) for commit in tips.values()):
                self.fetch()
            return tips, ""
        found = {}
        for name in names:
            ref = f"refs/remotes/{self.remote}/{name}^{{commit}}"
            commit = self.run("rev-parse", "--verify", "-q", ref, check=False).stdout.strip()
            found.update({name: commit} if commit else {})
        return found, excerpt(asked.stderr, redact=self.commands.redact)

    # -- names -----------------------------------------------------------------------------------

    def resolve(self, wanted: str, fresh: bool) -> Resolved:
        """The commit that a name means, proven to exist here.

        fresh: branches and tags mean what the remote says now (a deploy); otherwise what is on this host
        decides, and the remote is asked only about what is not (a rollback). Raises Problem.
        """
        if not is_ref_name(wanted):
            text = f"to={wanted} is not a name that git takes for a tag or a branch"
            raise Problem("bad_release_name", text, (("to=<commit or tag>", "names the release to go to"),))
        if not fresh:
            local = self._local(wanted)
            if local is not None:
                return local
        named = self._ask_remote(wanted)
        if named is not None:
            if not self.has(named.commit):
                self.fetch()
            if not self.has(named.commit):
                raise Problem(
                    "not_fetched",
                    f"to={wanted} is {named.commit[:10]} on the remote '{self.remote}', but it can't be fetched: "
                    + (self._network_error or "the remote does not give it"),
                    (("the same command again", "if somebody was just pushing to the remote"),),
                )
            return named
        if _HEX.match(wanted):
            local = self._local_commit(wanted)
            if local is None and not self._network_error:
                self.fetch()
                local = self._local_commit(wanted)
            if local is not None:
                return local
        if fresh and self._network_error:
            raise Problem(
                "remote_unreachable",
                f"the remote '{self.remote}' can't be asked about to={wanted}: {self._network_error}",
                (("to=<full commit id>", "needs no remote if that commit is on this host already"),),
            )
        remote = f"the remote can't be asked: {self._network_error}" if self._network_error else "nor on the remote"
        raise Problem(
            "unknown_release",
            f"to={wanted} names no commit, tag or branch on this host, {remote}",
            (
                *((f"to={name}", "if that is what you mean") for name in self._meant(wanted)),
                ("to=<commit, tag or branch>", "operation_history lists the releases of this host"),
            ),
        )

    def _meant(self, wanted: str) -> list[str]:
        places = ("refs/tags", f"refs/remotes/{self.remote}")
        listed = self.run("for-each-ref", "--format=%(refname)", *places, check=False)
        known = [name.split("/", 2)[2].removeprefix(f"{self.remote}/") for name in listed.stdout.split()]
        return git_names.meant(wanted, self.remote, [name for name in known if name != "HEAD"])

    def _local(self, wanted: str) -> Resolved | None:
        tag = self.run("rev-parse", "--verify", "-q", f"refs/tags/{wanted}^{{commit}}", check=False).stdout.strip()
        commit = self._local_commit(wanted) if _HEX.match(wanted) else None
        branch = self.run(
            "rev-parse", "--verify", "-q", f"refs/remotes/{self.remote}/{wanted}^{{commit}}", check=False
        ).stdout.strip()
        if tag and commit and tag != commit.commit:
            raise self._two_meanings(wanted, f"tag {tag[:10]}", f"commit {commit.commit[:10]}")
        if tag and branch and tag != branch:
            raise self._two_meanings(wanted, f"branch {branch[:10]}", f"tag {tag[:10]}")
        if tag:
            return Resolved(tag, wanted, f"tag {wanted}, present on this host")
        if commit:
            return commit
        return Resolved(branch, wanted, f"branch {wanted} as last fetched to this host", wanted) if branch else None

    def _local_commit(self, wanted: str) -> Resolved | None:
        listed = self.run("rev-parse", f"--disambiguate={wanted}", check=False).stdout.split()
        commits = [name for name in listed if self.run("cat-file", "-t", name, check=False).stdout.strip() == "commit"]
        if len(commits) > 1:
            raise Problem(
                "ambiguous_release",
                f"to={wanted} is the beginning of {len(commits)} commits",
                tuple((f"to={name[:12]}", "names that one") for name in commits[:5]),
            )
        if not commits:
            return None
        tags = self.tags_at(commits[0])
        return Resolved(commits[0], tags[0] if tags else "", "commit, present on this host")

    def _ask_remote(self, wanted: str) -> Resolved | None:
        asked = self.run(
            "ls-remote",
            self.remote,
            f"refs/heads/{wanted}",
            f"refs/tags/{wanted}",
            f"refs/tags/{wanted}^{{}}",
            check=False,
        )
        if asked.code != 0:
            self._network_error = excerpt(asked.stderr, redact=self.commands.redact)
            return None
        found = {name: commit for commit, _, name in (line.partition("\t") for line in asked.stdout.split("\n"))}
        branch = found.get(f"refs/heads/{wanted}")
        tag = found.get(f"refs/tags/{wanted}^{{}}") or found.get(f"refs/tags/{wanted}")
        if branch and tag and branch != tag:
            raise self._two_meanings(wanted, f"branch {branch[:10]}", f"tag {tag[:10]}")
        if tag:
            return Resolved(tag, wanted, f"tag {wanted} on the remote")
        return Resolved(branch, wanted, f"branch {wanted} on the remote", wanted) if branch else None

    def _two_meanings(self, wanted: str, first: str, second: str) -> Problem:
        return Problem(
            "ambiguous_release",
            f"to={wanted} means two commits: {first} and {second}",
            tuple((f"to={meaning.split()[1]}", f"the {meaning.split()[0]}") for meaning in (first, second)),
        )

    def fetch(self) -> None:
        """Bring the remote's branches and tags here (in check mode their objects go to the scratch folder)."""
        # A dry run brings the objects, but moves no branch, no tag and no FETCH_HEAD.
        mode = "--dry-run" if self.scratch else "--prune"
        branches = f"+refs/heads/*:refs/remotes/{self.remote}/*"
        fetched = self.run("fetch", "--quiet", mode, "--tags", "--force", self.remote, branches, check=False)
        if fetched.code != 0:
            self._network_error = excerpt(fetched.stderr, redact=self.commands.redact)

    # -- changing --------------------------------------------------------------------------------

    def keep(self, commit: str) -> None:
        """Hold a commit by a ref of ours: a forced push and a collection can't take it away."""
        self.clear_dead_locks()
        self.run("update-ref", f"{KEPT_REFS}{commit}", commit)

    def kept(self) -> list[str]:
        names = self.text("for-each-ref", "--format=%(refname)", KEPT_REFS).split()
        return [name[len(KEPT_REFS) :] for name in names]

    def forget(self, commit: str) -> None:
        self.clear_dead_locks()
        self.run("update-ref", "-d", f"{KEPT_REFS}{commit}")

    def switch(self, commit: str) -> None:
        """`git reset --hard`, as the runbook has it; done already, it does nothing.

        A link to somewhere else where git has a folder stays, and so does what lies behind it.
        """
        self.clear_dead_locks()
        links = self.links("HEAD", commit)
        if links:
            excluded = [f":(exclude){path}" for path in links]
            self.run("restore", "--source", commit, "--staged", "--worktree", "--", ".", *excluded)
            self.run("reset", "--mixed", "--quiet", commit)
            self.run("update-index", "-q", "--refresh", check=False)
        else:
            self.run("reset", "--hard", "--quiet", commit)
        self.bring_submodules()

    def bring_submodules(self, folder: str = "") -> None:
        """Bring the submodules of a checkout to what its commit says; git itself leaves them as they were.

        On the way back their commits are here already, and nothing is asked of their remotes.
        """
        place = os.path.join(self.commands.cwd, folder)
        if not os.path.isfile(os.path.join(place, ".gitmodules")):
            return
        for arguments in (("sync", "--recursive"), ("update", "--init", "--recursive", "--force")):
            self.run("-C", place, "submodule", "--quiet", *arguments)

    def clear_dead_locks(self) -> None:
        """Remove lock files that a killed git of ours left.

        Only the guard's holder calls this: the plan refused where a lock file was there before, and a
        child that still lives would hold the guard's kernel lock.
        """
        for path in self.lock_files():
            os.unlink(path)

    def lock_files(self) -> list[str]:
        own, common = self.folders()
        paths = [os.path.join(own, name) for name in ("index.lock", "HEAD.lock", "ORIG_HEAD.lock")]
        paths.append(os.path.join(common, "packed-refs.lock"))
        head = self.run("symbolic-ref", "-q", "HEAD", check=False).stdout.strip()
        if head:
            paths.append(os.path.join(common, f"{head}.lock"))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            kept = os.listdir(os.path.join(common, KEPT_REFS))
            paths += [os.path.join(common, KEPT_REFS, name) for name in sorted(kept) if name.endswith(".lock")]
        return [path for path in paths if os.path.exists(path)]

    def folders(self) -> tuple[str, str]:
        """Git's folder of this checkout, and the one with objects and refs; a linked checkout has two."""
        own = os.path.join(self.commands.cwd, ".git")
        if not os.path.isfile(own):
            return own, own
        with open(own, encoding="utf-8") as handle:
            own = os.path.join(self.commands.cwd, handle.read().partition("gitdir:")[2].strip())
        return own, os.path.dirname(os.path.dirname(own))

    def add_linked(self, repository: str, folder: str, commit: str) -> None:
        """Check a commit out into a new folder, linked to a repository that has it."""
        git = ["--git-dir", repository]
        self.run(*git, "worktree", "prune", "--expire=now")
        self.run(*git, "worktree", "add", "--quiet", "--detach", "--force", folder, commit)
        self.bring_submodules(folder)

    def save_changes(self, folder: str, in_the_way: Sequence[str]) -> str:
        """Save uncommitted changes as a patch, and the files in the way as copies. Returns the folder.

        What was saved before is never overwritten: done again, this finds what the switch has put there since.
        """
        os.makedirs(folder, mode=0o700, exist_ok=True)
        part = os.path.join(folder, "changes.part")
        # git writes the file itself: a source file need not be valid text. No setting of a user changes its form.
        # Of a submodule its own changes are lost too, and not just the name of its commit.
        form = (
            "--binary",
            "--submodule=diff",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--src-prefix=a/",
            "--dst-prefix=b/",
        )
        self.run("diff", *form, f"--output={part}", "HEAD")
        patches = [name for name in os.listdir(folder) if name.endswith(".patch")]
        if os.path.getsize(part) or not patches:
            name = f"changes-{len(patches) + 1}.patch" if patches else "changes.patch"
            durable_tree.put(part, os.path.join(folder, name))
        else:
            os.unlink(part)
        for name in in_the_way:
            source, target = os.path.join(self.commands.cwd, name), os.path.join(folder, "files", name)
            if not os.path.lexists(source) or os.path.lexists(target):
                continue
            if os.path.isdir(source) and not os.path.islink(source):
                raise CommandFailed(f"{source} is a folder, and the target has a file of that name")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            copy = os.path.join(folder, "file.part")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy)
            shutil.copy2(source, copy, follow_symlinks=False)
            durable_tree.put(copy, target)
        return folder


def _whose(path: str) -> tuple[str, str]:
    line = f"git -C {shlex.quote(path)} log -1"
    return line, "shows what git says of the folder, as the user of this run, on the host where it is"
