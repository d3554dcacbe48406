# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path of the inventory stays in its folder, and nothing outside of that folder is removed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from many_playbooks import environment, playbook

from ansible_collections.ops.runbook.plugins.module_utils.console import systems
from ansible_collections.ops.runbook.plugins.module_utils.host import held_path
from ansible_collections.ops.runbook.plugins.module_utils.host.held_path import OutOfFolder
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import ReleaseStore
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]

BAD_SHARED: dict[str, tuple[list[object], str]] = {
    "an absolute path": (["/srv/uploads"], "is an absolute path"),
    "the way out": (["../../data"], "leads out of its folder"),
    "the way out behind a folder": (["storage/../../x"], "leads out of its folder"),
    "another release": (["../0123456789ab"], "leads out of its folder"),
    "nothing": ([""], "is empty"),
    "spaces": (["  "], "is empty"),
    "the folder itself": (["./"], "is the folder itself"),
    "a null": ([None], "is empty"),
    "an escape sequence": (["a\x1b[2J"], "can't be printed"),
    "git's folder": ([".git"], "each release has its own .git"),
    "in git's folder": ([".git/hooks"], "each release has its own .git"),
    "vendor": (["vendor/"], "each release has its own vendor"),
    "a part of vendor": (["vendor/acme"], "each release has its own vendor"),
    "the caches": (["bootstrap/cache"], "each release has its own bootstrap/cache"),
    "around the caches": (["bootstrap"], "each release has its own bootstrap/cache"),
    "the releases": (["releases"], "the layout of the releases"),
    "the shared folder": (["shared/x"], "the layout of the releases"),
    "what the web server knows": (["public"], "the layout of the releases"),
    "one below another": (["storage", "storage/app"], "storage/app lies in storage"),
    "one above another": (["storage/app/", "storage"], "storage/app lies in storage"),
    "twice": (["storage", "storage/"], "is named twice"),
    "another spelling": (["./storage"], "is not written plainly"),
    "what a shell left of a list": (["[.env", "storage"], "a shell took the list apart"),
    "the end of what it left": ([".env", "uploads/]"], "a shell took the list apart"),
    "a quote": (["'.env'"], "a shell took the list apart"),
}


@pytest.mark.parametrize(("shared", "why"), BAD_SHARED.values(), ids=BAD_SHARED)
def test_a_path_that_can_not_be_shared_is_named(shared: list[object], why: str) -> None:
    assert why in held_path.shared_problem(shared)


@pytest.mark.parametrize(
    "shared",
    [
        [],
        [".env", "storage"],
        [".env", "storage", "public/uploads/"],
        ["database/database.sqlite"],
        ["vendors", ".github"],
    ],
)
def test_a_path_that_can_be_shared_passes(shared: list[object]) -> None:
    assert held_path.shared_problem(shared) == ""


@given(st.lists(st.text(alphabet="ab./ -[]'", max_size=12), max_size=4))
def test_accepted_paths_are_below_the_folder_and_apart(shared: list[str]) -> None:
    if held_path.shared_problem(shared):
        return
    places = [os.path.normpath(os.path.join("/srv/release", path)) for path in shared]
    assert all(place.startswith("/srv/release/") for place in places)
    assert not [(a, b) for a in places for b in places if a is not b and (a + "/").startswith(b + "/")]


#: The variables of every system.
KINDS = {
    name: kind
    for system in systems.read(Path(__file__).resolve().parents[3], plain_yaml.load).values()
    for name, kind in system.paths.items()
}


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"laravel_shared": ["/srv/uploads"]}, ["laravel_shared: '/srv/uploads' is an absolute path"]),
        ({"compose_pin_file": "../pin.yml"}, ["compose_pin_file: '../pin.yml' leads out"]),
        ({"compose_pin_file": ""}, ["compose_pin_file: '' is empty"]),
        ({"compose_files": ["a.yml", "/etc/b.yml"]}, ["compose_files: '/etc/b.yml' is an absolute path"]),
        ({"compose_files": ["./a.yml", "deploy/b.yml"], "compose_env_file": ".env.prod"}, []),
        ({"compose_env_file": "/etc/app.env"}, ["compose_env_file: '/etc/app.env' is an absolute path"]),
        ({"operation_service": ".."}, ["operation_service: '..' leads out"]),
        ({"operation_service": "a/b"}, ["operation_service: 'a/b' has a / in it"]),
        ({"dokku_backup_from": "backups/.."}, ["dokku_backup_from: 'backups/..' leads out"]),
        ({"dokku_backup_from": "/"}, ["dokku_backup_from: '/' is empty"]),
        ({"dokku_backup_from": "/home/ops/20261121T031502Z-4f2a9c/"}, []),
        ({"dokku_backup_from": ""}, []),
        ({"dokku_backup_id": "../../etc"}, ["dokku_backup_id: '../../etc' leads out"]),
        ({"dokku_backup_id": "latest", "dokku_app": "crm"}, []),
        ({"dokku_app": "../crm"}, ["dokku_app: '../crm' leads out"]),
    ],
)
def test_a_path_of_the_inventory_that_leads_out_is_named(variables: dict[str, Any], wrong: list[str]) -> None:
    found = held_path.inventory_problems(variables, KINDS)
    assert len(found) == len(wrong)
    assert all(text.startswith(begin) for text, begin in zip(found, wrong))


# -- on the disk -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../out", "a/../../out", "link/x", ".", "", "..", "a/.."])
def test_a_file_outside_the_folder_is_not_removed(tmp_path: Path, path: str) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    for folder in (root / "a", out / "x"):
        folder.mkdir(parents=True)
    (root / "link").symlink_to(out)
    with pytest.raises(OutOfFolder):
        held_path.remove_tree(str(root), os.path.join(str(root), path))
    assert (out / "x").is_dir() and (root / "a").is_dir()


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "data").mkdir()
    link = tmp_path / "root" / "storage"
    link.symlink_to(tmp_path / "data")
    held_path.remove_file(str(tmp_path / "root"), str(link))
    assert (tmp_path / "data").is_dir() and not os.path.lexists(link)


@pytest.mark.parametrize("path", ["{out}", "../../out", "../{other}", "storage/../../../out"])
def test_a_deploy_removes_nothing_outside_of_its_release(tmp_path: Path, path: str) -> None:
    """`laravel_shared: [/srv/uploads]` once removed /srv/uploads, and left a link to itself."""
    store = ReleaseStore(str(tmp_path / "app"))
    out, other = tmp_path / "app" / "out", Path(store.folder("b" * 40))
    for folder in (out, other, Path(store.folder("a" * 40))):
        folder.mkdir(parents=True)
        (folder / "customers.db").write_text("all of them")
    with pytest.raises(OutOfFolder):
        store.link_shared(store.folder("a" * 40), [".env", path.format(out=out, other=other.name)])
    assert [(folder / "customers.db").read_text() for folder in (out, other)] == ["all of them"] * 2
    assert not out.is_symlink() and not other.is_symlink()


def test_a_path_that_leads_out_is_refused_before_a_host_is_contacted(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    host = {
        # Nobody answers there: who contacts it fails in another way.
        "ansible_host": "192.0.2.1",
        "laravel_service": "vertex",
        "laravel_path": str(tmp_path / "app"),
        "laravel_strategy": "releases",
        "laravel_shared": [".env", "storage", str(uploads)],
    }
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"laravel": {"hosts": {"api1": host}}}))
    done = playbook(ROOT / "playbooks/laravel_deploy.yml", "-i", inventory, "-e", "to=v2", env=environment())
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "laravel_shared:" in said and "is an absolute path" in said and "Nothing was contacted." in said
    assert uploads.is_dir()
