# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes of the modules that only look, and the options of those that look at a service."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
    details: The module changes nothing, so it does the same in check mode.
  diff_mode:
    description: Shows what would change.
    support: none
    details: There is nothing to change.
  idempotent:
    description: When run twice with the same arguments, the second run changes nothing.
    support: full
"""

    SERVICE = r"""
options:
  state_dir:
    description: Folder on the host that holds the lease, the journal and the ledger of this service.
    type: path
    required: true
  environment:
    description: Environment of the service, as the ledger names it. Records of another one are passed over.
    type: str
    default: ""
  checks:
    description: Health checks, each an endpoint of M(ops.runbook.health_check). The host asks each of them once.
    type: list
    elements: dict
    default: []
"""
