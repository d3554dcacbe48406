# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a feature app: made with its domain, its services, its configuration and its certificate, and destroyed.

A feature app is known by its name, which begins with a prefix of the inventory. Nothing else is ever destroyed here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku, NotDeployed
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import features
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import steps as dokku_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.app import AppPresent, AppState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import ConfigPresent, ConfigState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.domains import (
    DomainsPresent,
    DomainsState,
    others,
    unique,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.link import LinkPresent, LinkState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import listed, text_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import ResourcePresent, ResourceState
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class Service:
    """A service that a feature is linked to. create: make it where it is missing, and count it as the feature's own."""

    plugin: str
    name: str
    alias: str = ""
    create: bool = False


@dataclass(frozen=True)
class Wish:
    """The operator's request.

    production: the apps that are never touched, and databases: the services that are theirs. share: services that may
    be shared all the same. services: with destroy, the feature's own services go too.
    """

    app: str
    name: str
    prefix: str
    state: str
    confirm: str
    domains: tuple[str, ...]
    production: tuple[str, ...]
    databases: tuple[str, ...]
    links: tuple[Service, ...]
    share: tuple[str, ...]
    destroy_services: bool
    limits: Mapping[str, str] = field(default_factory=dict)
    deploy_branch: str = ""
    tls: bool = True
    email: str = ""

    @property
    def words(self) -> dict[str, str]:
        """Placeholders of the inventory's texts, with their values."""
        return {"name": self.name, "app": self.app, "domain": self.domains[0] if self.domains else ""}


def wish(context: Context) -> Wish:
    """The inputs, checked as far as no host is needed for it. Raises Problem."""
    given, description = context.inputs, context.service.description
    name, prefix = str(given.get("name") or ""), str(given.get("prefix") or "")
    if not prefix:
        raise Problem(
            "no_prefix",
            "the inventory does not say what the name of a feature app begins with, so nothing tells one from another",
            [("dokku_feature_prefix: restant-feature-", "in the inventory, says it")],
        )
    if not _NAME.fullmatch(name):
        raise Problem(
            "bad_name",
            f"feature={name!r} is not a name of a feature: lower-case letters, digits and hyphens",
            [("feature=login-page", "is one")],
        )
    words = {"name": name, "app": prefix + name}
    production = tuple(app for app in (given.get("production"), given.get("staging")) if app)
    return Wish(
        app=context.service.app,
        name=name,
        prefix=prefix,
        state=str(given.get("state") or "present"),
        confirm=str(given.get("confirm") or ""),
        domains=unique(_put(text, words) for text in given.get("domains") or ()),
        production=production,
        databases=tuple(database.name for database in description.databases),
        links=tuple(
            Service(str(raw["plugin"]), _put(raw["name"], words), str(raw.get("alias") or ""), bool(raw.get("create")))
            for raw in given.get("services") or ()
        ),
        share=_names(given.get("share")),
        destroy_services=bool(given.get("destroy_services")),
        limits={str(key).replace("_", "-"): str(value) for key, value in (given.get("limits") or {}).items()},
        deploy_branch=description.deploy_branch,
        tls=bool(given.get("tls", True)),
        email=str(given.get("email") or ""),
    )


def _names(given: Any) -> tuple[str, ...]:
    """Names as a person types them, with commas between them, or as a survey has them, a list."""
    found = given.split(",") if isinstance(given, str) else given or ()
    return tuple(name for name in (str(one).strip() for one in found) if name)


def _put(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text


def must_be_a_feature(wanted: Wish, domains: tuple[str, ...] = ()) -> None:
    """Raise Problem for an app that is production's or staging's. domains: those of production. Pure."""
    shared = sorted({*wanted.domains} & {*domains})
    if wanted.app in wanted.production or wanted.app != wanted.prefix + wanted.name:
        raise Problem(
            "production_app",
            f"{wanted.app} is not a feature app: the inventory has it as an app that people rely on",
            [
                ("feature=<another name>", "is another app"),
                ("dokku_deploy to=<commit or image>", "changes this one"),
                ("dokku_rollback", "takes a change of it back"),
            ],
        )
    if shared:
        raise Problem(
            "production_domain",
            f"{listed(shared)} is a domain of {wanted.production[0] if wanted.production else 'production'}",
            [("dokku_feature_domains: ['{name}.feature.example.com']", "in the inventory, gives each feature its own")],
        )


# -- plan ----------------------------------------------------------------------------------------


def plan(context: Context) -> DokkuPlan:
    """The plan that makes the feature app, or destroys it. Raises Problem."""
    wanted = wish(context)
    must_be_a_feature(wanted, unique(context.service.description.domains))
    app = AppState(wanted.app).read(context.service.dokku)
    found = _destroy(context, wanted, app) if wanted.state == "absent" else _create(context, wanted, app)
    if found["steps"]:
        # Dokku makes an app and says that it failed, or leaves it where it was to go.
        nginx_check.must_be_taken(context.service.dokku, wanted.app)
    return found


@dataclass
class _Draft:
    """A plan while it is made."""

    steps: list[Step] = field(default_factory=list)
    undo: list[Step] = field(default_factory=list)
    afterwards: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def _create(context: Context, wanted: Wish, app: AppPresent) -> DokkuPlan:
    draft = _Draft()
    if not app.exists:
        draft.steps.append(Step("create", f"make the app {wanted.app}"))
        # With it goes everything that the steps after it do to it.
        draft.undo.append(Step("destroy", f"destroy the app {wanted.app}", data={"after": "create"}))
        if wanted.deploy_branch:
            title = f"deploy what is pushed to {wanted.deploy_branch}"
            draft.steps.append(Step("branch", title, data={"branch": wanted.deploy_branch}))
    _plan_domains(context, wanted, app, draft)
    for service in wanted.links:
        _plan_link(context, wanted, app, service, draft)
    _plan_limits(context, wanted, app, draft)
    _plan_config(context, wanted, app, draft)
    if wanted.tls and wanted.domains and (not app.exists or _certificate_due(context, wanted)):
        how = {"wanted": "enabled", "email": wanted.email}
        # If the name does not lead here yet no certificate is issued, and the rest is worth keeping.
        later = draft.afterwards if draft.steps else draft.steps
        later.append(dokku_parts.step("tls", "ask for a certificate", "letsencrypt", how))
    if any(one.id == "config_back" for one in draft.undo):
        draft.afterwards.append(Step("forget", "forget the former values of its configuration"))
    return {
        "from": _end("present" if app.exists else "absent", wanted.app),
        "to": _end("present", wanted.app),
        "chosen": f"feature={wanted.name}",
        "proven": _proof(wanted),
        "steps": [one.to_dict() for one in draft.steps],
        "undo": [one.to_dict() for one in draft.undo],
        "afterwards": [one.to_dict() for one in draft.afterwards],
        "also": [["domains", list(wanted.domains)], *([["services", draft.shown]] if draft.shown else [])],
        "warnings": draft.warnings,
        "words": wanted.words,
    }


def _plan_domains(context: Context, wanted: Wish, app: AppPresent, draft: _Draft) -> None:
    if not wanted.domains:
        return
    dokku = context.service.dokku
    # A new app has one of Dokku's making, for which a certificate would be asked too.
    how = {"domains": list(wanted.domains), "how": "present" if app.exists else "exactly"}
    state = DomainsState(wanted.app, wanted.domains, str(how["how"]))
    present = state.read(dokku) if app.exists else DomainsPresent({}, others(dokku, wanted.app))
    found = state.plan(present)
    if not found.changes:
        return
    draft.steps.append(dokku_parts.step("domains", f"give it {listed(wanted.domains)}", "domains", how))
    back = dokku_parts.way_back("domains", how, present, found) if app.exists else None
    if back is not None:
        draft.undo.insert(0, dokku_parts.step("domains_back", "give it its former domains", "domains", back, "domains"))


def _plan_link(context: Context, wanted: Wish, app: AppPresent, service: Service, draft: _Draft) -> None:
    dokku, label = context.service.dokku, f"{service.plugin}/{service.name}"
    # The owner of the data is known here, so this decides if it may be shared.
    how = {"plugin": service.plugin, "service": service.name, "alias": service.alias, "shared": True}
    state = LinkState(wanted.app, service.plugin, service.name, alias=service.alias, shared=True)
    try:
        linked = state.linked_apps(dokku)
    except Problem as error:
        if error.code != "no_service" or not service.create:
            raise
        title = f"make the {service.plugin} service {service.name}"
        draft.steps.append(Step(f"service:{label}", title, data={"plugin": service.plugin, "name": service.name}))
        data = {"plugin": service.plugin, "name": service.name, "after": f"service:{label}"}
        draft.undo.append(
            Step(f"destroy_service:{label}", f"destroy the {service.plugin} service {service.name}", data=data)
        )
        linked = []
    whose = must_be_shareable(wanted, service, [one for one in linked if one != wanted.app])
    if whose:
        draft.warnings.append(
            f"{wanted.app} and {whose} share the {service.plugin} service {service.name}: what the feature writes, "
            "migrates or clears, it does to the data of both"
        )
    if app.exists and linked:
        present = state.read(dokku)
    else:
        names = frozenset(context.service.config()) if app.exists else frozenset()
        present = LinkPresent(False, tuple(linked), (), names)
    found = state.plan(present)
    draft.shown.append(f"{service.plugin} {service.name}" + (f", shared with {whose}" if whose else ""))
    if not found.changes:
        return
    draft.steps.append(dokku_parts.step(f"link:{label}", f"link {service.plugin} service {service.name}", "link", how))
    back = dokku_parts.way_back("link", how, present, found)
    if app.exists and back is not None:
        title = f"link {service.plugin} service {service.name} as before"
        draft.undo.insert(0, dokku_parts.step(f"link_back:{label}", title, "link", back, f"link:{label}"))


def must_be_shareable(wanted: Wish, service: Service, linked: list[str]) -> str:
    """The app whose data the feature would share, empty for its own. Raises Problem if nobody has said so. Pure.

    linked: the other apps that the service is linked to.
    """
    mine = [app for app in linked if app in wanted.production]
    if service.name in wanted.databases and not mine:
        mine = [wanted.production[0] if wanted.production else "production"]
    whose = mine or linked
    if not whose or service.name in wanted.share:
        return listed(whose)
    what = (
        "migrations, seeds, tests and queue workers of the feature would work on its data"
        if mine
        else "it has data of it"
    )
    raise Problem(
        "production_service" if mine else "linked_elsewhere",
        f"the {service.plugin} service {service.name} is that of {listed(whose)}: {what}",
        [
            (f"share={service.name}", "links it all the same"),
            (
                "dokku_feature_services: [{plugin: " + service.plugin + ", name: '{app}-db', create: true}]",
                "in the inventory, gives each feature a service of its own",
            ),
        ],
    )


def _plan_limits(context: Context, wanted: Wish, app: AppPresent, draft: _Draft) -> None:
    if not wanted.limits:
        return
    state = ResourceState(wanted.app, wanted.limits)
    how = {"limits": dict(wanted.limits)}
    present = state.read(context.service.dokku) if app.exists else ResourcePresent.of_host({}, {})
    found = state.plan(present)
    if not found.changes:
        return
    texts = ", ".join(f"{key} {value}" for key, value in sorted(wanted.limits.items()))
    draft.steps.append(dokku_parts.step("limits", f"limit it to {texts}", "resource", how))
    back = dokku_parts.way_back("resource", how, present, found) if app.exists else None
    if back is not None:
        draft.undo.insert(0, dokku_parts.step("limits_back", "give it its former limits", "resource", back, "limits"))


def _plan_config(context: Context, wanted: Wish, app: AppPresent, draft: _Draft) -> None:
    values = dokku_parts.filled(context.secrets.get("config") or {}, wanted.words)
    if not values:
        return
    state = ConfigState(wanted.app, values)
    present = state.read(context.service.dokku) if app.exists else ConfigPresent({})
    steps, undo = dokku_parts.config_steps(present, state.plan(present))
    draft.steps += steps
    if app.exists:
        draft.undo[:0] = undo


def _certificate_due(context: Context, wanted: Wish) -> bool:
    state = dokku_parts.state_of(wanted.app, "letsencrypt", {"wanted": "enabled", "email": wanted.email})
    try:
        return bool(state.plan(state.read(context.service.dokku)).changes)
    except Problem:
        # An obstacle is named when it is asked for, and stops nothing else.
        return True


def _destroy(context: Context, wanted: Wish, app: AppPresent) -> DokkuPlan:
    dokku = context.service.dokku
    draft = _Draft()
    shown: list[str] = []
    if app.exists:
        AppState(wanted.app, "absent", wanted.confirm).plan(app)
        draft.steps.append(Step("destroy", f"destroy the app {wanted.app}"))
        shown += _what_is_lost(dokku, wanted.app, app)
    for service in wanted.links:
        _plan_service_end(dokku, wanted, service, draft)
    return {
        "from": _end("present" if app.exists else "absent", wanted.app),
        "to": _end("absent", wanted.app),
        "chosen": f"feature={wanted.name}, confirmed by confirm={wanted.confirm}"
        if wanted.confirm
        else f"feature={wanted.name}",
        "proven": _proof(wanted),
        "steps": [one.to_dict() for one in draft.steps],
        # Nothing brings it back: the way back is to make it anew.
        "undo": [],
        "also": [*([["loses", shown]] if shown else []), *([["keeps", draft.shown]] if draft.shown else [])],
        "warnings": draft.warnings,
    }


def _plan_service_end(dokku: Dokku, wanted: Wish, service: Service, draft: _Draft) -> None:
    try:
        linked = LinkState(wanted.app, service.plugin, service.name).linked_apps(dokku)
    except Problem:
        return
    rest = [app for app in linked if app != wanted.app]
    own = service.create and wanted.name in service.name and service.name not in wanted.databases
    if wanted.destroy_services and own and not rest:
        label = f"{service.plugin}/{service.name}"
        data = {"plugin": service.plugin, "name": service.name}
        title = f"destroy the {service.plugin} service {service.name} with its data"
        draft.steps.append(Step(f"destroy_service:{label}", title, data=data))
        return
    why = f", which {listed(rest)} uses" if rest else "; destroy_services=true destroys it too" if own else ""
    draft.shown.append(f"{service.plugin} service {service.name} with its data{why}")


def _what_is_lost(dokku: Dokku, app: str, present: AppPresent) -> list[str]:
    lines = [f"made {features.age(int(time.time()) - present.created)} ago"] if present.created else []
    domains = text_of(dokku.report(app, "domains"), "app-vhosts").split()
    lines += [f"domains {listed(domains)}"] if domains else []
    names = sorted(dokku.json("config:export", app))
    return lines + ([f"variables {listed(names)}"] if names else [])


def _proof(wanted: Wish) -> str:
    others = f", and it is not one of {listed(wanted.production)}" if wanted.production else ""
    return f"its name begins with {wanted.prefix}{others}"


def _end(what: str, app: str) -> dict[str, str]:
    return {"id": what, "name": app}


# -- steps ---------------------------------------------------------------------------------------


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The function of each step."""
    dokku, app = context.service.dokku, context.service.app

    def part(one: Step) -> object:
        return dokku_parts.act(context, one)

    def create(_step: Step) -> object:
        return _changed(desired_state.bring(dokku, AppState(app)))

    def destroy(_step: Step) -> object:
        # The name was given twice before this was planned, or this operation itself has made the app.
        present = AppState(app).read(dokku)
        if present.exists and plan["to"]["id"] == "present" and not _made_here(plan):
            way = ("interrupted=accept", "leaves the app as it is")
            raise Problem("not_ours", f"{app} was there before this operation, and is not destroyed by it", (way,))
        return _changed(desired_state.bring(_destroyer(context), AppState(app, "absent", app)))

    def branch(one: Step) -> object:
        dokku.run("git:set", app, "deploy-branch", one.data["branch"])
        return None

    def service(one: Step) -> object:
        if not _service_exists(dokku, one):
            dokku.run(f"{one.data['plugin']}:create", one.data["name"])
        return None

    def destroy_service(one: Step) -> object:
        if _service_exists(dokku, one):
            _destroyer(context).run(f"{one.data['plugin']}:destroy", one.data["name"], "--force")
        return None

    def config(one: Step) -> object:
        values = dokku_parts.filled(context.secrets.get("config") or {}, plan["words"])
        return dokku_parts.write_config(context, plan, one, values)

    acts: dict[str, Callable[[Step], object]] = {
        "create": create,
        "destroy": destroy,
        "branch": branch,
        "service": service,
        "destroy_service": destroy_service,
        "config": config,
        "config_back": lambda one: dokku_parts.put_config_back(context, plan, one),
        "forget": lambda _one: dokku_parts.forget_config(context, plan),
        **dict.fromkeys(("domains", "domains_back", "link", "link_back", "limits", "limits_back", "tls"), part),
    }
    return dokku_parts.told(acts)


def _made_here(plan: DokkuPlan) -> bool:
    return any(one["id"] == "create" for one in plan["steps"])


def _changed(brought: desired_state.Brought[Any, Any]) -> object:
    return {"changed": brought.plan.lines()} if brought.changed else None


def _destroyer(context: Context) -> Dokku:
    """Calls that may destroy; every other client refuses to."""
    one = context.service.dokku
    return Dokku(one.command, one.user, one.inherited, one.redact, one.timeout, disposable=True)


def _service_exists(dokku: Dokku, one: Step) -> bool:
    return dokku.run(f"{one.data['plugin']}:exists", one.data["name"], check=False).rc == 0


# -- verify --------------------------------------------------------------------------------------


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """Checks that the app, its parts and its services are as wanted."""
    dokku, app = context.service.dokku, context.service.app
    back = direction == BACK
    there = AppState(app).read(dokku).exists
    expected = plan["from" if back else "to"]["id"] == "present"
    problems: list[str] = []
    note = ""
    if there != expected:
        problems.append(f"{app} {'exists' if there else 'does not exist'}")
    elif there:
        side = [Step(one["id"], one["title"], data=one["data"]) for one in plan["undo" if back else "steps"]]
        problems += dokku_parts.differences(dokku, app, side)
        problems += dokku_parts.config_problems(context.service.config(), side, back)
        note = "" if back or _deployed(dokku, app) else _next(app)
    return blame.answer("; ".join(problems), blame.RELEASE, note=note)


def _deployed(dokku: Dokku, app: str) -> bool:
    try:
        return text_of(dokku.report(app, "ps"), "deployed") == "true"
    except (AppMissing, NotDeployed):
        return False


def _next(app: str) -> str:
    return f"nothing is deployed to {app} yet: git push dokku@<host>:{app} <branch>:main"
