# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a status about hotfixes whose merges are due. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.host.clock import minute
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Hotfix, Standing


def of(found: Iterable[Standing], repository: str, into: Sequence[str]) -> list[Row]:
    """A row for each hotfix that is not everywhere; none for those that are."""
    lines = []
    for one in found:
        hotfix, lacking, unsure = one.hotfix, one.those(merges.LACKS), one.those(merges.UNKNOWN)
        since = f"{hotfix.label()}, deployed {minute(hotfix.finished)}"
        if lacking:
            text = f"{since}, is not on {' and '.join(lacking)}: the next deploy from there takes it away"
            details = [one["command"] for one in merges.merges(repository, hotfix, lacking, into)]
        elif unsure:
            text = f"{since}: it is not known whether it is on {' and '.join(unsure)}: {one.why or 'git can not say'}"
            details = [ask(hotfix, unsure)]
        else:
            continue
        lines.append(Row("hotfix", WARN, text, tuple(details)))
    return lines


def ask(hotfix: Hotfix, branches: Sequence[str]) -> str:
    """The command that shows a person, in a clone, if branches have a hotfix."""
    tests = " && ".join(f"git merge-base --is-ancestor {hotfix.commit} origin/{shlex.quote(name)}" for name in branches)
    return f"git fetch origin && {tests} && echo merged"
