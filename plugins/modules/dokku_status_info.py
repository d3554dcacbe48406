# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_status_info
short_description: Read how an app of Dokku is
version_added: 0.1.0
description:
  - Reads processes, releases and their holds, certificates, resources, log, endpoints, databases and caches, disks and
    ledger of an app and of its staging app in one call, and judges each. Nothing is changed.
  - What can't be read is a row of the screen. An app that is down, a plugin that is missing, or a host on which
    C(dokku) can't be called is a result, not a failure.
  - The values of the apps' configuration are masked in the lines of the log, except words, numbers and plain addresses;
    where they can't be read, no line is shown. Of databases only the state is asked, never the address, which has the
    password.
  - Each endpoint is asked from the host, and by the action of this module from the controller too. From there an
    endpoint is left out whose address is the host's own, such as C(localhost).
  - Staging that is not well is at most a warning.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.look.service
  - ops.runbook.operation.attributes
  - ops.runbook.dokku
  - ops.runbook.dokku.limits
options:
  staging_app:
    description: The staging app on the same host. Empty without one.
    type: str
    default: ""
  from_controller:
    description: Ask the endpoints from the controller too.
    type: bool
    default: true
seealso:
  - module: ops.runbook.dokku_operation
  - module: ops.runbook.health_check
"""

EXAMPLES = r"""
- name: Read how the app is
  ops.runbook.dokku_status_info:
    state_dir: /var/lib/ops-runbook/restant-main
    service:
      app: restant-main
      databases:
        - plugin: mysql
          name: restant-db
        - plugin: redis
          name: restant-cache
    staging_app: restant-staging
    checks:
      - name: health
        url: https://restant.example.com/health
  register: found
"""

RETURN = r"""
verdict:
  description: The worst of all rows.
  returned: success
  type: dict
  contains:
    level:
      description: V(ok), V(warn) or V(bad).
      type: str
    text:
      description: What is bad, in words, and what is worth a look.
      type: str
      sample: 'restant-main processes: web.1 is exited; 0 of 1 run; to look at: restant-main log'
    bad:
      description: Topics that are bad.
      type: list
      elements: str
    warn:
      description: Topics that are worth a look.
      type: list
      elements: str
rows:
  description: The screen, a row for each topic. Keys are topic, level, text and details.
  returned: success
  type: list
  elements: dict
facts:
  description: The figures behind the rows. V(null) where a figure could not be had.
  returned: success
  type: dict
  contains:
    apps:
      description:
        - By name, of each app role, exists, deployed, running, processes, release, previous, releases, latest_is_live,
          holds_missing, pending_rollback, certificate_days, limits, usage (bytes and cores), log, problems.
      type: dict
    services:
      description: By plugin and name, of each service status, linked, answer (milliseconds), problem.
      type: dict
    endpoints:
      description: The results of M(ops.runbook.health_check), from the C(host) and from the C(controller).
      type: dict
    disks:
      description: Percent used, bytes free and percent of inodes, by file system.
      type: list
      elements: dict
    lease:
      description: Who works on the app, or V(null).
      type: dict
    interrupted:
      description: The operation that did not end, with the ways to go on, or V(null).
      type: dict
    last_operation:
      description: The newest record of the ledger, or V(null).
      type: dict
seconds:
  description: How long the reading took on the host.
  returned: success
  type: float
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import LIMITS, SERVICE, Limits
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService, describe
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import look
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import LOOK, described
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SERVICE,
            **LOOK,
            "staging_app": {"type": "str", "default": ""},
            "from_controller": {"type": "bool", "default": True},
            **LIMITS,
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    # Values of a check are in no result (health redacts them), and to blot out every "ok" would spoil the screen.
    module.no_log_values = set()
    invocation = {"module_args": {**params, "checks": endpoint.without_secrets(params["checks"])}}
    try:
        checks = endpoint.parse_checks(params["checks"]) if params["checks"] else []
        description = describe(params["service"])
        scope = look.Scope(
            app=description.app,
            staging_app=params["staging_app"],
            services=tuple((one.plugin, one.name) for one in description.databases),
            repository=description.repository,
            hotfix_into=description.hotfix_into,
            environment=params["environment"],
        )
        limits = described(Limits, params)
        service, guard = DokkuService(description), Guard(params["state_dir"])
        found = look.status(service.dokku, scope, guard, checks, limits)
    except (endpoint.HealthCheckError, OSError) as error:
        module.fail_json(msg=shown(str(error)), invocation=invocation)
    module.exit_json(changed=False, invocation=invocation, **found)


if __name__ == "__main__":
    main()
