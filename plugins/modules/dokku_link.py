# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_link
short_description: Link a database or a cache of Dokku to an app
version_added: 0.1.0
description:
  - Links a service of the plugins mysql, postgres and redis to an app, or removes the link, without a restart.
  - A link is two things, the app in the service's list and the variable with the address in the app's configuration.
    Where one of them is missing, the link is made anew.
  - A service that is linked to another app is refused, and the other app named, unless O(shared=true). Two apps on one
    database change the same rows, and two on one Redis take each other's jobs and clear each other's cache.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
  - ops.runbook.dokku_app.redeploy
options:
  plugin:
    description: What kind of service it is.
    type: str
    choices: [mysql, postgres, redis]
    required: true
  service:
    description: Name of the service. It must exist.
    type: str
    required: true
  state:
    description: Whether the link is to be there.
    type: str
    choices: [present, absent]
    default: present
  alias:
    description:
      - What the variable begins with, before C(_URL). Empty leaves it to the plugin, which takes C(DATABASE_URL) or
        C(REDIS_URL) while that is free.
    type: str
    default: ""
  shared:
    description: Whether the service may be linked to other apps too.
    type: bool
    default: false
seealso:
  - module: ops.runbook.dokku_config
"""

EXAMPLES = r"""
- name: Link the cache
  ops.runbook.dokku_link:
    app: shop
    plugin: redis
    service: shop-cache
    redeploy: true

- name: Link a second database under a name of its own
  ops.runbook.dokku_link:
    app: shop
    plugin: mysql
    service: shop-reports
    alias: REPORTS
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: redis service shop-cache
      before: ""
      after: "linked as REDIS_URL"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku redis:link shop-cache shop --no-restart"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(linked_elsewhere).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
variables:
  description: Names of the app's variables that hold the service's address.
  returned: success
  type: list
  elements: str
linked_to:
  description: The other apps that the service is linked to.
  returned: success
  type: list
  elements: str
restarted:
  description: Whether the app was restarted.
  returned: success
  type: bool
restart_needed:
  description: Whether the running containers do not have the change yet.
  returned: success
  type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.link import LinkPresent, LinkState


def wanted(params: Mapping[str, Any]) -> LinkState:
    return LinkState(
        params["app"], params["plugin"], params["service"], params["state"], params["alias"], params["shared"]
    )


def described(present: LinkPresent) -> dict[str, Any]:
    return {"variables": list(present.variables), "linked_to": list(present.others)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            **dokku_module.REDEPLOY,
            "plugin": {"type": "str", "choices": ["mysql", "postgres", "redis"], "required": True},
            "service": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "alias": {"type": "str", "default": ""},
            "shared": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
