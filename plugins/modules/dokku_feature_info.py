# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_feature_info
short_description: List the feature apps of a Dokku host
version_added: 0.1.0
description:
  - Reads which feature apps there are, how old they are, whether they run, and what they are linked to.
  - A feature app is known by its name, which begins with O(prefix).
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  prefix:
    description: What the name of a feature app begins with.
    type: str
    required: true
  production:
    description: Apps that are not feature apps, whatever their name. A service that they are linked to is marked.
    type: list
    elements: str
    default: []
  old_days:
    description: Days after which a feature app is old.
    type: int
    default: 14
  command:
    description: The C(dokku) command of the host, as a name or an absolute path.
    type: str
    default: dokku
  user:
    description: The user of Dokku. Anybody else calls C(dokku) with C(sudo -n -u <user>).
    type: str
    default: dokku
  timeout:
    description: Seconds after which a call of C(dokku) is no longer waited for.
    type: float
    default: 60
seealso:
  - module: ops.runbook.dokku_operation
"""

EXAMPLES = r"""
- name: Read the feature apps
  ops.runbook.dokku_feature_info:
    prefix: shop-feature-
    production: [shop-main, shop-staging]
  register: found
"""

RETURN = r"""
features:
  description: The feature apps, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    app:
      description: Name of the app.
      type: str
    age:
      description: Seconds since it was made; V(null) where Dokku does not say.
      type: int
    old:
      description: Whether it is older than O(old_days).
      type: bool
    deployed:
      description: Whether anything was ever deployed to it.
      type: bool
    running:
      description: V(true), V(false) or V(mixed), as Dokku says it.
      type: str
    domains:
      description: Its domains.
      type: list
      elements: str
    services:
      description: What it is linked to, such as V(mysql/shop-db).
      type: list
      elements: str
    shared:
      description: Those of them that an app of O(production) is linked to as well.
      type: list
      elements: str
    certificate_days:
      description: Full days that its certificate of Let's Encrypt has left; V(null) without one.
      type: int
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import features
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **{key: rule for key, rule in CALL.items() if key != "app"},
            "timeout": {"type": "float", "default": 60},
            "prefix": {"type": "str", "required": True},
            "production": {"type": "list", "elements": "str", "default": []},
            "old_days": {"type": "int", "default": 14},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not params["prefix"]:
        module.fail_json(
            msg="prefix is empty: every app of the host would be a feature app (dokku_feature_prefix)", code="bad_input"
        )

    def found() -> dict[str, Any]:
        dokku, prefix = dokku_module.caller(params), params["prefix"]
        with dokku_module.problems(prefix):
            listed = features.find(dokku, prefix, params["production"], time.time(), params["old_days"])
        return {"changed": False, "features": [one.to_dict() for one in listed]}

    run(module, found)


if __name__ == "__main__":
    main()
