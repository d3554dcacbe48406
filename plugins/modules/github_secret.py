# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_secret
short_description: Set a secret of GitHub Actions
version_added: 0.1.0
description:
  - Sets a secret of a repository, of an environment of it, or of an organisation, or removes it. The value is sealed
    for GitHub's public key before it leaves, and is in no result, difference, error or process list.
  - GitHub never shows a value, only the moment of its last writing; that moment is what is read back. O(update) says
    when a value is written.
  - It warns where an environment has a secret of the same name, because its jobs take that one instead.
author: ops.runbook contributors (@ops-runbook)
requirements:
  - PyNaCl, where the module runs
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.record
options:
  repository:
    description:
      - The repository as C(owner/name). Either this or O(organization).
    type: str
    default: ""
  environment:
    description:
      - An environment of O(repository) that has the secret.
    type: str
    default: ""
  organization:
    description:
      - An organisation that has the secret.
    type: str
    default: ""
  name:
    description:
      - Name of the secret. GitHub keeps it in capitals.
    type: str
    required: true
  value:
    description:
      - The value, at most 48 KiB. It is needed with O(state=present).
      - Take it from a vault or a file. Ansible shows the item of a loop, so give such a task C(no_log=true).
    type: str
  state:
    description: Whether the secret is there.
    type: str
    choices: [present, absent]
    default: present
  update:
    description:
      - When a secret that is there is written again. V(always) is right for a rotation, and reports a change each
        time.
      - V(missing) writes only what is not there. V(older) writes what was last written before O(older_than); with
        the moment at which the value was made, a second run changes nothing.
    type: str
    choices: [always, missing, older]
    default: always
  older_than:
    description: A moment with its zone (RFC 3339), for O(update=older).
    type: str
    default: ""
  visibility:
    description:
      - Which repositories of the organisation may use the secret. Without it a new one is V(private), and one that
        is there stays as it is.
    type: str
    choices: ["", all, private, selected]
    default: ""
  selected_repositories:
    description: Names of the repositories that may, with O(visibility=selected). Without it they stay as they are.
    type: list
    elements: str
attributes:
  idempotent:
    support: partial
    details: With O(update=always) each run writes the value, because GitHub does not show which one is there.
seealso:
  - module: ops.runbook.github_environment
"""

EXAMPLES = r"""
- name: Give the production environment the key to deploy with
  ops.runbook.github_secret:
    repository: example/shop
    environment: production
    name: DEPLOY_SSH_KEY
    value: "{{ vault_deploy_key }}"
    update: older
    older_than: "2026-11-01T00:00:00Z"
  delegate_to: localhost

- name: Let two repositories of the organisation use the password of the registry
  ops.runbook.github_secret:
    organization: example
    name: REGISTRY_PASSWORD
    value: "{{ vault_registry_password }}"
    visibility: selected
    selected_repositories: [shop, site]
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: secret
      before: set, last written 2026-08-01T08:00:00Z
      after: set, written anew
requests:
  description: The requests that changed something, or in check mode would.
  returned: success
  type: list
  elements: str
  sample: ["PUT /repos/example/shop/actions/secrets/DEPLOY_SSH_KEY"]
updated_at:
  description: When the secret was last written, in UTC by GitHub's clock; empty if it never was.
  returned: success
  type: str
  sample: "2026-11-21T08:00:00Z"
shadowed_by:
  description: Environments whose secret of the same name is taken instead; null where the token may not see it.
  returned: success
  type: list
  elements: str
code:
  description: Stable name of what was refused or failed, such as V(bad_token), V(forbidden) or
    V(environment_missing).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github import record
from ansible_collections.ops.runbook.plugins.module_utils.github.secret import Secret, SecretPresent, Wanted


def secret(params: Mapping[str, Any]) -> Secret:
    selected = params["selected_repositories"]
    return Secret(
        Wanted(
            name=params["name"],
            repository=params["repository"],
            environment=params["environment"],
            organization=params["organization"],
            value=params["value"] if params["state"] == "present" else None,
            update=params["update"],
            older_than=params["older_than"],
            visibility=params["visibility"],
            selected=None if selected is None else tuple(selected),
        )
    )


def described(present: SecretPresent) -> dict[str, Any]:
    return {
        "updated_at": present.updated,
        "shadowed_by": None if present.shadows is None else list(present.shadows),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **github_module.CALL,
            **record.RECORD,
            "repository": {"type": "str", "default": ""},
            "environment": {"type": "str", "default": ""},
            "organization": {"type": "str", "default": ""},
            "name": {"type": "str", "required": True},
            "value": {"type": "str", "no_log": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "update": {
                "type": "str",
                "choices": ["always", "missing", "older"],
                "default": "always",
            },
            "older_than": {"type": "str", "default": ""},
            "visibility": {"type": "str", "choices": ["", "all", "private", "selected"], "default": ""},
            "selected_repositories": {"type": "list", "elements": "str"},
        },
        required_if=[("state", "present", ["value"])],
        supports_check_mode=True,
    )
    run(
        module,
        lambda: github_module.settle(
            module.params, "secret", secret, module.check_mode, open_url, os.environ, described
        ),
    )


if __name__ == "__main__":
    main()
