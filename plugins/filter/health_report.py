# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about health checks and a data safety check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

Hosts = Mapping[str, Any]


def _mapping(value: Any, name: str) -> Hosts:
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"{name} takes results by host name, not {type(value).__name__}")
    return value


# Ansible compiles every filter of a collection anew to find one of them: what one needs is loaded by its call.


def report(outcomes: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.console import health_report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(health_report.health_lines(_mapping(outcomes, "health_report")))


def safety_report(outcomes: Any) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.console import health_report
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(health_report.safety_lines(_mapping(outcomes, "data_safety_report")))


def problem(endpoints: Any, deadline: float = 0, interval: float = 1, successes: int = 1) -> str:
    from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint

    try:
        endpoint.parse_checks(endpoints if isinstance(endpoints, Sequence) else [endpoints])
        endpoint.require_rounds(float(deadline), float(interval), int(successes))
    except endpoint.HealthCheckError as error:
        return str(error)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"health_problem: {error}") from error
    return ""


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"health_report": report, "data_safety_report": safety_report, "health_problem": problem}
