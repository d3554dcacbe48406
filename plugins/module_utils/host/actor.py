# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The person and the program that run an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def actor(environment: Mapping[str, str], variables: Mapping[str, Any], user: str, controller: str) -> dict[str, Any]:
    """The person who runs an operation, and from where: user, controller, via, job.

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
