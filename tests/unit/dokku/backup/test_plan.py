# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plans of a restore and of a rebuild of an app of Dokku, by the tables in cases/."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from planner_cases import case, files

from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Owner
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import rebuild_plan, restore_plan
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.facts import Facts

CASES = Path(__file__).parent / "cases"
NOW = "2026-11-20T12:00:00Z"


def check(path: Path) -> None:
    """Assert that the facts of a case lead to its plan or its refusal."""
    found = case(path)
    owner = Owner("shop", [str(record["id"]) for record in found.records], NOW)
    if path.parent.name == "restore":
        found.holds(Facts, partial(restore_plan.plan, found.build(restore_plan.Wish, "wish"), owner))
    else:
        found.holds(Facts, partial(rebuild_plan.plan, found.build(rebuild_plan.Wish, "wish"), owner))


@pytest.mark.parametrize("path", [*files(CASES / "restore"), *files(CASES / "rebuild")])
def test_the_facts_lead_to_the_plan(path: Path) -> None:
    check(path)
