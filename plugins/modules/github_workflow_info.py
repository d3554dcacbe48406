# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_workflow_info
short_description: Say whether the latest runs of workflows on GitHub are green
version_added: 0.1.0
description:
  - Looks at the latest run of each workflow, of one commit where it is given, and says whether it succeeded, is young
    enough, and has in its logs what it must have.
  - A run that is not there, or not finished, is not green. That nothing is green is a result and not a failure.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
options:
  workflows:
    description: The workflows to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      workflow:
        description: Name of its file, as in V(ci.yml), or its number.
        type: str
        required: true
      required_lines:
        description: Regular expressions; each must be found in a line of the logs.
        type: list
        elements: str
        default: []
      forbidden_lines:
        description: Regular expressions; none may be found in the logs.
        type: list
        elements: str
        default: []
  commit:
    description:
      - Only runs of this commit count, with all 40 characters.
      - A workflow that another one starts (C(workflow_run)) has the newest commit of the default branch instead.
    type: str
    default: ""
  branch:
    description: Only runs on this branch or tag count.
    type: str
    default: ""
  event:
    description: Only runs that this started count, such as V(push) or V(schedule).
    type: str
    default: ""
  max_age:
    description: Hours that a run may be old; V(0) is any.
    type: float
    default: 0
  wait_timeout:
    description: Seconds to wait for runs that are not there or not finished.
    type: float
    default: 0
  interval:
    description: Seconds between two looks.
    type: float
    default: 10
attributes:
  check_mode:
    details: Nothing is ever changed.
  diff_mode:
    support: none
seealso:
  - module: ops.runbook.github_workflow_run
"""

EXAMPLES = r"""
- name: Look whether a commit was tested and deployed
  ops.runbook.github_workflow_info:
    repository: example/shop
    commit: 5f2c7e0d3b1a4c6e8f90a1b2c3d4e5f60718293a
    workflows:
      - workflow: ci.yml
      - workflow: deploy.yml
        required_lines: [migrate --force]
  delegate_to: localhost
  register: runs
  failed_when: not runs.green
"""

RETURN = r"""
green:
  description: Whether each of them is as it must be.
  returned: success
  type: bool
runs:
  description:
    - Each workflow with its latest run. Keys are C(workflow), C(ok), C(code), C(text), C(age_hours), C(run_id), C(url),
      C(commit), C(event), C(conclusion) and C(evidence).
    - C(code) is empty, or V(no_run), V(not_finished), V(too_old), V(run_failed), V(run_cancelled), V(line_missing),
      V(line_forbidden), V(logs_gone) and others.
  returned: success
  type: list
  elements: dict
code:
  description: Stable name of what failed, such as V(workflow_missing), V(bad_input) or V(forbidden).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
"""

import os
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github import workflow_run, workflow_verdict
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_verdict import Demand


def demands(params: Mapping[str, Any]) -> list[Demand]:
    """The demands on each workflow. Raises GitHubError before anything is read."""
    github_module.repository_path(params["repository"])
    if params["commit"] and not re.fullmatch(r"[0-9a-f]{40}", params["commit"]):
        raise GitHubError(
            "bad_input", f"commit={params['commit']!r} is not the whole name of a commit", [("commit", "40 characters")]
        )
    for one in params["workflows"]:
        for name in ("required_lines", "forbidden_lines"):
            workflow_run.patterns(one[name], name)
    return [
        Demand(
            workflow=one["workflow"],
            commit=params["commit"],
            branch=params["branch"],
            event=params["event"],
            max_age=params["max_age"],
            required=tuple(one["required_lines"]),
            forbidden=tuple(one["forbidden_lines"]),
        )
        for one in params["workflows"]
    ]


def main() -> None:
    lines: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            **github_module.REPOSITORY,
            "workflows": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "workflow": {"type": "str", "required": True},
                    "required_lines": lines,
                    "forbidden_lines": lines,
                },
            },
            "commit": {"type": "str", "default": ""},
            "branch": {"type": "str", "default": ""},
            "event": {"type": "str", "default": ""},
            "max_age": {"type": "float", "default": 0},
            "wait_timeout": {"type": "float", "default": 0},
            "interval": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params

    def found() -> dict[str, Any]:
        wanted = demands(params)
        github = github_module.connect(params, open_url, os.environ)
        # One deadline for all: a workflow that another one starts comes after it.
        ends = time.monotonic() + params["wait_timeout"]
        runs = [
            workflow_verdict.look(github, params["repository"], demand, ends=ends, interval=params["interval"])
            for demand in wanted
        ]
        return {"changed": False, "green": all(one.ok for one in runs), "runs": [one.record() for one in runs]}

    run(module, found)


if __name__ == "__main__":
    main()
