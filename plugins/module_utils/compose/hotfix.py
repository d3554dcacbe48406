# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hotfix of a Compose service: the images of a branch, their commit, and whether its merges were done.

A host has images and no clone. The commit is the one that the images name, and the source repository is asked, where
one is known and can be read from the host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.release import SOURCE
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import source as hotfix_source
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Hotfix, Standing

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


def source_of(given: str, labels: Iterable[Mapping[str, str]]) -> str:
    """The source repository: the inventory's, or the one that the images name, if it is asked over https."""
    if given:
        return given
    found = {str(one.get(SOURCE) or "") for one in labels} - {""}
    return next((one for one in found if len(found) == 1 and one.startswith("https://")), "")


def planned(
    plan: ComposePlan, branch: str, repository: str, into: Sequence[str], known: Sequence[Hotfix] = ()
) -> ComposePlan:
    """The plan of a deploy with what a hotfix brings.

    branch: as a person named it; empty for a tag or a digest. known: the earlier hotfixes of the ledger.
    """
    revision = str(plan["to"].get("revision") or "")
    commit = revision if _COMMIT.match(revision) else ""
    this = Hotfix(commit, branch if branch not in into else "")
    found, warnings, earlier = hotfix_source.due(repository, this, into, known)
    facts = merges.facts(commit, branch, found, earlier)
    if not commit:
        text = "the images name no commit, so their commit does not show whether the hotfix was merged"
        facts, warnings = {**facts, "merges_unknown": text}, [text]
    return {
        **plan,
        "facts": {**plan.get("facts", {}), **facts},
        "also": [*plan.get("also", []), *merges.told(found)],
        "warnings": [*plan["warnings"], *warnings],
    }


def follows(plan: ComposePlan, newest: Iterable[Mapping[str, Any]]) -> list[str]:
    """A warning of a deploy that follows a hotfix: this host can't tell whether the new images have it.

    newest: records of the ledger, the newest first.
    """
    last = next((one for one in newest if one.get("outcome") == "succeeded" and one.get("to")), None)
    known = merges.deployed([last]) if last else ()
    revision = str(plan["to"].get("revision") or "")
    if not known or known[0].commit == revision:
        return []
    one = known[0]
    test = f"git merge-base --is-ancestor {one.commit} {revision or '<its commit>'} && echo 'it has it'"
    return [f"what runs is the hotfix {one.label()}; whether the new images have it, a clone says: {test}"]


def standings(history: Mapping[str, Any], repository: str, into: Sequence[str]) -> tuple[Standing, ...]:
    """Relations of the source repository's branches to the hotfixes of the ledger; unknown if it can't be read."""
    found = merges.deployed(history.get("records") or (), merges.condemned(history))
    return hotfix_source.standings(repository, found, into) if found and into else ()
