# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_ps
short_description: Scale, start, stop, restart or rebuild a Dokku app
version_added: 0.1.0
description:
  - Brings the processes of an app to a number and a state, and waits until C(ps:report) says that they are there.
  - An app that was never deployed is refused. Dokku says so, and ends with 0.
  - A start or a restart takes the image C(dokku/APP:latest), which after a failed deploy is the failed one. Where the
    plugin C(releases) tells that, it is refused.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
attributes:
  idempotent:
    support: partial
    details: With O(state=restarted) and O(state=rebuilt) each run does so.
options:
  state:
    description:
      - What is to be. Not given leaves it, for O(scale) alone.
      - V(rebuilt) builds the newest revision of the deploy branch, and so undoes a rollback of the image.
    type: str
    choices: [started, stopped, restarted, rebuilt]
  scale:
    description: Number of containers by process, such as C(web=2). Processes that are not named stay.
    type: dict
    default: {}
  deadline:
    description: Seconds in which the containers must be in that state, once the command has ended.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Run two containers of the web process
  ops.runbook.dokku_ps:
    app: shop
    scale:
      web: 2

- name: Restart
  ops.runbook.dokku_ps:
    app: shop
    state: restarted
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: containers web
      before: "1"
      after: "2"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku ps:scale shop web=2"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(not_deployed).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
deployed:
  description: Whether the app was ever deployed.
  returned: success
  type: bool
running:
  description: V(true), V(false) or V(mixed), as Dokku says it.
  returned: success
  type: str
scale:
  description: Number of containers by process.
  returned: success
  type: dict
containers:
  description: State by container, such as V(running) for C(web.1).
  returned: success
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.ps import PsPresent, PsState, counts


def wanted(params: Mapping[str, Any]) -> PsState:
    return PsState(params["app"], params["state"] or "", counts(params["scale"]), params["deadline"])


def described(present: PsPresent) -> dict[str, Any]:
    return {
        "deployed": present.deployed,
        "running": present.running,
        "scale": dict(present.scale),
        "containers": dict(present.containers),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            "state": {"type": "str", "choices": ["started", "stopped", "restarted", "rebuilt"]},
            "scale": {"type": "dict", "default": {}},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
