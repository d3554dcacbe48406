# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout, with real repositories: a name means one commit, a look changes nothing, and no change is lost."""

from __future__ import annotations

import copy
import hashlib
import http.server
import itertools
import os
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import KEPT_REFS, Checkout
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AUTHOR.items():
        monkeypatch.setenv(name, value)


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, input=stdin)
    return done.stdout.decode().strip()


class Origin:
    """A remote with one commit for each release, and a clone of it."""

    def __init__(self, root: Path) -> None:
        self.work, self.clone = root / "origin", root / "clone"
        self.work.mkdir()
        git(self.work, "init", "--quiet", "--initial-branch=main")
        self.v1 = self.commit("v1", app="one", conf="a")
        self.v2 = self.commit("v2", app="two")
        git(root, "clone", "--quiet", str(self.work), str(self.clone))
        self.checkout = self.at()

    def at(self, scratch: Path | None = None) -> Checkout:
        return Checkout(Commands(str(self.clone)), scratch=str(scratch or ""))

    def commit(self, tag: str = "", **files: str) -> str:
        for name, text in files.items():
            (self.work / name).write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "-m", tag or "work")
        if tag:
            git(self.work, "tag", "-a", tag, "-m", tag)
        return git(self.work, "rev-parse", "HEAD")

    def id(self, tag: str) -> str:
        return git(self.work, "rev-parse", f"{tag}^{{commit}}")

    def vanish(self) -> None:
        self.work.rename(self.work.with_suffix(".gone"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """Made once, since copying is cheaper than a dozen runs of git."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AUTHOR.items():
            patch.setenv(name, value)
        yield Origin(tmp_path_factory.mktemp("template"))


@pytest.fixture
def origin(template: Origin, tmp_path: Path) -> Origin:
    origin = copy.copy(template)
    origin.work, origin.clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(template.work, origin.work, symlinks=True)
    shutil.copytree(template.clone, origin.clone, symlinks=True)
    settings = origin.clone / ".git" / "config"
    settings.write_text(settings.read_text().replace(str(template.work), str(origin.work)))
    origin.checkout = origin.at()
    return origin


def fingerprint(folder: Path) -> str:
    """Everything in a folder: names, contents, modes and times."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        total.update(f"{path} {facts.st_mode} {facts.st_mtime_ns} {facts.st_ino}\n".encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def problem_of(checkout: Checkout, wanted: str, fresh: bool) -> Problem:
    with pytest.raises(Problem) as caught:
        checkout.resolve(wanted, fresh)
    return caught.value


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [True, False], ids=["deploy", "rollback"])
def test_a_release_by_each_of_its_names(origin: Origin, fresh: bool) -> None:
    for wanted, name in (
        ("v1", "v1"),
        (origin.v1, "v1"),
        (origin.v1[:7], "v1"),
        (origin.v1[:4], "v1"),
        (origin.v1.upper(), "v1"),
    ):
        found = origin.checkout.resolve(wanted, fresh)
        assert (found.commit, found.name) == (origin.v1, name), wanted


def test_a_deploy_asks_the_remote_and_a_rollback_this_host(origin: Origin) -> None:
    git(origin.work, "tag", "-f", "-a", "v1", "-m", "moved", origin.v2)
    v3 = origin.commit("", app="three")
    assert origin.checkout.resolve("main", fresh=False).commit == origin.v2
    assert origin.checkout.resolve("v1", fresh=False).commit == origin.v1
    assert origin.checkout.resolve("main", fresh=True).commit == v3
    assert origin.checkout.resolve("v1", fresh=True).commit == origin.v2


def test_the_proof_is_said(origin: Origin) -> None:
    assert origin.checkout.resolve("v1", fresh=False).how == "tag v1, present on this host"
    assert origin.checkout.resolve("v1", fresh=True).how == "tag v1 on the remote"
    assert origin.checkout.resolve("main", fresh=True).how == "branch main on the remote"
    assert origin.checkout.resolve("main", fresh=False).how == "branch main as last fetched to this host"


@pytest.mark.parametrize("fresh", [True, False])
def test_new_commits_of_the_remote_are_fetched(origin: Origin, fresh: bool) -> None:
    v3 = origin.commit("v3", app="three")
    assert origin.checkout.resolve("v3", fresh).commit == v3
    v4 = origin.commit("", app="four")
    assert origin.checkout.resolve(v4, fresh).commit == v4
    v5 = origin.commit("", app="five")
    assert origin.checkout.resolve(v5[:8], fresh).commit == v5
    assert origin.checkout.has(v5)


@pytest.mark.parametrize(
    ("wanted", "way"), [("origin/main", "to=main"), ("refs/tags/v1", "to=v1"), ("refs/heads/main", "to=main")]
)
def test_a_name_with_too_much_in_front_is_answered_with_the_one_that_is_meant(
    origin: Origin, wanted: str, way: str
) -> None:
    origin.checkout.fetch()
    problem = problem_of(origin.checkout, wanted, False)
    assert problem.code == "unknown_release" and problem.ways[0][0] == way


@pytest.mark.parametrize("fresh", [True, False])
def test_an_unknown_name_is_refused_with_what_to_do(origin: Origin, fresh: bool) -> None:
    for wanted in ("v9", "deadbeef", "f" * 40, "feature/none"):
        problem = problem_of(origin.checkout, wanted, fresh)
        assert (problem.code, bool(problem.ways)) == ("unknown_release", True)
        assert f"to={wanted} " in str(problem) and "nor on the remote" in str(problem)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(
    "wanted",
    ["", "-x", "--upload-pack=x", "v1..v2", "v1^", "v1~1", "HEAD@{1}", "a b", ":/fix", "v1\n", "v1\nv2", "a:b"],
)
def test_an_invalid_name_never_reaches_git(tmp_path: Path, wanted: str, fresh: bool) -> None:
    nowhere = Checkout(Commands(str(tmp_path)), git=("/nowhere/git",))
    assert problem_of(nowhere, wanted, fresh).code == "bad_release_name"


@pytest.mark.parametrize("fresh", [True, False])
def test_a_tag_and_a_branch_of_one_name_are_ambiguous_only_if_they_differ(origin: Origin, fresh: bool) -> None:
    git(origin.work, "branch", "v1", "v1^{commit}")
    git(origin.work, "branch", "v2", "v1^{commit}")
    origin.checkout.fetch()
    assert origin.checkout.resolve("v1", fresh).commit == origin.v1
    problem = problem_of(origin.checkout, "v2", fresh)
    assert problem.code == "ambiguous_release"
    assert sorted(way for way, _ in problem.ways) == sorted([f"to={origin.v1[:10]}", f"to={origin.v2[:10]}"])


def test_a_tag_that_looks_like_the_beginning_of_another_commit_is_ambiguous(origin: Origin) -> None:
    git(origin.work, "tag", origin.v2[:7], origin.v1)
    git(origin.work, "tag", origin.v1[:7], origin.v1)
    origin.checkout.fetch()
    assert problem_of(origin.checkout, origin.v2[:7], False).code == "ambiguous_release"
    assert origin.checkout.resolve(origin.v1[:7], False).commit == origin.v1


@pytest.mark.parametrize("fresh", [True, False])
def test_the_beginning_of_two_commits_is_ambiguous(origin: Origin, fresh: bool) -> None:
    tree, seen = git(origin.clone, "rev-parse", "HEAD^{tree}"), dict[str, bytes]()
    for number in itertools.count():
        body = (
            f"tree {tree}\nauthor A <a@example.com> {number} +0000\ncommitter A <a@example.com> 0 +0000\n\nx\n".encode()
        )
        beginning = hashlib.sha1(b"commit %d\0" % len(body) + body).hexdigest()[:4]
        if beginning in seen:
            break
        seen[beginning] = body
    for twin in (body, seen[beginning]):
        git(origin.clone, "hash-object", "-w", "-t", "commit", "--stdin", stdin=twin)
    problem = problem_of(origin.checkout, beginning, fresh)
    assert problem.code == "ambiguous_release" and "the beginning of 2 commits" in str(problem)
    for way, _ in problem.ways:
        assert origin.checkout.resolve(way[len("to=") :], fresh).commit.startswith(beginning)


def test_a_beginning_shared_with_a_file_is_not_ambiguous(origin: Origin) -> None:
    for number in itertools.count():
        body = b"%d" % number
        if hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()[:4] == origin.v1[:4]:
            break
    git(origin.clone, "hash-object", "-w", "--stdin", stdin=body)
    assert origin.checkout.resolve(origin.v1[:4], fresh=False).commit == origin.v1


def test_without_its_remote_a_host_still_knows_its_own(origin: Origin) -> None:
    origin.vanish()
    assert origin.checkout.resolve("v1", fresh=False).commit == origin.v1
    assert origin.checkout.resolve("main", fresh=False).commit == origin.v2
    assert origin.checkout.resolve(origin.v1[:8], fresh=False).commit == origin.v1
    assert origin.checkout.resolve(origin.v1, fresh=True).commit == origin.v1
    problem = problem_of(origin.checkout, "v1", True)
    assert problem.code == "remote_unreachable" and "to=<full commit id>" in dict(problem.ways)
    assert problem_of(origin.checkout, "v9", False).code == "unknown_release"
    assert "the remote can't be asked" in str(problem_of(origin.checkout, "v9", False))


def test_a_remote_that_refuses_the_deploy_key_is_quoted_with_that(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git itself says last that it could not read, and asks whether the repository exists."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        "#!/bin/sh\necho 'Warning: Permanently added git.example.com to the list of known hosts.' >&2\n"
        "echo 'git@git.example.com: Permission denied (publickey).' >&2\nexit 255\n"
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(ssh))
    origin.checkout.text("remote", "set-url", "origin", "git@git.example.com:acme/shop.git")
    assert "Permission denied (publickey)" in str(problem_of(origin.checkout, "v9", False))


@pytest.mark.parametrize("fresh", [True, False])
def test_a_release_that_is_named_but_cannot_be_fetched_is_not_proven(origin: Origin, fresh: bool) -> None:
    v3 = origin.commit("v3", app="three")
    shutil.rmtree(origin.work / ".git" / "objects" / v3[:2])
    problem = problem_of(origin.checkout, "v3", fresh)
    assert problem.code == "not_fetched" and v3[:10] in str(problem)


def test_a_forced_push_is_followed(origin: Origin) -> None:
    git(origin.work, "reset", "--quiet", "--hard", "v1")
    v3 = origin.commit("", app="another")
    assert origin.checkout.resolve("main", fresh=True).commit == v3
    assert origin.checkout.resolve(origin.v2, fresh=True).commit == origin.v2


# -- a look changes nothing ------------------------------------------------------------------------


def test_a_fetch_into_a_scratch_folder_writes_nothing_here(origin: Origin, tmp_path: Path) -> None:
    v3, scratch = origin.commit("v3", app="three", extra="x"), tmp_path / "scratch"
    scratch.mkdir()
    (origin.clone / "app").write_text("changed by hand")
    before = fingerprint(origin.clone)
    look = origin.at(scratch)
    assert look.resolve("v3", fresh=True).commit == v3
    assert look.resolve(v3[:8], fresh=False).commit == v3
    assert look.resolve("main", fresh=True).commit == v3
    assert look.changes() == [" M app"]
    assert look.in_the_way(look.head(), v3) == []
    assert look.show(v3, "app") == "three"
    assert look.changed_names(origin.v2, v3) == [("M", "app"), ("A", "extra")]
    assert look.tags_at(origin.v2) == ["v2"]
    assert fingerprint(origin.clone) == before
    assert any(scratch.rglob("*"))
    assert not origin.checkout.has(v3)


def test_a_real_fetch_brings_branches_and_tags_and_prunes(origin: Origin) -> None:
    git(origin.work, "branch", "old")
    origin.checkout.fetch()
    assert origin.checkout.resolve("old", fresh=False).commit == origin.v2
    git(origin.work, "branch", "-D", "old")
    v3 = origin.commit("v3")
    origin.checkout.fetch()
    assert problem_of(origin.checkout, "old", False).code == "unknown_release"
    assert origin.checkout.tags_at(v3) == ["v3"]


# -- what the checkout holds -----------------------------------------------------------------------


def test_head_is_of_this_folder_and_no_other(origin: Origin, tmp_path: Path) -> None:
    assert origin.checkout.head() == origin.v2
    inside, outside = origin.clone / "sub", tmp_path / "plain"
    inside.mkdir()
    outside.mkdir()
    for folder, text in ((inside, "lies inside"), (outside, "is not a git checkout")):
        with pytest.raises(Problem, match=text) as caught:
            Checkout(Commands(str(folder))).head()
        assert caught.value.code == "not_a_checkout"


def test_changes_are_of_tracked_files_only(origin: Origin) -> None:
    assert origin.checkout.changes() == []
    (origin.clone / "app").write_text("by hand")
    (origin.clone / "new").write_text("untracked")
    (origin.clone / "conf").unlink()
    (origin.clone / "app").chmod(0o777)
    assert origin.checkout.changes() == [" M app", " D conf"]


def test_a_mode_alone_is_no_change(origin: Origin) -> None:
    (origin.clone / "app").chmod(0o777)
    assert origin.checkout.changes() == []


def test_a_file_moved_in_the_index_is_two_changes_with_their_letters(origin: Origin) -> None:
    git(origin.clone, "mv", "app", "Übung.php")
    assert origin.checkout.changes() == ["D  app", "A  Übung.php"]


def put(clone: Path, name: str) -> None:
    path = clone / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("precious")


IN_THE_WAY = {
    # What is untracked here: what of it the target, which adds sub/deep/file and a file top, would destroy.
    "nothing": ([], []),
    "another file": (["sub/other", "elsewhere"], []),
    "the file itself": (["top"], ["top"]),
    "two of them": (["top", "sub/deep/file"], ["sub/deep/file", "top"]),
    "a file where a folder must be": (["sub"], ["sub"]),
    "a file where a deeper folder must be": (["sub/deep"], ["sub/deep"]),
    "a folder where a file must be": (["top/inside"], ["top"]),
}


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_in_the_way(origin: Origin, name: str) -> None:
    present, expected = IN_THE_WAY[name]
    put(origin.work, "sub/deep/file")
    v3 = origin.commit("v3", top="x")
    origin.checkout.fetch()
    for file in present:
        put(origin.clone, file)
    assert sorted(origin.checkout.in_the_way(origin.v2, v3)) == expected


@pytest.fixture
def volume(origin: Origin, tmp_path: Path) -> Path:
    """A data volume behind a link, where v3 and v4 have a folder: the place of uploads on many hosts."""
    put(origin.work, "data/.gitignore")
    put(origin.work, "data/app/.gitignore")
    origin.commit("v3")
    (origin.work / "data" / "app" / ".gitignore").write_text("*\n!.gitignore\n")
    origin.commit("v4", top="four")
    put(origin.work, "data/seed.csv")
    origin.commit("v5")
    origin.checkout.fetch()
    origin.checkout.switch(origin.id("v3"))
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "photo.jpg").write_text("kept")
    shutil.rmtree(origin.clone / "data")
    (origin.clone / "data").symlink_to(volume)
    return volume


def test_files_behind_a_link_do_not_count_as_changes_and_stay(origin: Origin, volume: Path) -> None:
    """`git reset --hard` put an empty folder in the place of the link."""
    link = origin.clone / "data"
    assert origin.checkout.changes() == []
    for release in ("v4", "v3", "v3", "v1"):
        commit = origin.id(release)
        assert origin.checkout.behind_links(origin.checkout.head(), commit) == {}
        assert origin.checkout.in_the_way(origin.checkout.head(), commit) == []
        origin.checkout.switch(commit)
        assert (origin.checkout.head(), origin.checkout.changes()) == (commit, [])
        assert link.readlink() == volume
        assert sorted(path.name for path in volume.iterdir()) == ["photo.jpg"]
    assert not (origin.clone / "top").exists()


def test_a_file_of_git_behind_a_link_is_named(origin: Origin, volume: Path) -> None:
    assert origin.checkout.behind_links(origin.id("v4"), origin.id("v5")) == {"data": ["data/seed.csv"]}
    assert volume.is_dir()


def test_a_change_beside_a_link_is_still_a_change(origin: Origin, volume: Path) -> None:
    (origin.clone / "app").write_text("edited")
    assert origin.checkout.changes() == [" M app"]
    origin.checkout.switch(origin.id("v4"))
    assert ((origin.clone / "app").read_text(), origin.checkout.changes()) == ("two", [])
    assert (origin.clone / "top").read_text() == "four"
    assert (volume / "photo.jpg").read_text() == "kept"


def test_a_link_where_a_folder_must_be_is_named_and_saved_as_a_link(origin: Origin, tmp_path: Path) -> None:
    """git would replace the link: the files behind it would be gone from the application."""
    put(origin.work, "public/storage/file")
    v3 = origin.commit("v3")
    origin.checkout.fetch()
    (tmp_path / "uploads").mkdir()
    (origin.clone / "public").mkdir()
    (origin.clone / "public" / "storage").symlink_to(tmp_path / "uploads")
    assert origin.checkout.behind_links(origin.v2, v3) == {"public/storage": ["public/storage/file"]}
    assert origin.checkout.in_the_way(origin.v2, v3) == []
    origin.checkout.save_changes(str(tmp_path / "saved"), ["public/storage"])
    assert os.readlink(tmp_path / "saved" / "files" / "public" / "storage") == str(tmp_path / "uploads")


@pytest.fixture
def library(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A submodule whose content is another one in v3 and v4, and which v5 does not have."""
    library = tmp_path / "library"
    library.mkdir()
    # git fetches submodules from folders only where that is allowed.
    for number, (name, value) in enumerate((("protocol.file.allow", "always"),)):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    git(library, "init", "--quiet", "--initial-branch=main")

    def commit(text: str) -> None:
        (library / "text").write_text(text)
        git(library, "add", "text")
        git(library, "commit", "--quiet", "-m", text)

    commit("one")
    git(origin.work, "submodule", "--quiet", "add", str(library), "lib")
    origin.commit("v3")
    commit("two")
    git(origin.work / "lib", "pull", "--quiet", "origin", "main")
    origin.commit("v4")
    git(origin.work, "rm", "--quiet", "lib")
    origin.commit("v5")
    origin.checkout.fetch()
    return library


def test_a_submodule_goes_with_the_release_and_comes_back_without_its_remote(origin: Origin, library: Path) -> None:
    """A reset left it as it was: green over the old content, and a change that refused every later run."""
    text = origin.clone / "lib" / "text"
    for release, content in (("v3", "one"), ("v4", "two")):
        origin.checkout.switch(origin.id(release))
        assert (text.read_text(), origin.checkout.changes()) == (content, [])
    library.rename(library.with_suffix(".gone"))
    origin.checkout.switch(origin.id("v3"))
    assert (text.read_text(), origin.checkout.changes()) == ("one", [])
    origin.checkout.switch(origin.id("v5"))
    assert origin.checkout.changes() == []
    assert origin.checkout.in_the_way(origin.id("v5"), origin.id("v4")) == []
    origin.checkout.switch(origin.id("v4"))
    assert (text.read_text(), origin.checkout.changes()) == ("two", [])


def test_a_submodule_that_can_not_be_fetched_stops_the_switch(origin: Origin, library: Path) -> None:
    gone = library.rename(library.with_suffix(".gone"))
    with pytest.raises(CommandFailed):
        origin.checkout.switch(origin.id("v4"))
    gone.rename(library)
    origin.checkout.switch(origin.id("v4"))
    assert ((origin.clone / "lib" / "text").read_text(), origin.checkout.changes()) == ("two", [])


def test_a_submodule_that_a_host_does_without_is_left_out(origin: Origin, library: Path) -> None:
    library.rename(library.with_suffix(".gone"))
    git(origin.clone, "config", "submodule.lib.update", "none")
    origin.checkout.switch(origin.id("v4"))
    assert (origin.checkout.changes(), list((origin.clone / "lib").iterdir())) == ([], [])


def test_changes_of_a_submodule_are_changes_and_are_saved(origin: Origin, library: Path, tmp_path: Path) -> None:
    origin.checkout.switch(origin.id("v3"))
    (origin.clone / "lib" / "text").write_text("edited on the host\n")
    assert origin.checkout.changes() == [" M lib"]
    origin.checkout.save_changes(str(tmp_path / "saved"), [])
    assert "edited on the host" in (tmp_path / "saved" / "changes.patch").read_text()
    origin.checkout.switch(origin.id("v3"))
    assert origin.checkout.changes() == []
    assert library.is_dir()


def test_a_release_of_its_own_has_its_submodules(origin: Origin, library: Path, tmp_path: Path) -> None:
    origin.checkout.add_linked(str(origin.clone / ".git"), str(tmp_path / "release"), origin.id("v4"))
    assert (tmp_path / "release" / "lib" / "text").read_text() == "two"
    assert library.is_dir()


def test_a_tracked_file_that_becomes_a_folder_is_not_in_the_way(origin: Origin) -> None:
    (origin.work / "app").unlink()
    put(origin.work, "app/index")
    v3 = origin.commit("v3")
    origin.checkout.fetch()
    assert origin.checkout.in_the_way(origin.v2, v3) == []


def test_files_of_a_commit(origin: Origin) -> None:
    put(origin.work, "database/migrations/2026 é.php")
    v3 = origin.commit("v3")
    origin.checkout.fetch()
    assert origin.checkout.files(v3, "database/migrations/") == ["database/migrations/2026 é.php"]
    assert origin.checkout.files(origin.v1, "database/migrations/") == []
    assert origin.checkout.show(origin.v1, "app") == "one"
    assert origin.checkout.show(origin.v1, "none") is None


# -- changing --------------------------------------------------------------------------------------


def test_a_switch_can_be_done_again(origin: Origin) -> None:
    for _ in range(2):
        origin.checkout.switch(origin.v1)
        assert (origin.checkout.head(), (origin.clone / "app").read_text()) == (origin.v1, "one")
        assert origin.checkout.changes() == []


def collect(clone: Path) -> None:
    git(clone, "reflog", "expire", "--expire=now", "--all")
    git(clone, "gc", "--quiet", "--prune=now")


def test_a_kept_release_survives_a_forced_push_and_a_collection(origin: Origin) -> None:
    v3 = origin.commit("", app="three")
    origin.checkout.fetch()
    origin.checkout.keep(v3)
    git(origin.work, "reset", "--quiet", "--hard", "v1")
    origin.checkout.fetch()
    collect(origin.clone)
    assert origin.checkout.has(v3)
    assert origin.checkout.kept() == [v3]
    origin.checkout.forget(v3)
    assert origin.checkout.kept() == []
    collect(origin.clone)
    assert not origin.checkout.has(v3)


LOCKS = ["index.lock", "HEAD.lock", "refs/heads/main.lock", "packed-refs.lock"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_of_a_dead_git_is_seen_and_does_not_stop_a_switch(origin: Origin, name: str) -> None:
    assert origin.checkout.lock_files() == []
    lock = origin.clone / ".git" / name
    lock.touch()
    assert origin.checkout.lock_files() == [str(lock)]
    origin.checkout.switch(origin.v1)
    assert (origin.checkout.head(), origin.checkout.lock_files()) == (origin.v1, [])


def test_a_lock_of_a_dead_git_does_not_stop_the_keeping(origin: Origin) -> None:
    origin.checkout.keep(origin.v2)
    lock = origin.clone / ".git" / KEPT_REFS / f"{origin.v1}.lock"
    lock.touch()
    assert origin.checkout.lock_files() == [str(lock)]
    origin.checkout.keep(origin.v1)
    assert sorted(origin.checkout.kept()) == sorted([origin.v1, origin.v2])


def by_hand(origin: Origin) -> dict[str, bytes]:
    """Changes that are not text."""
    (origin.work / "picture").write_bytes(bytes(range(256)))
    origin.commit("v3", latin="x")
    git(origin.clone, "pull", "--quiet")
    changes = {
        "picture": bytes(reversed(range(256))) * 3,
        "latin": "Stra\xdfe\r\nohne Ende".encode("latin-1"),
        "app": b"by hand\n",
    }
    for name, content in changes.items():
        (origin.clone / name).write_bytes(content)
    git(origin.clone, "add", "latin")
    (origin.clone / "conf").unlink()
    return changes


@pytest.mark.parametrize(
    "setting",
    ["none=1", "diff.noprefix=true", "diff.mnemonicPrefix=true", "color.ui=always", "diff.external=/bin/false"],
)
def test_saved_changes_can_be_applied_again(origin: Origin, tmp_path: Path, setting: str) -> None:
    changes = by_hand(origin)
    git(origin.clone, "config", *f"user.{setting}".replace("user.d", "d").replace("user.c", "c").split("="))
    folder = origin.checkout.save_changes(str(tmp_path / "saved"), [])
    origin.checkout.switch("HEAD")
    assert origin.checkout.changes() == []
    git(origin.clone, "apply", str(Path(folder, "changes.patch")))
    for name, content in changes.items():
        assert (origin.clone / name).read_bytes() == content
    assert not (origin.clone / "conf").exists()


def test_untracked_files_in_the_way_are_copied(origin: Origin, tmp_path: Path) -> None:
    put(origin.clone, "sub/deep/file")
    (origin.clone / "sub" / "deep" / "file").chmod(0o640)
    folder = Path(origin.checkout.save_changes(str(tmp_path / "saved"), ["sub/deep/file", "gone"]))
    saved = folder / "files" / "sub" / "deep" / "file"
    assert (saved.read_text(), saved.stat().st_mode & 0o777) == ("precious", 0o640)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not (folder / "files" / "gone").exists()


def test_saving_again_after_the_switch_loses_nothing(origin: Origin, tmp_path: Path) -> None:
    """An operation that went on and back again saves a second time, when the host holds the release's files."""
    changes = by_hand(origin)
    put(origin.clone, "top")
    saved = tmp_path / "saved"
    origin.checkout.save_changes(str(saved), ["top"])
    first = (saved / "changes.patch").read_bytes()
    origin.checkout.switch("HEAD")
    (origin.clone / "top").write_text("of the release")
    origin.checkout.save_changes(str(saved), ["top"])
    assert (saved / "changes.patch").read_bytes() == first
    assert (saved / "files" / "top").read_text() == "precious"
    assert sorted(path.name for path in saved.iterdir()) == ["changes.patch", "files"]
    (origin.clone / "app").write_text("by hand, later")
    origin.checkout.save_changes(str(saved), ["top"])
    assert (saved / "changes.patch").read_bytes() == first
    assert b"by hand, later" in (saved / "changes-2.patch").read_bytes()
    assert changes["app"] not in (saved / "changes-2.patch").read_bytes()


def test_a_folder_in_the_way_is_not_thrown_away(origin: Origin, tmp_path: Path) -> None:
    put(origin.clone, "top/inside")
    with pytest.raises(CommandFailed, match="is a folder"):
        origin.checkout.save_changes(str(tmp_path / "saved"), ["top"])
    assert (origin.clone / "top" / "inside").read_text() == "precious"


def test_the_repository_is_named(origin: Origin) -> None:
    assert origin.checkout.repository() == str(origin.work)
    git(origin.clone, "remote", "remove", "origin")
    assert origin.checkout.repository() == ""


def test_a_missing_git_is_named(origin: Origin) -> None:
    with pytest.raises(CommandFailed, match="/nowhere/git is not installed"):
        Checkout(Commands(str(origin.clone)), git=("/nowhere/git",)).head()


# -- names that git takes ----------------------------------------------------------------------------

NAMES = [
    "app@1.2.3",
    "release/2026.11_a+b",
    "v1,2",
    "größe-1",
    "a=b",
    "ver#3",
    "(x)",
    "a\u00a0b",
    "a\u2028b",
    "$HOME",
    "'q'",
]


@pytest.mark.parametrize("fresh", [True, False], ids=["deploy", "rollback"])
@pytest.mark.parametrize("name", NAMES)
def test_a_release_by_whatever_name_git_takes_for_a_tag(origin: Origin, name: str, fresh: bool) -> None:
    git(origin.work, "tag", name, origin.v1)
    git(origin.clone, "fetch", "--quiet", "--tags")
    found = origin.checkout.resolve(name, fresh)
    assert (found.commit, found.name) == (origin.v1, name)
    assert name in origin.checkout.tags_at(origin.v1)


@pytest.mark.parametrize(
    "name", ["-x", "--upload-pack=touch x", "v1^{}", "v1~1", "a..b", "refs/heads/*", "main:x", " v1"]
)
def test_an_option_or_an_expression_of_git_is_not_a_release(origin: Origin, name: str) -> None:
    assert problem_of(origin.checkout, name, fresh=True).code == "bad_release_name"


# -- why the remote gives nothing --------------------------------------------------------------------


def by_ssh(tmp_path: Path, said: str) -> str:
    """A fake of ssh that says this, and ends as ssh does; git adds its own words to them."""
    program = tmp_path / "ssh-says"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 255\n")
    program.chmod(0o755)
    return str(program)


#: What ssh says (taken from OpenSSH 9 and 10), and the line of it that a person needs.
SSH_SAYS = {
    "a deploy key that is refused": ("git@git.example.com: Permission denied (publickey).",) * 2,
    "several ways to log in, all refused": ("git@git.example.com: Permission denied (publickey,password).",) * 2,
    "a host key that is not known": (
        "No ED25519 host key is known for git.example.com and you have requested strict checking.\n"
        "Host key verification failed.",
        "Host key verification failed.",
    ),
    "a name that does not resolve": (
        "ssh: Could not resolve hostname git.example.com: Temporary failure in name resolution",
    )
    * 2,
    "a port that nobody listens on": ("ssh: connect to host git.example.com port 22: Connection refused",) * 2,
    "a host that does not answer": ("ssh: connect to host git.example.com port 22: Connection timed out",) * 2,
    "a key file that others may read": (
        "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
        "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n"
        "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
        "Permissions 0644 for '/home/deploy/.ssh/id' are too open.\n"
        "It is required that your private key files are NOT accessible by others.\n"
        "This private key will be ignored.\n"
        'Load key "/home/deploy/.ssh/id": bad permissions\n'
        "git@git.example.com: Permission denied (publickey).",
        "Permissions 0644 for '/home/deploy/.ssh/id' are too open.",
    ),
    "a key that GitHub gave to another repository": (
        "ERROR: Repository not found.",
        "ERROR: Repository not found.",
    ),
    "a server that cuts the line": ("kex_exchange_identification: Connection closed by remote host",) * 2,
}


@pytest.mark.parametrize("case", SSH_SAYS.values(), ids=SSH_SAYS)
def test_the_refusal_of_a_remote_by_ssh_holds_what_ssh_said(
    case: tuple[str, str], origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, cause = case
    monkeypatch.setenv("GIT_SSH_COMMAND", by_ssh(tmp_path, said))
    git(origin.clone, "remote", "set-url", "origin", "ssh://git@git.example.com/acme/shop.git")
    problem = problem_of(origin.checkout, "v9", fresh=True)
    assert (problem.code, cause in str(problem)) == ("remote_unreachable", True), str(problem)


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("https://git.invalid/acme/shop.git", "Could not resolve host"),
        ("https://127.0.0.1:9/acme/shop.git", "Failed to connect|Could not connect|Connection refused"),
        ("/nowhere/shop.git", "does not appear to be a git repository|not a git repository"),
    ],
    ids=["a name", "a port", "a folder"],
)
def test_the_refusal_of_any_other_remote_holds_what_git_said(origin: Origin, address: str, cause: str) -> None:
    git(origin.clone, "remote", "set-url", "origin", address)
    problem = problem_of(origin.checkout, "v9", fresh=True)
    assert problem.code == "remote_unreachable" and re.search(cause, str(problem)), str(problem)


@pytest.fixture
def of_an_unknown_issuer(tmp_path: Path) -> Iterator[int]:
    """The port of a server of HTTPS whose certificate nobody trusts."""
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(["openssl", *made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    worker = threading.Thread(target=server.serve_forever, daemon=True)
    worker.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    worker.join()


def test_the_refusal_of_a_server_whose_certificate_is_not_trusted_says_so(
    origin: Origin, of_an_unknown_issuer: int
) -> None:
    git(origin.clone, "remote", "set-url", "origin", f"https://localhost:{of_an_unknown_issuer}/acme/shop.git")
    problem = problem_of(origin.checkout, "v9", fresh=True)
    assert problem.code == "remote_unreachable" and "certificate" in str(problem).lower(), str(problem)
