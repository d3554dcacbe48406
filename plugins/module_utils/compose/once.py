# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the services of a Compose project that have one thing to do, and end. Pure.

The plan, the gate and the diagnosis call a container that ended with 0 healthy only if this names its service: a
database without `restart:` that was stopped ends with 0 too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_COMPLETED = "service_completed_successfully"


def one_shots(
    services: Mapping[str, Mapping[str, Any]], pinned: Collection[str] = (), checked: Collection[str] = ()
) -> frozenset[str]:
    """The services that end in order, by what the compose files say.

    services: as `docker compose config` has them. pinned: those of compose_images, which are one-shots only where the
    files say so. checked: those whose containers have a health check, which may come from the image.
    """
    awaited: set[str] = set()
    needed: set[str] = set()
    for body in services.values():
        for name, how in dependencies(body).items():
            (awaited if how == _COMPLETED else needed).add(name)
    quiet = {
        name
        for name, body in services.items()
        if name not in needed and name not in checked and _may_end(body, name in pinned)
    }
    return frozenset((awaited & set(services)) | quiet)


def dependencies(body: Mapping[str, Any]) -> dict[str, str]:
    """Dependencies of a service: name -> condition."""
    found = body.get("depends_on") or {}
    if not isinstance(found, Mapping):
        return {str(name): "service_started" for name in found}
    return {str(name): str((how or {}).get("condition") or "service_started") for name, how in found.items()}


def from_label(label: str) -> dict[str, dict[str, str]]:
    """The same from the label that Compose gives a container, such as `db:service_healthy:false`."""
    parts = [part.split(":") for part in label.split(",") if part]
    return {part[0]: {"condition": part[1] if len(part) > 1 else "service_started"} for part in parts}


def needed_by(services: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> set[str]:
    """Everything that these services depend on, however indirectly; not they themselves."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        for name in dependencies(services.get(waiting.pop()) or {}):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found - set(names)


def _may_end(body: Mapping[str, Any], pinned: bool) -> bool:
    """True if nothing says that a service is to stay. Without `restart:` a worker looks like a job, so that a pinned
    one counts as a job only where its restart policy is written down."""
    restart = str(body.get("restart") or "")
    policy = str((((body.get("deploy") or {}).get("restart_policy")) or {}).get("condition") or "")
    if restart not in ("", "no") or policy not in ("", "none") or body.get("ports") or _has_check(body):
        return False
    return not pinned or restart == "no" or policy == "none"


def _has_check(body: Mapping[str, Any]) -> bool:
    check = body.get("healthcheck") or {}
    test = check.get("test") or []
    return bool(test) and not check.get("disable") and list(test)[:1] != ["NONE"]
