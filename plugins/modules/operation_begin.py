# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation_begin
short_description: Check the inputs of a procedure, and name the operation
version_added: 0.1.0
description:
  - Runs on the controller; no host is contacted.
  - Refuses variables of the inventory that begin like those of the role or of the guard and that no role reads, unless
    C(operation_extra_vars_allowed) has them. What was typed is checked by P(ops.runbook.operation_call#lookup) before.
  - Holds the variables of the host against the argument specs of the roles that will read them, and says in one short
    message what Ansible's own validation of a role says with the whole specification printed behind it.
  - Makes an id for the operation, and says who runs it. Of several hosts the id of the first one is used for all.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  role:
    description: Role that offers the procedure, by its full name.
    type: str
    required: true
  procedure:
    description: Name of the procedure, an entry point of that role.
    type: str
    required: true
  reason:
    description: Why the operation is done.
    type: str
    default: ""
  reason_required:
    description: Whether an empty O(reason) is refused.
    type: bool
    default: false
  batch:
    description:
      - How many hosts are worked on together. A number or a percentage, or several, as a list or separated by commas.
      - An invalid size is refused here, since Ansible would only notice it after the leases were taken.
    type: raw
    default: ""
"""

EXAMPLES = r"""
- name: Check the inputs and name the operation
  ops.runbook.operation_begin:
    role: ops.runbook.laravel
    procedure: rollback
    reason: INC-421
  register: operation_named
  any_errors_fatal: true
"""

RETURN = r"""
checked:
  description: Names of the variables that were held against their specification.
  returned: success
  type: list
  elements: str
operation:
  description: Id of the operation; it sorts by time.
  returned: success
  type: str
  sample: 20261121T031502Z-4f2a9c
actor:
  description: Keys are V(user), V(controller), V(via) and V(job).
  returned: success
  type: dict
"""
