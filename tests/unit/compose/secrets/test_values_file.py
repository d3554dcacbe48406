# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new secret is the text that stands in its file, and not what YAML makes of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.ops.runbook.plugins.action.compose_operation import ActionModule
from ansible_collections.ops.runbook.plugins.plugin_utils.refused import Refused

WORDS = ("0123456", "1.10", "12e4", "yes", "2026-01-01", "0x1F", "12:30", "x")


@pytest.fixture
def action() -> ActionModule:
    loader = DataLoader()
    return ActionModule(SimpleNamespace(), None, None, loader, Templar(loader=loader), None)


def read(action: ActionModule, path: Path, content: str) -> dict[str, str]:
    path.write_text(content)
    path.chmod(0o600)
    found: dict[str, str] = action._read(str(path))
    return found


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("form", ["---\nPIN: {}\n", "PIN: {}\n", "{{PIN: {}}}\n", "PIN={}\n"])
def test_a_secret_of_a_file_is_its_text(action: ActionModule, tmp_path: Path, form: str, word: str) -> None:
    if ":" in word and form.startswith("{"):
        word = f"'{word}'"
    assert read(action, tmp_path / "values", form.format(word)) == {"PIN": word.strip("'")}


def test_a_secret_that_is_not_a_text_is_refused(action: ActionModule, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="PIN is not a text to YAML: put quotes around its value"):
        read(action, tmp_path / "values", "PIN: [1, 2]\n")


@pytest.mark.parametrize("value", [42798, 1.1, True, None])
def test_a_secret_of_the_inventory_has_quotes(action: ActionModule, value: Any) -> None:
    with pytest.raises(Refused, match="compose_secret_values: PIN is not a text to YAML"):
        action._values(["PIN"], {}, {"compose_secret_values": {"PIN": value}})
    found, _origins = action._values(["PIN"], {}, {"compose_secret_values": {"PIN": "0123456"}})
    assert found == {"PIN": "0123456"}
