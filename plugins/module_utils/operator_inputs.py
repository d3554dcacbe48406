# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator typed: names that are nearly an input are a mistake, and a mistake must not become a default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

#: The short names that procedures take, the same everywhere.
INPUTS = (
    "target",
    "to",
    "reason",
    "migrations",
    "on_unhealthy",
    "on_partial",
    "batch",
    "lock_wait",
    "lock_takeover",
    "interrupted",
    "discard_local_changes",
    "hotfix",
    "set_aside_ledger",
    "state",
    "secret",
    "retry",
    "refresh",
    "format",
    "output",
    "limit",
    "path",
    "url",
    "rotate",
    "values_file",
    "old_key",
    "role_password",
    "bundle",
    "emergency",
    "keep",
    "restore",
    "parts",
    "backup",
    "backup_from",
    "backup_key_file",
    "verify_only",
    "overwrite",
    "fetch_to",
)


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Names that are no input, but look like one: name -> the input that was probably meant.

    `-e too=v1.2.0` would otherwise be a rollback to the previous release.
    """
    found: dict[str, str] = {}
    for name in names:
        if name in INPUTS or "_" in name and not _looks_typed(name):
            continue
        close = difflib.get_close_matches(name.lower(), INPUTS, n=1, cutoff=0.75)
        if close:
            found[name] = close[0]
        elif len(name) <= 4 and any(
            sorted(name.lower()) == sorted(known) or _one_off(name, known) for known in ("to",)
        ):
            found[name] = "to"
    return found


def _looks_typed(name: str) -> bool:
    """Names with underscores are mostly variables of roles and tools; only near misses of ours count."""
    return bool(difflib.get_close_matches(name, [known for known in INPUTS if "_" in known], n=1, cutoff=0.85))


def _one_off(name: str, known: str) -> bool:
    """Whether one letter more makes the difference."""
    return len(name) == len(known) + 1 and any(name[:place] + name[place + 1 :] == known for place in range(len(name)))


def actor(environment: Mapping[str, str], variables: Mapping[str, Any], user: str, controller: str) -> dict[str, Any]:
    """Who runs this, and from where: user, controller, via, job.

    AWX says it by extra variables, CI systems by their environment.
    """
    for prefix in ("awx", "tower"):
        if variables.get(f"{prefix}_job_id"):
            name = str(variables.get(f"{prefix}_user_name") or "schedule")
            return {
                "user": name,
                "controller": controller,
                "via": "awx",
                "job": str(variables[f"{prefix}_job_id"]),
            }
    if environment.get("GITHUB_ACTIONS") == "true":
        job = f"{environment.get('GITHUB_REPOSITORY', '')}#{environment.get('GITHUB_RUN_ID', '')}"
        return {
            "user": environment.get("GITHUB_ACTOR", user),
            "controller": controller,
            "via": "github",
            "job": job,
        }
    if environment.get("GITLAB_CI") == "true":
        name = environment.get("GITLAB_USER_LOGIN", user)
        return {
            "user": name,
            "controller": controller,
            "via": "gitlab",
            "job": environment.get("CI_JOB_URL", ""),
        }
    via = (
        "ansible-runner"
        if environment.get("RUNNER_OMIT_EVENTS") or environment.get("AWX_ISOLATED_DATA_DIR")
        else "ansible-playbook"
    )
    return {"user": user, "controller": controller, "via": via, "job": ""}
