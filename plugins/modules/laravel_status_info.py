# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: laravel_status_info
short_description: Read how a Laravel service is
version_added: 0.1.0
description:
  - Reads health endpoints, units, queue worker, scheduler, release, migrations, queue, disk, log and ledger in one
    call, and judges each. Nothing is changed.
  - A service that is not well, or an application that does not boot, is a result, not a failure.
  - Values of the settings in C(.env) whose names say that they are secret are taken out of every text. Of log
    messages only the first line is shown, without context and without the values of queries.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.look.service
  - ops.runbook.operation.attributes
  - ops.runbook.laravel
  - ops.runbook.laravel.limits
seealso:
  - module: ops.runbook.health_check
  - module: ops.runbook.operation_history_info
"""

EXAMPLES = r"""
- name: Read how the service is
  ops.runbook.laravel_status_info:
    state_dir: /var/lib/ops-runbook/vertex
    service:
      name: vertex
      path: /var/www/vertex-laravel-api
      php_fpm_unit: php8.3-fpm
      queue_unit: vertex-queue
      units: [nginx]
    checks:
      - name: health
        url: https://api.example.com/api/v1/health
        json:
          status: ok
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
      description: A line for a person.
      type: str
      sample: 'bad: nginx; to look at: log'
    bad:
      description: Topics that are bad.
      type: list
      elements: str
    warn:
      description: Topics that are worth a look.
      type: list
      elements: str
rows:
  description: The screen, a row for each topic.
  returned: success
  type: list
  elements: dict
  contains:
    topic:
      description: What the row is about.
      type: str
    level:
      description: V(ok), V(warn) or V(bad).
      type: str
    text:
      description: What was seen.
      type: str
    details:
      description: Further lines.
      type: list
      elements: str
facts:
  description:
    - The figures behind the rows. V(null) where a figure could not be had.
    - Keys are release, recorded_release, previous, laravel, php, environment, maintenance, pending_migrations,
      unknown_migrations, queue_depth, failed_jobs, units, health, disks, log, lease, interrupted, last_operation.
  returned: success
  type: dict
seconds:
  description: How long the reading took.
  returned: success
  type: float
"""

from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import LOOK, described
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import LIMITS, SERVICE, Limits
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService, describe
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status import look
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

#: Seconds for one command. A person waits for the screen, and a part that hangs is itself an answer.
COMMAND_TIMEOUT = 20.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SERVICE,
            **LOOK,
            **LIMITS,
        },
        supports_check_mode=True,
    )
    params = module.params
    # Values of a check are in no result (health redacts them), and to blot out every "ok" would spoil the screen.
    module.no_log_values = set()
    invocation = {"module_args": {**params, "checks": endpoint.without_secrets(params["checks"])}}
    try:
        checks = endpoint.parse_checks(params["checks"]) if params["checks"] else []
        description = replace(describe(params["service"]), command_timeout=COMMAND_TIMEOUT)
        limits = described(Limits, params)
        found = look.status(
            LaravelService(description, params["state_dir"]),
            Guard(params["state_dir"]),
            checks,
            limits,
            params["environment"],
        )
    except (endpoint.HealthCheckError, OSError) as error:
        module.fail_json(msg=shown(str(error)), invocation=invocation)
    module.exit_json(changed=False, invocation=invocation, **found)


if __name__ == "__main__":
    main()
