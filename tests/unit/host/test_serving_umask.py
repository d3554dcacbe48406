# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of an operation can be read by every reader of the served files, and are not more open than those."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.serving_umask import (
    as_served,
    modes_of,
    present_umask,
    serving,
)

MASKS: dict[str, tuple[int, list[int], int]] = {
    "a login shell of Debian": (0o022, [0o755], 0o022),
    "a group that writes": (0o002, [0o775], 0o002),
    "hardened, read by all": (0o077, [0o755, 0o644], 0o022),
    "hardened for a group, read by all": (0o027, [0o755], 0o022),
    "hardened, read by the group of the folder": (0o077, [0o2750, 0o640], 0o027),
    "hardened for a group, read by that group": (0o027, [0o750], 0o027),
    "php-fpm runs as the owner": (0o077, [0o700, 0o600], 0o077),
    "passed through by all, read below": (0o077, [0o711, 0o755, 0o644], 0o022),
}


@pytest.mark.parametrize("name", MASKS)
def test_umask_of_the_steps(name: str) -> None:
    present, modes, expected = MASKS[name]
    assert serving(present, modes) == expected


def test_the_group_that_writes_the_log_goes_on_writing_it(tmp_path: Path) -> None:
    assert serving(0o077, [0o755], 0o2775) == 0o002
    assert serving(0o077, [0o750], 0o770) == 0o007
    assert serving(0o022, [0o755], 0o755) == 0o022


@pytest.mark.parametrize(("mask", "mode"), [(None, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_a_command_runs_under_its_umask(tmp_path: Path, mask: int | None, mode: int) -> None:
    before = os.umask(0o077)
    try:
        Commands(str(tmp_path), umask=mask).run(["touch", "made"])
    finally:
        os.umask(before)
    assert (tmp_path / "made").stat().st_mode & 0o777 == mode


@given(st.integers(0, 0o777), st.lists(st.integers(0, 0o777), max_size=3))
def test_nothing_is_opened_that_was_not_open_and_nothing_is_made_writable(present: int, modes: list[int]) -> None:
    mask = serving(present, modes)
    opened = present & ~mask
    assert mask & ~present == 0
    assert opened & 0o722 == 0
    assert opened & ~(0 if not modes else modes[0] | (modes + [0])[1] | (modes + [0, 0])[2]) == 0


def test_a_file_that_a_step_makes_can_be_read_and_what_comes_after_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    before = os.umask(0o077)
    try:
        with as_served(str(tmp_path)) as mask:
            (tmp_path / "config.php").write_text("")
        assert (mask, present_umask()) == (0o022, 0o077)
        assert (tmp_path / "config.php").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_folder_that_is_not_there_opens_nothing(tmp_path: Path) -> None:
    assert modes_of(str(tmp_path / "none")) == []
