# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation_inputs
short_description: Check the variables of a host against the argument specs of a procedure
version_added: 0.1.0
description:
  - Runs on the controller; no host is contacted.
  - Does for each host of the play, in one short message, what Ansible's own validation of a role says with the
    whole specification printed behind it.
author: ops.runbook contributors (@ops-runbook)
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Shows what would change.
    support: none
options:
  role:
    description: Role that offers the procedure, by its full name.
    type: str
    required: true
  procedure:
    description: Name of the procedure, an entry point of that role.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check the inputs
  ops.runbook.operation_inputs:
    role: ops.runbook.laravel
    procedure: rollback
"""

RETURN = r"""
checked:
  description: Names of the variables that were held against their specification.
  returned: success
  type: list
  elements: str
"""
