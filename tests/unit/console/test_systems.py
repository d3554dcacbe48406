# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that a role hands over in its meta/system.yml: each is read, and none is about another system."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from ansible_collections.ops.runbook.plugins.module_utils.awx.state import Settings
from ansible_collections.ops.runbook.plugins.module_utils.console import procedures, systems
from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import Due
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]
SYSTEMS = systems.read(ROOT, plain_yaml.load)
FOUND = {one.name: one for one in procedures.read(ROOT, plain_yaml.load)}


def test_every_role_has_a_title_of_its_own() -> None:
    assert [*SYSTEMS] == procedures.role_names(ROOT)
    titles = [system.title for system in SYSTEMS.values()]
    assert all(titles) and len({*titles}) == len(titles)


@pytest.mark.parametrize("role", SYSTEMS)
def test_a_schedule_is_of_a_procedure_of_its_role_and_answers_its_inputs(role: str) -> None:
    for due in (Due(**one) for one in SYSTEMS[role].schedules):
        assert FOUND[due.procedure].role == role
        assert {*due.answers} <= {one.name for one in FOUND[due.procedure].inputs}
        assert due.since in ("", *(one.name for one in fields(Settings)))


@pytest.mark.parametrize("role", SYSTEMS)
def test_a_path_is_an_option_of_its_role_and_of_a_known_kind(role: str) -> None:
    entries = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
    assert {*SYSTEMS[role].paths} <= {name for entry in entries.values() for name in entry.get("options", {})}
    assert {*SYSTEMS[role].paths.values()} <= {"name", "path", "paths", "last", "shared"}


def test_the_name_of_a_service_is_one_part_of_a_path() -> None:
    services = {one.service: one.role for one in FOUND.values() if one.service}
    assert {SYSTEMS[role].paths[name] for name, role in services.items()} == {"name"}


def test_an_unknown_fact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/system.yml").write_text("title: X\nschedule: []\n")
    with pytest.raises(TypeError, match="schedule"):
        systems.of_role(tmp_path, plain_yaml.load)
