# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation_shown
short_description: Give the result of a hidden task again
version_added: 0.1.0
description:
  - A task with C(no_log) hides what C(-vvv) would print of its connection, and hides its result with it. Screens and
    C(ops-runbook) then know nothing of the operation. Where the result itself has no secret,
    this shows it.
  - Runs on the controller; no host is contacted.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  result:
    description: What the hidden task registered. It must not have a secret.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: plan | Show what the host answered
  ops.runbook.operation_shown:
    result: "{{ operation_planned }}"
  register: operation_planned
"""

RETURN = r"""
result:
  description: The keys of O(result) are in the result itself.
  returned: always
  type: raw
"""
