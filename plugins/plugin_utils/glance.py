# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection that Ansible holds open to a host, to look at the host while it works."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.plugins.connection.ssh import Connection
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible.utils.path import unfrackpath

from ansible_collections.ops.runbook.plugins.module_utils.console.glance import Glance


def glance_at(play: Any, host: Any, task: Any) -> Glance | None:
    """The socket that the connection plugin ssh shares, as it works it out; None for another connection."""
    known = play.get_variable_manager().get_vars(play=play, host=host, task=task)
    templar = Templar(play.get_loader(), variables=known)

    def first(*names: str) -> Any:
        return next((templar.template(known[name]) for name in names if name in known), None)

    connection_loader.get("ssh", class_only=True)
    kind = first("ansible_connection") or task.connection
    if str(kind).rpartition(".")[2] not in ("ssh", "smart"):
        return None
    folder = C.config.get_config_value("control_path_dir", plugin_type="connection", plugin_name="ssh")
    address = first("ansible_ssh_host", "ansible_host", "inventory_hostname")
    port = first("ansible_ssh_port", "ansible_port") or C.config.get_config_value("DEFAULT_REMOTE_PORT")
    user = first("ansible_ssh_user", "ansible_user") or task.remote_user or C.DEFAULT_REMOTE_USER
    socket = Connection._create_control_path(address, int(port) if port else None, user)
    return Glance(socket % {"directory": unfrackpath(folder)}, templar.template(known["operation_state_dir"]))
