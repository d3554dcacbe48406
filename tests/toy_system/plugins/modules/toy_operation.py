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
  - ops.runbook.operation.carry_out
  - ops.runbook.operation.attributes
attributes:
  diff_mode:
    description: Shows what would change.
    support: none
options:
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

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import CARRY_OUT
from ansible_collections.ops.runbook.plugins.module_utils.toy.procedures import TOY

OPTIONS: dict[str, Any] = {
    **CARRY_OUT,
    "procedure": {"type": "str", "choices": list(TOY.procedures)},
    "service": {
        "type": "dict",
        "required": True,
        "options": {"name": {"type": "str", "required": True}, "file": {"type": "path", "required": True}},
    },
    "to": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS, required_if=[("phase", "plan", ("procedure",))], supports_check_mode=True
    )
    procedure.run(module, TOY)


if __name__ == "__main__":
    main()
