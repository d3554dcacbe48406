# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_resource
short_description: Limit what the containers of a Dokku app may use
version_added: 0.1.0
description:
  - Sets limits and reservations of an app, or of one of its processes. Values are compared by what they mean, so that
    C(2g) is C(2048m).
  - Dokku takes any text, and Docker refuses it at the next deploy. So a value is checked here as Docker will check it,
    together with what is set already, the number of processors of the host, and Dokku's own handling of units.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
  - ops.runbook.dokku_app.redeploy
options:
  limits:
    description: What is to be the limit. An empty text removes one; what is not named stays.
    type: dict
    default: {}
    suboptions:
      cpu:
        description: Number of processors, such as V(2) or V(0.5). Thousandths such as V(2000m) are of Kubernetes.
        type: str
      memory:
        description: Size with C(b), C(k), C(m) or C(g), in lower case. Without a unit it is mebibytes.
        type: str
      memory_swap:
        description: Memory and swap together, in the same form, or V(-1) for no limit. Without a unit it is bytes.
        type: str
      nvidia_gpu:
        description: Number of graphics processors, or V(all).
        type: str
  reserve:
    description: What is to be reserved, in the same way.
    type: dict
    default: {}
    suboptions:
      memory:
        description: Size, as for O(limits.memory), and not above it.
        type: str
  process:
    description: The process of the C(Procfile). Empty is for all that have nothing of their own.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Limit an app to two processors and 2 GiB
  ops.runbook.dokku_resource:
    app: shop
    limits:
      cpu: 2
      memory: 2g
    redeploy: true

- name: Take the limit of the worker's memory away
  ops.runbook.dokku_resource:
    app: shop
    process: worker
    limits:
      memory: ""
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: cpu limit
      before: ""
      after: "2"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku resource:limit --cpu 2 shop"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(bad_resource).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
limits:
  description: The limits, by process and kind. The process C(_default_) is for all that have none of their own.
  returned: success
  type: dict
reserve:
  description: The reservations, in the same form.
  returned: success
  type: dict
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
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import (
    DEFAULT,
    ResourcePresent,
    ResourceState,
)


def named(given: Mapping[str, Any]) -> dict[str, str]:
    """The options by Dokku's names; None for one that was not given."""
    return {key.replace("_", "-"): str(value).strip() for key, value in given.items() if value is not None}


def wanted(params: Mapping[str, Any]) -> ResourceState:
    limits, reserve = named(params["limits"]), named(params["reserve"])
    return ResourceState(params["app"], limits, reserve, params["process"] or DEFAULT)


def described(present: ResourcePresent) -> dict[str, Any]:
    return {"limits": dict(present.limits), "reserve": dict(present.reserve)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            **dokku_module.REDEPLOY,
            "limits": {
                "type": "dict",
                "default": {},
                "options": {key: {"type": "str"} for key in ("cpu", "memory", "memory_swap", "nvidia_gpu")},
            },
            "reserve": {"type": "dict", "default": {}, "options": {"memory": {"type": "str"}}},
            "process": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
