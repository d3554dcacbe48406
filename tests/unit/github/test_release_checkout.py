"""A checkout that a release may be tagged from: clean, and on a branch of releases."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.github import release_checkout
from ansible_collections.ops.runbook.plugins.module_utils.github.release_checkout import CheckoutState, problems
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Checkout
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

BRANCHES = ("main", "release/*")


def git(path: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    ran = subprocess.run(["git", *identity, *arguments], cwd=path, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a").write_text("1")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def look(path: Path) -> tuple[str, ...]:
    return problems(release_checkout.read(Checkout(Commands(str(path)))), BRANCHES)


def test_a_clean_checkout_of_main_is_good(path: Path) -> None:
    (path / "ignored").write_text("x")
    assert look(path) == ()
    git(path, "switch", "-q", "-c", "release/1.x")
    assert look(path) == ()


@pytest.mark.parametrize("kind", ["changed", "staged", "removed", "untracked"])
def test_a_dirty_one_is_not(path: Path, kind: str) -> None:
    if kind == "removed":
        (path / "a").unlink()
    else:
        (path / ("new" if kind == "untracked" else "a")).write_text("2")
    if kind == "staged":
        git(path, "add", "a")
    assert look(path) == (f"it is not clean: {'new' if kind == 'untracked' else 'a'}",)


def test_neither_is_another_branch_or_none(path: Path) -> None:
    git(path, "switch", "-q", "-c", "feature")
    assert look(path) == ("it is on feature, and releases are tagged on main, release/*",)
    git(path, "switch", "-q", "--detach")
    assert "on no branch" in look(path)[0]


def test_a_folder_inside_another_checkout_is_refused(path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (path / "inside").mkdir()
    for folder in (path / "inside", tmp_path_factory.mktemp("elsewhere")):
        with pytest.raises(Problem):
            look(folder)


def test_a_long_list_is_cut() -> None:
    state = CheckoutState("a" * 40, "main", tuple(f" M f{number}" for number in range(8)))
    assert problems(state, BRANCHES) == ("it is not clean: f0, f1, f2, f3, f4 and 3 more",)
