# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_protection
short_description: Bring the protection of a GitHub repository to a state, as a whole
version_added: 0.1.0
description:
  - Reads every setting that is named, plans what differs, and only then begins to write. Where one setting can't be
    read, or must not be made as it is wanted, nothing is written at all.
  - In check mode it is an audit. It continues after a setting that can't be read, and has a row for each.
  - What is not named stays as it is.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
  - ops.runbook.github.record
options:
  security:
    description: Options of M(ops.runbook.github_security).
    type: dict
    default: {}
  environments:
    description: Environments, each with the options of M(ops.runbook.github_environment).
    type: list
    elements: dict
    default: []
  reviewed:
    description: Names of O(environments) that must have a reviewer in the end, named here or there already.
    type: list
    elements: str
    default: []
  rulesets:
    description: Rulesets of branches and tags, each with the options of M(ops.runbook.github_ruleset).
    type: list
    elements: dict
    default: []
  branches:
    description: Protected branches, each with the options of M(ops.runbook.github_branch_protection).
    type: list
    elements: dict
    default: []
  secrets:
    description:
      - Secrets that must be there. They are only looked for, since GitHub shows nobody their values.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the secret.
        type: str
        required: true
      environment:
        description: The environment that has it. Without one it is the repository's own.
        type: str
        default: ""
seealso:
  - module: ops.runbook.github_secret
"""

EXAMPLES = r"""
- name: Bring the repository to its state
  ops.runbook.github_protection:
    repository: example/shop
    security:
      push_protection: true
      dependabot_alerts: true
    environments:
      - name: production
        reviewer_teams: [operators]
        admins_bypass: false
    branches:
      - branch: main
        required_checks: [test]
        required_approvals: 1
        enforce_admins: true
    secrets:
      - name: PROD_SSH_KEY
        environment: production
  delegate_to: localhost
"""

RETURN = r"""
rows:
  description:
    - A row for each difference, for each setting that is as it should be, and for what should be known. Keys are
      C(kind), C(name), C(level), C(subject), C(before), C(after), C(code) and C(ways).
    - C(level) is V(same), V(differs), V(missing) for a secret that a person has to set, V(unknown) for what can't be
      read or must not be made so, or V(note).
  returned: once something was read
  type: list
  elements: dict
counts:
  description: Settings by their level.
  returned: once something was read
  type: dict
requests:
  description: The requests that changed something, or in check mode would.
  returned: success
  type: list
  elements: str
code:
  description: Stable name of what was refused or failed, such as V(forbidden), V(branch_missing) or V(not_taken).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github import options, protection, record
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.protection import SecretName, Setting
from ansible_collections.ops.runbook.plugins.module_utils.github.state import State

#: Kind of a setting: the option that has its list, what an item takes, the key of its name, and what makes its state.
KINDS: dict[str, tuple[str, Mapping[str, Any], str, Callable[[Mapping[str, Any]], State[Any]]]] = {
    "environment": ("environments", options.ENVIRONMENT, "name", options.environment),
    "ruleset": ("rulesets", options.RULESET, "name", options.ruleset),
    "branch": ("branches", options.BRANCH_PROTECTION, "branch", options.protection),
}


def validated(spec: Mapping[str, Any], item: Mapping[str, Any], where: str) -> dict[str, Any]:
    """An item as the module of its kind would take it."""
    found = ArgumentSpecValidator(dict(spec)).validate(dict(item))
    if found.error_messages:
        way = (where, "as ansible-doc of the module of its kind has it")
        raise GitHubError("bad_input", f"{where}: {'; '.join(found.error_messages)}", [way])
    return dict(found.validated_parameters)


def settings(params: Mapping[str, Any]) -> list[Setting]:
    """Everything that is wanted, in the order in which it is written."""
    repository = {"repository": params["repository"]}
    wanted: list[Setting] = []
    if params["security"]:
        security = validated(options.SECURITY, params["security"], "security")
        wanted.append(Setting("security", "repository", options.security({**security, **repository})))
    for kind, (option, spec, key, make) in KINDS.items():
        for item in params[option]:
            given = validated(spec, item, option)
            name = str(given[key])
            if kind == "environment" and name in params["reviewed"]:
                state: State[Any] = options.environment({**given, **repository}, reviewed=True)
            else:
                state = make({**given, **repository})
            wanted.append(Setting(kind, name, state))
    return wanted


def main() -> None:
    listed: dict[str, Any] = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(
        argument_spec={
            **github_module.CHANGE,
            "security": {"type": "dict", "default": {}},
            "environments": listed,
            "reviewed": {"type": "list", "elements": "str", "default": []},
            "rulesets": listed,
            "branches": listed,
            "secrets": {
                **listed,
                # Names, and no values.
                "no_log": False,
                "options": {"name": {"type": "str", "required": True}, "environment": {"type": "str", "default": ""}},
            },
        },
        supports_check_mode=True,
    )
    params, result = module.params, dict[str, Any]()
    warnings: list[str] = []
    failed: dict[str, Any] = {}
    try:
        wanted = settings(params)
        secrets = [SecretName(one["name"], one["environment"]) for one in params["secrets"]]
        github = github_module.connect(params, open_url, os.environ)
        found = protection.survey(github, params["repository"], wanted, secrets)
        rows = [row.record() for row in found.rows]
        plans = [plan for _setting, plan in found.settings if plan]
        result = {
            "changed": found.differs,
            "rows": rows,
            "counts": protection.counted(rows),
            "requests": [write.line() for plan in plans for write in plan.acts],
            "diff": desired_state.diff([one for plan in plans for one in plan.changes], params["repository"]),
        }
        if not module.check_mode:
            protection.refuse(params["repository"], found)
            todo = [line for one, plan in found.settings if plan for line in one.state.told(plan.lines())]
            if todo:
                keep = record.keeper(params, os.environ, github, params["repository"], "protect")
                result["requests"], warnings = keep(todo, lambda: protection.bring(github, found))
    except GitHubError as error:
        failed = {**error.to_failure(), "changed": error.touched}
    for warning in warnings:
        module.warn(warning)
    if failed:
        module.fail_json(**{**result, **failed})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
