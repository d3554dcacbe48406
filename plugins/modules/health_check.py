# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Ask the endpoints of a service whether it is healthy
version_added: 0.1.0
description:
  - Asks every endpoint and holds its answer against what is expected. The status, JSON fields, a text in the
    body, the release that it reports, the time it takes and the days its certificate has left can be checked.
  - Captures the request id of each answer, for the notes of an incident.
  - An unhealthy endpoint is a result with a reason, not a failure, unless O(fail_on_unhealthy=true).
  - Redirects are never followed, because a login page that answers 200 is not healthy. Proxies of the
    environment are ignored, because the answer of a proxy says nothing about the host.
  - Values of O(endpoints[].headers) and O(endpoints[].body) are taken out of every result, also where a
    server echoes them. Values of fewer than four characters are not.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
  - ops.runbook.health
options:
  deadline:
    description:
      - Seconds in which all endpoints must become healthy. They are asked together, round after round.
      - V(0) asks once. No round starts after the deadline, unless the last one was good. Then the rounds go on until
        one is bad, or O(successes) were good. The last round may exceed the deadline by its own timeout.
    type: float
    default: 0
  interval:
    description: Seconds between two rounds.
    type: float
    default: 1
  successes:
    description:
      - Rounds in a row in which every endpoint must be healthy. One bad answer starts the count again.
      - More than V(1) needs a O(deadline).
    type: int
    default: 1
  expected_release:
    description:
      - Release that endpoints with O(endpoints[].release) must report.
      - Either side may be abbreviated to no fewer than 7 characters, as git does.
    type: str
    default: ''
  fail_on_unhealthy:
    description: Whether the task fails when an endpoint is unhealthy.
    type: bool
    default: false
seealso:
  - module: ansible.builtin.uri
    description: For requests that do something with their answer.
"""

EXAMPLES = r"""
- name: Ask once
  ops.runbook.health_check:
    endpoints:
      - name: api
        url: https://api.example.com/api/v1/health
        json:
          status: ok
        tls_min_days: 14
  register: health

- name: Wait until this host alone serves the new release, three times in a row
  ops.runbook.health_check:
    endpoints:
      - name: api
        url: https://api.example.com/api/v1/health
        connect_to: 127.0.0.1:443
        release: release
    expected_release: 4f2a9c1
    deadline: 30
    interval: 0.5
    successes: 3
    fail_on_unhealthy: true

- name: Log in as the probe user
  ops.runbook.health_check:
    endpoints:
      - name: login
        url: https://api.example.com/api/v1/login
        method: POST
        body:
          email: probe@example.com
          password: "{{ vault_probe_password }}"
        max_seconds: 2
"""

RETURN = r"""
healthy:
  description: Whether every endpoint held for as many rounds as were asked for.
  returned: always
  type: bool
  sample: false
results:
  description: The last answer of each endpoint, in the order of O(endpoints).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the endpoint.
      type: str
      sample: api
    url:
      description: Its URL, without the values of a query.
      type: str
      sample: https://api.example.com/api/v1/health
    ok:
      description: Whether it is healthy.
      type: bool
      sample: false
    status:
      description: HTTP status. V(null) without an answer.
      type: int
      sample: 503
    seconds:
      description: Time from the name lookup to the last byte.
      type: float
      sample: 0.084
    request_id:
      description: Request id of the answer. Null where it has none.
      type: str
      sample: 9b1c8a52-3d0e-4c0f-a2f7-0b6c1f6f2c11
    release:
      description: Release that the answer reports. Null where it reports none.
      type: str
      sample: 4f2a9c1d
    reason:
      description: Why it is not healthy, in a sentence. Empty where it is.
      type: str
      sample: 'expected status 200, got 503: {"status": "error"}'
    tls_days:
      description: Whole days until the certificate ends. Null without TLS.
      type: int
      sample: 61
    attempts:
      description: Rounds that were asked.
      type: int
      sample: 1
    about:
      description: >-
        What the reason is about. V(release), or V(surroundings) where no release can influence it, such as a name that
        does not resolve. Empty where the endpoint is healthy.
      type: str
      sample: release
    warnings:
      description: What a person should know of an endpoint that is healthy, such as a certificate that ends soon.
      type: list
      elements: str
      sample: []
request_ids:
  description: The request ids by name of endpoint, for the notes of an incident.
  returned: always
  type: dict
  sample:
    api: 9b1c8a52-3d0e-4c0f-a2f7-0b6c1f6f2c11
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint, gate
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


def ask(params: Mapping[str, Any]) -> dict[str, Any]:
    """The result of the module."""
    checks = endpoint.parse_checks(params["endpoints"])
    endpoint.require_rounds(params["deadline"], params["interval"], params["successes"])
    results = gate.gate(
        checks,
        deadline=params["deadline"],
        interval=params["interval"],
        successes=params["successes"],
        expected_release=params["expected_release"] or None,
    )
    return {
        "healthy": gate.healthy(results),
        "results": [result.to_dict() for result in results],
        "request_ids": {result.name: result.request_id for result in results if result.request_id},
    }


def summary(results: Mapping[str, Any]) -> str:
    bad = [f"{result['name']}: {result['reason']}" for result in results["results"] if not result["ok"]]
    return "; ".join(bad)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **endpoint.gate_options(deadline=0, interval=1, successes=1),
            "expected_release": {"type": "str", "default": ""},
            "fail_on_unhealthy": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    # The results are redacted already, and the invocation is returned without the secrets.
    module.no_log_values = endpoint.worth_masking(module.no_log_values)
    invocation = {"module_args": endpoint.without_secrets(module.params)}
    try:
        answer = ask(module.params)
    except endpoint.HealthCheckError as error:
        module.fail_json(msg=shown(str(error)), code="bad_input", invocation=invocation)
    if module.params["fail_on_unhealthy"] and not answer["healthy"]:
        module.fail_json(msg=shown(f"unhealthy: {summary(answer)}"), changed=False, invocation=invocation, **answer)
    module.exit_json(changed=False, invocation=invocation, **answer)


if __name__ == "__main__":
    main()
