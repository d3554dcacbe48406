# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: toy_operation
short_description: Plan an operation on a toy, and carry it out
version_added: 0.1.0
description:
  - Writes a line of text into a file, with lease, journal and ledger.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.operation.attributes
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: partial
    details: O(phase=plan) only. An operation is never open in check mode, so there is nothing to apply.
  diff_mode:
    description: Shows what would change.
    support: none
options:
  phase:
    description: V(plan) opens and plans the operation, V(apply) carries it out.
    type: str
    choices: [plan, apply]
    required: true
  procedure:
    description: What is planned, as the ledger names it. Needed for O(phase=plan).
    type: str
    choices: [write]
  service:
    description: The toy.
    type: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      file:
        description: File that has its line.
        type: path
        required: true
  to:
    description: Line to write.
    type: str
    default: ""
  direction:
    description: V(forward) does the steps of the plan, V(back) goes back to the line before.
    type: str
    choices: [forward, back]
    default: forward
  cause:
    description: With O(direction=back), why a host that is well goes back.
    type: str
    default: ""
  on_unhealthy:
    description: What to do where the line is not there. V(revert) goes back, V(hold) leaves it.
    type: str
    choices: [revert, hold]
    default: hold
  close:
    description: Record the outcome and give the lease back at once.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Plan a line
  ops.runbook.toy_operation:
    phase: plan
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/toy
    procedure: write
    to: hello
    service:
      name: toy
      file: /srv/toy/line
"""

RETURN = r"""
plan:
  description: The plan, with the keys of that of M(ops.runbook.compose_operation).
  returned: for O(phase=plan)
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import LedgerDamaged
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import OPEN, requested
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refused
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown
from ansible_collections.ops.runbook.plugins.module_utils.toy.line import Line
from ansible_collections.ops.runbook.plugins.module_utils.toy.operation import carry_out, open_and_plan

OPTIONS: dict[str, Any] = {
    **OPEN,
    "phase": {"type": "str", "choices": ["plan", "apply"], "required": True},
    "procedure": {"type": "str", "choices": ["write"]},
    "service": {
        "type": "dict",
        "required": True,
        "options": {"name": {"type": "str", "required": True}, "file": {"type": "path", "required": True}},
    },
    "to": {"type": "str", "default": ""},
    "direction": {"type": "str", "choices": ["forward", "back"], "default": "forward"},
    "cause": {"type": "str", "default": ""},
    "on_unhealthy": {"type": "str", "choices": ["revert", "hold"], "default": "hold"},
    "close": {"type": "bool", "default": False},
}


def plan(module: AnsibleModule) -> dict[str, Any]:
    """Open and plan; changed says, in check mode, what would be."""
    params, toy = module.params, Line(**module.params["service"])
    request = requested(params, toy.name, "toy", toy.file)
    result = open_and_plan(Guard(params["state_dir"]), request, toy, params["to"], module.check_mode)
    return {"changed": bool(module.check_mode and result["plan"] and result["plan"]["steps"]), **result}


def apply(module: AnsibleModule) -> dict[str, Any]:
    """Carry out what the journal says."""
    params = module.params
    revert = params["on_unhealthy"] == "revert"
    orders = Orders(params["operation"], params["direction"], revert, params["close"], cause=params["cause"])
    return carry_out(Guard(params["state_dir"]), Line(**params["service"]), orders)


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS, required_if=[("phase", "plan", ("procedure",))], supports_check_mode=True
    )
    if module.check_mode and module.params["phase"] == "apply":
        module.fail_json(msg="an operation is never open in check mode")
    try:
        result = plan(module) if module.params["phase"] == "plan" else apply(module)
    except (Refused, LedgerDamaged, OSError) as error:
        module.fail_json(msg=shown(str(error)))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
