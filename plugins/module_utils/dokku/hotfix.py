# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hotfix of an app of Dokku: what its plan and its record have, and whether its merges were done.

The app's own repository on the host has what was deployed, and not what was merged: the source repository is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import source as hotfix_source
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Hotfix, Standing


def planned(source: Source, repository: str, into: Sequence[str], known: Sequence[Hotfix] = ()) -> dict[str, Any]:
    """Additions of a hotfix to the plan: facts, also and warnings. known: the earlier hotfixes of the ledger."""
    if source.kind != "git":
        text = f"which commit {source.ref} was built from is not known here, so the due merges are not known"
        facts = {**merges.facts("", "", [], known), "merges_unknown": text}
        return {"facts": facts, "also": [], "warnings": [text]}
    proven = source.code is not None and re.fullmatch(r"[0-9a-f]{40}", source.ref)
    branch = source.branch or (source.name if source.code is None else "")
    commit = source.ref if proven else ""
    this = Hotfix(commit, branch if branch not in into else "")
    found, warnings, earlier = hotfix_source.due(repository, this, into, known)
    facts = merges.facts(commit, branch, found, earlier)
    if not commit:
        text = f"which of {', '.join(into)} have {source.ref} already is not known before Dokku has fetched it"
        facts, warnings = {**facts, "merges_unknown": text}, [text]
    return {"facts": facts, "also": merges.told(found), "warnings": warnings}


def standings(repository: str, into: Sequence[str], history: Mapping[str, Any]) -> tuple[Standing, ...]:
    """Relations of the source repository's branches to the hotfixes of the ledger."""
    found = merges.deployed(history.get("records") or (), merges.condemned(history))
    return hotfix_source.standings(repository, found, into) if found and into else ()
