# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check_info
short_description: Look whether a host has what the procedures need
version_added: 0.1.0
description:
  - Says who Ansible is on the host, what its clock shows, whether the state folder can be written, which versions of
    the tools are there, and which commands sudo would allow. No such command is run.
  - C(ops-runbook doctor) asks it on every host.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.operation.attributes
options:
  state_dir:
    description: Folder with the lease, the journal and the ledger of the service. Empty asks for none.
    type: str
    default: ""
  tools:
    description: Commands that print a version, each as a list of words.
    type: list
    elements: list
    default: []
  rights:
    description:
      - Commands that sudo must allow without a password, each as a list of words.
      - With C(-u) and a user in front they are to be allowed as that user, otherwise as root.
    type: list
    elements: list
    default: []
  served:
    description: Folder of an application that another user serves, such as that of php-fpm. Empty asks for none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Look whether a Laravel service can be operated
  ops.runbook.host_check_info:
    state_dir: /var/lib/ops-runbook/vertex
    tools:
      - [git, --version]
      - [php, --version]
    rights:
      - [/usr/bin/systemctl, reload, php8.3-fpm]
      - [-u, dokku, /usr/bin/dokku]
  register: found
"""

RETURN = r"""
user:
  description: User of Ansible on the host.
  returned: success
  type: str
python:
  description: Version of the Python that the module ran under.
  returned: success
  type: str
  sample: 3.13.5
time:
  description: Seconds since 1970, by the clock of the host.
  returned: success
  type: float
state_dir:
  description: Keys are V(path), V(present) and V(usable). V(null) where none was asked for.
  returned: success
  type: dict
tools:
  description: Versions by command, without its last word; V(null) for one that does not run.
  returned: success
  type: dict
umask:
  description:
    - Keys are V(mask), the umask of this login, and V(hides), whether it hides new files from the users who can read
      those of O(served). V(null) where no such folder was asked for, or it is not there.
  returned: success
  type: dict
rights:
  description: Each command, and whether sudo would allow it.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.host.prerequisites import look


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "str", "default": ""},
            "tools": {"type": "list", "elements": "list", "default": []},
            "rights": {"type": "list", "elements": "list", "default": []},
            "served": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    module.exit_json(changed=False, **look(params["state_dir"], params["tools"], params["rights"], params["served"]))


if __name__ == "__main__":
    main()
