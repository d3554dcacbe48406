# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard and its screens know deploys, rollbacks and adoptions. Any other procedure is known to its system alone.

A system says with its plan all that a screen says of one procedure only, so a new system edits no file of the guard.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_keys import ARRIVALS
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for folder in ("plugins/module_utils/console", "plugins/module_utils/guard", "plugins/filter", "plugins/action")
    for path in (ROOT / folder).rglob("*.py")
)
#: Files that name a procedure of a system, and why.
KNOWN = {"guard/ledger_keys.py": "the keys by which systems look up their own records"}


def procedures() -> set[str]:
    """The names of the procedures that change a service behind the guard, without those that every system shares."""
    systems = [path.parts[-3] for path in ROOT.glob("roles/*/meta/system.yml")]
    found = {
        path.stem.removeprefix(f"{system}_")
        for path in ROOT.glob("playbooks/*.yml")
        for play in plain_yaml.load(path.read_text())
        if play.get("ansible.builtin.import_playbook") == "operate.yml"
        for system in systems
        if path.stem.startswith(f"{system}_")
    }
    return found - {*ARRIVALS}


def named(source: str, names: set[str]) -> list[str]:
    """Procedures that are texts of the code."""
    tree = ast.parse(source)
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in names]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_procedure_is_known_to_its_system_alone(path: Path) -> None:
    if not str(path).endswith(tuple(KNOWN)):
        assert named(path.read_text(), procedures()) == [], f"{path}: the plan of that procedure says it"


def test_a_procedure_of_a_system_is_seen() -> None:
    assert {"convert", "maintenance", "tune", "rotate_secrets"} <= procedures()
    assert not procedures() & {"deploy", "rollback", "adopt"}
    assert named('A = ("adopt", "convert")', procedures()) == ["convert"]
