# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of an app of Dokku. Written by `make generate` from the role's argument specs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description:
      - An app of Dokku as the inventory describes it.
    type: dict
    required: true
    suboptions:
      app:
        description:
          - Name of the app. Its state folder, and the records of its operations, are found by it.
        type: str
        required: true
      command:
        description:
          - The C(dokku) command of the host, as a name or an absolute path.
        type: str
        default: dokku
      user:
        description:
          - >-
            User as whom C(dokku) is called. Another user calls it with C(sudo -n -u <user>), for which the host needs
            a rule, such as C(deploy ALL=(dokku\) NOPASSWD: /usr/bin/dokku).
        type: str
        default: dokku
      domains:
        description:
          - Domains that the app is to have.
        type: list
        elements: str
        default: []
      databases:
        description:
          - Services that hold data of the app.
        type: list
        elements: dict
        default: []
        suboptions:
          plugin:
            description:
              - The plugin of the service, such as V(mysql), V(redis) or V(postgres).
            type: str
            required: true
          name:
            description:
              - Name of the service.
            type: str
            required: true
      repository:
        description:
          - Git address that the host fetches the code from, without a password in it. A private one is read with
            Dokku's own key (C(dokku git:public-key)) or with C(dokku git:auth); a plan then knows a commit, and not
            the commit of a branch or tag.
        type: str
        default: ""
      deploy_branch:
        description:
          - Branch that a push deploys, Dokku's own C(deploy-branch). Empty leaves the branch that Dokku has.
        type: str
        default: ""
      hotfix_into:
        description:
          - Branches that a hotfix must be merged into, the trunk first. The result of a deploy with V(hotfix=true)
            names the merges that are due, and C(dokku_status) warns until they are done. One that the repository does
            not have needs no merge.
        type: list
        elements: str
        default: [main, staging]
      migrations_command:
        description:
          - Command in the app that lists migrations, such as C(php artisan migrate:status). Empty without one.
        type: str
        default: ""
      queue_probe:
        description:
          - Command in the app that ends with 0 where the queue can be worked on, such as C(php artisan queue:work
            --once --timeout=30), which takes one job. Empty asks nothing.
        type: str
        default: ""
      keep_releases:
        description:
          - How many images the plugin C(releases) holds, so that they can be gone back to.
        type: int
        default: 5
      disk_reserve:
        description:
          - MiB that must be free on the engine's disk before a build.
        type: int
        default: 500
      command_timeout:
        description:
          - Seconds after which a call of C(dokku) is no longer waited for. It is not stopped, since a deploy that is
            cut off half-way is worse than a slow one.
        type: float
        default: 1800
      data_disposable:
        description:
          - Whether the data of the app may be lost. Only then do destructive commands run.
        type: bool
        default: false
      settle:
        description:
          - Seconds that the processes must keep running, beyond what Dokku's own checks ask.
        type: float
        default: 0
"""

    LIMITS = r"""
options:
  certificate_warn:
    description:
      - Days that a certificate should have left.
    type: int
    default: 14
  certificate_critical:
    description:
      - Days of a certificate at which it is bad.
    type: int
    default: 7
  memory_warn:
    description:
      - Percent in use of the memory limit that is a warning.
    type: int
    default: 85
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
  log_lines:
    description:
      - Last lines of each log in which errors are counted.
    type: int
    default: 500
  log_shown:
    description:
      - Last distinct errors of each log that are shown.
    type: int
    default: 3
  log_errors_warn:
    description:
      - Number of errors in those lines that is a warning.
    type: int
    default: 1
  maintenance_days:
    description:
      - Days after which the next maintenance is late, once there was one.
    type: int
    default: 8
"""

    CALL = r"""
options:
  app:
    description:
      - Name of the app. Its state folder, and the records of its operations, are found by it.
    type: str
    required: true
  command:
    description:
      - The C(dokku) command of the host, as a name or an absolute path.
    type: str
    default: dokku
  user:
    description:
      - >-
        User as whom C(dokku) is called. Another user calls it with C(sudo -n -u <user>), for which the host needs a
        rule, such as C(deploy ALL=(dokku\) NOPASSWD: /usr/bin/dokku).
    type: str
    default: dokku
  timeout:
    description:
      - Seconds after which a call of C(dokku) is no longer waited for. It is not stopped, since a deploy that is cut
        off half-way is worse than a slow one.
    type: float
    default: 1800
"""
