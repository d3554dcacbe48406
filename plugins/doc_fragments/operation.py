# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that every module of an operation shares."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  operation:
    description:
      - Id of the operation, made by M(ops.runbook.operation_begin), like V(20261121T031502Z-4f2a9c).
    type: str
    required: true
  state_dir:
    description:
      - Folder on the host that holds the lease, the journal and the ledger of this service.
      - Owned by the user who operates the service, mode V(0700).
    type: path
    required: true
"""

    OPEN = r"""
options:
  environment:
    description:
      - Environment of the service, as the ledger names it.
    type: str
    default: ""
  reason:
    description:
      - Why; an incident id fits here.
    type: str
    default: ""
  actor:
    description:
      - Who runs this and from where, made by M(ops.runbook.operation_begin).
      - Keys are V(user), V(controller), V(via) and V(job).
    type: dict
    default: {}
  lock_wait:
    description:
      - Seconds to wait for the lease when another operation holds it.
    type: float
    default: 0
  lock_takeover:
    description:
      - Id of the operation whose lease is taken although it may be alive.
    type: str
    default: ""
  lease_ttl:
    description:
      - Seconds that the lease lasts between two phases of the operation.
    type: float
    default: 900
  interrupted:
    description:
      - What is done about an operation that was interrupted on this host.
      - Empty refuses, and explains what can be done.
    type: str
    choices: ["", resume, undo, accept]
    default: ""
"""

    CARRY_OUT = r"""
options:
  phase:
    description: What to do.
    type: str
    choices: [plan, apply]
    required: true
  direction:
    description: V(forward) does the steps of the plan, V(back) goes back to where the operation came from.
    type: str
    choices: [forward, back]
    default: forward
  cause:
    description: With O(direction=back), why a host that is well goes back. It is recorded as the error.
    type: str
    default: ""
  on_unhealthy:
    description: What to do where the result is not good. V(revert) goes back, V(hold) leaves it.
    type: str
    choices: [revert, hold]
    default: hold
  close:
    description: Record the outcome and give the lease back at once. Otherwise M(ops.runbook.operation_close) does.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: partial
    details: O(phase=plan) only. An operation is never open in check mode, so there is nothing to apply.
"""

    ATTRIBUTES = r"""
attributes:
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
"""
