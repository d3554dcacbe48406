# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that records the release which runs on a host, or the reason against it. Pure: facts in, plan out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.ops.runbook.plugins.module_utils.guard import release_name
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import known
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.open_and_plan import adoption_steps
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import History
from ansible_collections.ops.runbook.plugins.module_utils.laravel import release
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.schema import unbooted
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.decide import answered, application, name_of
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Facts
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan


def adopt(service: Description, ledger: Answers, past: History, set_aside: bool, facts: Facts) -> LaravelPlan:
    """The plan as the journal keeps it; it changes nothing but what keeps the release reachable.

    set_aside: a damaged ledger is kept under another name. Raises Problem, and Unread.
    """
    known(facts.may_reload, "may_reload")
    present = {"id": facts.head, "name": name_of(past, facts, facts.head)}
    changes = known(facts.edited, "edited")
    differ = f"{len(changes)} files differ from {release.label(present)}: what runs is not that commit"
    if changes:
        ways = release.commit_ways(facts.app, service.in_releases, known(facts.linked, "linked"))
        must_pass(release.local_changes(changes, differ, ways))
    answer = answered(service, facts)
    step = Step("adopt", f"record {release.label(present)}", data={"commit": facts.head})
    steps = adoption_steps(ledger, past, step, facts.head, set_aside)
    said = application(answer)
    return {
        "procedure": "adopt",
        "from": None if steps else present,
        "to": present,
        "chosen": "the commit that is checked out",
        "proven": "it runs now",
        "steps": [one.to_dict() for one in steps],
        "undo": [],
        "anew": release_name.anew(present),
        "migrations": None,
        "php": said["php"],
        "maintenance": said["maintenance"],
        "maintenance_driver": said["maintenance_driver"],
        "warnings": [
            *([unbooted(answer)] if unbooted(answer) else []),
            *(f"{text}: an adoption proves what runs, and fails with it" for text in known(facts.idle, "idle")),
        ],
    }
