# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_key_rotation
short_description: The controller's side of a key's rotation
version_added: 0.1.0
description:
  - Makes a key pair in memory, keeps it encrypted, proves logins with it, puts the secret of GitHub Actions, runs the
    workflow that proves it, and proves that the old key is out. What is done on a host, it has done there by
    M(ops.runbook.ssh_key_operation), which journals each step before it is taken.
  - The private key is in the memory of one task at a time. Between two it is encrypted where it was kept. It is never a
    variable, fact, result or argument, and in no file in clear.
  - A failure is a result with V(ok) false, since a rotation has to end on every host.
author: ops.runbook contributors (@ops-runbook)
requirements:
  - PyNaCl on the controller
extends_documentation_fragment:
  - ops.runbook.operation
  - ops.runbook.operation.open
  - ops.runbook.ssh_key
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: partial
    details: O(phase=survey) and O(phase=plan) only.
  diff_mode:
    description: Shows what would change.
    support: none
options:
  phase:
    description:
      - V(survey) asks GitHub which key CI has, and whether all is there. V(plan) opens and plans on the host. V(make)
        makes the pair and keeps it. V(let_in) lets it in and logs in with it. V(announce) journals that the secret is
        about to be put; V(put) puts it; V(prove) runs the workflow. V(remove) takes the old key out on one host and
        proves it. V(finish) closes.
    type: str
    choices: [survey, plan, make, let_in, announce, put, prove, remove, finish]
    required: true
  github:
    description:
      - The secret and the workflow. Keys are repository, environment, secret, workflow, ref, nonce_input, timeout,
        interval, api_url and validate_certs. The token is taken from the variable C(ssh_key_github_token) or the
        environment.
    type: dict
    required: true
  keeping:
    description:
      - Where the private key is kept. Keys are kind, folder, vault_id, age_recipients, age_identity, command and
        read_command.
    type: dict
    required: true
  login:
    description: Where to log in. Keys are host, port, known_hosts and host_key_alias.
    type: dict
  hosts:
    description: All hosts that the secret opens.
    type: list
    elements: str
    default: []
  host:
    description: With O(phase=remove), the host.
    type: str
    default: ""
seealso:
  - module: ops.runbook.ssh_key_operation
"""

EXAMPLES = r"""
- name: Ask GitHub which key CI has, and whether all is there
  ops.runbook.ssh_key_rotation:
    phase: survey
    operation: 20261121T031502Z-4f2a9c
    state_dir: /var/lib/ops-runbook/ssh_key
    github:
      repository: example/shop
      environment: ""
      secret: PROD_SSH_KEY
      workflow: deploy.yml
      ref: main
      nonce_input: nonce
      timeout: 1800
      interval: 10
      api_url: https://api.github.com
      validate_certs: true
    keeping:
      kind: vault
      folder: /srv/inventory/ssh_keys
      vault_id: ""
  register: survey
"""

RETURN = r"""
ok:
  description: Whether it was done.
  returned: for all but O(phase=survey), O(phase=plan) and O(phase=finish)
  type: bool
error:
  description: Why not; empty where it was, and where it was not its turn.
  returned: with RV(ok)
  type: str
refusal:
  description: Why the rotation can't be done; V(null) where it can.
  returned: for O(phase=survey) and O(phase=plan)
  type: dict
used:
  description: Fingerprint of the key that a run of the workflow said it had.
  returned: for O(phase=survey)
  type: str
fingerprint:
  description: Fingerprint of the new key.
  returned: for O(phase=make)
  type: str
kept:
  description: Where its private half is kept.
  returned: for O(phase=make)
  type: str
"""
