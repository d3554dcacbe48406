# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_release_info
short_description: Read the releases of an app of Dokku, and whether what is live is well
version_added: 0.1.0
description:
  - Reads what the plugin C(releases) has recorded, what is live, which release a rollback would go to, what differs
    from the live release, and whether its processes run and its endpoints answer. Changes nothing.
  - Of the configuration only names are returned, never a value.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.operation.attributes
  - ops.runbook.dokku
  - ops.runbook.health
seealso:
  - module: ops.runbook.dokku_operation
"""

EXAMPLES = r"""
- name: What is live, and what can be gone back to
  ops.runbook.dokku_release_info:
    service:
      app: restant-main
    endpoints:
      - name: health
        url: https://restant.example.com/health
  register: found
"""

RETURN = r"""
releases:
  description: The recorded releases, the newest first.
  returned: always
  type: list
  elements: dict
  contains:
    number:
      description: Number of the release, as C(dokku releases) shows it.
      type: int
    state:
      description: V(live), V(held), V(pinned), V(unheld) (its image may go at any time) or V(gone).
      type: str
    code:
      description: The image that was deployed, or else the commit.
      type: str
    recorded_at:
      description: When it went live, RFC 3339.
      type: str
    by:
      description: Who made it go live.
      type: str
    source:
      description: What made it go live, such as V(git-hook), V(git:from-image) or V(rollback).
      type: str
    rollback_to:
      description: The release whose code a rollback brought back; V(null) for others.
      type: int
    left:
      description: Whether a rollback went away from it.
      type: bool
live:
  description: What is live, with C(id) (image or commit), C(name), C(number), C(revision) and C(image).
  returned: always
  type: dict
previous:
  description: Number of the release that C(previous) means now; V(null) without one.
  returned: always
  type: int
latest_is_live:
  description: Whether a mere restart would run the same code. After a deploy that failed it would not.
  returned: always
  type: bool
config_drift:
  description: Names of variables that have another value than when the live release went live.
  returned: always
  type: list
  elements: str
drift:
  description: What else differs from the live release, such as scale or domains.
  returned: always
  type: list
  elements: str
pending_rollback:
  description: The release to which a rollback was begun that did not end; empty without one.
  returned: always
  type: str
healthy:
  description: Whether the processes run and every endpoint answers.
  returned: always
  type: bool
problems:
  description: Why not.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.dokku import health as dokku_health
from ansible_collections.ops.runbook.plugins.module_utils.dokku import release
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import SERVICE
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService, describe
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint, gate
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import said

OPTIONS: dict[str, Any] = {
    **SERVICE,
    "endpoints": {"type": "list", "elements": "dict", "required": True, "options": endpoint.ENDPOINT_OPTIONS},
}


def read(service: DokkuService, checks: list[endpoint.Check]) -> dict[str, Any]:
    """Releases as the plugin and Dokku report them, and the answers of the endpoints."""
    found = dokku_health.situation(service, "releases", "report", "ps")
    problems = release.process_problems(found.ps)
    problems += [f"{result.name}: {result.reason}" for result in map(gate.probe, checks) if not result.ok]
    previous = str(found.report.get("previous") or "")
    return {
        "releases": [
            {
                "number": one.number,
                "state": one.state,
                "code": release.code_of(one, found.releases),
                "recorded_at": one.recorded_at,
                "by": one.by,
                "source": one.source,
                "rollback_to": one.rollback_to,
                "left": one.left,
            }
            for one in found.releases
        ],
        "live": release.present(found),
        "previous": int(previous) if previous.isdigit() else None,
        "latest_is_live": found.restart_is_safe,
        "config_drift": list(found.config_drift),
        "drift": str(found.report.get("drift") or "").split(),
        "pending_rollback": found.pending_rollback,
        "healthy": not problems,
        "problems": problems,
    }


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    service = DokkuService(describe(module.params["service"]))
    try:
        checks = endpoint.parse_checks(module.params["endpoints"]) if module.params["endpoints"] else []
        result = read(service, list(checks))
    except DokkuError as error:
        module.fail_json(msg=said(service.refusal(error)))
    except endpoint.HealthCheckError as error:
        module.fail_json(msg=said(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
