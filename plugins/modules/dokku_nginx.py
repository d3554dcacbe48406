# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_nginx
short_description: Set what nginx does for a Dokku app
version_added: 0.1.0
description:
  - Sets properties of an app's nginx configuration, builds it, and has nginx check it. Where nginx refuses it, what was
    set before is put back.
  - Dokku writes any text into the configuration, also for an app that does not exist. One value that nginx refuses
    makes it refuse the configuration of every app of the host, so values are checked before they are set.
  - A property that holds already is left alone, be it set or Dokku's own. C(hsts) is true by itself.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
options:
  properties:
    description:
      - Properties by Dokku's names, such as C(client-max-body-size). An empty value takes the app's own away.
      - C(gzip) and C(http2) are not properties. Dokku's template has both on.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Let requests be larger and take longer
  ops.runbook.dokku_nginx:
    app: shop
    properties:
      client-max-body-size: 50m
      proxy-read-timeout: 120s
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: client-max-body-size
      before: "1m (Dokku's own)"
      after: "50m"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku nginx:set shop client-max-body-size 50m"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(bad_value).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
properties:
  description: What holds for the named properties.
  returned: success
  type: dict
  sample:
    client-max-body-size: 50m
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import NginxPresent, NginxState, texts


def wanted(params: Mapping[str, Any]) -> NginxState:
    return NginxState(params["app"], texts(params["properties"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec={**CALL, "properties": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )

    def described(present: NginxPresent) -> dict[str, Any]:
        return {"properties": {key: present.effective[key] for key in module.params["properties"]}}

    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
