# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_domains
short_description: Give a Dokku app its domains
version_added: 0.1.0
description:
  - Adds domains to an app, removes them, or leaves it with exactly those that are given.
  - Dokku takes a domain that another app has already, and nginx then serves one of the two. Here it is refused.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
options:
  domains:
    description: Host names, in any case. A leading C(*.) means all names below.
    type: list
    elements: str
    required: true
  state:
    description: V(present) adds, V(absent) removes, V(exactly) also removes every other.
    type: str
    choices: [present, absent, exactly]
    default: present
notes:
  - A new domain is not in the present certificate. M(ops.runbook.dokku_letsencrypt) asks for one that has it.
seealso:
  - module: ops.runbook.dokku_letsencrypt
"""

EXAMPLES = r"""
- name: Add a domain
  ops.runbook.dokku_domains:
    app: shop
    domains: [shop.example.com]

- name: Leave the app with exactly these
  ops.runbook.dokku_domains:
    app: shop
    domains: [shop.example.com, www.shop.example.com]
    state: exactly
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: shop.example.com
      before: ""
      after: "present"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku domains:add shop shop.example.com"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(domain_taken).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
domains:
  description: The domains of the app.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.domains import DomainsPresent, DomainsState


def wanted(params: Mapping[str, Any]) -> DomainsState:
    return DomainsState(params["app"], tuple(params["domains"]), params["state"])


def described(present: DomainsPresent) -> dict[str, Any]:
    return {"domains": list(present.domains)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            "domains": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "exactly"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
