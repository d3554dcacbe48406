# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_branch_protection
short_description: Protect a branch of a GitHub repository
version_added: 0.1.0
description:
  - Sets the protection of one branch. What an option does not name stays as it is; GitHub itself would remove it,
    because each change replaces the whole protection.
  - Who may dismiss reviews or merge without one, and which app a check must come from, is carried over as it is.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
  - ops.runbook.github.record
options:
  branch:
    description: Name of the branch. Patterns are for M(ops.runbook.github_ruleset).
    type: str
    required: true
  state:
    description: Whether the branch is protected.
    type: str
    choices: [present, absent]
    default: present
  required_checks:
    description:
      - Names of the checks that must be green before a merge, as GitHub shows them. They replace all that there are.
    type: list
    elements: str
  strict_checks:
    description: Whether a branch must be up to date with this one before it is merged.
    type: bool
  required_approvals:
    description: Approving reviews that a merge needs, from 0 to 6. With V(-1) no pull request is needed.
    type: int
  dismiss_stale_reviews:
    description: Whether new commits end the approvals that there are.
    type: bool
  require_code_owner_reviews:
    description: Whether owners of the changed code must approve.
    type: bool
  require_last_push_approval:
    description: Whether somebody else than who pushed last must approve.
    type: bool
  enforce_admins:
    description: Whether all of this holds for administrators too.
    type: bool
  restrict_pushes:
    description: Whether only those who are named in O(push_users), O(push_teams) and O(push_apps) may push.
    type: bool
  push_users:
    description: Logins that may push. Needs O(restrict_pushes=true).
    type: list
    elements: str
    default: []
  push_teams:
    description: Slugs of teams that may push.
    type: list
    elements: str
    default: []
  push_apps:
    description: Slugs of apps that may push.
    type: list
    elements: str
    default: []
  required_signatures:
    description: Whether commits must be signed.
    type: bool
  required_linear_history:
    description: Whether merge commits are refused.
    type: bool
  allow_force_pushes:
    description: Whether history may be rewritten.
    type: bool
  allow_deletions:
    description: Whether the branch may be deleted.
    type: bool
  block_creations:
    description: Whether, with O(restrict_pushes=true), making a matching branch is restricted too.
    type: bool
  required_conversation_resolution:
    description: Whether all conversations of a pull request must be resolved.
    type: bool
  lock_branch:
    description: Whether nobody may push.
    type: bool
  allow_fork_syncing:
    description: Whether a locked branch of a fork may be brought up to date.
    type: bool
seealso:
  - module: ops.runbook.github_ruleset
"""

EXAMPLES = r"""
- name: Let nothing onto main that is not reviewed and green
  ops.runbook.github_branch_protection:
    repository: example/shop
    branch: main
    required_checks: [test, build]
    strict_checks: true
    required_approvals: 1
    dismiss_stale_reviews: true
    enforce_admins: true
    allow_force_pushes: false
    allow_deletions: false
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: enforce_admins
      before: "no"
      after: "yes"
requests:
  description: The requests that changed something, or in check mode would.
  returned: success
  type: list
  elements: str
  sample: ["PUT /repos/example/shop/branches/main/protection"]
protection:
  description: The protection as it was read in the end, in check mode as it is. Empty without one.
  returned: success
  type: dict
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
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github import options
from ansible_collections.ops.runbook.plugins.module_utils.github.branch_protection import ProtectionPresent


def described(present: ProtectionPresent) -> dict[str, Any]:
    return {"protection": dict(present.values) if present.there else {}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**github_module.CHANGE, **options.BRANCH_PROTECTION},
        supports_check_mode=True,
    )
    run(
        module,
        lambda: github_module.settle(
            module.params, "branch_protection", options.protection, module.check_mode, open_url, os.environ, described
        ),
    )


if __name__ == "__main__":
    main()
