# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_advisory_info
short_description: Read the open advisories of a GitHub repository
version_added: 0.1.0
description:
  - Lists what Dependabot found in the dependencies of the repository and nobody has closed. Where Dependabot alerts are
    off it fails, since nobody looked.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
attributes:
  check_mode:
    details: Nothing is ever changed.
  diff_mode:
    support: none
seealso:
  - module: ops.runbook.dependency_audit_info
"""

EXAMPLES = r"""
- name: Read the open advisories
  ops.runbook.github_advisory_info:
    repository: example/shop
  delegate_to: localhost
"""

RETURN = r"""
advisories:
  description:
    - The open ones. Keys are C(package), C(ecosystem), C(manifest), C(identifier), C(severity), which is V(critical),
      V(high), V(medium), V(low) or V(unknown), C(title), C(affected), C(fixed) and C(url).
  returned: success
  type: list
  elements: dict
code:
  description: Stable name of what failed, such as V(alerts_disabled) or V(forbidden).
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
from ansible_collections.ops.runbook.plugins.module_utils.security import advisories


def main() -> None:
    module = AnsibleModule(argument_spec={**github_module.REPOSITORY}, supports_check_mode=True)

    def found() -> dict[str, Any]:
        github = github_module.connect(module.params, open_url, os.environ)
        return {"changed": False, "advisories": advisories.read(github, module.params["repository"])}

    run(module, found)


if __name__ == "__main__":
    main()
