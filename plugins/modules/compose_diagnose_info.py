# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_diagnose_info
short_description: Find out what is wrong with a Docker Compose service
version_added: 0.1.0
description:
  - Reads containers, the log of each health check, exit codes, restarts, addresses from the host and from inside the
    containers, the last log lines of what is not well, disks, and the digests that run against those that are pinned,
    in one call. Nothing is changed.
  - The verdict names the cause first, and then what follows from it.
  - Each part is read without the others. A stack of which half is down, a broken compose file or an engine that does
    not answer is a result, not a failure.
  - Values of C(.env) are masked in every text, except words, numbers and plain addresses. Of the containers'
    environment only names are returned.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.look.service
  - ops.runbook.operation.attributes
  - ops.runbook.compose
  - ops.runbook.compose.limits
options:
  bundle:
    description:
      - File on the controller to write a bundle to, a compressed tar file, readable for its owner only. Empty writes
        none. C({host}) in it is the host's name; without it, the name is added where a play has several hosts. It holds
        the verdict, the facts, the last log lines of every container, and the configuration without any value of a
        variable.
    type: str
    default: ""
seealso:
  - module: ops.runbook.compose_operation
  - module: ops.runbook.health_check
"""

EXAMPLES = r"""
- name: Find out what is wrong
  ops.runbook.compose_diagnose_info:
    state_dir: /var/lib/ops-runbook/shop
    service:
      name: shop
      project_dir: /srv/shop
      images:
        backend: registry.example.com/acme/shop-backend
      inside_health:
        - service: proxy
          url: http://localhost/api/v1/health
    checks:
      - name: health
        url: http://localhost/api/v1/health
    bundle: /tmp/shop.tar.gz
  register: found
"""

RETURN = r"""
verdict:
  description: What is wrong.
  returned: success
  type: dict
  contains:
    level:
      description: V(ok), V(warn) or V(bad).
      type: str
    text:
      description: The cause, and what follows from it.
      type: str
      sample: 'health answers 502: backend is restarting again and again: exit code 1, 14 restarts'
    findings:
      description: Each thing that is not well, the cause first. Keys are level, subject, text, next (what to type).
      type: list
      elements: dict
facts:
  description:
    - What was seen. Keys are engine_problem, files_problem, services, once, containers, answers, health, disks, drift,
      images, busy, records (why the records of operations are not read), hotfixes, addresses (service by address),
      builds (services of another build than the release).
  returned: success
  type: dict
bundle:
  description: Where the bundle is, on the controller.
  returned: when O(bundle) is given
  type: str
seconds:
  description: How long the reading took.
  returned: success
  type: float
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import look
from ansible_collections.ops.runbook.plugins.module_utils.compose.options import LIMITS, SERVICE, Limits
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, describe
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import LOOK, described
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SERVICE,
            **LOOK,
            "bundle": {"type": "str", "default": ""},
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
        limits = described(Limits, params)
        # A part that hangs is itself an answer, and a person waits for it.
        description = replace(describe(params["service"]), command_timeout=look.COMMAND_TIMEOUT)
        found = look.look(
            ComposeService(description, params["state_dir"]),
            Guard(params["state_dir"]),
            checks,
            limits,
            bool(params["bundle"]),
            params["environment"],
        )
    except (endpoint.HealthCheckError, OSError) as error:
        module.fail_json(msg=shown(str(error)), invocation=invocation)
    module.exit_json(changed=False, invocation=invocation, **found)


if __name__ == "__main__":
    main()
