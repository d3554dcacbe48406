# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: operation_history_info
short_description: Read the ledger of a service, and who operates it
version_added: 0.1.0
description:
  - Reads the records of a service's operations and checks that each follows from the one before it.
  - Says which release is the present one by the ledger, where a rollback to V(previous) would go, which releases
    were condemned, who holds the lease, and what can be done about an interrupted operation.
  - A damaged ledger is a result, not a failure. See RV(chain.ok).
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.operation.attributes
options:
  state_dir:
    description:
      - Folder on the host that holds the lease, the journal and the ledger of this service.
      - One of O(state_dir) and O(service) is required.
    type: path
  service:
    description: Name of the service whose state is in C(/var/lib/ops-runbook/).
    type: str
  limit:
    description:
      - How many records to return, the newest, and how many releases. V(0) returns all.
      - The present release and the previous one are returned however old they are.
    type: int
    default: 0
  releases:
    description: How many releases to return, where that is another number than O(limit). V(0) returns all.
    type: int
  verify:
    description:
      - Read all of the ledger. Otherwise it is only read to its first byte where it was changed by something else than
        an operation since it was last read as a whole, see RV(chain.verified), or where O(limit) asks for all of it.
    type: bool
    default: false
  packed:
    description:
      - Return the long lists as one text of JSON, RV(packed), instead of RV(records), RV(releases) and RV(never).
        Ansible looks at each value of a result several times, which takes minutes for tens of thousands of records.
    type: bool
    default: false
  procedure:
    description: Return records of this procedure only, such as V(rollback).
    type: str
    default: ""
  outcome:
    description: Return records with this outcome only.
    type: str
    choices: ["", succeeded, failed, reverted, refused, interrupted]
    default: ""
seealso:
  - module: ops.runbook.operation_close
"""

EXAMPLES = r"""
- name: Read the last ten operations
  ops.runbook.operation_history_info:
    service: vertex
    limit: 10
  register: history

- name: Read the failed deploys
  ops.runbook.operation_history_info:
    state_dir: /var/lib/ops-runbook/vertex
    procedure: deploy
    outcome: failed
"""

RETURN = r"""
exists:
  description: Whether there is a state folder. Without one, no operation was ever recorded here.
  returned: success
  type: bool
subject:
  description: Service of the records, by the first operation; V(null) if none names it.
  returned: success
  type: dict
  contains:
    system:
      description: Prefix of the names of its procedures.
      type: str
    place:
      description: The folder of the service, or the name of the app.
      type: str
    environment:
      description: Its environment; empty where that was never said.
      type: str
records:
  description: The records that were asked for, oldest first, as the ledger has them.
  returned: unless O(packed=true)
  type: list
  elements: dict
packed:
  description: RV(records), RV(releases) and RV(never) as one object in a text of JSON.
  returned: when O(packed=true)
  type: str
left_out:
  description: How many are not returned, for O(limit).
  returned: success
  type: dict
  contains:
    records:
      description: Records; V(null) where that is not known, since O(procedure) or O(outcome) was given.
      type: int
    releases:
      description: Releases.
      type: int
    never:
      description: Releases that were never good here.
      type: int
total:
  description: How many records the ledger has.
  returned: success
  type: int
chain:
  description: Whether the ledger is whole.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether every record follows from the one before it.
      type: bool
    problems:
      description: What is wrong, with line numbers.
      type: list
      elements: str
    verified:
      description:
        - When all of the ledger was last read, RFC 3339. The file has not been changed since but by operations, by its
          number, its length and its times. Empty where all of it was read now.
      type: str
    torn:
      description: A last line that a power cut left unfinished. It is not a problem, and the next record sets it aside.
      type: str
lease:
  description: Who may change the service now; V(null) where nobody holds it.
  returned: success
  type: dict
  contains:
    operation:
      description: Id of the operation.
      type: str
    standing:
      description:
        - V(running) where a process of it works on this host, V(waiting) between two phases, V(died) where its process
          is gone, V(expired) where it waited for too long.
      type: str
    holder:
      description: A sentence for a person.
      type: str
    expires:
      description: When the lease ends, RFC 3339.
      type: str
interrupted:
  description: An operation that has no end; V(null) without one, or while its owner may be at work.
  returned: success
  type: dict
  contains:
    operation:
      description: Id of the operation.
      type: str
    verdict:
      description: V(finished), V(resumable), V(undoable) or V(unclear).
      type: str
    ways:
      description: What O(ops.runbook.laravel_operation#module:interrupted) may be, best first.
      type: list
      elements: str
    text:
      description: A sentence for a person.
      type: str
    done:
      description: Steps that are done.
      type: list
      elements: str
    remaining:
      description: Steps that are not, in its direction.
      type: list
      elements: str
releases:
  description: The releases of this host in the order in which they were deployed.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Identity of the release, a commit for instance.
      type: str
    name:
      description: Its name, a tag for instance.
      type: str
    good:
      description: Whether a rollback may go to it.
      type: bool
    since:
      description: When the operation that brought it had ended, RFC 3339.
      type: str
    operation:
      description: The operation that brought it.
      type: str
    condemned_by:
      description: The operation that found it bad.
      type: str
    why:
      description: What that operation said, in a sentence. Empty where the release is good.
      type: str
    images:
      description: Its images by service, each with C(reference) and C(digest). Empty for a commit.
      type: dict
    current:
      description: Whether the last operation left the host at it.
      type: bool
    previous:
      description: Whether a rollback to V(previous) would go to it.
      type: bool
current:
  description: Id of the release at which the last operation left the host. V(null) where that is not known.
  returned: success
  type: str
previous:
  description: Where a rollback to V(previous) would go.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the release; V(null) without one.
      type: str
    name:
      description: Its name.
      type: str
    why_none:
      description: Why there is no such release.
      type: str
    passed_over:
      description: Why each newer release is not the previous one, a line for each, the newest first.
      type: list
      elements: str
never:
  description: Releases whose deploy did not succeed, and which were never good here, with the keys of RV(releases).
  returned: success
  type: list
  elements: dict
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard import history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

STATE = "/var/lib/ops-runbook"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path"},
            "service": {"type": "str"},
            "limit": {"type": "int", "default": 0},
            "releases": {"type": "int"},
            "verify": {"type": "bool", "default": False},
            "packed": {"type": "bool", "default": False},
            "procedure": {"type": "str", "default": ""},
            "outcome": {
                "type": "str",
                "choices": ["", "succeeded", "failed", "reverted", "refused", "interrupted"],
                "default": "",
            },
        },
        required_one_of=[("state_dir", "service")],
        mutually_exclusive=[("state_dir", "service")],
        supports_check_mode=True,
    )
    params = module.params
    for name in ("limit", "releases"):
        if (params[name] or 0) < 0:
            module.fail_json(msg=f"{name} is {params[name]}; it must be 0 (all of them) or more", code="bad_input")
    folder = params["state_dir"] or os.path.join(STATE, params["service"])
    try:
        asked = {name: params[name] for name in ("limit", "releases", "procedure", "outcome", "verify")}
        found = history.read(Guard(folder), history.Wanted(**asked))
    except history.StateUnreadable as error:
        module.fail_json(msg=shown(error.line()))
    if params["packed"]:
        lists = {name: found.pop(name) for name in ("records", "releases", "never")}
        found["packed"] = json.dumps(lists, ensure_ascii=False, separators=(",", ":"))
    module.exit_json(changed=False, state_dir=folder, **found)


if __name__ == "__main__":
    main()
