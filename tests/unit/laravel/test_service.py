# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preconditions of every operation on a Laravel service, and what a refusal says to do about them."""

from __future__ import annotations

import os
import pwd
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread
from ansible_collections.ops.runbook.plugins.module_utils.laravel.plan import FactReader
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Facts, Wish
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import commit_ways
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark, ReleaseStore
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.text import ways
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

ACCOUNTS = [one for one in pwd.getpwall() if one.pw_uid != os.geteuid()]
SHUT = next((one for one in ACCOUNTS if os.path.basename(one.pw_shell) in ("nologin", "false")), None)
OPEN = next((one for one in ACCOUNTS if os.path.basename(one.pw_shell) in ("sh", "bash", "sync")), None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
@pytest.mark.parametrize(("owner", "connects"), [(SHUT, False), (OPEN, True)], ids=["no shell", "a shell"])
def test_an_owner_without_a_login_is_become_and_not_connected_as(
    tmp_path: Path, owner: pwd.struct_passwd | None, connects: bool
) -> None:
    if owner is None:
        pytest.skip("this machine has no such account")
    app = tmp_path / "app"
    app.mkdir()
    os.chown(app, owner.pw_uid, owner.pw_gid)
    with pytest.raises(Problem) as caught:
        LaravelService(Description("vertex", str(app)), str(tmp_path / "state")).must_be_operable()
    refusal = caught.value
    assert refusal.code == "wrong_user" and f"{app} belongs to {owner.pw_name}" in refusal.text
    offered = [way for way, _effect in refusal.ways]
    assert f"ansible_become=true ansible_become_user={owner.pw_name}" in offered
    assert (f"ansible_user={owner.pw_name}" in offered) is connects
    assert {ways.form(way, effect) for way, effect in refusal.ways} == {ways.INPUTS}
    # The state folder of the login's own user is closed to the owner.
    assert "operation_state_dir" in dict(refusal.ways)[offered[-1]]


def test_the_right_to_reload_is_that_of_the_systemctl_of_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sudo compares the whole path, so the rule that the refusal prints has to name the same program."""
    (tmp_path / "sudo").write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/asked\nexit 1\n')
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    description = Description("vertex", str(tmp_path), php_fpm_unit="php8.3-fpm", systemctl="/opt/bin/systemctl")
    with pytest.raises(Problem) as caught:
        LaravelService(description, str(tmp_path / "state")).must_reload()
    asked = "/opt/bin/systemctl reload php8.3-fpm.service"
    assert (tmp_path / "asked").read_text() == f"-n -l {asked}\n"
    assert f"NOPASSWD: {asked}" in caught.value.ways[0][0]


def test_a_release_in_whose_folder_another_commit_is_checked_out_is_brought_back_or_left(tmp_path: Path) -> None:
    """A way that serves the same folder again would lead nowhere."""
    first, second = "a" * 40, "b" * 40
    store = ReleaseStore(str(tmp_path))
    for commit in (first, second):
        os.makedirs(store.folder(commit))
        store.seal(Mark(commit=commit, operation="1", php="8.4", vendor="", settings="", size=1, files=1))
    os.symlink(f"releases/{second[:12]}", store.link)
    service = LaravelService(Description("vertex", str(tmp_path), strategy="releases"), str(tmp_path / "state"))
    with pytest.raises(Problem) as caught:
        service._must_be_marked(first)
    assert caught.value.code == "release_not_whole"
    offered = [way for way, _effect in caught.value.ways]
    assert offered[0] == f"git -C {store.folder(second)} checkout -f --detach {second}"
    assert f"releases/{first[:12]}" in offered[1] and len(offered) == 2
    assert {ways.form(way, effect) for way, effect in caught.value.ways} == {ways.COMMAND}


def test_a_lock_of_git_is_named_before_a_line_of_git_that_fails_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed in that order, each way works."""
    first, second = "a" * 40, "b" * 40
    store = ReleaseStore(str(tmp_path))
    for commit in (first, second):
        os.makedirs(store.folder(commit))
        store.seal(Mark(commit=commit, operation="1", php="8.4", vendor="", settings="", size=1, files=1))
    os.symlink(f"releases/{second[:12]}", store.link)
    service = LaravelService(Description("vertex", str(tmp_path), strategy="releases"), str(tmp_path / "state"))
    lock = tmp_path / "index.lock"
    lock.touch()
    monkeypatch.setattr(service.checkout, "head", lambda: first)
    monkeypatch.setattr(service.checkout, "folders", lambda: (str(tmp_path), str(tmp_path)))
    monkeypatch.setattr(service.checkout, "lock_files", lambda: [str(lock)] if lock.exists() else [])
    with pytest.raises(Problem) as caught:
        service.must_be_operable()
    assert (caught.value.code, caught.value.ways[0][0]) == ("git_locked", f"rm {lock}")
    lock.unlink()
    with pytest.raises(Problem) as caught:
        service.must_be_operable()
    assert caught.value.code == "release_not_whole"


@pytest.fixture
def checked_out_by_hand(tmp_path: Path) -> tuple[LaravelService, str, str, Path]:
    """A release with a folder of its own in which somebody has checked another commit out: service, release, other."""

    def git(*words: str) -> str:
        user = ("-c", "user.name=ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main")
        return subprocess.run(["git", *user, *words], check=True, capture_output=True, text=True).stdout.strip()

    origin = tmp_path / "origin"
    git("init", "-q", str(origin))
    commits = []
    for number in (1, 2):
        (origin / "storage/logs").mkdir(parents=True, exist_ok=True)
        (origin / "storage/logs/.gitignore").write_text("*\n!.gitignore\n")
        (origin / "version").write_text(f"{number}\n")
        (origin / f"of-{number}").touch()
        git("-C", str(origin), "add", "--all")
        git("-C", str(origin), "commit", "-qm", f"Release {number}")
        commits.append(git("-C", str(origin), "rev-parse", "HEAD"))
    first, second = commits
    store = ReleaseStore(str(tmp_path / "app"))
    git("clone", "-q", "--bare", str(origin), store.repository)
    git("--git-dir", store.repository, "worktree", "add", "--quiet", "--detach", store.folder(second), second)
    # An earlier release brought what is shared.
    Path(store.shared("storage/logs")).mkdir(parents=True)
    Path(store.shared("storage/logs/.gitignore")).write_text("*\n!.gitignore\n")
    store.link_shared(store.folder(second), [".env", "storage/"])
    for commit in commits:
        tree = Path(store.folder(commit), "vendor")
        tree.mkdir(parents=True)
        (tree / "autoload.php").touch()
    Path(store.shared(".env")).write_text("APP_KEY=\n")
    store.seal(Mark(commit=second, operation="1", php="8.4", vendor="", settings="", size=1, files=1))
    os.symlink(f"releases/{second[:12]}", store.link)
    git("-C", store.folder(second), "checkout", "-q", "-f", first)
    service = LaravelService(
        Description("vertex", store.root, strategy="releases", shared=(".env", "storage")), str(tmp_path / "state")
    )
    return service, second, first, Path(store.folder(second))


def typed(service: LaravelService, head: str) -> str:
    """Type the first way of the refusal. Returns its code; empty if it is operable."""
    try:
        service.must_be_whole(head)
    except Problem as problem:
        line, effect = problem.ways[0]
        assert ways.form(line, effect) == ways.COMMAND
        subprocess.run(["sh", "-c", line], check=False, capture_output=True)
        return problem.code
    return ""


def test_the_lines_after_a_checkout_by_hand_bring_the_release_and_its_links_back(
    checked_out_by_hand: tuple[LaravelService, str, str, Path],
) -> None:
    """git puts a folder in the place of a link that leads to files of the commit: what is shared was not seen then."""
    service, release, other, folder = checked_out_by_hand
    assert not (folder / "storage").is_symlink()
    (folder / "storage/upload").write_text("of a customer")
    codes = []
    while len(codes) < 3 and (code := typed(service, service.checkout.head())):
        codes.append(code)
    assert codes == ["release_not_linked", "release_not_whole"]
    assert service.checkout.head() == release and (folder / "version").read_text() == "2\n"
    assert os.path.realpath(folder / "storage") == service.store.shared("storage")
    assert os.path.realpath(folder / ".env") == service.store.shared(".env")
    # Nothing that the application wrote is lost.
    kept = [path.read_text() for path in Path(service.store.shared()).glob("storage.of-*/upload")]
    assert kept == ["of a customer"]
    assert service.checkout.changes() == []


def test_a_path_that_no_release_shares_yet_asks_for_no_link(tmp_path: Path) -> None:
    store = ReleaseStore(str(tmp_path))
    folder = Path(store.folder("a" * 40))
    (folder / "public/uploads").mkdir(parents=True)
    assert store.unlinked(str(folder), ["public/uploads/"]) == []
    Path(store.shared("public/uploads")).mkdir(parents=True)
    assert store.unlinked(str(folder), ["public/uploads/"]) == ["public/uploads"]


def test_throwing_changes_away_leaves_the_links_of_a_release(
    checked_out_by_hand: tuple[LaravelService, str, str, Path],
) -> None:
    service, release, _other, folder = checked_out_by_hand
    while typed(service, service.checkout.head()):
        pass
    (folder / "version").write_text("edited\n")
    line, _effect = commit_ways(str(folder), True, service.checkout.links("HEAD"))[0]
    subprocess.run(["sh", "-c", line], check=True)
    assert (folder / "version").read_text() == "2\n" and (folder / "storage").is_symlink()


def test_a_target_whose_folder_has_another_commit_is_refused_before_it_is_served(
    checked_out_by_hand: tuple[LaravelService, str, str, Path],
) -> None:
    """The way is to bring that folder back, and not to serve yet another release."""
    service, release, other, folder = checked_out_by_hand
    service.store.seal(Mark(commit=other, operation="2", php="8.4", vendor="", settings="", size=1, files=1))
    service.store.switch(other)
    reader = FactReader(service.at(service.store.current()), Wish("rollback", release, ""), ThreadPoolExecutor(2))
    reader.target = release
    found = Facts(other, "", "", answer={"php": "8.4.1"})
    codes = []
    for _ in range(2):
        with pytest.raises(Problem) as caught:
            reader._made(found, Unread("made"))
        codes.append(caught.value.code)
        [(line, _effect)] = caught.value.ways
        subprocess.run(["sh", "-c", line], check=False, capture_output=True)
    assert codes == ["release_not_linked", "release_not_whole"]
    assert reader._made(found, Unread("made")).whole and (folder / "version").read_text() == "2\n"
