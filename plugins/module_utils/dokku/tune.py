# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The performance section of the runbook, as far as it is true: limits, nginx and variables, and one restart for them.

The plan answers the rest of the runbook: settings that are on already, those that Dokku does not have, and those that
are lost with their container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku import release as dokku_release
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import plain
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import part as dokku_state
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import steps as dokku_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import ConfigState, texts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import NginxPresent, NginxState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import texts as nginx_texts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import listed
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.ps import PsState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import DEFAULT, ResourceState
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

#: A line of `php --ri "Zend OPcache"`.
_OPCACHE = re.compile(r"^opcache\.enable => (On|Off)\b", re.M)

#: Laravel's files for its caches, and the command that makes each.
_CACHES = {"config.php": "config:cache", "routes-v7.php": "route:cache", "events.php": "event:cache"}


@dataclass(frozen=True)
class Seen:
    """Settings in the serving container. opcache: On or Off, empty if PHP did not say.

    caches: Laravel's caches that are there, None where that could not be seen.
    """

    opcache: str = ""
    caches: tuple[str, ...] | None = None


@dataclass
class _Draft:
    steps: list[Step] = field(default_factory=list)
    undo: list[Step] = field(default_factory=list)
    restart: bool = False


# -- plan ----------------------------------------------------------------------------------------


def plan(context: Context) -> DokkuPlan:
    """The settings to make, and the truth about the rest. Raises Problem."""
    service = context.service
    service.must_exist()
    draft = _Draft()
    for process, limits in limits_of(context.inputs).items():
        _plan_limits(context, process, limits, draft)
    effective = _plan_nginx(context, draft)
    _plan_config(context, draft)
    _plan_restart(context, draft)
    if draft.steps:
        nginx_check.must_be_taken(service.dokku, service.app)
    release = _release(context)
    certificate = dokku_state.text_of(service.dokku.report(service.app, "certs"), "enabled") == "true"
    seen = _seen(context)
    afterwards = []
    if any(one.id == "config" for one in draft.steps):
        afterwards.append(Step("forget", "forget the former values of its configuration"))
    return {
        "from": release,
        "to": release,
        "chosen": "what the inventory wants of limits, nginx and variables (dokku_tune_*)",
        "proven": "",
        "steps": [one.to_dict() for one in draft.steps],
        "undo": [one.to_dict() for one in draft.undo],
        "afterwards": [one.to_dict() for one in afterwards],
        "also": [
            ["is on", already(effective, certificate)],
            ["caches", about_caches(seen)],
            ["opcache", about_opcache(seen)],
        ],
        "warnings": [],
    }


def limits_of(inputs: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Limits and reservations by process, from the inputs. Pure. Raises Problem."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for side in ("limits", "reserve"):
        for key, value in (inputs.get(side) or {}).items():
            if isinstance(value, Mapping):
                # One process, by its name.
                found.setdefault(str(key), {})[side] = {_kind(one): _text(text) for one, text in value.items()}
            else:
                found.setdefault(DEFAULT, {}).setdefault(side, {})[_kind(key)] = _text(value)
    return found


def _kind(key: object) -> str:
    return str(key).replace("_", "-")


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _plan_limits(context: Context, process: str, wanted: Mapping[str, Mapping[str, str]], draft: _Draft) -> None:
    app = context.service.app
    limits, reserve = dict(wanted.get("limits", {})), dict(wanted.get("reserve", {}))
    how = {"limits": limits, "reserve": reserve, "process": process}
    state = ResourceState(app, limits, reserve, process)
    present = state.read(context.service.dokku)
    found = state.plan(present)
    if not found.changes:
        return
    name = f"limits:{process}"
    draft.steps.append(dokku_parts.step(name, "; ".join(found.lines()), "resource", how))
    back = dokku_parts.way_back("resource", how, present, found)
    if back is not None:
        draft.undo.append(dokku_parts.step(f"limits_back:{process}", "set the former limits", "resource", back, name))
    draft.restart = True


def _plan_nginx(context: Context, draft: _Draft) -> Mapping[str, str]:
    """Plans the properties; returns what will hold."""
    how = {"properties": nginx_texts(context.inputs.get("nginx") or {})}
    state = NginxState(context.service.app, how["properties"])
    present: NginxPresent = state.read(context.service.dokku)
    found = state.plan(present)
    if found.changes:
        draft.steps.append(dokku_parts.step("nginx", "; ".join(found.lines()), "nginx", how))
        back = dokku_parts.way_back("nginx", how, present, found)
        if back is not None:
            draft.undo.append(dokku_parts.step("nginx_back", "set the former nginx properties", "nginx", back, "nginx"))
    return {**present.effective, **{key: value for key, value in how["properties"].items() if value}}


def _plan_config(context: Context, draft: _Draft) -> None:
    values = texts(context.secrets.get("config") or {})
    if not values:
        return
    state = ConfigState(context.service.app, values)
    present = state.read(context.service.dokku)
    steps, undo = dokku_parts.config_steps(present, state.plan(present))
    draft.steps += steps
    draft.undo += undo
    draft.restart = draft.restart or bool(steps)


def _plan_restart(context: Context, draft: _Draft) -> None:
    """One restart for everything that containers only take when they are made. nginx needs none."""
    if not draft.restart:
        return
    app = context.service.app
    present = PsState(app, "restarted").read(context.service.dokku)
    if not present.deployed or present.running == "false":
        return
    # It must not put the image of a failed deploy live.
    PsState(app, "restarted").plan(present)
    draft.steps.append(Step("restart", f"restart {app}, so that its containers take that"))
    draft.undo.append(Step("restart_back", f"restart {app}", data={"after": "restart"}))


def _release(context: Context) -> dict[str, Any] | None:
    try:
        return dokku_release.present(health.situation(context.service, "releases", "report", "ps"))
    except DokkuError:
        return {"id": "unknown", "name": "what runs"}


def _seen(context: Context) -> Seen:
    """Looks into the container that serves; what can't be seen there is said to be so."""
    dokku, app = context.service.dokku, context.service.app
    caches: tuple[str, ...] | None = None
    try:
        php = dokku.run("enter", app, "web", "php", "--ri", "Zend OPcache", timeout=30.0, check=False)
        listing = dokku.run("enter", app, "web", "ls", "bootstrap/cache", timeout=30.0, check=False)
    except DokkuError:
        return Seen()
    if listing.rc == 0:
        caches = tuple(command for file, command in _CACHES.items() if file in plain(listing.out).split())
    found = _OPCACHE.search(plain(php.out)) if php.rc == 0 else None
    return Seen(found[1] if found else "", caches)


# -- what is true of the rest --------------------------------------------------------------------


def already(effective: Mapping[str, str], certificate: bool) -> list[str]:
    """Settings of the runbook that are on by themselves. Pure."""
    hsts = effective.get("hsts") == "true"
    age = effective.get("hsts-max-age", "")
    lines = ["gzip and HTTP/2 are in Dokku's nginx template for every app; neither is a setting"]
    if hsts and certificate:
        lines.append(f"HSTS, for {age} seconds")
    elif hsts:
        lines.append("HSTS, which is sent once the app has a certificate: dokku_letsencrypt")
    else:
        lines.append("HSTS is off: dokku_tune_nginx: {hsts: true} switches it on")
    return lines


def about_caches(seen: Seen) -> list[str]:
    """The right place of Laravel's caches. Pure."""
    if seen.caches is None:
        there = "what is cached could not be seen in the container"
    else:
        there = f"in the container that serves: {listed(seen.caches) or 'none'}"
    return [
        there,
        "`dokku run APP php artisan ...:cache` writes into a container of its own, which is then removed: no effect",
        "route:cache, view:cache and event:cache belong into the Dockerfile, or scripts.dokku.predeploy of app.json",
        "config:cache belongs to where the container starts: made earlier it keeps the values of that moment, and a",
        "changed variable is not seen by a restart",
    ]


def about_opcache(seen: Seen) -> list[str]:
    """The truth about OPcache, by PHP itself. Pure."""
    variable = "a variable such as PHP_OPCACHE_ENABLE does something only in an image that reads it"
    if not seen.opcache:
        return ["PHP did not say whether it is on", variable]
    if seen.opcache == "On":
        return ["on, as PHP in the container says; nothing is to be set"]
    return ["off, as PHP in the container says: opcache.enable=1 belongs into the php.ini of the image", variable]


# -- steps and verify ----------------------------------------------------------------------------


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The function of each step."""

    def part(one: Step) -> object:
        return dokku_parts.act(context, one)

    def restart(_one: Step) -> object:
        state = PsState(context.service.app, "restarted")
        present = state.read(context.service.dokku)
        state.apply(context.service.dokku, state.plan(present), present)
        return None

    def config(one: Step) -> object:
        return dokku_parts.write_config(context, plan, one, texts(context.secrets.get("config") or {}))

    acts: dict[str, Callable[[Step], object]] = {
        **dict.fromkeys(("limits", "limits_back", "nginx", "nginx_back"), part),
        "config": config,
        "config_back": lambda one: dokku_parts.put_config_back(context, plan, one),
        "restart": restart,
        "restart_back": restart,
        "forget": lambda _one: dokku_parts.forget_config(context, plan),
    }
    return dokku_parts.told(acts)


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """Checks that the wanted settings hold, and that a running app is healthy."""
    service = context.service
    back = direction == BACK
    side = [Step(one["id"], one["title"], data=one["data"]) for one in plan["undo" if back else "steps"]]
    problems = dokku_parts.differences(service.dokku, service.app, [] if back else side)
    problems += dokku_parts.config_problems(service.config(), side, back)
    ps = service.dokku.report(service.app, "ps")
    if ps.get("deployed") == "true" and ps.get("running") != "false":
        found = health.verify(service, context.gate)
    else:
        found = blame.answer(note=f"{service.app} does not run: it takes this when it does")
    return blame.beside(found, problems)
