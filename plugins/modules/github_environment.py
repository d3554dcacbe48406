# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_environment
short_description: Bring an environment of a GitHub repository to a state
version_added: 0.1.0
description:
  - Sets who approves a deployment to an environment, how long it waits, and from which branches and tags it may come.
  - What an option does not name stays as it is. GitHub itself would reset it, so everything goes into one request.
  - It warns where administrators may deploy past the rules, which is how GitHub makes an environment.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
  - ops.runbook.github.record
options:
  name:
    description: Name of the environment.
    type: str
    required: true
  state:
    description: Whether the environment is there. With V(absent) its secrets go with it.
    type: str
    choices: [present, absent]
    default: present
  reviewers:
    description:
      - Logins of those who may approve. With O(reviewer_teams) at most six; both together replace all that there
        are, and an empty list of both removes them.
    type: list
    elements: str
  reviewer_teams:
    description: Slugs of teams of the owner that may approve.
    type: list
    elements: str
  wait_timer:
    description: Minutes that a deployment waits, up to 43200.
    type: int
  prevent_self_review:
    description: Whether who started a deployment may not approve it.
    type: bool
  admins_bypass:
    description:
      - Whether administrators may deploy past these rules. It is not in GitHub's published description; it is read
        back like all others, and where a server does not take it, this fails with V(not_taken).
    type: bool
  branch_policy:
    description:
      - From where a deployment may come. V(all), V(protected) for protected branches, or V(selected) for those of
        O(branches) and O(tags).
    type: str
    choices: [all, protected, selected]
  branches:
    description: Patterns of branches. Together with O(tags) they replace all that there are.
    type: list
    elements: str
  tags:
    description: Patterns of tags.
    type: list
    elements: str
seealso:
  - module: ops.runbook.github_secret
"""

EXAMPLES = r"""
- name: Let an operator approve each deployment to production
  ops.runbook.github_environment:
    repository: example/shop
    name: production
    reviewer_teams: [operators]
    prevent_self_review: true
    admins_bypass: false
    branches: [main, "release/*"]
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: reviewers
      before: none
      after: team operators
requests:
  description: The requests that changed something, or in check mode would.
  returned: success
  type: list
  elements: str
  sample: ["PUT /repos/example/shop/environments/production"]
environment:
  description:
    - The environment as it was read in the end, in check mode as it is. C(admins_bypass) is null where GitHub does
      not say.
  returned: success
  type: dict
code:
  description: Stable name of what was refused or failed, such as V(forbidden), V(reviewer_missing) or V(not_taken).
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
from ansible_collections.ops.runbook.plugins.module_utils.github.environment import EnvironmentPresent, record


def described(present: EnvironmentPresent) -> dict[str, Any]:
    return {"environment": record(present) if present.there else {}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**github_module.CHANGE, **options.ENVIRONMENT},
        supports_check_mode=True,
    )
    run(
        module,
        lambda: github_module.settle(
            module.params, "environment", options.environment, module.check_mode, open_url, os.environ, described
        ),
    )


if __name__ == "__main__":
    main()
