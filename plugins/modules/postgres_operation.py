# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_operation
short_description: Plan an operation on a PostgreSQL cluster, and carry it out
version_added: 0.1.0
description:
  - With O(phase=plan) takes the lease of the cluster, starts the journal, reads repository and server, and decides. A
    plan that must not go on is refused, with each way forward as the input to give.
  - With O(phase=apply) makes the backup, proves it by the repository, and closes the operation. A backup of pgBackRest
    that a run before it began is awaited, and not begun again.
  - A restore drill restores a backup beside the cluster, asks the restored one, and destroys it.
notes:
  - pgBackRest is called as the user who owns the cluster. Whoever else runs this module needs the rules of sudo of
    C(docs/reference/sudo.md).
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.operation.carry_out
  - ops.runbook.operation.attributes
  - ops.runbook.postgres
attributes:
  diff_mode:
    description: Shows what would change.
    support: none
    details: Neither a backup nor a drill changes a file that had another content before.
options:
  procedure:
    description: What is planned, as the ledger names it. Needed for O(phase=plan).
    type: str
    choices: [backup, restore_drill]
  type:
    description: Type of the backup by pgBackRest. A dump is always full.
    type: str
    choices: [full, diff, incr]
    default: full
  backup_public_key:
    description: Public RSA key (PEM) that dumps are encrypted to. Empty leaves them readable to who reads the folder.
    type: str
    default: ""
  backup_keep:
    description: How many dumps stay. The newest one always stays.
    type: dict
    default: {}
    suboptions:
      last:
        description: The newest ones. 7 where it is not given.
        type: int
      daily:
        description: Days with a dump, of each of which the newest stays. 7 where it is not given.
        type: int
      weekly:
        description: Weeks with a dump, of each of which the newest stays. 4 where it is not given.
        type: int
      monthly:
        description: Months with a dump, of each of which the newest stays. 6 where it is not given.
        type: int
  backup_reserve:
    description: MiB that must stay free on the disk of the dumps.
    type: int
    default: 500
  backup:
    description: Label of the backup that a drill restores, or V(latest).
    type: str
    default: latest
  to_time:
    description: Time with its zone up to which a drill replays the archive. Empty is its end.
    type: str
    default: ""
  keep_restored:
    description: Leave the restored cluster of a drill where it is.
    type: bool
    default: false
  heartbeat:
    description: Column into which production writes the time again and again.
    type: dict
    suboptions:
      database:
        description: Database that has the table.
        type: str
        required: true
      table:
        description: The table.
        type: str
        required: true
      column:
        description: Its column with the time, which has a zone.
        type: str
        required: true
      seconds:
        description: Seconds between two rows.
        type: int
        default: 60
  rto_goal:
    description: Seconds after which a restored cluster has to be ready. 0 sets no goal.
    type: int
    default: 0
  rpo_goal:
    description: Seconds of data that may be lost. 0 sets no goal.
    type: int
    default: 0
  disk_reserve:
    description: GiB that stay free on the disk of the drill folder.
    type: int
    default: 2
  wal_size:
    description: MiB of a WAL file of the cluster.
    type: int
    default: 16
seealso:
  - module: ops.runbook.operation_close
  - module: ops.runbook.postgres_backup_status
"""

EXAMPLES = r"""
- name: Plan a full backup
  ops.runbook.postgres_operation:
    phase: plan
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/shop
    procedure: backup
    type: full
    service: &service
      name: shop
      stanza: shop
  register: planned

- name: Make it
  ops.runbook.postgres_operation:
    phase: apply
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/shop
    service: *service
    close: true
  when: planned.refusal is none
"""

RETURN = r"""
plan:
  description: The plan, with the keys of that of M(ops.runbook.compose_operation).
  returned: for O(phase=plan)
  type: dict
refusal:
  description: Why the operation is refused, as that of M(ops.runbook.compose_operation); V(null) if it is not.
  returned: for O(phase=plan)
  type: dict
healthy:
  description: Whether the backup was made and proven, or every rung of the drill was good.
  returned: for O(phase=apply)
  type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import CARRY_OUT
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import SERVICE
from ansible_collections.ops.runbook.plugins.module_utils.postgres.procedures import POSTGRES

OPTIONS: dict[str, Any] = {
    **CARRY_OUT,
    **SERVICE,
    "procedure": {"type": "str", "choices": list(POSTGRES.procedures)},
    "type": {"type": "str", "choices": ["full", "diff", "incr"], "default": "full"},
    "backup_public_key": {"type": "str", "default": ""},
    "backup_keep": {
        "type": "dict",
        "default": {},
        "options": {name: {"type": "int"} for name in ("last", "daily", "weekly", "monthly")},
    },
    "backup_reserve": {"type": "int", "default": 500},
    "backup": {"type": "str", "default": "latest"},
    "to_time": {"type": "str", "default": ""},
    "keep_restored": {"type": "bool", "default": False},
    "heartbeat": {
        "type": "dict",
        "options": {
            **{name: {"type": "str", "required": True} for name in ("database", "table", "column")},
            "seconds": {"type": "int", "default": 60},
        },
    },
    "rto_goal": {"type": "int", "default": 0},
    "rpo_goal": {"type": "int", "default": 0},
    "disk_reserve": {"type": "int", "default": 2},
    "wal_size": {"type": "int", "default": 16},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS, required_if=[("phase", "plan", ("procedure",))], supports_check_mode=True
    )
    procedure.run(module, POSTGRES)


if __name__ == "__main__":
    main()
