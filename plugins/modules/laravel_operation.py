# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: laravel_operation
short_description: Plan an operation on a Laravel service, and carry it out
version_added: 0.1.0
description:
  - With O(phase=plan) takes the service's lease, starts the journal, reads the host and decides what will be done.
    A plan that must not go on is refused. A refusal has changed nothing, is recorded in the ledger, and has given
    the lease back; the result says why, and each way forward as the input to give. In check mode nothing is
    written, neither to the application nor to the state folder, and the whole plan is returned.
  - With O(phase=apply) does what the journal of the operation says is still to do, verifies the result, goes back
    where it is not good and that is asked for, and closes the operation. All of it is one call, so that a lost
    connection or a dead controller leaves neither a half-made release nor a lease behind.
  - Each step is journalled before it is done, so that a kill at any point leaves a record of what was done;
    each may be done again after it was cut off. The lease is checked and renewed before each step; an operation
    that lost it changes nothing more.
  - The commit that is checked out, the systemd units, the scheduler, the maintenance mode and every endpoint
    must be as they should, before O(deadline). A result that is not good is a result and no failure of the module.
notes:
  - Both phases are one module because Ansible builds a module once in a run; a second one would cost a quarter of a
    second of each rollback.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.operation.carry_out
  - ops.runbook.operation.attributes
  - ops.runbook.laravel
  - ops.runbook.health
  - ops.runbook.health.gate
attributes:
  diff_mode:
    description: Returns the difference of the code between the present release and the target.
    support: full
options:
  procedure:
    description: What is planned, as the ledger names it. Needed for O(phase=plan).
    type: str
    choices: [deploy, rollback, adopt, maintenance, convert]
  to:
    description:
      - Release to go to. V(previous) is the newest good release before the present one, by the ledger.
      - Otherwise a tag, a branch, or a commit (four or more hexadecimal digits).
    type: str
    default: ""
  migrations:
    description:
      - For a rollback what is done about migrations that the target does not know.
        V(refuse) stops, V(keep) leaves them, V(down) undoes them from the newer code before the switch.
      - For a deploy V(run), V(skip), or V(keep), which runs them although the database is ahead.
    type: str
    choices: ["", refuse, keep, down, run, skip]
    default: ""
  discard_local_changes:
    description:
      - Save uncommitted changes beside the ledger and continue. Otherwise they are a refusal.
      - For O(procedure=convert), leave files behind that are neither in git nor shared. They stay in the old checkout.
    type: bool
    default: false
  hotfix:
    description:
      - For O(procedure=deploy), record the release as a hotfix, with its branch and its commit, and say which merges
        are due for it.
    type: bool
    default: false
  set_aside_ledger:
    description: For O(procedure=adopt), keep a damaged ledger under another name and begin a new one.
    type: bool
    default: false
  migrate_here:
    description: Whether this operation runs and undoes migrations. Hosts that share a database leave it to one of them.
    type: bool
    default: true
  state:
    description:
      - For O(procedure=maintenance), which state to bring about, V(down) or V(up).
      - For O(procedure=convert), which strategy to bring about, V(releases) or V(in_place).
    type: str
    choices: ["", down, up, releases, in_place]
    default: ""
  retry:
    description: For O(state=down), seconds in the C(Retry-After) header.
    type: int
  refresh:
    description: For O(state=down), seconds in the C(Refresh) header.
    type: int
  secret:
    description: Secret of the maintenance page. One is made where none is given.
    type: str
  deadline:
    default: 15
  interval:
    default: 0.1
  successes:
    default: 2
seealso:
  - module: ops.runbook.operation_close
"""

EXAMPLES = r"""
- name: Plan a rollback to the previous good release
  ops.runbook.laravel_operation:
    phase: plan
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/vertex
    procedure: rollback
    to: previous
    migrations: refuse
    service: &service
      name: vertex
      path: /var/www/vertex-laravel-api
      php_fpm_unit: php8.3-fpm
      queue_unit: vertex-queue
    endpoints: &endpoints
      - name: health
        url: https://api.example.com/api/v1/health
        json:
          status: ok
  register: planned

- name: Carry it out
  ops.runbook.laravel_operation:
    phase: apply
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/vertex
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
      description: Stable name of the refusal, such as V(lease_held) or V(migrations_ahead).
      type: str
    text:
      description: One sentence for a person.
      type: str
    ways:
      description: Each way forward. Its key C(input) is what to give, C(effect) what that does.
      type: list
      elements: dict
    details:
      description: Lines to read before choosing, such as the changed files or the SQL.
      type: list
      elements: str
plan:
  description: What will be done; V(null) when refused.
  returned: for O(phase=plan)
  type: dict
  contains:
    from:
      description: Release that runs now. Its key C(id) is the commit.
      type: dict
    to:
      description: Release to go to.
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
      description: Verdict, and what is run or undone.
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
  description: Whether it went back to the release it came from, and that was verified.
  returned: for O(phase=apply)
  type: bool
error:
  description: Why it is not healthy; empty otherwise.
  returned: for O(phase=apply)
  type: str
verified:
  description:
    - The last verification. Keys are ok, reason, health, units, scheduler, maintenance, note, release, seconds.
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

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import CARRY_OUT
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import gate_options
from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import SERVICE
from ansible_collections.ops.runbook.plugins.module_utils.laravel.procedures import LARAVEL

OPTIONS: dict[str, Any] = {
    **CARRY_OUT,
    **SERVICE,
    **gate_options(deadline=15, interval=0.1, successes=2),
    "procedure": {"type": "str", "choices": list(LARAVEL.procedures)},
    "to": {"type": "str", "default": ""},
    "migrations": {"type": "str", "choices": ["", "refuse", "keep", "down", "run", "skip"], "default": ""},
    "discard_local_changes": {"type": "bool", "default": False},
    "hotfix": {"type": "bool", "default": False},
    "set_aside_ledger": {"type": "bool", "default": False},
    "migrate_here": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["", "down", "up", "releases", "in_place"], "default": ""},
    "retry": {"type": "int"},
    "refresh": {"type": "int"},
    "secret": {"type": "str", "no_log": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS, required_if=[("phase", "plan", ("procedure",))], supports_check_mode=True
    )
    procedure.run(module, LARAVEL)


if __name__ == "__main__":
    main()
