# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a deploy, a rollback or an adoption of a Compose service, by the tables in cases/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planner_cases import case, files

from ansible_collections.ops.runbook.plugins.module_utils.compose.planning import decide
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Facts, Situation, Wish
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.target import choose
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

CASES = Path(__file__).parent / "cases"


def check(path: Path) -> None:
    """Assert that the facts of a case lead to its plan or its refusal."""
    found = case(path)
    wish = Wish("adopt", "", "") if path.parent.name == "adopt" else found.build(Wish, "wish")
    service = found.build(Description, "service")
    situation = Situation(wish, service, found.ledger, found.past, bool(found.raw.get("check_mode")))

    def plan(facts: Facts) -> dict[str, Any]:
        if path.parent.name == "adopt":
            return decide.adopt(situation, facts, False)
        return decide.plan(situation, choose(situation, facts.present.release, facts), facts)

    found.holds(Facts, plan)


@pytest.mark.parametrize("path", [*files(CASES / "plan"), *files(CASES / "adopt")])
def test_the_facts_lead_to_the_plan(path: Path) -> None:
    check(path)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_way_past_an_adoption_is_not_refused_for_the_ledger(damaged: bool) -> None:
    """A damaged ledger refuses each deploy, and names the adoption: it is set aside by hand, or it never ends."""
    found = case(CASES / "adopt/adopt_while_a_service_is_stopped.yml")
    ledger = replace(found.ledger, problems=("line 1 is not a record",) if damaged else ())
    situation = Situation(Wish("adopt", "", ""), found.build(Description, "service"), ledger, found.past)
    with pytest.raises(Problem) as refused:
        decide.adopt(situation, found.build(Facts, "facts"), True, "/state/ledger.jsonl")
    starts, past = [what for what, _effect in refused.value.ways]
    assert starts.endswith("up -d worker")
    assert past == ("mv -n /state/ledger.jsonl /state/ledger.damaged" if damaged else "compose_deploy with to=<tag>")
