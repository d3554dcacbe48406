# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoints of an app, as the controller sees them, beside what was read on the host."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import judge
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import Check, parse_checks, split_host_port
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Row

_NO = (False, "false", "False", "no", "off", "0", 0)


def checks(raws: Sequence[Mapping[str, Any]], wanted: object) -> list[Check]:
    """The checks that mean the same from another machine: an address of the host itself would be the controller's."""
    parsed = parse_checks(raws) if raws and wanted not in _NO else []
    return [check for check in parsed if not is_own_address(check)]


def is_own_address(check: Check) -> bool:
    """True if a check asks whatever machine it is made on."""
    place = split_host_port(check.connect_to)[0] if check.connect_to else urlsplit(check.url).hostname or ""
    if place == "localhost" or place.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(place.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def joined(found: Mapping[str, Any], seen: Sequence[gate.Result], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The module's result, with the rows of the controller below those of the host, and the verdict on both."""
    result = dict(found)
    if "rows" not in found or not seen:
        return result
    defaults = Limits()
    limits = Limits(
        certificate_warn=int(arguments.get("certificate_warn", defaults.certificate_warn)),
        certificate_critical=int(arguments.get("certificate_critical", defaults.certificate_critical)),
    )
    rows = [Row(row["topic"], row["level"], row["text"], tuple(row["details"])) for row in found["rows"]]
    last = max((at for at, row in enumerate(rows) if row.topic.startswith("endpoint")), default=len(rows) - 1)
    rows[last + 1 : last + 1] = judge.outside_rows(seen, limits)
    result["rows"] = [{**asdict(row), "details": list(row.details)} for row in rows]
    result["verdict"] = judge.verdict(rows)
    endpoints = {**found["facts"]["endpoints"], "controller": [one.to_dict() for one in seen]}
    result["facts"] = {**found["facts"], "endpoints": endpoints}
    return result
