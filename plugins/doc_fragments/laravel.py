# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of a Laravel service. Written by `make generate` from the role's argument specs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description:
      - A Laravel service as the inventory describes it.
    type: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the service. Its state folder, and the records of its operations, are found by it.
        type: str
        required: true
      path:
        description:
          - The folder of the service, an absolute path on the host. For O(service.strategy=in_place) the git checkout
            that is served; for O(service.strategy=releases) what holds C(releases), C(shared) and C(current).
        type: path
        required: true
      repository:
        description:
          - Address that the checkout's remote must have. Empty accepts any.
        type: str
        default: ""
      remote:
        description:
          - Name of the git remote.
        type: str
        default: origin
      php:
        description:
          - The PHP command line interpreter, with options where it needs any.
        type: str
        default: php
      composer:
        description:
          - The Composer command.
        type: str
        default: composer
      git:
        description:
          - The git command.
        type: str
        default: git
      systemctl:
        description:
          - The C(systemctl) that the sudo rule of the service names.
        type: str
        default: /usr/bin/systemctl
      php_fpm_unit:
        description:
          - Unit that is reloaded after a change of code, such as V(php8.3-fpm). Empty without one.
        type: str
        default: ""
      queue_unit:
        description:
          - Unit of the queue worker, such as V(vertex-queue), which is then verified. Empty if workers are not a
            unit, such as under Supervisor. C(queue:restart) is sent in any case.
        type: str
        default: ""
      units:
        description:
          - Further units that must be active, such as V(nginx).
        type: list
        elements: str
        default: []
      scheduler:
        description:
          - How C(schedule:run) is started. V(crontab) for a line in the crontab of the user who operates the service,
            the name of a C(.timer) unit, or V(none).
        type: str
        default: crontab
      keep_releases:
        description:
          - How many good releases stay within reach of a rollback that needs no network. The present and the previous
            good one are always kept.
        type: int
        default: 5
      extra_commands:
        description:
          - Commands that build a part of a release, such as the front end. They run after the caches were built, and
            for O(service.strategy=releases) before the release is marked as whole. Destructive ones are refused.
        type: list
        elements: str
        default: []
      reload_commands:
        description:
          - Commands that let a server or workers take a release up, such as C(php artisan octane:reload), C(php
            artisan horizon:terminate) or C(sudo supervisorctl restart vertex:*). They run in the folder of the
            release, after every switch to it, also on a rollback and on a way back. Destructive ones are refused.
          - C(queue:restart) is sent on every switch and needs no command here.
        type: list
        elements: str
        default: []
      command_timeout:
        description:
          - Seconds after which a command is stopped. Migrations are never stopped.
        type: float
        default: 1800
      data_disposable:
        description:
          - Whether the data of the service may be lost. Only then do destructive commands run.
        type: bool
        default: false
      strategy:
        description:
          - How a release gets to the host. V(in_place) changes the checkout that is served. V(releases) makes each
            release in a folder of its own, and switches a link to it when it is whole, so that no request is lost.
          - The procedure C(laravel_convert) takes a host from one to the other.
        type: str
        choices: [in_place, releases]
        default: in_place
      shared:
        description:
          - For O(service.strategy=releases), what all releases share, as paths in the checkout. One that ends with
            C(/) is a folder, and is made if it is missing.
        type: list
        elements: str
        default: [.env, storage]
      disk_reserve:
        description:
          - MiB that must stay free on the disk. Checked before anything is fetched or made; a rollback in place only
            warns.
        type: int
        default: 100
      realpath_root:
        description:
          - For O(service.strategy=releases), whether the web server passes the real path of the code to php-fpm
            (C($realpath_root) of nginx). Then a rollback needs no reload of php-fpm.
        type: bool
        default: false
      hotfix_into:
        description:
          - Branches that a hotfix must be merged into, the trunk first. The result of a deploy with C(hotfix=true)
            names the merges that are due, and C(laravel_status) warns until they are done. One that the remote does
            not have needs no merge.
        type: list
        elements: str
        default: [main, staging]
"""

    LIMITS = r"""
options:
  disk_warn:
    description:
      - Percent in use of a file system, or of its inodes, that is a warning.
    type: int
    default: 85
  disk_bad:
    description:
      - Percent in use of a file system, or of its inodes, that is bad.
    type: int
    default: 95
  queue_warn:
    description:
      - Number of waiting jobs that is a warning.
    type: int
    default: 100
  failed_jobs_warn:
    description:
      - Number of failed jobs that is a warning.
    type: int
    default: 1
  tls_warn:
    description:
      - Days that a certificate should have left.
    type: int
    default: 21
  log_minutes:
    description:
      - How far back errors of the application's log are counted, in minutes.
    type: int
    default: 60
  log_kib:
    description:
      - How much of the end of each log file is read, in KiB.
    type: int
    default: 256
"""
