"""A power cut for real, where the kernel lets this user mount a disk of its own: a copy of the disk at one moment.

What the file system has not yet handed to the disk is lost in the copy, as it is in a power cut; its journal is
replayed when the copy is mounted. Each case is seen twice: with the sync nothing is lost; without it files are empty
behind their mark, so the loss is one that this test can see.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import journal
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_tree
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Checkout
from ansible_collections.ops.runbook.plugins.module_utils.laravel import vendor_store
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark, ReleaseStore

CONTENT = "<?php return 'whole';\n" * 40
FILES = 60
COMMIT = "c" * 40


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An empty disk with ext4. It takes part in nothing that another program writes."""
    image = tmp_path / "disk"
    try:
        run("truncate", "--size=48M", str(image))
        run("mkfs.ext4", "-q", "-O", "^metadata_csum", str(image))
        with mounted(image, tmp_path / "try"):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    return image


def write_files(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(FILES):
        (folder / f"class{number}.php").write_text(CONTENT)


def opened(root: Path) -> Guard:
    guard = Guard(str(root / "state"))
    guard.open(Request("op", "shop", "deploy"))
    return guard


def stamp_a_vendor_tree(root: Path) -> Path:
    write_files(root / "vendor")
    vendor_store.VendorStore(str(root / "vendor"), str(root / "kept")).write_stamp("k1", COMMIT)
    return root / "vendor"


def keep_a_vendor_tree(root: Path) -> Path:
    stamp_a_vendor_tree(root)
    vendor_store.VendorStore(str(root / "vendor"), str(root / "kept")).keep_copy("k1")
    # What the next step writes down durably takes the names along.
    opened(root).leave()
    return root / "kept" / "k1"


def seal_a_release(root: Path) -> Path:
    store = ReleaseStore(str(root))
    folder = Path(store.begin(COMMIT, "op"))
    write_files(folder)
    store.seal(Mark(COMMIT, "op", "8.4", "", "", 0, FILES))
    return folder


def end_a_step(root: Path) -> Path:
    guard = opened(root)
    guard.write({"event": "plan", "plan": {"steps": [{"id": "code", "title": "code"}]}})
    progress = guard.progress()
    assert progress is not None
    guard.run_steps(progress, journal.FORWARD, lambda _step: write_files(root / "app"), trees=(str(root),))
    guard.leave()
    return root / "app"


def save_uncommitted_work(root: Path) -> Path:
    app = root / "app"
    app.mkdir()
    git = ("git", "-C", str(app), "-c", "user.name=t", "-c", "user.email=t@example.com")
    run(*git, "init", "-q")
    run(*git, "commit", "-q", "--allow-empty", "-m", "first")
    write_files(app)
    names = [f"class{number}.php" for number in range(FILES)]
    Checkout(Commands(str(app))).save_changes(str(root / "saved"), names)
    return root / "saved" / "files"


CASES: dict[str, Callable[[Path], Path]] = {
    "a stamp": stamp_a_vendor_tree,
    "the name of a kept tree": keep_a_vendor_tree,
    "the mark of a release": seal_a_release,
    "a step that is journalled as done": end_a_step,
    "saved changes": save_uncommitted_work,
}


def after_the_cut(disk: Path, tmp_path: Path, act: Callable[[Path], Path]) -> list[str]:
    """The content of each file that is there when the power is back; empty where the whole tree is gone."""
    with mounted(disk, tmp_path / "before") as root:
        folder = act(root).relative_to(root)
        shutil.copyfile(disk, tmp_path / "cut")
    with mounted(tmp_path / "cut", tmp_path / "after") as root:
        return [path.read_text() for path in sorted((root / folder).rglob("*.php"))]


@pytest.mark.parametrize("case", CASES)
def test_a_synced_file_is_there_after_a_power_cut(disk: Path, tmp_path: Path, case: str) -> None:
    found = after_the_cut(disk, tmp_path, CASES[case])
    assert found == [CONTENT] * FILES


@pytest.mark.parametrize(
    "case", ["a stamp", "the name of a kept tree", "the mark of a release", "a step that is journalled as done"]
)
def test_without_the_sync_it_is_lost(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(durable_tree, "sync", lambda *_folders: None)
    found = after_the_cut(disk, tmp_path, CASES[case])
    assert found != [CONTENT] * FILES
