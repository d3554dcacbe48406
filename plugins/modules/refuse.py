# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: refuse
short_description: Fail with lines that a person reads
version_added: 0.1.0
description:
  - Fails as M(ansible.builtin.fail) does, and is shown once, line by line, by every callback. Ansible shows other
    failures twice, once with an excerpt of the file that the task is from.
  - Runs on the controller; no host is contacted.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  text:
    description: The reason and what to type next. It may have several lines.
    type: str
    required: true
  found:
    description:
      - Whether the procedure did what it was asked for, and the text is about what it found. A screen then says FAILED,
        and otherwise REFUSED.
    type: bool
    default: false
seealso:
  - module: ansible.builtin.fail
"""

EXAMPLES = r"""
- name: Refuse a deploy without a release
  ops.runbook.refuse:
    text: "A deploy needs the release to go to. Type: -e to=v1.2.0"
  when: laravel_to | length == 0
"""

RETURN = r"""
msg:
  description: The lines of O(text).
  returned: always
  type: list
  elements: str
refused:
  description: Whether nothing was begun; V(false) with O(found=true).
  returned: always
  type: bool
"""
