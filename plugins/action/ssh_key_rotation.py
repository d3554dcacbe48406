# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.ssh_key_rotation).

This file connects Ansible with the rotation: its modules, its vault, its variables. ssh_keys/conductor.py decides.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.urls import open_url
from ansible.parsing.vault import VaultLib, match_encrypt_secret
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import conductor, login_probe, vault
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.conductor import Conductor, Means, Task
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.vault import Keep

#: The variable that holds GitHub's token, as a rule in a file of ansible-vault; else GITHUB_TOKEN of the environment.
_TOKEN = "ssh_key_github_token"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs one phase of a rotation. A failure is a result, since the run has to reach its end."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self.phase(dict(self._task.args), task_vars or {}))
        return result

    def phase(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The result of one phase."""
        self._arguments, self._variables = arguments, variables
        name = str(arguments["phase"])
        task = Task(
            arguments=arguments,
            host=str(variables["inventory_hostname"]),
            hosts=variables["ansible_play_hosts_all"],
            variables=variables["hostvars"],
            typed=load_extra_vars(self._loader),
        )
        means = Means(
            module=self._module,
            github=self._github,
            keep=self._keep,
            try_key=lambda login, private: login_probe.patiently(lambda: login_probe.probe_key(login, private)),
            try_public=lambda login, public: login_probe.patiently(lambda: login_probe.probe_public(login, public)),
            own_key=lambda: login_probe.fingerprint_of(self._own_key_file()),
            nonce=lambda: secrets.token_hex(12),
            tell=Display().display,
        )
        try:
            return Conductor(task, means).phase(name)
        except AnsibleConnectionFailure as error:
            result = conductor.unreachable(name, str(error))
            if result is None:
                raise
            return result

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        ran: dict[str, Any] = self._execute_module(name, module_args=arguments, task_vars=self._variables)
        return ran

    def _github(self) -> GitHub:
        conductor.must_not_be_typed(_TOKEN, load_extra_vars(self._loader))
        given = self._arguments["github"]
        held = self._templar.template(self._variables.get(_TOKEN) or "")
        params = {
            "api_url": given["api_url"],
            "token": str(held or ""),
            "timeout": 30.0,
            "patience": 300.0,
            "validate_certs": bool(given["validate_certs"]),
        }
        return github_module.connect(params, open_url, os.environ)

    def _keep(self) -> Keep:
        given = self._arguments["keeping"]
        known = list(self._loader._vault.secrets or [])

        def encrypt(content: bytes) -> bytes:
            identity, secret = match_encrypt_secret(known, encrypt_vault_id=given["vault_id"] or None)
            encrypted: bytes = VaultLib(known).encrypt(content, secret, vault_id=identity)
            return encrypted

        def decrypt(content: bytes) -> bytes:
            decrypted: bytes = VaultLib(known).decrypt(content)
            return decrypted

        return vault.chosen(given, encrypt, decrypt, bool(known))

    def _own_key_file(self) -> str:
        """The file that Ansible logs in with, wherever it was named; empty where an agent or ssh itself has the key."""
        try:
            found = self._connection.get_option("private_key_file")
        except (AttributeError, KeyError):
            found = None
        return os.path.expanduser(str(found or ""))
