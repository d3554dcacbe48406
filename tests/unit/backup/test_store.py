"""A backup is whole or not there, wherever it was cut off, and says what was changed in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import BadManifest, Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store

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


def test_a_changed_part_is_named(store: Store) -> None:
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


# -- sealed ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private() -> str:
    made = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    return subprocess.run(made, capture_output=True, text=True, check=True).stdout


def sealed(store: Store, private: str, identity: str = ID) -> Manifest:
    public = sealed_file.public_of(private)
    store.begin(identity)
    parts = (
        store.write(identity, "database.sql", public, filled(b"rows"), "database", "mysql.db"),
        store.write(identity, "config.json", public, filled(b"{}"), "config", ""),
    )
    recipient = sealed_file.fingerprint(public)
    made = manifest_of(identity, parts, recipient)
    store.seal(made, ["database.sql", "config.json"])
    return store.manifest(identity)


def manifest_of(identity: str, parts: tuple[Part, ...], recipient: str) -> Manifest:
    made = "2026-11-21T03:15:02.000Z"
    return Manifest(identity, "shop", "web1", "production", made, "requested", recipient, {}, {}, parts)


def test_a_sealed_backup_is_whole_and_read(tmp_path: Path, private: str) -> None:
    store = Store(str(tmp_path))
    made = sealed(store, private)
    assert store.problems(made) == []
    assert [b"".join(store.read(made, part, private)) for part in made.parts] == [b"rows", b"{}"]
    assert all(part.key.endswith(".seal") and part.key_sha256 for part in made.parts)


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), which=st.sampled_from(["file", "key"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bit_of_a_sealed_backup_that_was_changed_is_a_problem(
    private: str, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int, which: str
) -> None:
    store = Store(str(tmp_path_factory.getbasetemp() / "flipped"))
    made = store.manifest(ID) if store.has(ID) else sealed(store, private)
    part = made.parts[0]
    path = Path(store.path(ID, getattr(part, which)))
    before = path.read_bytes()
    content = bytearray(before)
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    assert store.problems(made)
    path.write_bytes(before)
    assert store.problems(made) == []


def test_an_edited_part_is_refused_by_its_seal_though_the_manifest_was_edited_with_it(
    tmp_path: Path, private: str
) -> None:
    store = Store(str(tmp_path))
    made = sealed(store, private)
    part = made.parts[0]
    path = Path(store.path(ID, part.file))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    edited = replace(part, sha256=sealed_file.digest(str(path))[1])
    assert store.problems(made, [edited]) == []
    with pytest.raises(sealed_file.Changed):
        store.must_open(made, edited, private)
    with pytest.raises(sealed_file.Changed):
        next(store.read(made, edited, private))


def test_a_part_of_another_backup_or_kind_is_refused_by_its_seal(tmp_path: Path, private: str) -> None:
    store = Store(str(tmp_path))
    made, other = sealed(store, private), sealed(store, private, "20261120T031502Z-4f2a9c")
    database, config = made.parts
    with pytest.raises(sealed_file.Changed, match="mysql.db"):
        store.must_open(made, replace(config, file=database.file, key=database.key, sha256=database.sha256), private)
    for name in (database.file, database.key):
        Path(store.path(ID, name)).write_bytes(Path(store.path(other.id, name)).read_bytes())
    with pytest.raises(sealed_file.Changed, match="20261120"):
        store.must_open(made, replace(database, sha256=other.parts[0].sha256), private)
