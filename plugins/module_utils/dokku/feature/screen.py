# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about the feature apps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import unanswered
from ansible_collections.ops.runbook.plugins.module_utils.console.table import table
from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import features


def lines(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The feature apps of all hosts."""
    rows: list[Sequence[str]] = []
    problems: list[str] = []
    for host, result in results.items():
        if "features" not in result:
            problems.append(f"{host}: not read: {unanswered.why(result)}")
        rows += [_row(host, one) for one in result.get("features", [])]
    shown = table(("host", "app", "age", "state", "services", "certificate", "domains"), rows) if rows else []
    old = [str(row[1]) for row in rows if str(row[2]).endswith("!")]
    if old:
        shown += ["", f"old (!): {', '.join(old)}", "dokku_feature -e state=absent -e feature=<name> -e confirm=<app>"]
    return [*(shown or ["no feature apps"]), *problems]


def _row(host: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    state = {"true": "running", "false": "stopped", "mixed": "partly running"}.get(one["running"], one["running"])
    services = [f"{name} (production's)" if name in one["shared"] else name for name in one["services"]]
    days = one["certificate_days"]
    return (
        host,
        one["app"],
        features.age(one["age"]) + (" !" if one["old"] else ""),
        state if one["deployed"] else "not deployed",
        ", ".join(services) or "-",
        f"{days} days" if days is not None else "none",
        ", ".join(one["domains"]) or "-",
    )
