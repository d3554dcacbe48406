# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release folders: only whole ones are served, and what is served is never removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.laravel import release_folders as release_store
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import (
    MARK,
    Mark,
    ReleaseStore,
    replace_link,
    same_settings,
    settings_of,
    size_of,
)

A, B, C = "a" * 40, "b" * 40, "c" * 40


def mark(commit: str) -> Mark:
    return Mark(commit, "op", "8.4.1", "key", settings_of(b"", "salt"), 4096, 2)


def vendor(folder: str) -> Path:
    """A release's vendor tree, as far as it is looked at."""
    tree = Path(folder, "vendor")
    tree.mkdir(parents=True)
    (tree / "autoload.php").touch()
    return tree


def make(store: ReleaseStore, commit: str) -> str:
    folder = store.begin(commit, "op")
    vendor(folder)
    Path(folder, "code").write_text(commit)
    store.seal(mark(commit))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(str(tmp_path))


def test_a_release_is_whole_from_its_seal_on(store: ReleaseStore) -> None:
    folder = store.begin(A, "op")
    assert store.whole(A) is None
    vendor(folder)
    assert store.whole(A) is None
    assert store.half_made() == [A[:12]]
    store.seal(mark(A))
    assert store.whole(A) == mark(A)
    assert store.half_made() == []


def test_a_release_whose_vendor_tree_was_removed_is_made_anew_before_it_is_served(store: ReleaseStore) -> None:
    shutil.rmtree(Path(make(store, A), "vendor"))
    assert store.whole(A) is None
    with pytest.raises(FileNotFoundError):
        store.switch(A)
    # It is not a rest of an operation: retention decides about it, as about others.
    assert store.half_made() == []


def test_a_release_of_another_commit_with_the_same_beginning_is_not_it(store: ReleaseStore) -> None:
    make(store, A)
    assert store.whole("a" * 39 + "b") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"commit": "a"}', b"null"])
def test_an_unreadable_mark_is_none(store: ReleaseStore, content: bytes) -> None:
    folder = make(store, A)
    Path(folder, MARK).write_bytes(content)
    assert store.whole(A) is None


def test_making_it_again_makes_it_half_made_first(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    make(store, A)
    # Killed in the midst of removing the former one.
    monkeypatch.setattr(shutil, "rmtree", lambda *_a, **_k: None)
    store.begin(A, "op2")
    assert store.whole(A) is None


def test_only_a_whole_release_is_switched_to(store: ReleaseStore) -> None:
    make(store, A)
    store.switch(A)
    os.makedirs(store.begin(B, "op"))
    with pytest.raises(FileNotFoundError):
        store.switch(B)
    assert store.current() == store.folder(A)


def test_the_link_is_relative_so_that_the_folder_can_be_looked_at_from_elsewhere(store: ReleaseStore) -> None:
    make(store, A)
    store.switch(A)
    assert os.readlink(store.link) == f"releases/{A[:12]}"


def test_a_link_out_of_the_releases_is_no_release(store: ReleaseStore, tmp_path: Path) -> None:
    assert store.current() == ""
    os.symlink("/", store.link)
    assert store.current() == ""
    os.unlink(store.link)
    (tmp_path / "current").mkdir()
    assert store.current() == ""


def test_a_dead_link_is_no_release(store: ReleaseStore) -> None:
    make(store, A)
    store.switch(A)
    shutil.rmtree(store.folder(A))
    assert store.current() == ""


def test_the_link_is_never_missing_and_what_a_kill_left_is_no_obstacle(store: ReleaseStore) -> None:
    make(store, A)
    make(store, B)
    store.switch(A)
    os.symlink("anything", f"{store.link}.new")
    store.switch(B)
    assert store.current() == store.folder(B)
    replace_link(store.link, "releases/none")
    assert os.readlink(store.link) == "releases/none"


def test_the_served_release_is_neither_removed_nor_made_anew(store: ReleaseStore) -> None:
    make(store, A)
    store.switch(A)
    with pytest.raises(FileExistsError):
        store.remove(A)
    with pytest.raises(FileExistsError):
        store.begin(A, "op")
    assert store.prune([]) == []
    assert store.whole(A)


def test_a_removal_that_was_cut_off_leaves_what_is_never_chosen(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, A)
    with monkeypatch.context() as cut:
        cut.setattr(release_store.held_path, "remove_tree", lambda *_a, **_k: None)
        store.remove(A)
    assert store.whole(A) is None
    assert store.prune([A]) == [A[:12]]
    assert store.names() == []


def test_pruning_removes_views_too(store: ReleaseStore) -> None:
    make(store, A)
    os.makedirs(store.views(A))
    store.prune([])
    assert not os.path.exists(store.views(A))
    assert not os.path.exists(f"{store.folder(A)}.half-made")


@given(
    whole=st.sets(st.sampled_from("abcdef")),
    half=st.sets(st.sampled_from("abcdef")),
    wanted=st.sets(st.sampled_from("abcdef")),
    served=st.sampled_from("abcdef"),
)
def test_pruning_leaves_what_is_served_and_what_is_wanted_and_whole(
    tmp_path_factory: pytest.TempPathFactory, whole: set[str], half: set[str], wanted: set[str], served: str
) -> None:
    store = ReleaseStore(str(tmp_path_factory.mktemp("store")))
    for letter in whole | {served}:
        make(store, letter * 40)
    store.switch(served * 40)
    for letter in half - {served}:
        os.makedirs(store.begin(letter * 40, "op"))
    store.prune([letter * 40 for letter in wanted])
    expected = {served} | (wanted & whole - half)
    assert set(store.names()) == {letter * 12 for letter in expected}
    assert store.current() == store.folder(served * 40)


# -- what is shared --------------------------------------------------------------------------------


def test_a_shared_path_is_a_link_in_a_release(store: ReleaseStore, tmp_path: Path) -> None:
    (tmp_path / "shared/storage/logs").mkdir(parents=True)
    (tmp_path / "shared/.env").write_text("A=1")
    folder = Path(make(store, A))
    (folder / "storage").mkdir()
    (folder / "storage/.gitignore").write_text("*")
    for _ in range(2):
        store.link_shared(str(folder), [".env", "storage", "public/uploads/", "public/none"])
        assert (folder / ".env").read_text() == "A=1"
        assert (folder / "storage").resolve() == tmp_path / "shared/storage"
        assert (folder / "public/uploads").is_dir()
        assert (folder / "public/none").is_symlink()
        assert not (tmp_path / "shared/public/none").exists()
    assert (tmp_path / "shared/storage/logs").is_dir()


def test_a_new_shared_path_begins_with_the_files_of_the_release(store: ReleaseStore, tmp_path: Path) -> None:
    folder = Path(make(store, A))
    (folder / "data").mkdir()
    (folder / "data/seed").write_text("one")
    store.link_shared(str(folder), ["data"])
    assert (tmp_path / "shared/data/seed").read_text() == "one"
    assert (folder / "data/seed").read_text() == "one"


# -- fingerprints and sizes ------------------------------------------------------------------------


@given(st.binary(), st.binary())
def test_settings_are_the_same_only_for_the_same_content(first: bytes, second: bytes) -> None:
    assert same_settings(settings_of(first), second) is (first == second)


def test_settings_of_nothing_known_are_never_the_same() -> None:
    assert not same_settings("", b"A=1")


def test_two_fingerprints_of_one_content_differ() -> None:
    assert settings_of(b"DB_PASSWORD=short") != settings_of(b"DB_PASSWORD=short")


def test_size_counts_files_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_bytes(b"x" * 10_000)
    (tmp_path / "away").symlink_to("/")
    size, files = size_of(str(tmp_path))
    assert files == 3
    assert 10_000 <= size < 60_000
    assert size_of(str(tmp_path / "none")) == (0, 0)


def test_the_seal_is_on_the_disk_before_the_mark_of_half_made_goes(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.makedirs(store.begin(A, "op"))

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable_file, "replace", full)
    with pytest.raises(OSError, match="No space"):
        store.seal(mark(A))
    assert os.path.exists(f"{store.folder(A)}.half-made")
