# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_key_audit_info
short_description: Read which SSH keys let somebody into an account, how old they are, and whose
version_added: 0.1.0
description:
  - Asks sshd which files it reads for each account, and reads the keys in them as sshd does.
  - Of a key only its fingerprint is returned, never the key itself. Arguments of a forced command and values of
    variables are left out too.
  - An age comes from the record of rotations in O(state_dir), or else from a date in the comment such as
    C(2026-11-21). A key without either is overdue.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation.attributes
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
    details: Nothing is ever written, except a host key in a temporary folder that lives as long as sshd is asked.
  diff_mode:
    description: Shows what would change.
    support: none
    details: There is nothing to change.
options:
  accounts:
    description:
      - Accounts to read. Empty is the one that this runs as; V(*) is every account of the host that has keys.
      - The files of other accounts can be read as root only.
    type: list
    elements: str
    default: []
  max_age:
    description: Days after which a key is overdue.
    type: float
    default: 90
  rsa_minimum:
    description: Bits below which an RSA key is weak.
    type: int
    default: 3072
  owners:
    description: Owners of keys, by fingerprint. Another key's owner is the one in its comment.
    type: dict
    default: {}
  state_dir:
    description: Folder on the host that holds the record of rotations. It need not be there.
    type: path
    default: /var/lib/ops-runbook/ssh_key
  sshd_config:
    description: Configuration of the sshd that lets people in. Empty is the one that sshd takes by itself.
    type: path
    default: ""
notes:
  - Without root, sshd can be asked where its configuration is readable to everybody, as Debian has it. Where it is not,
    RV(accounts[].configuration_known) is V(false), and the default files are read.
"""

EXAMPLES = r"""
- name: Read the keys of the account that Ansible connects as
  ops.runbook.ssh_key_audit_info:
    max_age: 90
  register: found

- name: Read the keys of every account
  ops.runbook.ssh_key_audit_info:
    accounts: ["*"]
    owners:
      SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU: deploy workflow
  become: true
  register: found
"""

RETURN = r"""
accounts:
  description: The accounts that were read.
  returned: success
  type: list
  elements: dict
  contains:
    account:
      description: Its name.
      type: str
    configuration_known:
      description: Whether sshd said which files it reads. Otherwise its defaults were read.
      type: bool
    files:
      description: The files that sshd reads for it, in its order.
      type: list
      elements: dict
      contains:
        path:
          description: Where it is.
          type: str
        exists:
          description: Whether it is there.
          type: bool
        problems:
          description: Why StrictModes refuses it.
          type: list
          elements: str
        unknown_lines:
          description: Lines that are not a key to sshd, with C(line) and C(why), and never their text.
          type: list
          elements: dict
    key_lines:
      description: The keys, line by line.
      type: list
      elements: dict
      contains:
        account:
          description: The account.
          type: str
        file:
          description: The file.
          type: str
        line:
          description: Number of the line.
          type: int
        fingerprint:
          description: SHA-256 of the key, as C(ssh-keygen -l) shows it.
          type: str
        type:
          description: Type of the key, such as V(ssh-ed25519).
          type: str
        bits:
          description: Its length.
          type: int
        comment:
          description: Its comment, without what looks like a key.
          type: str
        options:
          description: Its options, without arguments of commands and values of variables.
          type: str
        authority:
          description: Whether it is a CA, whose certificates are let in.
          type: bool
        owner:
          description: Who it belongs to, as declared or by its comment.
          type: str
        age_days:
          description: Its age in days; V(null) where it is not known.
          type: int
        since:
          description: The day or moment from which its age counts.
          type: str
        age_source:
          description: Who says so, V(rotation), V(comment) or V(unknown).
          type: str
        overdue:
          description: Whether it is older than O(max_age), or its age is not known. A key that expired is not.
          type: bool
        weak:
          description: Why its type is weak; empty where it is not.
          type: str
        expires:
          description: When sshd stops taking it, RFC 3339; V(null) where that is never.
          type: str
        unusable:
          description: Why it lets nobody in; empty where it does.
          type: str
    unread:
      description: What could not be read, so that this list may not be all.
      type: list
      elements: str
    notes:
      description: What else lets people in, and what is not sure.
      type: list
      elements: str
notes:
  description: What there is to know about the host, such as a record of rotations that can't be believed.
  returned: success
  type: list
  elements: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.sshd import audit as ssh_key_audit


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "str", "default": []},
            "max_age": {"type": "float", "default": 90},
            "rsa_minimum": {"type": "int", "default": 3072},
            "owners": {"type": "dict", "default": {}},
            "state_dir": {"type": "path", "default": "/var/lib/ops-runbook/ssh_key"},
            "sshd_config": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["max_age"] <= 0:
        module.fail_json(msg=f"max_age is {params['max_age']}; it must be more than 0 days", code="bad_input")
    rotations, notes = ssh_key_audit.own_record(params["state_dir"])
    policy = ssh_key_audit.Policy(
        now=time.time(),
        max_age=params["max_age"],
        rsa_minimum=params["rsa_minimum"],
        owners={str(name): str(who) for name, who in params["owners"].items()},
        rotations=rotations,
    )
    accounts = ssh_key_audit.read_accounts(params["accounts"], policy, os.environ, params["sshd_config"])
    module.exit_json(changed=False, accounts=accounts, notes=notes)


if __name__ == "__main__":
    main()
