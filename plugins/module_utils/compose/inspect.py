# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles of the services, by the engine's description of their containers (`docker inspect`). Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.host import clock

_SERVICE = "com.docker.compose.service"
_SELF = ("localhost", "127.0.0.1", "::1", "0.0.0.0")

Raw = Mapping[str, Any]


def service_of(raw: Raw) -> str:
    """The service of a container; empty where Compose did not make it. The list of containers has the labels above."""
    labels = (raw.get("Config") or {}).get("Labels") or raw.get("Labels") or {}
    return str(labels.get(_SERVICE) or "")


def published(containers: Sequence[Raw]) -> dict[int, str]:
    """The service that has each port of the host."""
    return {
        int(bound["HostPort"]): service_of(raw)
        for raw in containers
        for bounds in ((raw.get("NetworkSettings") or {}).get("Ports") or {}).values()
        for bound in bounds or ()
        if str(bound.get("HostPort") or "").isdigit()
    }


def addresses(containers: Sequence[Raw]) -> dict[str, str]:
    """The service of each address in the project's networks."""
    return {
        str(network["IPAddress"]): service_of(raw)
        for raw in containers
        for network in ((raw.get("NetworkSettings") or {}).get("Networks") or {}).values()
        if network and network.get("IPAddress")
    }


def other_builds(containers: Sequence[Raw], config: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, str]:
    """Services that share a repository with one of the release, are not of it, and have an image of another build.

    config: as `docker compose config` has it. named: compose_images.
    """
    ids = {service_of(raw): str(raw.get("Image") or "") for raw in containers}
    found: dict[str, str] = {}
    for name, body in (config.get("services") or {}).items():
        if name in named or name not in ids:
            continue
        with contextlib.suppress(image_reference.BadReference):
            mine = image_reference.parse(str(body.get("image") or "")).canonical
            same = [one for one, repository in named.items() if image_reference.parse(repository).canonical == mine]
            if same and ids.get(same[0]) and ids[same[0]] != ids[name]:
                found[name] = f"another build than {same[0]}, of the same repository"
    return found


def signs_since(container: Raw, broken: Sequence[Raw], now: float, window: float) -> float:
    """From when on a line of a container's log may be a sign of what is wrong now, in Unix seconds.

    What it said before it was started again may be mended, and before the containers that are broken were made it
    was said to others. broken: those containers. window: seconds back from now beyond which nothing is a sign.
    """
    started = clock.seconds(str((container.get("State") or {}).get("StartedAt") or "")) or 0.0
    made = [clock.seconds(str(one.get("Created") or "")) or 0.0 for one in broken]
    return max(now - window, started, min(made, default=0.0))


def answerer(url: str, ports: Mapping[int, str]) -> tuple[str, int]:
    """The service that answers at an address that is asked from the host, and the port. ports: see published.

    If only one service has ports of the host, it is behind any other program that has the address.
    """
    port, services = _port(url), set(ports.values())
    return ports.get(port) or (next(iter(services)) if len(services) == 1 else ""), port


def answerer_inside(url: str, asked_in: str, containers: Sequence[Raw]) -> tuple[str, int]:
    """The same of an address that is asked from inside a container of a service."""
    with contextlib.suppress(ValueError):
        host = urlsplit(url).hostname or ""
        known = {service_of(raw) for raw in containers}
        return asked_in if host in _SELF else host if host in known else "", _port(url)
    return "", 0


def _port(url: str) -> int:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return 0
