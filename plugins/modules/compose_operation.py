# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_operation
short_description: Plan an operation on a Docker Compose service, and carry it out
version_added: 0.1.0
description:
  - With O(phase=plan) takes the service's lease, starts the journal, reads the host and decides what will be done.
    A plan that must not go on is refused. A refusal has changed nothing of the service, is recorded in the ledger, and
    has given the lease back; the result says why, and each way forward as the input to give.
  - The images of the target are downloaded while planning, by their digests, so that everything is proven before
    anything stops. In check mode nothing is downloaded or written, and the whole plan is returned, as far as it can
    be seen without the images.
  - With O(phase=apply) does what the journal of the operation says is still to do, verifies the result, goes back
    where it is not good and that is asked for, and closes the operation, in one call.
  - Each step is journalled before it is done, so that a kill at any point leaves a record of what was done;
    each may be done again after it was cut off.
  - A release is the digests of its images, because a tag can be moved. A result is good only if each container runs
    the wanted digest and every check answers, from the host and from inside the containers.
notes:
  - The registry's password goes to the Docker engine in a header, over its socket. It is on no command line, in no
    environment, in no file and in no journal.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.operation.carry_out
  - ops.runbook.operation.attributes
  - ops.runbook.compose
  - ops.runbook.health
  - ops.runbook.health.gate
attributes:
  diff_mode:
    description: Returns the lines of the compose file that change, and no line around them, which may hold secrets.
    support: full
options:
  procedure:
    description: What is planned, as the ledger names it. Needed for O(phase=plan).
    type: str
    choices: [deploy, rollback, adopt, rotate_secrets]
  to:
    description:
      - Release to go to. V(previous) is the newest good release before the present one, by the ledger.
      - A tag such as V(0.1.0), a commit such as V(abc1234), which is tried as V(sha-abc1234) first, an image by its
        digest such as V(registry.example.com/app@sha256:...), several of them with commas between them, or a release
        of the ledger such as V(rel-3f2a9c1b2d4e).
    type: str
    default: ""
  migrations:
    description:
      - For a rollback what is done about migrations that the target does not know.
        V(refuse) stops, V(keep) leaves them, V(down) undoes them from the newer image before the switch.
      - For a deploy V(run), V(skip), or V(keep), which runs them although the database is ahead.
      - Where going back from a deploy holds for its migrations, V(down) undoes them although data is lost, and V(keep)
        leaves them. With O(phase=apply) too.
    type: str
    choices: ["", refuse, keep, down, run, skip]
    default: ""
  set_aside_ledger:
    description: For O(procedure=adopt), keep a damaged ledger under another name and begin a new one.
    type: bool
    default: false
  migrate_here:
    description: Whether this operation runs and undoes migrations. Hosts that share a database leave it to one of them.
    type: bool
    default: true
  database_shared:
    description: Whether other hosts use the database of this one. Going back by itself then undoes no migration.
    type: bool
    default: false
  hotfix:
    description:
      - For O(procedure=deploy), record the release as a hotfix, with its branch and its commit, and say which merges
        are due for it. O(to) may then be a branch, whose images have its name as their tag, with C(-) for each C(/).
    type: bool
    default: false
  registry_password:
    description: Password or token of O(service.registry_user).
    type: str
  registry_logins:
    description: Logins of registries, each sent to its own registry alone.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: Host of the registry, with its port where it has one.
        type: str
        required: true
      username:
        description: User at this registry.
        type: str
        required: true
      password:
        description: Password or token of that user.
        type: str
        required: true
  staging_host:
    description: Name of the staging host, for people. Empty without one, or on the staging host itself.
    type: str
    default: ""
  staging:
    description:
      - Result of M(ops.runbook.operation_history_info) on the staging host; if it failed, the plan shows its C(msg).
      - Images count as passed where a release of that ledger has the same digests, was verified, and is not condemned.
    type: dict
  staging_required:
    description:
      - Refuse images that did not pass on the staging host.
      - A rollback to a release that was good on this very host is made all the same, and says what staging knows.
    type: bool
    default: false
  secret_keys:
    description: For O(procedure=rotate_secrets), the keys of C(.env) that get a new value.
    type: list
    elements: str
    default: []
  secret_values:
    description:
      - Their new values. The action of this module fills them in on the controller, from O(values_file), from the
        variable C(compose_secret_values), or made as O(secrets) says, so that they are never a task's argument.
    type: dict
  secret_origins:
    description: Where each value comes from, in words. The action of this module fills this in.
    type: dict
    default: {}
  values_file:
    description:
      - File on the controller with the new values, as C(KEY=value) lines or as YAML; both may be of ansible-vault.
    type: path
  secrets:
    description:
      - What is known of keys, by key. C(generate) is how a value is made (V(hex:32), V(urlsafe:48), V(base64:32) or
        V(alnum:40)), C(revoke) where the old one is revoked, C(max_age_days) when it is overdue.
    type: dict
    default: {}
  secret_max_age:
    description: Days after which a value is overdue.
    type: int
    default: 90
  role_password:
    description: With V(changed), the operator says that the database has the new password already.
    type: str
    choices: ["", changed]
    default: ""
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
  ops.runbook.compose_operation:
    phase: plan
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/shop
    procedure: rollback
    to: previous
    migrations: refuse
    service: &service
      name: shop
      project_dir: /srv/shop
      files: [docker-compose.prod.yml]
      images:
        backend: registry.example.com/acme/shop-backend
        worker: registry.example.com/acme/shop-worker
      migration_service: backend
      inside_health:
        - service: proxy
          url: http://localhost/api/v1/health
    endpoints: &endpoints
      - name: health
        url: http://localhost/api/v1/health
  register: planned

- name: Carry it out
  ops.runbook.compose_operation:
    phase: apply
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/shop
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
      description: Stable name of the refusal, such as V(tag_moved) or V(migrations_ahead).
      type: str
    text:
      description: One sentence for a person.
      type: str
    ways:
      description: Each way forward. Its key C(input) is what to give, C(effect) what that does.
      type: list
      elements: dict
    details:
      description: Lines to read before choosing, such as the good releases of the host or the SQL.
      type: list
      elements: str
plan:
  description: What will be done; V(null) when refused.
  returned: for O(phase=plan)
  type: dict
  contains:
    from:
      description: Release that runs now. Its key C(id) is made of the digests, C(images) has them by service.
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
    - The last verification. Keys are ok, reason, health, containers, inside, note, release, seconds.
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

from ansible_collections.ops.runbook.plugins.module_utils.compose.options import SERVICE
from ansible_collections.ops.runbook.plugins.module_utils.compose.procedures import COMPOSE
from ansible_collections.ops.runbook.plugins.module_utils.docker import registry_login
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import CARRY_OUT
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import gate_options

OPTIONS: dict[str, Any] = {
    **CARRY_OUT,
    **SERVICE,
    **gate_options(deadline=60, interval=0.5, successes=2),
    "procedure": {"type": "str", "choices": list(COMPOSE.procedures)},
    "to": {"type": "str", "default": ""},
    "migrations": {"type": "str", "choices": ["", "refuse", "keep", "down", "run", "skip"], "default": ""},
    "set_aside_ledger": {"type": "bool", "default": False},
    "migrate_here": {"type": "bool", "default": True},
    "database_shared": {"type": "bool", "default": False},
    "hotfix": {"type": "bool", "default": False},
    "registry_password": {"type": "str", "no_log": True},
    "registry_logins": {
        # Its passwords are secrets; the list is not.
        "no_log": False,
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": registry_login.OPTIONS,
    },
    "staging_host": {"type": "str", "default": ""},
    "staging": {"type": "dict"},
    "staging_required": {"type": "bool", "default": False},
    "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "secret_values": {"type": "dict", "no_log": True},
    "secret_origins": {"type": "dict", "default": {}, "no_log": False},
    "values_file": {"type": "path"},
    "secrets": {"type": "dict", "default": {}, "no_log": False},
    "secret_max_age": {"type": "int", "default": 90, "no_log": False},
    "role_password": {"type": "str", "choices": ["", "changed"], "default": "", "no_log": False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS, required_if=[("phase", "plan", ("procedure",))], supports_check_mode=True
    )
    procedure.run(module, COMPOSE, hidden=("staging",))


if __name__ == "__main__":
    main()
