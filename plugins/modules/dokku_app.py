# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_app
short_description: Make a Dokku app, or destroy it
version_added: 0.1.0
description:
  - Makes an app, without deploying anything to it, or destroys one whose name is given twice.
  - Dokku's deploy lock protects nothing; it stops neither a deploy nor C(apps:destroy). Here an app that has it is not
    destroyed, because the lock says that a deploy may be under way.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
options:
  state:
    description: Whether the app is to exist.
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description:
      - For O(state=absent) the name of the app once more. It is destroyed with its configuration, domains, certificate
        and releases. The services that are linked to it are unlinked, and keep their data.
    type: str
    default: ""
seealso:
  - module: ops.runbook.dokku_domains
  - module: ops.runbook.dokku_config
"""

EXAMPLES = r"""
- name: Make an app
  ops.runbook.dokku_app:
    app: shop-feature-42

- name: Destroy it
  ops.runbook.dokku_app:
    app: shop-feature-42
    state: absent
    confirm: shop-feature-42
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: app shop-feature-42
      before: ""
      after: "present"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku apps:create shop-feature-42"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(not_confirmed).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
exists:
  description: Whether the app exists in the end.
  returned: success
  type: bool
created:
  description: When it was made, in seconds since the epoch; V(null) where it does not exist.
  returned: success
  type: int
locked:
  description: Whether it has Dokku's deploy lock.
  returned: success
  type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.app import AppPresent, AppState


def wanted(params: Mapping[str, Any]) -> AppState:
    return AppState(params["app"], params["state"], params["confirm"])


def described(present: AppPresent) -> dict[str, Any]:
    return {"exists": present.exists, "created": present.created, "locked": present.locked}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "confirm": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
