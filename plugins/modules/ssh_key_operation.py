# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_key_operation
short_description: Rotate a key that lets CI into an account
version_added: 0.1.0
description:
  - With O(phase=plan) takes the lease, starts the journal, asks sshd which files it reads for the account, and decides
    which line is rotated. A plan that must not go on is refused; a refusal has changed nothing.
  - With O(phase=step) does the steps in O(only) as far as it is their turn, and journals what the controller did. A
    step is journalled before it is taken, also one of the controller, with O(announce).
  - With O(phase=finish) journals what is left, goes back where that is asked for and still possible, and closes.
  - The controller's side, which takes turns with this module, is M(ops.runbook.ssh_key_rotation).
notes:
  - The private key never reaches this module. The public half comes as an argument and is never returned.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.ssh_key
  - ops.runbook.operation.attributes
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: partial
    details: O(phase=plan) only. An operation is never open in check mode, so there is nothing to carry out.
  diff_mode:
    description: Shows what would change.
    support: none
    details: A line of authorized_keys is a key, and no key is ever shown. The plan names files, lines and options.
options:
  phase:
    description: What to do.
    type: str
    choices: [plan, step, finish]
    required: true
  used:
    description: Fingerprint that a run of the workflow said it had. Empty where none did.
    type: str
    default: ""
  where:
    description: Which run that was, in words.
    type: str
    default: ""
  trusted:
    description:
      - Whether a run said so that was dispatched, and succeeded. Others may write into the log of another one, so it is
        believed only where O(old_key) or the record of rotations on the host says the same.
    type: bool
    default: false
  secret:
    description: Which secret gets the new key, in words.
    type: str
    default: ""
  workflow:
    description: Which workflow proves it, in words.
    type: str
    default: ""
  keep:
    description: Where the new private key is kept, in words.
    type: str
    default: ""
  only:
    description: Steps that may be done now.
    type: list
    elements: str
    default: []
  new_key:
    description: Type and blob of the new key, which is public.
    type: str
    default: ""
  fingerprint:
    description: Its fingerprint.
    type: str
    default: ""
  kept:
    description: Where its private half was kept.
    type: str
    default: ""
  reports:
    description: What the controller did, by step. Keys are C(ok), C(error), C(note), and C(untouched) where a step that
      failed is known to have changed nothing.
    type: dict
    default: {}
  announce:
    description: The step that the controller takes next.
    type: str
    default: ""
  back:
    description: With O(phase=finish), why it is to go back. Empty does not.
    type: str
    default: ""
  already:
    description: With O(phase=finish), that the host had the new key before this run, and there is nothing to do.
    type: bool
    default: false
seealso:
  - module: ops.runbook.ssh_key_rotation
  - module: ops.runbook.ssh_key_audit_info
  - module: ops.runbook.operation_close
"""

EXAMPLES = r"""
- name: Plan the rotation of the key that CI logs in with
  ops.runbook.ssh_key_operation:
    phase: plan
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/ssh_key
    account: deploy
    used: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
    where: run 5001 of deploy.yml
  register: planned
"""

RETURN = r"""
refusal:
  description: Why the operation is refused; V(null) if it is not.
  returned: for O(phase=plan)
  type: dict
plan:
  description: What will be done; V(null) when refused. It has fingerprints and no keys.
  returned: for O(phase=plan)
  type: dict
operation:
  description: Id of the operation.
  returned: for O(phase=plan)
  type: str
direction:
  description: V(back) when an interrupted operation is undone, otherwise V(forward).
  returned: for O(phase=plan)
  type: str
continues:
  description: Whether an interrupted operation is continued.
  returned: for O(phase=plan)
  type: bool
ok:
  description: Whether the steps were done.
  returned: for O(phase=step)
  type: bool
done:
  description: All steps that are done.
  returned: for O(phase=step)
  type: list
  elements: str
healthy:
  description: Whether the rotation was done and verified.
  returned: for O(phase=finish)
  type: bool
error:
  description: Why it was not; empty otherwise.
  returned: for O(phase=step) and O(phase=finish)
  type: str
closed:
  description: The outcome, error, settled and record of M(ops.runbook.operation_close).
  returned: for O(phase=finish)
  type: dict
"""

import os
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import LedgerDamaged
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import OPEN, answer, requested
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import operation
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.operation import Part, Wish

TEXT: dict[str, Any] = {"type": "str", "default": ""}
OPTIONS: dict[str, Any] = {
    **OPEN,
    "phase": {"type": "str", "choices": ["plan", "step", "finish"], "required": True},
    "procedure": {"type": "str", "choices": ["rotate"], "default": "rotate"},
    "account": TEXT,
    "old_key": {**TEXT, "no_log": False},
    "file": TEXT,
    "sshd_config": {"type": "path", "default": ""},
    "used": TEXT,
    "where": TEXT,
    "trusted": {"type": "bool", "default": False},
    "secret": {**TEXT, "no_log": False},
    "workflow": TEXT,
    "keep": TEXT,
    "comment": TEXT,
    "expires": {"type": "int", "default": 0},
    "only": {"type": "list", "elements": "str", "default": []},
    "new_key": {**TEXT, "no_log": False},
    "fingerprint": TEXT,
    "kept": TEXT,
    "reports": {"type": "dict", "default": {}},
    "announce": TEXT,
    "back": TEXT,
    "already": {"type": "bool", "default": False},
}


def plan(module: AnsibleModule) -> dict[str, Any]:
    """Open and plan; changed says, in check mode, what would be."""
    request = requested(module.params, "ssh_key", "ssh_key")
    guard = Guard(module.params["state_dir"])
    result = operation.open_and_plan(guard, request, _wish(module), os.environ, module.check_mode)
    return {"changed": bool(module.check_mode and result["plan"]), **result}


def step(module: AnsibleModule) -> dict[str, Any]:
    """Do the steps whose turn it is."""
    guard, identity = Guard(module.params["state_dir"]), module.params["operation"]
    return operation.carry_out(guard, identity, _wish(module), _part(module), os.environ)


def finish(module: AnsibleModule) -> dict[str, Any]:
    """Journal what is left, go back where that is asked for, and close."""
    params, guard = module.params, Guard(module.params["state_dir"])
    return operation.finish(
        guard, params["operation"], _wish(module), _part(module), params["back"], os.environ, params["already"]
    )


def _wish(module: AnsibleModule) -> Wish:
    params = module.params
    return Wish(
        account=params["account"],
        old=params["old_key"],
        file=params["file"],
        sshd_config=params["sshd_config"],
        used=params["used"],
        where=params["where"],
        trusted=params["trusted"],
        secret=params["secret"],
        workflow=params["workflow"],
        keep=params["keep"],
        comment=params["comment"],
        expires=params["expires"],
    )


def _part(module: AnsibleModule) -> Part:
    params = module.params
    return Part(
        only=params["only"],
        new=params["new_key"],
        fingerprint=params["fingerprint"],
        kept=params["kept"],
        reports=params["reports"],
        announce=params["announce"],
    )


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    phases = {"plan": plan, "step": step, "finish": finish}
    arguments = {**module.params, "new_key": None}
    answer(module, {name: partial(act, module) for name, act in phases.items()}, arguments, (LedgerDamaged,))


if __name__ == "__main__":
    main()
