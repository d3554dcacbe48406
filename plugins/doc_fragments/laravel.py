# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of a Laravel service, as the modules take it from the role."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description:
      - The service as the inventory describes it.
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      path:
        description: The folder of the service. For O(service.strategy=in_place) the git checkout that is served.
        type: path
        required: true
      repository:
        description: Address that the checkout's remote must have. Empty accepts any.
        type: str
        default: ""
      remote:
        description: Name of the git remote.
        type: str
        default: origin
      php:
        description: The PHP command line interpreter.
        type: str
        default: php
      composer:
        description: The Composer command.
        type: str
        default: composer
      git:
        description: The git command.
        type: str
        default: git
      systemctl:
        description: The C(systemctl) that the sudo rule names.
        type: str
        default: /usr/bin/systemctl
      php_fpm_unit:
        description: Unit that is reloaded after a change of code. Empty where there is none.
        type: str
        default: ""
      queue_unit:
        description: Unit of the queue worker. Empty where there is none.
        type: str
        default: ""
      units:
        description: Further units that must be active, such as the web server.
        type: list
        elements: str
        default: []
      scheduler:
        description: V(crontab) for a line with C(schedule:run), a C(.timer) unit, or V(none).
        type: str
        default: crontab
      keep_releases:
        description: How many good releases stay within reach of a rollback.
        type: int
        default: 5
      extra_commands:
        description: Commands that build a part of a release, after the caches. Destructive ones are refused.
        type: list
        elements: str
        default: []
      reload_commands:
        description: Commands after every switch, that let a server or workers take the release up.
        type: list
        elements: str
        default: []
      command_timeout:
        description: Seconds after which a command is stopped. Migrations are never stopped.
        type: float
        default: 1800
      data_disposable:
        description: Whether the data may be lost. Only then do destructive commands run.
        type: bool
        default: false
      strategy:
        description:
          - V(in_place) changes the checkout that is served. V(releases) makes each release in a folder of its own,
            and a link is switched to it when it is whole.
        type: str
        choices: [in_place, releases]
        default: in_place
      shared:
        description: For O(service.strategy=releases), what all releases share. A path that ends with C(/) is a folder.
        type: list
        elements: str
        default: [.env, storage]
      disk_reserve:
        description: MiB that must stay free on the disk. Checked before anything is made.
        type: int
        default: 100
      realpath_root:
        description:
          - Whether the web server passes the real path of the code to php-fpm. Then a switch between two whole
            releases needs no reload, unless the site still reports the other one.
        type: bool
        default: false
      hotfix_into:
        description:
          - Branches that a hotfix must be merged into, the trunk first. One that the remote does not have needs no
            merge.
        type: list
        elements: str
        default: [main, staging]
"""
