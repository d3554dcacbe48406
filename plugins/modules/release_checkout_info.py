# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_checkout_info
short_description: Say whether a release may be tagged from a checkout
version_added: 0.1.0
description:
  - A checkout is good where nothing in it is changed or untracked, and where it is on a branch of releases.
  - The index is not written, nor is anything else.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  path:
    description: The checkout.
    type: path
    required: true
  branches:
    description: Patterns of branches that releases are tagged on.
    type: list
    elements: str
    default: [main, release/*]
"""

EXAMPLES = r"""
- name: Look at the checkout
  ops.runbook.release_checkout_info:
    path: /srv/checkouts/shop
  delegate_to: localhost
"""

RETURN = r"""
problems:
  description: Reasons against a release from it; empty without one.
  returned: success
  type: list
  elements: str
commit:
  description: The commit that is checked out.
  returned: success
  type: str
branch:
  description: The branch that is checked out; empty if HEAD is detached.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.github import release_checkout
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Checkout
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, said


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "branches": {"type": "list", "elements": "str", "default": ["main", "release/*"]},
        },
        supports_check_mode=True,
    )
    try:
        state = release_checkout.read(Checkout(Commands(module.params["path"], timeout=120)))
    except (Problem, CommandFailed, OSError) as error:
        module.fail_json(msg=said(error), code="bad_input")
    module.exit_json(
        changed=False,
        commit=state.commit,
        branch=state.branch,
        problems=list(release_checkout.problems(state, module.params["branches"])),
    )


if __name__ == "__main__":
    main()
