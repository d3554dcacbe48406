# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation_close
short_description: End an operation, record it, and give its lease back
version_added: 0.1.0
description:
  - Nobody tells this module whether the operation succeeded; the journal proves it.
  - Appends one record to the ledger and gives the lease back. The journal of an operation that stopped halfway
    stays, so that the next run can resume it or undo it.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.attributes
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: none
    details: An operation is never open in check mode, so there is nothing to close.
  diff_mode:
    description: Shows what would change.
    support: none
options:
  refused:
    description:
      - Ends an operation that was opened and planned, but not begun, because another host refused or was not well.
      - Says which host, and why.
    type: str
    default: ""
  code:
    description: Name of that refusal, as the ledger has it.
    type: str
    default: another_host
"""

EXAMPLES = r"""
- name: Close the operation
  ops.runbook.operation_close:
    operation: "{{ operation_plan.operation }}"
    state_dir: /var/lib/ops-runbook/vertex
"""

RETURN = r"""
outcome:
  description: >-
    V(succeeded), V(failed), V(reverted), V(interrupted), V(refused), or V(unchanged) where there was nothing to do.
  returned: success
  type: str
error:
  description: Why it did not succeed.
  returned: success
  type: str
settled:
  description: Whether the host is at a known release. If not, the next run has to resume or undo the operation.
  returned: success
  type: bool
record:
  description: The ledger's record; V(null) where nothing was changed.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard import options
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import LedgerDamaged
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, said


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **options.OPERATION,
            "refused": {"type": "str", "default": ""},
            "code": {"type": "str", "default": "another_host"},
        }
    )
    guard, refused = Guard(module.params["state_dir"]), module.params["refused"]
    try:
        if refused:
            record = guard.refuse(module.params["operation"], Problem(module.params["code"], refused))
            # A run that should have resumed an interrupted operation leaves its journal, for the next run.
            settled = guard.progress() is None
            module.exit_json(changed=False, outcome="refused", error=refused, settled=settled, record=record)
        ending, record = guard.close(module.params["operation"])
    except (Problem, LedgerDamaged, OSError) as error:
        module.fail_json(msg=f"operation {module.params['operation']} could not be recorded: {said(error)}")
    module.exit_json(
        changed=record is not None,
        outcome=ending.outcome,
        error=ending.error,
        settled=ending.settled,
        record=record,
    )


if __name__ == "__main__":
    main()
