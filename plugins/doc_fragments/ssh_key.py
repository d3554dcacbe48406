# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a key's rotation, which the modules on the host and on the controller share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  procedure:
    description: Name of the procedure that is planned, for the ledger.
    type: str
    choices: [rotate]
    default: rotate
  account:
    description: The account that the key lets in to. Empty is the one that the modules run as.
    type: str
    default: ""
  old_key:
    description: Fingerprint of the key that is rotated. Empty is the one that CI said it had.
    type: str
    default: ""
  file:
    description: File that the key is expected in. It is refused if sshd does not read it.
    type: str
    default: ""
  sshd_config:
    description: Configuration of the sshd that lets people in. Empty is the one that sshd takes by itself.
    type: path
    default: ""
  comment:
    description: Comment of the new key, before the date. Empty for the comment of the old one.
    type: str
    default: ""
  expires:
    description: Days after which sshd takes the new key no more (C(expiry-time)). 0 for never.
    type: int
    default: 0
"""
