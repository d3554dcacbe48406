# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_backup_status
short_description: Read whether the backups of a PostgreSQL cluster can be restored
version_added: 0.1.0
description:
  - Reads the status of a stanza of pgBackRest, the names of the WAL files in its archive, the answers of the server
    about its archiver, the disks, and the operations on the cluster, in one call, and judges each. Nothing is changed
    but the file of the metrics and, with O(verify=true), the record of that reading in the state folder.
  - A repository that can't be read, or a server that is down, is a result, not a failure. What is not known is never
    V(ok).
  - Every call of pgBackRest has a deadline, because it waits for minutes where object storage does not answer.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.postgres
  - ops.runbook.postgres.limits
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
    details: In check mode no metrics are written, and no reading is recorded.
  diff_mode:
    description: Shows what would change.
    support: none
    details: The file of the metrics is not shown.
  idempotent:
    description: When run twice with the same arguments, the second run changes nothing.
    support: partial
    details: The file of the metrics has the time of the look.
options:
  state_dir:
    description: Folder on the host with lease, journal and ledger of the cluster.
    type: path
    required: true
  environment:
    description: Environment of the cluster, as the ledger names it.
    type: str
    default: ""
  verify:
    description:
      - Read every file of the repository, and compare it with its checksum. This may take hours. The result is kept
        in the state folder, and later looks show it.
    type: bool
    default: false
  metrics_file:
    description: File for the textfile collector of node_exporter, which must end in C(.prom). Empty writes none.
    type: path
    default: ""
  periods:
    description: Days between two runs, as the calendar has them. A run without its days is not asked for.
    type: dict
    default: {}
    suboptions:
      backup:
        description: Of a backup by M(ops.runbook.postgres_operation).
        type: int
      verify:
        description: Of this module with O(verify=true).
        type: int
seealso:
  - module: ops.runbook.host_check_info
"""

EXAMPLES = r"""
- name: Read how the backups are
  ops.runbook.postgres_backup_status:
    state_dir: /var/lib/ops-runbook/shop
    service:
      name: shop
      stanza: shop
    max_age: 26
    metrics_file: /var/lib/prometheus/node-exporter/postgres_shop.prom
  register: found
"""

RETURN = r"""
verdict:
  description: The worst of all rows.
  returned: success
  type: dict
  contains:
    level:
      description: V(ok), V(warn) or V(bad).
      type: str
    text:
      description: A line for a person.
      type: str
      sample: 'bad: archive, window'
    bad:
      description: Topics that are bad.
      type: list
      elements: str
    warn:
      description: Topics that are worth a look.
      type: list
      elements: str
rows:
  description: The screen, a row for each topic. Keys are topic, level, text and details.
  returned: success
  type: list
  elements: dict
facts:
  description:
    - The figures behind the rows. V(null) where a figure could not be had.
    - Keys are stanza, status, system, backups, window, gaps, newest_wal, timeline, archiver, waiting, wal_bytes,
      verified.
  returned: success
  type: dict
seconds:
  description: How long the reading took on the host.
  returned: success
  type: float
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import described
from ansible_collections.ops.runbook.plugins.module_utils.postgres import backups
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import LIMITS, SERVICE, Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster, describe
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

PERIODS: dict[str, Any] = {"backup": {"type": "int"}, "verify": {"type": "int"}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SERVICE,
            "state_dir": {"type": "path", "required": True},
            "environment": {"type": "str", "default": ""},
            "verify": {"type": "bool", "default": False},
            "metrics_file": {"type": "path", "default": ""},
            "periods": {"type": "dict", "default": {}, "options": PERIODS},
            **LIMITS,
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    try:
        cluster = Cluster(describe(params["service"]))
    except Problem as problem:
        # A connection that is refused for its password is shown nowhere.
        service = {name: value for name, value in params["service"].items() if name != "connection"}
        module.fail_json(msg=shown(problem.line()), invocation={"module_args": {**params, "service": service}})
    metrics_file = "" if module.check_mode else params["metrics_file"]
    found = backups.status(
        cluster,
        Guard(params["state_dir"]),
        described(Limits, params),
        params["verify"],
        metrics_file=metrics_file,
        environment=params["environment"],
        periods={name: days for name, days in params["periods"].items() if days},
        keep=not module.check_mode,
    )
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
