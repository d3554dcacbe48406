# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_security
short_description: Switch the security settings of a GitHub repository
version_added: 0.1.0
description:
  - Switches secret scanning, push protection, Dependabot alerts and Dependabot's security updates on or off. What is
    not named stays as it is.
  - Each is read back. Where the plan or a policy of the organisation forbids a setting, GitHub may answer well and do
    nothing; that is an error here.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
  - ops.runbook.github.record
options:
  secret_scanning:
    description: Whether GitHub looks for secrets in what was pushed. Switched off, push protection goes off too.
    type: bool
  push_protection:
    description: Whether a push with a secret in it is refused. Switched on, it brings O(secret_scanning) with it.
    type: bool
  dependabot_alerts:
    description: Whether GitHub tells of dependencies with known holes. Switched off, security updates go off too.
    type: bool
  dependabot_security_updates:
    description: Whether Dependabot proposes updates for them. Switched on, it brings O(dependabot_alerts) with it.
    type: bool
"""

EXAMPLES = r"""
- name: Refuse pushes with secrets, and tell of dependencies with holes
  ops.runbook.github_security:
    repository: example/shop
    push_protection: true
    dependabot_alerts: true
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after).
  returned: success
  type: list
  elements: dict
  sample:
    - subject: push_protection
      before: "no"
      after: "yes"
requests:
  description: The requests that changed something, or in check mode would.
  returned: success
  type: list
  elements: str
  sample: ["PATCH /repos/example/shop"]
security:
  description:
    - The four settings as they were read in the end, in check mode as they are. Null is what the token may not see.
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
from ansible_collections.ops.runbook.plugins.module_utils.github.security import SecurityPresent


def described(present: SecurityPresent) -> dict[str, Any]:
    return {"security": dict(present.values)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**github_module.CHANGE, **options.SECURITY},
        supports_check_mode=True,
    )
    run(
        module,
        lambda: github_module.settle(
            module.params, "security", options.security, module.check_mode, open_url, os.environ, described
        ),
    )


if __name__ == "__main__":
    main()
