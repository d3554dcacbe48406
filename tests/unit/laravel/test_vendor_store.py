# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kept vendor trees: killed anywhere, the application has its tree, and no key names a wrong or a half one."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host import rename_exchange
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor_store import (
    STAMP,
    Stamp,
    VendorStore,
    installed_matches,
    key,
)

FILES = ("autoload.php", "composer/installed.json", "laravel/framework/src/Application.php", "z/last.php")


OURS = {f"commit-{name}" for name in ("one", "two", "three")}


def grow(tree: Path, name: str, stamped: bool = True) -> None:
    """A vendor tree in which every file says which key it is of."""
    for file in FILES:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text(name)
    if stamped:
        (tree / STAMP).write_text(json.dumps({"key": name, "commit": f"commit-{name}"}))


def content(tree: Path) -> str:
    """The key of a whole tree; what is wrong with any other."""
    if not tree.is_dir():
        return "missing"
    found = {(tree / file).read_text() if (tree / file).is_file() else "half" for file in FILES}
    return found.pop() if len(found) == 1 else "half"


def store_at(root: Path, folder: Path | None = None) -> VendorStore:
    """Live is one; two and three are kept."""
    store = VendorStore(str(root / "app" / "vendor"), str((folder or root) / "state" / "vendor"))
    grow(Path(store.live), "one")
    for name in ("two", "three"):
        grow(Path(store.kept(name)), name)
    return store


@pytest.fixture
def store(tmp_path: Path) -> VendorStore:
    return store_at(tmp_path)


def must_be_true(store: VendorStore) -> None:
    """A tree named by a key is whole and of that key."""
    for name in ("one", "two", "three"):
        if store.has(name):
            assert content(Path(store.tree(name))) == name
    assert content(Path(store.live)) in ("one", "two", "missing")
    stamp = store.stamp()
    assert stamp is None or stamp.key == content(Path(store.live))


def no_exchange(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A kernel, or a file system, that can't exchange two folders."""

    real = ctypes.CDLL(None, use_errno=True)

    class Libc:
        """All but that is the kernel's own."""

        @staticmethod
        def renameat2(*_arguments: object) -> int:
            ctypes.set_errno(code)
            return -1

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    monkeypatch.setattr(rename_exchange.ctypes, "CDLL", lambda *_a, **_k: Libc())


# -- keys and stamps -------------------------------------------------------------------------------


def test_a_key_is_of_the_lock_and_the_minor_version_of_php() -> None:
    assert key("{}", "8.3.7") == key("{}", "8.3.21") != key("{}", "8.4.1")
    assert key("{}", "8.3.7") != key("{ }", "8.3.7")
    assert len(key("{}", "8.3.7")) == 16
    assert key(None, "8.3.7") == ""


LOCK = {"packages": [{"name": "a/b", "version": "1.0", "dist": {"reference": "abc"}}], "packages-dev": [{"name": "d"}]}
INSTALLED: dict[str, tuple[object, bool]] = {
    "the same": ({"packages": [{"name": "a/b", "version": "1.0", "dist": {"reference": "abc"}}]}, True),
    "the format of Composer 1": ([{"name": "a/b", "version": "1.0", "dist": {"reference": "abc"}}], True),
    "from source": ({"packages": [{"name": "a/b", "version": "1.0", "source": {"reference": "abc"}}]}, True),
    "another version": ({"packages": [{"name": "a/b", "version": "1.1", "dist": {"reference": "abc"}}]}, False),
    "another commit of a branch": (
        {"packages": [{"name": "a/b", "version": "1.0", "dist": {"reference": "x"}}]},
        False,
    ),
    "one too many": ({"packages": [*LOCK["packages"], {"name": "d", "version": "1"}]}, False),
    "none": ({"packages": []}, False),
    "rubbish": (7, False),
}


@pytest.mark.parametrize("name", INSTALLED)
def test_installed_matches(name: str) -> None:
    installed, expected = INSTALLED[name]
    assert installed_matches(json.dumps(LOCK), json.dumps(installed)) is expected


def test_an_unreadable_file_matches_nothing() -> None:
    assert not installed_matches("{", "[]")
    assert not installed_matches("[]", "[]")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"commit": "x"}', '{"key": "", "commit": "x"}', '{"key": "k"}'])
def test_an_invalid_stamp_is_ignored(store: VendorStore, text: str) -> None:
    Path(store.live, STAMP).write_text(text)
    assert store.stamp() is None
    assert store.is_stamped()


def test_a_stamp_reads_back_and_an_empty_one_says_that_the_tree_is_being_changed(store: VendorStore) -> None:
    store.write_stamp("four", "abc")
    assert store.stamp() == Stamp("four", "abc")
    store.write_stamp("", "abc")
    assert (store.stamp(), store.is_stamped()) == (None, True)


# -- what is kept ----------------------------------------------------------------------------------


def test_an_exchange_brings_one_and_keeps_the_other(store: VendorStore) -> None:
    store.bring_live("two")
    assert content(Path(store.live)) == "two"
    assert store.keys() == ["one", "three"]
    must_be_true(store)


def test_a_live_tree_without_a_key_is_not_kept(store: VendorStore) -> None:
    store.write_stamp("", "abc")
    store.bring_live("two")
    assert content(Path(store.live)) == "two"
    assert store.keys() == ["three"]


def test_a_missing_live_tree_is_no_obstacle(store: VendorStore) -> None:
    shutil.rmtree(store.live)
    store.bring_live("two")
    assert content(Path(store.live)) == "two"
    assert store.keys() == ["three"]


def test_bringing_what_is_live_changes_nothing(store: VendorStore) -> None:
    store.bring_live("one")
    assert content(Path(store.live)) == "one"
    assert store.keys() == ["three", "two"]


def test_a_copy_is_kept_once(store: VendorStore) -> None:
    store.keep_copy("one")
    assert content(Path(store.kept("one"))) == "one"
    before = os.stat(store.kept("one")).st_ino
    store.keep_copy("one")
    store.keep_copy("")
    assert os.stat(store.kept("one")).st_ino == before
    assert content(Path(store.live)) == "one"


def test_a_copy_keeps_links_modes_and_times(store: VendorStore) -> None:
    tool = Path(store.live, "bin")
    tool.symlink_to("laravel/framework/src/Application.php")
    script = Path(store.live, FILES[0])
    script.chmod(0o755)
    os.utime(script, (1, 1))
    store.keep_copy("one")
    assert os.readlink(Path(store.kept("one"), "bin")) == FILES[2]
    kept = Path(store.kept("one"), FILES[0]).stat()
    assert (kept.st_mode & 0o777, kept.st_mtime) == (0o755, 1)


def test_prune_removes_what_nobody_wants(store: VendorStore) -> None:
    grow(Path(store.kept("left.part")), "two")
    assert store.prune({"two"}, OURS) == ["three"]
    assert sorted(os.listdir(store.folder)) == ["two"]
    assert content(Path(store.live)) == "one"


def test_no_store_is_an_empty_one(tmp_path: Path) -> None:
    store = VendorStore(str(tmp_path / "vendor"), str(tmp_path / "none"))
    assert (store.keys(), store.has("one"), store.tree("")) == ([], False, "")
    assert not (tmp_path / "none").exists()
    assert store.prune(set(), OURS) == []


def test_a_look_does_not_tidy(store: VendorStore) -> None:
    grow(Path(store.kept("one.part")), "one")
    store.has("one"), store.keys(), store.stamp()
    assert "one.part" in os.listdir(store.folder)


# -- half-made states ------------------------------------------------------------------------------


def test_a_half_copy_never_gets_a_key_even_when_the_live_tree_has_changed(store: VendorStore) -> None:
    """The copy was cut off after its stamp; then Composer began on the live tree."""
    part = Path(store.kept("one.part"))
    part.mkdir()
    shutil.copy(Path(store.live, STAMP), part / STAMP)
    store.write_stamp("", "abc")
    assert not store.has("one")
    store.tidy()
    assert not store.has("one")
    assert sorted(os.listdir(store.folder)) == ["three", "two"]


def test_a_tree_under_the_name_of_another_is_found_by_its_stamp(store: VendorStore) -> None:
    """Killed right after the exchange: the former live tree has the name of the one that went live."""
    os.rename(store.live, f"{store.live}.tmp")
    os.rename(store.kept("two"), store.live)
    os.rename(f"{store.live}.tmp", store.kept("two"))
    assert store.has("one") and not store.has("two")
    assert content(Path(store.tree("one"))) == "one"
    store.bring_live("one")
    assert content(Path(store.live)) == "one"
    assert store.keys() == ["three", "two"]
    must_be_true(store)


def test_a_former_tree_beside_the_live_one_is_found_and_put_back(store: VendorStore) -> None:
    """Without exchange there is a moment with no live tree: a kill there leaves it beside its place."""
    os.rename(store.live, f"{store.live}.ops-runbook-old")
    assert store.has("one")
    store.bring_live("one")
    assert content(Path(store.live)) == "one"
    assert not Path(f"{store.live}.ops-runbook-old").exists()


def test_unstamped_rubbish_under_a_key_does_not_cost_the_tree_of_that_key(store: VendorStore) -> None:
    grow(Path(store.kept("zzz")), "zzz", stamped=False)
    os.rename(store.kept("three"), store.kept("aaa"))
    grow(Path(store.kept("three")), "rubbish", stamped=False)
    store.tidy()
    assert content(Path(store.kept("three"))) == "three"
    assert store.keys() == ["three", "two"]


# -- kills -----------------------------------------------------------------------------------------


def killed_at(nth: int, action: Callable[[], object]) -> bool:
    """Run something in a process that is killed before its nth change of the disk; whether it came so far."""
    child = os.fork()
    if child == 0:
        count = iter(range(1, 100_000))

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **named: Any) -> Any:
                if next(count) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **named)

            return call

        for name in ("rename", "unlink", "rmdir", "makedirs", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        subprocess.run = counted(subprocess.run)  # type: ignore[assignment]
        try:
            action()
        except BaseException:
            os._exit(9)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0


@pytest.fixture(scope="module")
def other_disk() -> Iterator[Path]:
    """A folder on another file system than tmp_path."""
    path = tempfile.mkdtemp(dir="/dev/shm") if os.access("/dev/shm", os.W_OK) else ""
    if not path or os.stat(path).st_dev == os.stat(tempfile.gettempdir()).st_dev:
        pytest.skip("there is only one file system here")
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture(params=["exchange", "no exchange", "two file systems"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], VendorStore]:
    """A fresh store on each call, on each kind of disk."""
    if request.param == "no exchange":
        no_exchange(monkeypatch, errno.EINVAL)
    elsewhere = request.getfixturevalue("other_disk") if request.param == "two file systems" else None

    def fresh() -> VendorStore:
        for root in (tmp_path, elsewhere):
            for entry in list(root.iterdir()) if root else []:
                shutil.rmtree(entry)
        return store_at(tmp_path, elsewhere)

    return fresh


def test_an_exchange_on_any_disk(place: Callable[[], VendorStore]) -> None:
    store = place()
    store.bring_live("two")
    store.bring_live("three")
    assert content(Path(store.live)) == "three"
    assert store.keys() == ["one", "two"]
    assert os.listdir(Path(store.live).parent) == ["vendor"]


def test_a_killed_exchange_is_finished_or_undone(place: Callable[[], VendorStore]) -> None:
    nth, reached = 0, True
    while reached:
        nth += 1
        for then, other in (("two", "one"), ("one", "two")):
            store = place()
            reached = killed_at(nth, lambda: store.bring_live("two"))  # noqa: B023
            must_be_true(store)
            live = content(Path(store.live))
            assert store.has("one") or live == "one"
            assert store.has("two") or live == "two"
            store.bring_live(then)
            assert content(Path(store.live)) == then
            assert store.keys() == sorted([other, "three"])
            assert os.listdir(Path(store.live).parent) == ["vendor"]
            must_be_true(store)
    assert nth > 1


def test_a_kill_upon_a_kill(place: Callable[[], VendorStore]) -> None:
    for first in range(1, 20, 4):
        for second in range(1, 20, 6):
            store = place()
            came = killed_at(first, lambda: store.bring_live("two"))  # noqa: B023
            again = killed_at(second, lambda: store.bring_live("one"))  # noqa: B023
            must_be_true(store)
            store.bring_live("two")
            assert (content(Path(store.live)), store.keys()) == ("two", ["one", "three"])
            if not again or not came:
                break


def test_a_killed_prune_leaves_no_half_tree_under_a_key(store: VendorStore) -> None:
    nth = 0
    while True:
        nth += 1
        for name in ("two", "three"):
            if not store.has(name):
                grow(Path(store.kept(name)), name)
        came = killed_at(nth, lambda: store.prune({"two"}, OURS))
        must_be_true(store)
        # The live tree changes before anybody tidies.
        store.write_stamp("", "abc")
        must_be_true(store)
        store.tidy()
        left = store.keys()
        assert [content(Path(store.kept(name))) for name in left] == left
        store.write_stamp("one", "abc")
        if not came:
            break
    assert nth > 5


def test_a_killed_copy_leaves_no_half_tree_under_a_key(store: VendorStore) -> None:
    for nth in range(1, 4):
        killed_at(nth, lambda: store.keep_copy("one"))
        must_be_true(store)
    store.keep_copy("one")
    assert content(Path(store.kept("one"))) == "one"


def test_a_copy_killed_in_its_midst_leaves_no_key(store: VendorStore, tmp_path: Path) -> None:
    """A cp that copies the stamp first, and is killed together with who called it."""
    tool = tmp_path / "bin" / "cp"
    tool.parent.mkdir()
    tool.write_text(
        "#!/bin/sh\nfor last; do :; done\nmkdir $last\n"
        f"""echo '{{"key": "one", "commit": "x"}}' > $last/{STAMP}\nkill -9 $PPID\n"""
    )
    tool.chmod(0o755)

    def copy() -> None:
        os.environ["PATH"] = f"{tool.parent}:{os.environ['PATH']}"
        store.keep_copy("one")

    assert killed_at(0, copy)
    must_be_true(store)
    assert not store.has("one")
    store.keep_copy("one")
    assert content(Path(store.kept("one"))) == "one"


def test_an_exchange_that_fails_for_another_cause_is_an_error(
    store: VendorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_exchange(monkeypatch, errno.EACCES)
    with pytest.raises(PermissionError):
        store.bring_live("two")
    assert content(Path(store.live)) == "one"
    assert store.keys() == ["three", "two"]


def test_a_copy_that_fails_leaves_everything(store: VendorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError):
        store.keep_copy("one")
    assert (content(Path(store.live)), store.keys()) == ("one", ["three", "two"])
