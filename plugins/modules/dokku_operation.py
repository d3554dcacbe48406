# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_operation
short_description: Plan an operation on an app of Dokku, and carry it out
version_added: 0.1.0
description:
  - With O(phase=plan) takes the app's lease, starts the journal, reads the host and decides what will be done.
    A plan that must not go on is refused. A refusal has changed nothing, is recorded in the ledger, and has given the
    lease back; the result says why, and each way forward as the input to give.
  - In check mode nothing is written, and the whole plan is returned.
  - With O(phase=apply) does what the journal of the operation says is still to do, verifies the result, goes back
    where it is not good and that is asked for, and closes the operation, in one call.
  - Each step is journalled before it is done, so that a kill at any point leaves a record of what was done;
    each may be done again after it was cut off.
notes:
  - C(dokku) is called as its own user. Whoever else runs this module needs a rule of sudo,
    C(deploy ALL=(dokku\) NOPASSWD) for C(/usr/bin/dokku).
  - Values of the app's configuration are never on a command line, in a result or in a record.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.operation.carry_out
  - ops.runbook.operation.attributes
  - ops.runbook.dokku
  - ops.runbook.health
  - ops.runbook.health.gate
attributes:
  diff_mode:
    description: Returns the names of the settings that change, and never a value.
    support: full
options:
  procedure:
    description: What is planned, as the ledger names it. Needed for O(phase=plan).
    type: str
    choices: [deploy, rollback, feature, tune, maintenance, backup, restore, rebuild]
  inputs:
    description:
      - What the operator asks for, by name. The role's argument specs say which inputs a procedure has.
    type: dict
    default: {}
  secrets:
    description: Secret values that a procedure needs, by name. None of them is shown or recorded.
    type: dict
    default: {}
  deadline:
    default: 60
  interval:
    default: 0.5
  successes:
    default: 2
seealso:
  - module: ops.runbook.operation_close
"""

EXAMPLES = r"""
- name: Plan a rollback to the previous good release
  ops.runbook.dokku_operation:
    phase: plan
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/restant-main
    procedure: rollback
    inputs:
      to: previous
      migrations: refuse
    service: &service
      app: restant-main
      repository: https://git.example.com/restant/app.git
      migrations_command: php artisan migrate:status
    endpoints: &endpoints
      - name: health
        url: https://restant.example.com/health
  register: planned

- name: Carry it out
  ops.runbook.dokku_operation:
    phase: apply
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/restant-main
    service: *service
    endpoints: *endpoints
    close: true
  when: planned.refusal is none
"""

RETURN = r"""
refusal:
  description: Why the operation is refused; V(null) if it is not.
  returned: for O(phase=plan)
  type: dict
  contains:
    code:
      description: Stable name of the refusal, such as V(plugin_missing) or V(image_gone).
      type: str
    text:
      description: One sentence for a person.
      type: str
    ways:
      description: Each way forward. Its key C(input) is what to give, C(effect) what that does.
      type: list
      elements: dict
    details:
      description: Lines to read before choosing, such as the releases of the app.
      type: list
      elements: str
plan:
  description: What will be done; V(null) when refused.
  returned: for O(phase=plan)
  type: dict
  contains:
    from:
      description: What runs now. V(null) where nothing does.
      type: dict
    to:
      description: What is wanted.
      type: dict
    chosen:
      description: How the target was chosen.
      type: str
    proven:
      description: How the target was proven to exist.
      type: str
    steps:
      description: The steps in their order. Empty when the host is there already.
      type: list
      elements: dict
    migrations:
      description: Verdict on the migrations between the two.
      type: dict
    warnings:
      description: What a person should know before it is done.
      type: list
      elements: str
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
healthy:
  description: Whether what was wanted was done and verified.
  returned: for O(phase=apply)
  type: bool
reverted:
  description: Whether it went back to where it came from, and that was verified.
  returned: for O(phase=apply)
  type: bool
error:
  description: Why it is not healthy; empty otherwise.
  returned: for O(phase=apply)
  type: str
verified:
  description:
    - The last verification. Keys are ok, reason, health, note, seconds, and what the procedure adds.
    - V(null) when a step failed before it.
  returned: for O(phase=apply)
  type: dict
closed:
  description: With O(close=true) the outcome, error, settled and record of M(ops.runbook.operation_close).
  returned: for O(phase=apply)
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import SERVICE
from ansible_collections.ops.runbook.plugins.module_utils.dokku.procedures import DOKKU
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import CARRY_OUT
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import gate_options
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact

OPTIONS: dict[str, Any] = {
    **CARRY_OUT,
    **SERVICE,
    **gate_options(deadline=60, interval=0.5, successes=2),
    "procedure": {"type": "str", "choices": list(DOKKU.procedures)},
    "inputs": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS, required_if=[("phase", "plan", ("procedure",))], supports_check_mode=True
    )
    # No value of a configuration is in a result; one such as `staging` would garble the names of apps.
    module.no_log_values -= redact.plain_words(module.params["secrets"].get("config") or {})
    procedure.run(module, DOKKU)


if __name__ == "__main__":
    main()
