# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hotfix of a Laravel service: what its plan and its record have, and whether its merges were done.

The checkout on the host and its remote say so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Hotfix, Standing
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import label
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan


def planned(service: LaravelService, ledger: Answers, plan: LaravelPlan, branch: str, hotfix: bool) -> LaravelPlan:
    """The plan of a deploy with what a hotfix brings, and with the earlier hotfixes that its release lacks.

    branch: the branch that was named; empty for a tag or a commit.
    """
    commit, git = str(plan["to"]["id"]), service.checkout.run
    known = merges.of_ledger(ledger)
    warnings = merges.lost(git, known, commit, label(plan["to"]))
    if not hotfix:
        return {**plan, "warnings": [*plan["warnings"], *warnings]}
    into = service.description.hotfix_into
    this = Hotfix(commit, branch if branch not in into else "")
    tips, problem = service.checkout.heads(into)
    due = merges.standing(git, this, into, tips).those(merges.LACKS, merges.UNKNOWN)
    earlier = merges.due_still(merges.standing(git, one, into, tips) for one in known)
    if problem:
        warnings.append(f"the remote can't be asked ({problem}): the merges that are due are as of the last fetch")
    found = merges.merges(service.checkout.repository(), this, due, into)
    return {
        **plan,
        "facts": {**plan.get("facts", {}), **merges.facts(commit, branch, found, earlier)},
        "also": [*plan.get("also", []), *merges.told(found)],
        "warnings": [*plan["warnings"], *warnings],
    }


def standings(service: LaravelService, history: Mapping[str, Any]) -> tuple[Standing, ...]:
    """Relations of the remote's branches to the hotfixes of the ledger. Commits fetched for it are thrown away."""
    found = merges.deployed(history.get("records") or (), merges.condemned(history))
    into = service.description.hotfix_into
    if not found or not into:
        return ()
    with tempfile.TemporaryDirectory(prefix="ops-runbook-objects-") as scratch:
        checkout = replace(service.checkout, scratch=scratch)
        try:
            tips, problem = checkout.heads(into)
            if problem and not tips:
                return tuple(merges.unknown(one, into, f"the remote can't be asked: {problem}") for one in found)
            return tuple(merges.standing(checkout.run, one, into, tips) for one in found)
        except (CommandFailed, OSError) as error:
            return tuple(merges.unknown(one, into, str(error)) for one in found)
