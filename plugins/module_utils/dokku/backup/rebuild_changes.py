# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that make of a new host the one that a backup was made on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences

#: Keys in the report of a plugin beside the settings of the app.
_NOT_SET = ("computed-", "global-")
#: Settings of an app that a report shows and a command sets under the same name.
_PLAIN = {
    "checks": ("wait-to-retire",),
    "git": ("deploy-branch", "rev-env-var", "keep-git-dir"),
    "builder": ("selected", "build-dir", "skip-cleanup"),
    "network": ("attach-post-create", "attach-post-deploy", "initial-network", "tld"),
    "letsencrypt": ("email", "server", "graceperiod"),
    "scheduler": ("selected", "shell"),
    "logs": ("max-size", "vector-sink"),
    "ps": ("procfile-path", "restart-policy", "start-cmd", "dockerfile-start-cmd", "stop-timeout-seconds"),
    "proxy": ("type", "disabled"),
}
#: Reported of nginx, and not set by anybody.
_NGINX_READ = {"access-log-path", "error-log-path", "last-visited-at"}
#: Without these the app is not as it was; a failure of any other is noted, and does not stop the rebuild.
NEEDED = ("domains:", "ports:", "docker-options:", "ps:scale", "git:")


def commands(app: str, settings: Mapping[str, Any]) -> list[list[str]]:
    """The calls of dokku that bring an empty app to the settings of a backup. All of them may be made again."""
    reports: Mapping[str, Mapping[str, Any]] = settings["reports"]
    calls: list[list[str]] = []
    domains = str(reports.get("domains", {}).get("app-vhosts") or "").split()
    calls.append(["domains:set", app, *domains] if domains else ["domains:clear", app])
    ports = str(reports.get("ports", {}).get("map") or "").split()
    if ports:
        calls.append(["ports:set", app, *ports])
    scale = settings.get("scale") or {}
    if scale:
        calls.append(["ps:scale", "--skip-deploy", app, *(f"{name}={count}" for name, count in sorted(scale.items()))])
    for plugin, names in _PLAIN.items():
        for name in names:
            value = str(reports.get(plugin, {}).get(name) or "")
            if value and (plugin, name, value) != ("git", "rev-env-var", "GIT_REV"):
                calls.append([f"{plugin}:set", app, name, value])
    for name, value in sorted((reports.get("nginx") or {}).items()):
        if value and not name.startswith(_NOT_SET) and name not in _NGINX_READ:
            calls.append(["nginx:set", app, name, str(value)])
    for what, verb in (("disabled-list", "disable"), ("skipped-list", "skip")):
        listed = str(reports.get("checks", {}).get(what) or "none")
        if listed not in ("none", ""):
            calls.append([f"checks:{verb}", app, "" if listed == "_all_" else listed])
    calls += _resources(app, reports.get("resource") or {})
    calls += _options(app, reports.get("docker-options") or {}, settings.get("storage") or [])
    return [[word for word in call if word] for call in calls]


def _resources(app: str, report: Mapping[str, Any]) -> list[list[str]]:
    """Limits and reservations, by process type."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for key, value in sorted(report.items()):
        found = re.fullmatch(r"(.+)\.(limit|reserve)\.([a-z-]+)", key)
        if found and str(value):
            grouped.setdefault((found[1], found[2]), []).extend([f"--{found[3]}", str(value)])
    return [
        [f"resource:{verb}", *words, *([] if kind == "_default_" else ["--process-type", kind]), app]
        for (kind, verb), words in grouped.items()
    ]


def _options(app: str, report: Mapping[str, Any], storage: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Docker options that are neither a link to a service nor a mount; those are made by commands of their own."""
    mounts = {mount_of(entry) for entry in storage}
    calls = []
    for phase in ("build", "deploy", "run"):
        for option in report.get(f"{phase}-list") or []:
            flag, _, value = str(option).partition(" ")
            linked = flag.startswith("--link") and "dokku." in option
            if not linked and not (flag in ("-v", "--volume") and value in mounts):
                calls.append(["docker-options:add", app, phase, str(option)])
    return calls


def mount_of(entry: Mapping[str, Any]) -> str:
    """A mount as storage:mount takes it."""
    words = [str(entry.get(name) or "") for name in ("host_path", "container_path", "volume_options")]
    return ":".join(word for word in words if word)


def readdressed(config: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    """A configuration with the service's new address, and its new password wherever the old one stood by itself.

    What the app put before and behind the address stays: its own scheme, and a query.
    """
    before, after = _password(old), _password(new)
    was, now = differences.behind_scheme(old), differences.behind_scheme(new)

    def changed(value: str) -> str:
        if differences.leads_to(value, old):
            return value.replace(was, now, 1)
        return after if before and value == before else value

    return {key: changed(value) for key, value in config.items()}


def _password(address: str) -> str:
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def version_problems(
    recorded: Mapping[str, str], here: Mapping[str, str], needed: Iterable[str]
) -> tuple[list[str], list[str]]:
    """The reasons why the backup can't be rebuilt on this host, and notes for a person.

    An older Dokku or plugin may not know what a newer one wrote; a newer one is meant to. needed: plugins of services.
    """
    wrong, notes = [], []
    for name in ("dokku", *needed):
        was, now = recorded.get(name, ""), here.get(name, "")
        if not now:
            wrong.append(f"{name} is not on this host" + (f"; the backup was made with {was}" if was else ""))
        elif _number(now) < _number(was):
            wrong.append(f"{name} is {now} here; the backup was made with {was}")
        elif _number(now)[:2] != _number(was)[:2] and was:
            notes.append(f"{name} is {now} here; the backup was made with {was}")
    return wrong, notes


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in re.findall(r"\d+", version)[:3])
