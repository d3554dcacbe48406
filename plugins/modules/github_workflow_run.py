# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_workflow_run
short_description: Start a workflow on GitHub, or follow a run of it, until it ended as it should
version_added: 0.1.0
description:
  - Dispatches a workflow with its inputs, finds out which run it was that this started, and follows that one and no
    other until it ended.
  - GitHub is asked to name the run. A server that does not know the question is asked without it, and the run is then
    known by a nonce in its title, else as the only new one of this actor. Where several may be it, none is followed.
  - A dispatch whose answer was lost is looked for, and never sent again.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
options:
  workflow:
    description: The workflow to start, by the name of its file, as in V(deploy.yml), or by its number.
    type: str
  run_id:
    description: A run that was started already, to follow it.
    type: int
  ref:
    description: The branch or tag to run on.
    type: str
    default: main
  commit:
    description: The commit that O(ref) must be on, with all 40 characters. It is refused where it is not.
    type: str
    default: ""
  inputs:
    description:
      - Inputs of the workflow, at most 25. They are not a place for secrets, since GitHub shows them.
    type: dict
    default: {}
  nonce_input:
    description:
      - An input of the workflow that takes a value which no other run has. Where the workflow's C(run-name) shows it,
        the run is known by it also on servers that don't name the run. If it is known in no better way, it must be in
        the log.
    type: str
    default: ""
  nonce:
    description:
      - The value for O(nonce_input); a random one where it is empty. With O(run_id) it must be in the log.
    type: str
    default: ""
  wait:
    description: Whether to follow the run to its end.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to follow it. Then the task fails, and the run continues.
    type: float
    default: 1800
  interval:
    description: Seconds between two looks.
    type: float
    default: 10
  approval:
    description:
      - What to do where a person must approve the run, because of its environment. V(wait) waits as for anything else,
        V(fail) fails at once and says who may approve it.
    type: str
    choices: [wait, fail]
    default: wait
  conclusions:
    description: The ends that are good.
    type: list
    elements: str
    default: [success]
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
attributes:
  check_mode:
    details: The workflow, its state, O(ref) and O(commit) are read; nothing is started, and a run is not followed.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(run_id). A dispatch starts a run each time.
"""

EXAMPLES = r"""
- name: Deploy, and be sure that it migrated
  ops.runbook.github_workflow_run:
    repository: example/shop
    workflow: deploy.yml
    inputs:
      environment: production
    required_lines: [migrate --force, queue:restart]
  delegate_to: localhost

- name: Follow a run that waits for its approval
  ops.runbook.github_workflow_run:
    repository: example/shop
    run_id: 5000000001
    wait_timeout: 7200
  delegate_to: localhost
"""

RETURN = r"""
run:
  description:
    - The run as it was last read. Keys are C(id), C(url), C(attempt), C(status), C(conclusion), C(commit), C(branch),
      C(event), C(actor), C(title), C(workflow), C(created), and C(holds), which says what a waiting one waits for.
  returned: success, unless nothing was started in check mode
  type: dict
known_by:
  description:
    - How the run is known to be the one that was started. V(answer) and V(nonce) are proof, V(actor) says that it was
      the only new one of this actor, V(run_id) that it was given.
  returned: success
  type: str
commit:
  description: The commit of O(ref), or of the run.
  returned: success
  type: str
jobs:
  description: Its jobs. Keys are C(name), C(conclusion) and C(failed_steps).
  returned: O(wait=true)
  type: list
  elements: dict
evidence:
  description: Where each of O(required_lines) was found first. Keys are C(pattern), C(job) and C(line), a number.
  returned: O(wait=true)
  type: list
  elements: dict
nonce:
  description: The value that must be in the log of the run, since the run is known in no better way.
  returned: with O(nonce_input), where C(known_by) is V(actor)
  type: str
progress:
  description: What it went through, in words. It is also shown while the run is followed.
  returned: always, once there is a run
  type: list
  elements: str
code:
  description:
    - Stable name of what was refused or failed, such as V(workflow_missing), V(not_dispatchable), V(bad_inputs),
      V(ambiguous), V(run_not_found), V(run_failed), V(run_cancelled), V(timed_out), V(waiting_for_approval),
      V(line_missing) or V(line_forbidden).
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
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github import workflow, workflow_run
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import Dispatch, Job, Run


def dispatch(params: Mapping[str, Any]) -> Dispatch:
    return Dispatch(
        repository=params["repository"],
        workflow=params["workflow"],
        ref=params["ref"],
        inputs={str(name): text(value) for name, value in params["inputs"].items()},
        nonce_input=params["nonce_input"],
        nonce=(params["nonce"] or secrets.token_hex(12)) if params["nonce_input"] else "",
        commit=params["commit"],
    )


def text(value: Any) -> str:
    """An input as GitHub takes it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def described(run: Run) -> dict[str, Any]:
    found = asdict(run)
    found["id"] = found.pop("run_id")
    del found["repository"]
    return {**found, "holds": list(run.holds)}


class WorkflowRun:
    """One run, from its start to what its logs prove. result: what is known of it so far."""

    def __init__(self, params: Mapping[str, Any], check_mode: bool) -> None:
        self._params = params
        self._check = check_mode
        self.warnings: list[str] = []
        self.progress: list[str] = []
        self.result: dict[str, Any] = {"changed": False, "progress": self.progress}
        # A text that the log must have, if the run is known in no better way.
        self._nonce = str(params["nonce"]) if params["run_id"] else ""

    def carry_out(self, github: GitHub) -> None:
        params = self._params
        for name in ("required_lines", "forbidden_lines"):
            workflow_run.patterns(params[name], name)
        run_id = params["run_id"] or self._start(github)
        self.result.setdefault("known_by", "run_id")
        if not run_id:
            return
        if self._check or not params["wait"]:
            run = workflow.appeared(github, params["repository"], run_id)
            self.result.update(run=described(run), commit=run.commit)
            return
        self._follow(github, run_id)

    def _start(self, github: GitHub) -> int:
        wanted = dispatch(self._params)
        if self._check:
            self.result.update(changed=True, known_by="", commit=workflow.check(github, wanted))
            return 0
        started = workflow.start(github, wanted, tell=self.progress.append)
        self.warnings += started.warnings
        self.result.update(changed=True, known_by=started.known_by, commit=started.commit)
        self.result["run"] = {"id": started.run_id, "url": started.url}
        if started.known_by == workflow_run.BY_ACTOR:
            self._nonce = self.result["nonce"] = wanted.nonce
        return started.run_id

    def _follow(self, github: GitHub, run_id: int) -> None:
        params = self._params
        run = workflow.follow(
            github,
            params["repository"],
            run_id,
            timeout=params["wait_timeout"],
            interval=params["interval"],
            wait_for_approval=params["approval"] == "wait",
            tell=self.progress.append,
        )
        jobs = workflow.jobs_of(github, run)
        self.result.update(run=described(run), commit=run.commit, jobs=[_job(job) for job in jobs])
        workflow_run.on_commit(run, params["commit"])
        workflow_run.judged(run, jobs, params["conclusions"])
        self._prove(github, run, jobs)

    def _prove(self, github: GitHub, run: Run, jobs: Sequence[Job]) -> None:
        required, forbidden = self._params["required_lines"], self._params["forbidden_lines"]
        self.result["evidence"] = []
        if not (required or forbidden or self._nonce):
            return
        logs = workflow.logs_of(github, run, jobs)
        if self._nonce and not workflow_run.evidence(logs, [re.escape(self._nonce)]).good:
            raise GitHubError(
                "not_ours",
                f"{run.url} was taken for the run that was started, and its log does not have the nonce",
                [("run-name:", f"let it show the input {self._params['nonce_input']}, so that the run is known by it")],
                touched=True,
            )
        found = workflow_run.proven(run, workflow_run.evidence(logs, required, forbidden))
        self.result["evidence"] = [asdict(one) for one in found.found]


def _job(job: Job) -> dict[str, Any]:
    return {"name": job.name, "conclusion": job.conclusion, "failed_steps": list(job.failed_steps)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **github_module.REPOSITORY,
            "workflow": {"type": "str"},
            "run_id": {"type": "int"},
            "ref": {"type": "str", "default": "main"},
            "commit": {"type": "str", "default": ""},
            "inputs": {"type": "dict", "default": {}},
            "nonce_input": {"type": "str", "default": ""},
            "nonce": {"type": "str", "default": ""},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "float", "default": 1800},
            "interval": {"type": "float", "default": 10},
            "approval": {"type": "str", "choices": ["wait", "fail"], "default": "wait"},
            "conclusions": {"type": "list", "elements": "str", "default": ["success"]},
            "required_lines": {"type": "list", "elements": "str", "default": []},
            "forbidden_lines": {"type": "list", "elements": "str", "default": []},
        },
        required_one_of=[("workflow", "run_id")],
        mutually_exclusive=[("workflow", "run_id")],
        supports_check_mode=True,
    )
    worker = WorkflowRun(module.params, module.check_mode)
    failed: dict[str, Any] = {}
    try:
        worker.carry_out(github_module.connect(module.params, open_url, os.environ))
    except GitHubError as error:
        failed = error.to_failure()
    for warning in worker.warnings:
        module.warn(warning)
    if failed:
        module.fail_json(**worker.result, **failed)
    module.exit_json(**worker.result)


if __name__ == "__main__":
    main()
