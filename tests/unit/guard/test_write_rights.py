# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of another user in a checkout are found before git is in the midst of it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import write_rights

ROOT = Path(__file__).resolve().parents[3]
#: Root may write everywhere, so another user asks.
NOBODY = 65534
ASK = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.ops.runbook.plugins.module_utils.guard import write_rights
from ansible_collections.ops.runbook.plugins.module_utils.laravel import vendor
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
kind, *rest = json.loads(sys.argv[2])
print(json.dumps(getattr(vendor if kind == 'unwritable' else write_rights, kind)(*rest)))
"""

Ask = Callable[..., list[str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can reach; those of pytest let nobody through."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def ask(folder: Path) -> Ask:
    if os.geteuid() != 0:
        pytest.skip("only root can ask as another user")

    def asked(*words: object) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", ASK.replace("{nobody}", str(NOBODY)), str(ROOT / "collections"), json.dumps(words)],
            capture_output=True,
            text=True,
            check=True,
        )
        found: list[str] = json.loads(done.stdout)
        return [os.path.relpath(path, folder) for path in found]

    return asked


@pytest.fixture
def checkout(folder: Path) -> Path:
    """A checkout of nobody's."""
    for name in ("app/Models", "config", ".git/objects/ab", ".git/objects/pack", ".git/refs/heads", ".git/logs/refs"):
        (folder / name).mkdir(parents=True)
    for name in ("app/V.php", "config/app.php", ".git/FETCH_HEAD", ".git/logs/HEAD", ".git/index"):
        (folder / name).write_text("x")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return folder


def root_owns(checkout: Path, *names: str) -> None:
    for name in names:
        os.chown(checkout / name, 0, 0)
        (checkout / name).chmod(0o755 if (checkout / name).is_dir() else 0o644)


CHANGED = ["app/V.php", "app/Models/New.php", "app/Http/Deep/New.php", "config/app.php"]


def test_a_checkout_of_the_user_is_free(ask: Ask, checkout: Path) -> None:
    assert ask("held_folders", str(checkout), CHANGED) == []
    assert ask("held_in_git", str(checkout / ".git"), str(checkout / ".git")) == []


def test_a_folder_of_root_is_held_whoever_owns_its_files(ask: Ask, checkout: Path) -> None:
    root_owns(checkout, "app")
    assert ask("held_folders", str(checkout), CHANGED) == ["app"]
    assert ask("held_folders", str(checkout), ["config/app.php", "app/Models/New.php"]) == []


def test_a_file_of_root_in_a_folder_of_the_user_is_replaced(ask: Ask, checkout: Path) -> None:
    root_owns(checkout, "app/V.php", ".git/index")
    assert ask("held_folders", str(checkout), CHANGED) == []
    assert ask("held_in_git", str(checkout / ".git"), str(checkout / ".git")) == []


def test_the_folders_that_git_writes_into_are_checked(ask: Ask, checkout: Path) -> None:
    root_owns(checkout, ".git/objects/ab", ".git/FETCH_HEAD", ".git/logs/HEAD")
    assert ask("held_in_git", str(checkout / ".git"), str(checkout / ".git")) == [
        ".git/FETCH_HEAD",
        ".git/logs/HEAD",
        ".git/objects/ab",
    ]


def test_a_vendor_tree_is_held_where_composer_writes(ask: Ask, checkout: Path) -> None:
    for folder in ("vendor/composer", "vendor/acme/tool"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "vendor/composer/autoload_classmap.php").write_text("x")
    for path in (checkout / "vendor", *(checkout / "vendor").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    root_owns(checkout, "vendor/acme/tool", "vendor/composer/autoload_classmap.php")
    assert ask("unwritable", str(checkout / "vendor"), False) == ["vendor/composer/autoload_classmap.php"]
    assert "vendor/acme/tool" in ask("unwritable", str(checkout / "vendor"), True)


def test_the_line_to_type_names_the_outermost_folders_and_survives_a_shell() -> None:
    refusal = write_rights.refuse("deploy", ["/srv/a b", "/srv/a b/c", "/srv/d"], "git writes there")
    assert refusal is not None
    assert shlex.split(refusal.ways[0][0]) == ["sudo", "chown", "-R", "deploy", "/srv/a b", "/srv/d"]
    assert write_rights.refuse("deploy", [], "git writes there") is None
