# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_config
short_description: Set the configuration of a Dokku app, without showing a value
version_added: 0.1.0
description:
  - Sets variables of an app, removes them, and with O(purge=true) leaves no others. The containers take them with the
    next deploy or restart, or at once with O(redeploy=true).
  - Values go to C(dokku) over standard input, in one call without a restart. They are in no result, difference,
    error or process list; differences are shown by name alone.
  - What Dokku itself sets (C(GIT_REV), and what begins with C(DOKKU_\)) and the addresses of linked services stay as
    they are, also with O(purge=true).
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
  - ops.runbook.dokku_app.redeploy
options:
  values:
    description:
      - Variables by name. A value is a text; numbers are taken as texts, and a boolean is refused, since YAML's V(yes)
        is not what an application reads.
      - In a loop give the task C(no_log=true), because Ansible itself shows the item.
    type: dict
    default: {}
  absent:
    description: Names of variables that are not to be there.
    type: list
    elements: str
    default: []
  purge:
    description: Whether every other variable of the application is removed.
    type: bool
    default: false
seealso:
  - module: ops.runbook.dokku_link
"""

EXAMPLES = r"""
- name: Set the environment of an app
  ops.runbook.dokku_config:
    app: shop
    values:
      APP_ENV: staging
      APP_KEY: "{{ vault_shop_app_key }}"
    absent: [APP_DEBUG]
    redeploy: true
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: APP_KEY
      before: "set"
      after: "set, to another value"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku config:import --no-restart --format json shop -"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(linked_key).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
names:
  description: Names of all variables of the app.
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
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import ConfigPresent, ConfigState, texts
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import MASK


def wanted(params: Mapping[str, Any]) -> ConfigState:
    return ConfigState(params["app"], texts(params["values"]), tuple(params["absent"]), params["purge"])


def described(present: ConfigPresent) -> dict[str, Any]:
    return {"names": sorted(present.values)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            **dokku_module.REDEPLOY,
            "values": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "str", "default": []},
            "purge": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    # No value is in a result in any case. A short one ("1", "set") would blot itself out of every name.
    module.no_log_values = {value for value in module.no_log_values if len(value) >= endpoint.SECRET_LENGTH}
    invocation = {"module_args": {**module.params, "values": dict.fromkeys(module.params["values"], MASK)}}
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described), invocation=invocation)


if __name__ == "__main__":
    main()
