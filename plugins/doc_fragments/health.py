# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health checks of a service, as every module that asks them takes them."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  endpoints:
    description: Endpoints to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name in results. Host and path of O(endpoints[].url) where it is not given.
        type: str
      url:
        description:
          - Address with C(http) or C(https). A user name or password in it is refused.
            Use O(endpoints[].headers).
          - Values of its query are not shown in results.
        type: str
        required: true
      method:
        description: HTTP method.
        type: str
        choices: [GET, HEAD, POST, PUT, OPTIONS]
        default: GET
      headers:
        description:
          - Headers to send. They replace V(Accept=application/json) and the other defaults of the same name.
          - C(Host) may be given, to ask a web server on its own address for one of its sites.
        type: dict
        default: {}
      body:
        description: What to send with V(POST) or V(PUT). A text is sent as it is, anything else as JSON.
        type: raw
      status:
        description: Statuses that are healthy.
        type: list
        elements: int
        default: [200]
      json:
        description:
          - Expected values by dotted path, such as C(checks.0.status). Numbers index lists.
          - Types count. V(true) is not V(1), and V("1") is not V(1).
        type: dict
        default: {}
      contains:
        description: A text that the body must contain.
        type: str
      release:
        description:
          - Where the answer reports its release, as a dotted JSON path or C(header:NAME).
          - It is reported always, and compared where the module knows which one to expect.
        type: str
      timeout:
        description:
          - Seconds for name lookup, connection, TLS, request and the whole answer together.
          - A server that sends a byte now and then does not extend it.
        type: float
        default: 5.0
      max_seconds:
        description: Seconds after which a complete answer is called too slow.
        type: float
      connect_to:
        description:
          - The C(host:port) to connect to instead of what the name of O(endpoints[].url) resolves to, as
            C(curl --connect-to) does.
          - C(Host) header, server name and certificate check stay those of the URL, so that each host behind
            a load balancer can be asked by itself.
        type: str
      ca_file:
        description: Certificates (PEM) to trust instead of the system's.
        type: path
      tls_min_days:
        description: Days that the certificate should have left; with fewer there is a warning. V(0) only reports them.
        type: int
        default: 0
      request_id:
        description: Places of the request id, in the order to try. Header names, or C(json:dotted.path).
        type: list
        elements: str
        default:
          - X-Request-Id
          - X-Correlation-Id
          - json:request_id
          - json:requestId
          - json:meta.request_id
          - json:error.request_id
          - json:correlation_id
          - X-Trace-Id
          - X-Amzn-Trace-Id
          - CF-Ray
"""

    GATE = r"""
options:
  deadline:
    description: Seconds after which the health gate gives up.
    type: float
  interval:
    description: Seconds between two rounds of the health gate.
    type: float
  successes:
    description: Rounds in a row that must be good.
    type: int
"""
