# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging a folder with a link to it, where the file system can't do it in one step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils import laravel_convert


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

    monkeypatch.setattr(laravel_convert, "exchange", lambda *_names: False)
    with monkeypatch.context() as killed:
        killed.setattr(laravel_convert.os, "rename", cut)
        if renames < 3:
            with pytest.raises(Killed):
                laravel_convert._swap(str(waiting), str(here))
        else:
            laravel_convert._swap(str(waiting), str(here))
    laravel_convert._mend(str(waiting), str(here))
    # Either as before or as wanted, and never a third thing.
    assert here.is_symlink() is (renames >= 2)
    folder = waiting if renames >= 2 else here
    assert (folder / "upload").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["storage", "waiting"]
