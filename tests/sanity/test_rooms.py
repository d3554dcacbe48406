# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package and a file are small enough to be looked over: so many files in a folder, so many lines in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS, ROOT, RULES, called, shown

MOST_ENTRIES = 25
MOST_LINES = 500
#: Documentation is part of a module, and lies in its file.
CODE = [path for path in [*PLUGINS, *COMMAND] if path.parent != ROOT / "plugins/modules"]
FOLDERS = sorted({path.parent for path in RULES} | {ROOT / "plugins/module_utils"})


@pytest.mark.parametrize("path", CODE, ids=called)
def test_a_file_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: what in it is another subject?"


@pytest.mark.parametrize("folder", FOLDERS, ids=shown)
def test_a_package_has_few_files(folder: Path) -> None:
    entries = [entry.name for entry in folder.iterdir() if entry.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES


@pytest.mark.parametrize("folder", FOLDERS, ids=shown)
def test_a_package_sends_nothing_of_its_own_to_a_host(folder: Path) -> None:
    """Ansible sends the `__init__.py` of each package with every module that imports from it."""
    mark = folder / "__init__.py"
    assert folder.name == "module_utils" or mark.is_file() and not mark.read_bytes()
