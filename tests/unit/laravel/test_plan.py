# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a deploy or a rollback of a Laravel service, by the table in cases/plan."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from planner_cases import case, files

from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.adopt import adopt
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.decide import decide
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Facts, Wish
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description

CASES = Path(__file__).parent / "cases"


def check(path: Path) -> None:
    """Assert that the facts of a case lead to its plan or its refusal."""
    found = case(path)
    service = found.build(Description, "service")
    if path.parent.name == "adopt":
        found.holds(Facts, partial(adopt, service, found.ledger, found.past, False))
    else:
        found.holds(Facts, partial(decide, found.build(Wish, "wish"), service, found.past))


@pytest.mark.parametrize("path", [*files(CASES / "plan"), *files(CASES / "adopt")])
def test_the_facts_lead_to_the_plan(path: Path) -> None:
    check(path)
