# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Ansible is set for a run of `ops-runbook`: as the ansible.cfg of a checkout sets it, which no other user has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One option of ansible.cfg. variable: the one of the environment that sets it. plugin: its type and name."""

    section: str
    key: str
    value: str
    option: str
    variable: str
    plugin: tuple[str, str] | None = None


_SSH = ("connection", "ssh")

#: The options of the checkout's ansible.cfg, but for where the inventory, the collection and the screen are.
SETTINGS = (
    Setting("defaults", "forks", "20", "DEFAULT_FORKS", "ANSIBLE_FORKS"),
    Setting("defaults", "interpreter_python", "auto_silent", "INTERPRETER_PYTHON", "ANSIBLE_PYTHON_INTERPRETER"),
    Setting(
        "defaults",
        "callback_result_format",
        "yaml",
        "result_format",
        "ANSIBLE_CALLBACK_RESULT_FORMAT",
        ("callback", "default"),
    ),
    Setting("defaults", "retry_files_enabled", "false", "RETRY_FILES_ENABLED", "ANSIBLE_RETRY_FILES_ENABLED"),
    Setting("defaults", "gathering", "explicit", "DEFAULT_GATHERING", "ANSIBLE_GATHERING"),
    Setting("ssh_connection", "pipelining", "true", "pipelining", "ANSIBLE_SSH_PIPELINING", _SSH),
    Setting(
        "ssh_connection",
        "ssh_args",
        "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=10 -o ServerAliveCountMax=6",
        "ssh_args",
        "ANSIBLE_SSH_ARGS",
        _SSH,
    ),
)


def settings() -> dict[str, str]:
    """Variables for what the person has set neither by the environment nor in an ansible.cfg of their own."""
    from ansible import constants
    from ansible.plugins.loader import callback_loader, connection_loader

    # Their options are known once they are loaded.
    connection_loader.get("ssh", class_only=True)
    callback_loader.get("default", class_only=True)
    found = {}
    for one in SETTINGS:
        kind, name = one.plugin or (None, None)
        _, origin = constants.config.get_config_value_and_origin(one.option, plugin_type=kind, plugin_name=name)
        if origin == "default":
            found[one.variable] = one.value
    return found
