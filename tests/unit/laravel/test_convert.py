# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging a folder with a link to it, where the file system can't do it in one step."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.laravel import convert, layout
from ansible_collections.ops.runbook.plugins.module_utils.laravel.convert import ConvertSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService


class Killed(Exception):
    pass


@pytest.mark.parametrize("renames", [0, 1, 2, 3])
def test_exchange_that_is_cut_off_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    here, waiting = tmp_path / "storage", tmp_path / "waiting"
    here.mkdir()
    (here / "upload").write_text("kept")
    waiting.symlink_to("waiting")
    rename, done = os.rename, 0

    def cut(source: str, target: str) -> None:
        nonlocal done
        if done == renames:
            raise Killed
        done += 1
        rename(source, target)

    monkeypatch.setattr(convert, "exchange", lambda *_names: False)
    with monkeypatch.context() as killed:
        killed.setattr(convert.os, "rename", cut)
        if renames < 3:
            with pytest.raises(Killed):
                convert._swap(str(waiting), str(here))
        else:
            convert._swap(str(waiting), str(here))
    convert._mend(str(waiting), str(here))
    # Either as before or as wanted, and never a third thing.
    assert here.is_symlink() is (renames >= 2)
    folder = waiting if renames >= 2 else here
    assert (folder / "upload").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["storage", "waiting"]


# -- links of the host's own -----------------------------------------------------------------------


@pytest.fixture
def steps(tmp_path: Path) -> ConvertSteps:
    """A checkout whose storage is a link to a data volume."""
    app, volume = tmp_path / "app", tmp_path / "volume"
    app.mkdir()
    volume.mkdir()
    (volume / "upload").write_text("kept")
    (app / "storage").symlink_to(volume)
    state = tmp_path / "state"
    state.mkdir()
    service = LaravelService(Description("vertex", str(app), strategy="releases", shared=("storage",)), str(state))
    return ConvertSteps(service, Guard(str(state)), {})


def way(steps: ConvertSteps, path: str = "storage") -> tuple[Step, Step]:
    was = layout.standing(os.path.join(steps.service.description.path, path))
    data = {"path": path, "was": was}
    return Step(f"share:{path}", "", data=data), Step(f"unshare:{path}", "", data=data)


def test_a_link_is_shared_as_a_link_and_stays(steps: ConvertSteps, tmp_path: Path) -> None:
    """It was taken for a link of an earlier conversion, and the releases got an empty folder."""
    share, unshare = way(steps)
    shared, here = tmp_path / "app" / "shared" / "storage", tmp_path / "app" / "storage"
    for _ in range(2):
        assert "a link to" in str(procedure.do(steps.acts, share))
        assert (shared.readlink(), here.readlink()) == (tmp_path / "volume", tmp_path / "volume")
    for _ in range(2):
        assert "stayed as it was" in str(procedure.do(steps.acts, unshare))
        assert here.readlink() == tmp_path / "volume"
    assert (here / "upload").read_text() == "kept"


def test_a_relative_link_is_shared_as_a_link_to_the_same_place(steps: ConvertSteps, tmp_path: Path) -> None:
    here = tmp_path / "app" / "storage"
    here.unlink()
    here.symlink_to("../volume")
    procedure.do(steps.acts, way(steps)[0])
    assert (tmp_path / "app" / "shared" / "storage" / "upload").read_text() == "kept"


def test_a_link_that_is_not_as_it_was_is_not_taken_for_it(steps: ConvertSteps, tmp_path: Path) -> None:
    share, unshare = way(steps)
    procedure.do(steps.acts, share)
    here = tmp_path / "app" / "storage"
    here.unlink()
    here.symlink_to(tmp_path)
    with pytest.raises(CommandFailed, match="is not the link to"):
        procedure.do(steps.acts, unshare)


def test_a_link_that_came_after_the_plan_is_not_taken_for_ours(steps: ConvertSteps, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="was not when this was planned"):
        procedure.do(steps.acts, Step("share:storage", "", data={"path": "storage", "was": {"kind": "folder"}}))
    assert (tmp_path / "app" / "storage").readlink() == tmp_path / "volume"


def test_a_folder_is_moved_and_comes_back(steps: ConvertSteps, tmp_path: Path) -> None:
    here, shared = tmp_path / "app" / "storage", tmp_path / "app" / "shared" / "storage"
    here.unlink()
    here.mkdir()
    (here / "upload").write_text("kept")
    share, unshare = way(steps)
    procedure.do(steps.acts, share)
    assert here.is_symlink() and (shared / "upload").read_text() == "kept" and not shared.is_symlink()
    procedure.do(steps.acts, unshare)
    assert not here.is_symlink() and (here / "upload").read_text() == "kept"


def test_a_shared_folder_that_was_put_onto_a_volume_later_stays_there(steps: ConvertSteps, tmp_path: Path) -> None:
    here, shared = tmp_path / "app" / "storage", tmp_path / "app" / "shared" / "storage"
    here.unlink()
    here.mkdir()
    procedure.do(steps.acts, way(steps)[0])
    shared.rmdir()
    shared.symlink_to(tmp_path / "volume")
    share, unshare = way(steps)
    procedure.do(steps.acts, unshare)
    assert (here.readlink(), (here / "upload").read_text()) == (tmp_path / "volume", "kept")
    procedure.do(steps.acts, share)
    assert (here.readlink(), (here / "upload").read_text()) == (Path("shared/storage"), "kept")


STRANGE = {
    "a link to nothing": ("ln -s nowhere missing", ["missing"], "shared_link_broken"),
    "public is a link": ("rm -r public && ln -s storage public", [], "face_is_link"),
    "a folder of the application where the repository goes": ("mkdir repository", [], "name_taken"),
    "a folder of the application where the releases go": ("mkdir -p releases/notes", [], "name_taken"),
    "a file where the link goes": ("touch current", [], "name_taken"),
    "a path that is not there": ("true", ["uploads"], "shared_missing"),
    "a folder that is made": ("true", ["uploads/"], ""),
    "settings from elsewhere": ("true", [".env"], ""),
    "a relative link that leads out": ("mkdir data && ln -s ../../volume data/in", ["data"], "relative_link"),
    "a relative link that stays": ("mkdir -p data/a && ln -s a data/in", ["data"], ""),
    "all is well": ("true", ["storage"], ""),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_conversion_that_would_lose_files_is_refused(tmp_path: Path, name: str) -> None:
    change, shared, code = STRANGE[name]
    app = tmp_path / "app"
    (tmp_path / "volume").mkdir()
    (app / "public").mkdir(parents=True)
    (app / "storage").mkdir()
    (app / "artisan").touch()
    git = "git -c user.name=A -c user.email=a@example.com"
    subprocess.run(
        ["sh", "-ec", f"git init -q && git add artisan && {git} commit -qm x && {change}"], cwd=app, check=True
    )
    service = LaravelService(Description("vertex", str(app), strategy="releases", shared=tuple(shared)), str(tmp_path))
    refusal = layout.strange(service, "releases")
    assert (refusal.code if refusal else "") == code
    assert refusal is None or all(typed and effect for typed, effect in refusal.ways)


@pytest.mark.parametrize("ways", [convert._there, convert._back])
def test_every_way_knows_what_each_shared_path_was(ways: Callable[..., tuple[list[Step], list[Step]]]) -> None:
    was = {".env": {"kind": "link", "to": "/etc/app.env"}, "storage": {"kind": "folder"}}
    description = Description("vertex", "/srv/app", shared=tuple(was), reload_commands=(("true",),))
    for way in ways(description, {"id": "a" * 40, "name": "v1"}, was):
        moves = {step.id: step.data["was"] for step in way if step.id.startswith(("share:", "unshare:"))}
        assert sorted(moves.values(), key=str) == sorted(was.values(), key=str)
        # The paths of the code change, so whatever keeps it in memory is told on each way.
        assert [step.data["command"] for step in way if step.id.partition(":")[0] in ("reload", "old_reload")] == [
            ["true"]
        ]
        assert any("queue:restart" in step.data.get("commands", ()) for step in way)
