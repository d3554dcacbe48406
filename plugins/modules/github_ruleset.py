# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_ruleset
short_description: Bring a ruleset of a GitHub repository to a state
version_added: 0.1.0
description:
  - Makes, changes or removes a ruleset for branches or for tags. It is found by its name and target. What an option
    does not name stays as it is.
  - Parameters of a rule that are not named stay as they are, or are GitHub's.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
  - ops.runbook.github.record
options:
  name:
    description: Name of the ruleset.
    type: str
    required: true
  target:
    description: What it is for.
    type: str
    choices: [branch, tag]
    default: branch
  state:
    description: Whether the ruleset is there.
    type: str
    choices: [present, absent]
    default: present
  enforcement:
    description:
      - Whether it holds. V(evaluate) only reports, and is there on GitHub Enterprise alone. A new one is V(active).
    type: str
    choices: [active, evaluate, disabled]
  include:
    description:
      - Patterns of what it holds for, such as V(main), V(release/*), V(~DEFAULT_BRANCH) or V(~ALL). A new ruleset
        needs one.
    type: list
    elements: str
  exclude:
    description: Patterns of what it does not hold for.
    type: list
    elements: str
  rules:
    description:
      - The rules, each with C(type) and, where the type has some, C(parameters), in GitHub's words. They replace all
        that there are.
    type: list
    elements: dict
  bypass_actors:
    description:
      - Who may pass by the rules. They replace all that there are; an empty list is nobody.
      - GitHub may hide them from a token. Then they are unknown, and giving this fails with V(hidden).
    type: list
    elements: dict
    suboptions:
      type:
        description: Kind of actor.
        type: str
        required: true
        choices: [RepositoryRole, Team, Integration, OrganizationAdmin, DeployKey]
      id:
        description: Number of the role, team or app. V(OrganizationAdmin) and V(DeployKey) have none.
        type: int
      mode:
        description: Whether always, or only by a pull request.
        type: str
        choices: [always, pull_request]
        default: always
seealso:
  - module: ops.runbook.github_branch_protection
"""

EXAMPLES = r"""
- name: Let nobody move or remove a tag of a release
  ops.runbook.github_ruleset:
    repository: example/shop
    name: releases
    target: tag
    include: ["v*"]
    rules:
      - type: deletion
      - type: non_fast_forward
      - type: update
    bypass_actors: []
  delegate_to: localhost

- name: Review what goes onto main and release branches
  ops.runbook.github_ruleset:
    repository: example/shop
    name: reviewed
    include: [~DEFAULT_BRANCH, "release/*"]
    rules:
      - type: pull_request
        parameters:
          required_approving_review_count: 1
          dismiss_stale_reviews_on_push: true
          require_code_owner_review: false
          require_last_push_approval: false
          required_review_thread_resolution: false
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: rule deletion
      before: ""
      after: "yes"
requests:
  description: The requests that changed something, or in check mode would.
  returned: success
  type: list
  elements: str
  sample: ["POST /repos/example/shop/rulesets"]
ruleset:
  description:
    - The ruleset as it was read in the end, in check mode as it is. Empty without one. C(bypass_actors) is
      null where GitHub hides them.
  returned: success
  type: dict
code:
  description: Stable name of what was refused or failed, such as V(forbidden), V(hidden) or V(not_taken).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github import options
from ansible_collections.ops.runbook.plugins.module_utils.github.ruleset import RulesetPresent, record


def described(present: RulesetPresent) -> dict[str, Any]:
    if present.number is None:
        return {"ruleset": {}}
    return {"ruleset": {"id": present.number, **record(present)}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**github_module.CHANGE, **options.RULESET},
        supports_check_mode=True,
    )
    run(
        module,
        lambda: github_module.settle(
            module.params, "ruleset", options.ruleset, module.check_mode, open_url, os.environ, described
        ),
    )


if __name__ == "__main__":
    main()
