"""Trees are on the disk before anything vouches for them: the order of what is done, and what is done once a disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import journal
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, StepFailed
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_tree
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark, ReleaseStore
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor_store import VendorStore


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls in order: `sync <folder>`, and `name <target>` for each rename."""
    found: list[str] = []
    rename = os.rename

    def renamed(source: Any, target: Any, **folders: Any) -> None:
        found.append(f"name {os.path.basename(target)}")
        rename(source, target, **folders)

    monkeypatch.setattr(durable_tree, "_sync_file_system", lambda folder: found.append(f"sync {folder}"))
    monkeypatch.setattr(os, "rename", renamed)
    return found


def test_folders_of_one_file_system_are_synced_once(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "a").mkdir()
    durable_tree.sync(str(tmp_path / "a"), str(tmp_path), str(tmp_path / "not" / "there" / "yet"))
    assert told == [f"sync {tmp_path / 'a'}"]


def test_of_a_link_its_own_folder_is_synced(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "link").symlink_to("/proc")
    durable_tree.sync(str(tmp_path / "link"))
    assert told == [f"sync {tmp_path}"]


def test_a_tree_is_synced_before_it_gets_its_name(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "tree.part").mkdir()
    durable_tree.put(str(tmp_path / "tree.part"), str(tmp_path / "tree"))
    assert told == [f"sync {tmp_path / 'tree.part'}", "name tree"]


def test_a_single_file_is_synced_alone(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: told.append("fsync"))
    (tmp_path / "patch.part").write_text("x")
    durable_tree.put(str(tmp_path / "patch.part"), str(tmp_path / "patch"))
    assert told == ["fsync", "name patch", "fsync"]


def test_a_kept_vendor_tree_is_synced_before_it_counts(tmp_path: Path, told: list[str]) -> None:
    store = VendorStore(str(tmp_path / "vendor"), str(tmp_path / "kept"))
    store.write_stamp("k1", "c1")
    told.clear()
    store.keep_copy("k1")
    assert told == [f"sync {tmp_path / 'kept' / 'k1.part'}", "name k1"]


@pytest.mark.parametrize(("key", "synced"), [("k1", True), ("", False)])
def test_a_stamp_with_a_key_vouches_for_its_tree(tmp_path: Path, told: list[str], key: str, synced: bool) -> None:
    VendorStore(str(tmp_path / "vendor"), str(tmp_path / "kept")).write_stamp(key, "c1")
    assert told == ([f"sync {tmp_path / 'vendor'}"] if synced else []) + ["name .ops-runbook.json"]


def test_a_release_is_synced_before_its_mark(tmp_path: Path, told: list[str]) -> None:
    store = ReleaseStore(str(tmp_path))
    folder = Path(store.begin("c" * 40, "op"))
    folder.mkdir()
    told.clear()
    store.seal(Mark("c" * 40, "op", "8.4", "", "", 0, 0))
    assert told == [f"sync {folder}", "name .ops-runbook-release.json"]


def opened(tmp_path: Path) -> tuple[Guard, journal.Progress]:
    guard = Guard(str(tmp_path / "state"))
    guard.open(Request("op", "shop", "deploy"))
    plan = {"steps": [{"id": "code", "title": "code", "undo": None}], "from": None, "to": {"id": "c1"}}
    guard.write({"event": "plan", "plan": plan})
    progress = guard.progress()
    assert progress is not None
    return guard, progress


def test_files_of_a_step_are_on_the_disk_before_the_step_is_done(tmp_path: Path, told: list[str]) -> None:
    guard, progress = opened(tmp_path)

    def at_work(_step: journal.Step) -> None:
        told.append("act")

    told.clear()
    guard.run_steps(progress, journal.FORWARD, at_work, trees=(str(tmp_path),))
    assert [line for line in told if not line.startswith("name lease")] == ["act", f"sync {tmp_path}"]
    after = guard.progress()
    assert after is not None
    assert list(after.done) == ["code"]


def test_a_step_whose_files_the_disk_does_not_take_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard, progress = opened(tmp_path)

    def broken(folder: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), folder)

    monkeypatch.setattr(durable_tree, "_sync_file_system", broken)
    with pytest.raises(StepFailed, match="Input/output error"):
        guard.run_steps(progress, journal.FORWARD, lambda _step: None, trees=(str(tmp_path),))
    after = guard.progress()
    assert after is not None
    assert not after.done


def test_the_kernel_is_asked_for_the_file_system_of_a_folder(tmp_path: Path) -> None:
    durable_tree.sync(str(tmp_path))
    with pytest.raises(OSError):
        durable_tree._sync_file_system(str(tmp_path / "missing"))


def test_a_copy_that_failed_says_why(tmp_path: Path) -> None:
    """By that word it is told whether the release or the machine is to blame."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "file").touch()
    durable_tree.copy(str(tmp_path / "tree"), str(tmp_path / "copy"))
    assert (tmp_path / "copy").is_dir()
    with pytest.raises(OSError, match=r"cp -a .* ended with 1: cp: .*(No such file or directory|Not a directory)"):
        durable_tree.copy(str(tmp_path / "tree"), str(tmp_path / "file/under"))
