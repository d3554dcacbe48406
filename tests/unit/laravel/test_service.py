# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preconditions of every operation on a Laravel service, and what a refusal says to do about them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

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
