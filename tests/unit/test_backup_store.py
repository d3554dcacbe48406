"""A backup is whole or not there, wherever it was cut off, and says what was changed in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.backup_manifest import BadManifest, Manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup_store import Store

ID = "20261121T031502Z-4f2a9c"


def filled(content: bytes, **facts: Any) -> Callable[[Callable[[bytes], None]], dict[str, Any]]:
    def fill(take: Callable[[bytes], None]) -> dict[str, Any]:
        take(content)
        return facts

    return fill


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "state/backups"))


def make(store: Store, identity: str = ID) -> Manifest:
    store.begin(identity)
    parts = (
        store.write(identity, "database.sql", "", filled(b"rows", rows={"t": 2}), "database", "mysql.db"),
        store.write(identity, "config.json", "", filled(b"{}"), "config", ""),
    )
    manifest = Manifest(identity, "shop", "one", "", "2026-11-21T03:15:02.000Z", "requested", "", {}, {}, parts)
    store.seal(manifest, ["database.sql", "config.json"])
    return manifest


def test_a_whole_backup(store: Store) -> None:
    manifest = make(store)
    assert store.look() == ([manifest], {}) and store.problems(manifest) == []
    assert b"".join(store.read(manifest, manifest.parts[0])) == b"rows"
    assert sorted(os.listdir(store.path(ID))) == ["SHA256SUMS", "config.json", "database.sql", "manifest.json"]
    for path in [store.folder, store.path(ID), *(store.path(ID, name) for name in os.listdir(store.path(ID)))]:
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_half_of_one_counts_for_nothing_and_is_gone_on_with(store: Store) -> None:
    store.begin(ID)
    part = store.write(ID, "database.sql", "", filled(b"rows", rows={"t": 2}), "database", "mysql.db")
    assert store.look() == ([], {})
    assert store.noted(ID, "database.sql") == part
    again = store.write(ID, "database.sql", "", filled(b"other rows"), "database", "mysql.db")
    assert again.size == 10 and store.noted(ID, "database.sql") == again
    with pytest.raises(OSError):
        store.noted(ID, "config.json")
    assert store.sweep(lambda _id: True, [ID]) == [] and store.sweep(lambda one: one != ID) == []
    assert store.sweep(lambda one: one == ID) == [f".making-{ID}"]


def test_a_part_that_fails_is_not_noted(store: Store) -> None:
    def fill(take: Callable[[bytes], None]) -> dict[str, Any]:
        take(b"half")
        raise OSError(28, "No space left on device")

    store.begin(ID)
    with pytest.raises(OSError, match="No space"):
        store.write(ID, "database.sql", "", fill, "database", "mysql.db")
    with pytest.raises(OSError):
        store.noted(ID, "database.sql")


def test_sealing_once_more_changes_nothing(store: Store) -> None:
    manifest = make(store)
    store.seal(replace(manifest, app="other"), [])
    assert store.manifest(ID) == manifest


def test_a_seal_that_was_killed_before_the_folder_had_its_name_is_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.sealing(ID) is None

    rename = os.rename

    def killed(old: str, new: str, **folders: int) -> None:
        if os.path.isdir(old):
            raise KeyboardInterrupt
        rename(old, new, **folders)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        make(store)
    monkeypatch.undo()
    # The notes of the parts are gone by now, and what they said is in the manifest.
    with pytest.raises(OSError):
        store.noted(ID, "database.sql")
    manifest = store.sealing(ID)
    assert manifest is not None and len(manifest.parts) == 2
    store.seal(manifest, ["database.sql", "config.json"])
    assert store.look() == ([manifest], {}) and store.problems(manifest) == []


def test_what_was_changed_is_named(store: Store) -> None:
    manifest = make(store)
    Path(store.path(ID, "database.sql")).write_bytes(b"r0ws")
    Path(store.path(ID, "config.json")).unlink()
    first, second = store.problems(manifest)
    assert "database.sql was changed" in first and "config.json can't be read" in second
    Path(store.path(ID, "database.sql")).write_bytes(b"row")
    assert "has 3 bytes; the manifest says 4" in store.problems(manifest)[0]


def test_a_folder_of_another_name_is_no_backup(store: Store) -> None:
    make(store)
    os.rename(store.path(ID), store.path("20261121T031502Z-000000"))
    assert "is of" in store.look()[1]["20261121T031502Z-000000"]
    with pytest.raises(BadManifest):
        store.manifest("20261121T031502Z-000000")


def test_removing(store: Store) -> None:
    make(store)
    store.remove(ID)
    store.remove(ID)
    assert store.look() == ([], {}) and os.listdir(store.folder) == []
