# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The feature apps of a host, with what a person needs to know which of them to destroy. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import service_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import text_of

_DAY, _HOUR = 86400, 3600


@dataclass(frozen=True)
class Feature:
    """One feature app. age: seconds, None where Dokku does not say. certificate_days: None without a certificate.

    services: what it is linked to, as plugin/name. shared: those of them that production's apps have too.
    """

    app: str
    age: int | None
    deployed: bool
    running: str
    domains: tuple[str, ...]
    services: tuple[str, ...]
    shared: tuple[str, ...]
    certificate_days: int | None
    old: bool

    def to_dict(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def age(seconds: int | None) -> str:
    """How long ago, for people."""
    if seconds is None:
        return "unknown"
    if seconds < 2 * _HOUR:
        return f"{max(seconds, 0) // 60} min"
    return f"{seconds // _HOUR} h" if seconds < 2 * _DAY else f"{seconds // _DAY} days"


def find(dokku: Dokku, prefix: str, production: Iterable[str], now: float, old_days: int) -> list[Feature]:
    """The feature apps, the oldest first. production: apps that are not features. Raises DokkuError."""
    known = {str(app) for app in dokku.json("apps:list")}
    relied_on = [app for app in production if app in known]
    names = sorted(app for app in known if app.startswith(prefix) and app != prefix and app not in relied_on)
    theirs = {link for app in relied_on for link in _links(dokku, app)}
    # Each is four calls of a third of a second.
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = [one for one in pool.map(lambda app: _look(dokku, app, theirs, now, old_days), names) if one]
    return sorted(found, key=lambda one: (-(one.age or 0), one.app))


def _look(dokku: Dokku, app: str, theirs: set[str], now: float, old_days: int) -> Feature | None:
    try:
        apps, ps = dokku.report(app, "apps"), dokku.report(app, "ps")
        domains, services = text_of(dokku.report(app, "domains"), "app-vhosts").split(), _links(dokku, app)
    except AppMissing:
        # Somebody has just destroyed it.
        return None
    created = text_of(apps, "created-at")
    seconds = int(now) - int(created) if created.isdigit() else None
    return Feature(
        app=app,
        age=seconds,
        deployed=text_of(ps, "deployed") == "true",
        running=text_of(ps, "running"),
        domains=tuple(domains),
        services=tuple(services),
        shared=tuple(link for link in services if link in theirs),
        certificate_days=_certificate_days(dokku, app, now),
        old=seconds is not None and seconds > old_days * _DAY,
    )


def _links(dokku: Dokku, app: str) -> list[str]:
    """Things that an app is linked to, by the addresses in its configuration; only their names are kept."""
    found = (service_of(str(value)) for value in dokku.json("config:export", app).values())
    return sorted({"/".join(link) for link in found if link})


def _certificate_days(dokku: Dokku, app: str, now: float) -> int | None:
    try:
        report = dokku.report(app, "letsencrypt")
    except DokkuError:
        return None
    expires = text_of(report, "expiration")
    if text_of(report, "active") != "true" or not expires.isdigit():
        return None
    return (int(expires) - int(now)) // _DAY
