# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation_begin
short_description: Check what the operator typed, and name the operation
version_added: 0.1.0
description:
  - Runs on the controller; no host is contacted.
  - Refuses extra variables that are nearly the name of an input, since a mistyped input would silently become
    its default.
  - Makes the operation's id, the same for all hosts of the run, and says who runs it.
author: ops.runbook contributors (@ops-runbook)
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Shows what would change.
    support: none
options:
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
      - What is no size is refused here, since Ansible would only notice after the leases were taken.
    type: raw
    default: ""
"""

EXAMPLES = r"""
- name: Begin the operation
  ops.runbook.operation_begin:
    reason: INC-421
  register: operation_begun
  run_once: true
"""

RETURN = r"""
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
