# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at the apps of a Dokku host. Nothing is changed, and each part is read without the others.

Half of the host may be down: what can't be read is itself an answer.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from ansible_collections.ops.runbook.plugins.module_utils.docker import container_usage
from ansible_collections.ops.runbook.plugins.module_utils.dokku import hotfix, nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import (
    AppMissing,
    CannotCall,
    Dokku,
    DokkuError,
    NotACommand,
    NotDeployed,
    StillRuns,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import judge
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import reading as dokku_reading
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status.reading import (
    App,
    Certificate,
    Reading,
    Service,
    Usage,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health import rows as status_rows
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import Check
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact
from ansible_collections.ops.runbook.plugins.module_utils.text import log_errors
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

#: Seconds for one call. A person waits for the screen, and a part that hangs is itself an answer.
CALL_TIMEOUT = 30.0

#: How many calls at a time: each is a shell with many children.
_AT_ONCE = 4

#: Commands that ask a service if it answers. They are given over stdin.
_QUESTIONS = {"mysql": "SELECT 1;\n", "mariadb": "SELECT 1;\n", "postgres": "SELECT 1;\n", "redis": "PING\n"}

_CONTAINER = re.compile(r"\(CID: ([0-9a-f]{8,64})\)")

#: Paths of the host that a deploy fills.
_FOLDERS = ("/home/dokku", "/var/lib/dokku", "/var/lib/docker")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Scope:
    """The app, services and repository to look at. services: plugin and name of each database and cache.

    repository: where the code is from. hotfix_into: the branches that a hotfix must be merged into. environment: of the
    app, as the ledger names it; the records of another one are not its own.
    """

    app: str
    staging_app: str = ""
    services: tuple[tuple[str, str], ...] = ()
    repository: str = ""
    hotfix_into: tuple[str, ...] = ()
    environment: str = ""


def status(dokku: Dokku, scope: Scope, guard: Guard, checks: Sequence[Check], limits: Limits) -> dict[str, Any]:
    """The whole screen as data: verdict, rows, facts, seconds. A broken host gives a screen too."""
    started = time.monotonic()
    reading = read(dokku, scope, guard, checks, limits)
    rows = judge.judge(reading, limits)
    return {
        "verdict": judge.verdict(rows),
        "rows": [row.document() for row in rows],
        "facts": judge.facts(reading),
        "seconds": round(time.monotonic() - started, 3),
    }


def read(dokku: Dokku, scope: Scope, guard: Guard, checks: Sequence[Check], limits: Limits) -> Reading:
    """Read the host; apps, services and endpoints are asked at the same time."""
    history: Mapping[str, Any] = {}
    history_problem = problem = way = ""
    try:
        history = operation_history.of(guard, Subject("dokku", scope.app, scope.environment))
    except operation_history.StateUnreadable as error:
        history_problem = error.line()
    names = [(scope.app, dokku_reading.PRODUCTION)]
    names += [(scope.staging_app, dokku_reading.STAGING)] if scope.staging_app else []
    try:
        # One call first: where dokku can't be called at all, that is said once, and not of each part.
        dokku.run("version", timeout=CALL_TIMEOUT)
    except CannotCall as error:
        problem, way = str(error), f"{error.way[0]}   {error.way[1]}"
    except DokkuError as error:
        problem = str(error)
    with ThreadPoolExecutor(max_workers=_AT_ONCE + 2) as pool:
        nginx = None if problem else pool.submit(nginx_check.ask, dokku)
        hotfixes = pool.submit(hotfix.standings, scope.repository, scope.hotfix_into, history)
        asked = [pool.submit(gate.probe, check) for check in checks]
        services = [] if problem else [pool.submit(read_service, dokku, scope.app, *one) for one in scope.services]
        apps = [] if problem else [pool.submit(read_app, dokku, name, role, limits) for name, role in names]
        return Reading(
            apps=tuple(one.result() for one in apps),
            hotfixes=hotfixes.result(),
            repository=scope.repository,
            hotfix_into=scope.hotfix_into,
            services=tuple(one.result() for one in services),
            endpoints=tuple(one.result() for one in asked),
            disks=tuple(status_rows.disks((*_FOLDERS, guard.state_dir, tempfile.gettempdir()))),
            history=history,
            history_problem=history_problem,
            call_problem=problem,
            way=way,
            now=time.time(),
            nginx=nginx.result() if nginx else None,
        )


# -- one app -------------------------------------------------------------------------------------


def read_app(dokku: Dokku, name: str, role: str, limits: Limits) -> App:
    """Everything of one app. Its log is read last, when it is known what to mask in it."""
    problems: dict[str, str] = {}

    def part(what: str, ask: Callable[[], Value], otherwise: Value) -> Value:
        try:
            return ask()
        except (DokkuError, OSError, ValueError, KeyError, TypeError) as error:
            problems[what] = cut(" ".join(str(error).split()), 300)
            return otherwise

    late: StillRuns | None = None
    try:
        ps, told = read_state(dokku, name)
    except AppMissing:
        return App(name, role, missing=True)
    except DokkuError as error:
        ps, told, problems["ps"] = {}, None, str(error)
        late = error if isinstance(error, StillRuns) else None

    def plugin() -> tuple[list[Mapping[str, Any]] | None, dict[str, str]]:
        # On a busy host the late call keeps running, and the calls that would replace it cost three times as much.
        if late is not None:
            raise late
        return told or read_releases(dokku, name)

    containers = containers_of(ps)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        folders = container_usage.folders(containers.values())
        before = {process: container_usage.sample(folders[identity]) for process, identity in containers.items()}
        resources = pool.submit(part, "resources", lambda: texts(dokku.report(name, "resource")), {})
        certificate = pool.submit(part, "certificate", lambda: read_certificate(dokku, name, time.time()), None)
        releases = pool.submit(part, "releases", plugin, (None, {}))
        log = pool.submit(part, "log", lambda: read_log(dokku, name, limits), (None, True))
        locked = pool.submit(part, "lock", lambda: dokku.run("apps:locked", name, check=False).rc == 0, False)
        listed, report = releases.result()
        no_plugin = listed is None and "releases" not in problems
        builds = part("builds", lambda: dokku.json("builds:list", name), ()) if no_plugin else ()
        found, shown = log.result()
        app = App(
            name=name,
            role=role,
            deployed=ps.get("deployed") != "false",
            running=str(ps.get("running") or ""),
            processes=processes_of(ps),
            limits=resources.result(),
            certificate=certificate.result(),
            releases=listed,
            report=report,
            builds=tuple(builds),
            log=found,
            log_shown=shown,
            locked=bool(locked.result()),
            problems=problems,
            proxied=report.get("nginx-config") != "missing" or part("proxy", lambda: _proxied(dokku, name), True),
        )
    # A second look: what a container used between the two is what the processor did.
    after = {process: container_usage.sample(folders[identity]) for process, identity in containers.items()}
    usage = {
        process: Usage(sample.memory, sample.limit, container_usage.cores(before[process], sample), sample.oom_kills)
        for process, sample in after.items()
        if sample.memory is not None or sample.cpu_seconds is not None
    }
    return replace(app, usage=usage)


def _proxied(dokku: Dokku, app: str) -> bool:
    return nginx_check.proxied(dokku.report(app, "proxy"))


def texts(report: Mapping[str, Any]) -> dict[str, str]:
    """A report in which every value is a text, as Dokku has them."""
    return {key: str(value) for key, value in report.items()}


def processes_of(ps: Mapping[str, Any]) -> dict[str, str]:
    """The state of each process, from ps:report."""
    return {
        key.partition("-")[2]: str(value).partition(" ")[0] or "not known"
        for key, value in sorted(ps.items())
        if key.startswith("status-")
    }


def containers_of(ps: Mapping[str, Any]) -> dict[str, str]:
    """The beginning of the id of each process's container."""
    found = {key.partition("-")[2]: _CONTAINER.search(str(value)) for key, value in ps.items() if "status-" in key}
    return {process: match[1] for process, match in sorted(found.items()) if match}


def read_certificate(dokku: Dokku, app: str, now: float) -> Certificate:
    """The certificate of an app, of letsencrypt or of anybody else."""
    try:
        found = dokku.report(app, "letsencrypt")
        ends = str(found.get("expiration") or "")
        renews, scheduled = found.get("active") == "true", found.get("autorenew") == "true"
    except NotACommand:
        ends, renews, scheduled = "", False, False
    if not ends:
        # letsencrypt has the date of its own certificates only, in older releases.
        report = dokku.report(app, "certs")
        ends = str(report.get("expires-at") or "") if report.get("enabled") == "true" else ""
    moment = certificate_end(ends)
    days = None if moment is None else int((moment - now) // 86400)
    return Certificate(days, renews, scheduled)


def certificate_end(text: str) -> float | None:
    """Seconds since the epoch of an end that letsencrypt writes as such a number, and certs as openssl writes dates."""
    if text.strip().isdigit():
        return float(text)
    for form in ("%b %d %H:%M:%S %Y %Z", "%Y-%m-%d %H:%M:%S %z %Z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            moment = datetime.strptime(" ".join(text.split()), form)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return None


def read_state(dokku: Dokku, app: str) -> tuple[dict[str, Any], tuple[list[Mapping[str, Any]], dict[str, str]] | None]:
    """The processes of an app, and its releases with their report, in one call; of an older plugin the first alone."""
    try:
        found = dokku.json("releases:state", app, timeout=CALL_TIMEOUT)
    except NotACommand:
        return dokku.report(app, "ps"), None
    return dict(found["ps"]), (found["releases"], texts(found["report"]))


def read_releases(dokku: Dokku, app: str) -> tuple[list[Mapping[str, Any]] | None, dict[str, str]]:
    """The releases of the plugin with its report; None where the host has no such plugin."""
    try:
        listed = dokku.json("releases", app)
    except NotACommand:
        return None, {}
    return listed, texts(dokku.json("releases:report", app))


def read_log(dokku: Dokku, app: str, limits: Limits) -> tuple[log_errors.Found | None, bool]:
    """Errors in the last lines of the log, and True if its lines may be shown."""
    try:
        clean: Callable[[str], str] = redactor(dokku, app)
        shown = True
    except DokkuError:
        clean, shown = str, False
    try:
        # `--tail` takes no count: it follows, for ever.
        answer = dokku.run("logs", app, "-n", str(limits.log_lines), "-q", timeout=CALL_TIMEOUT)
    except NotDeployed:
        return log_errors.Found(), True
    found = log_errors.search(answer.out, clean, limits.log_shown)
    return (found if shown else replace(found, last=())), shown


def redactor(dokku: Dokku, app: str) -> redact.Redactor:
    """Takes the values of an app's configuration out of a text. Raises DokkuError if they can't be read."""
    settings = {name: str(value) for name, value in dokku.json("config:export", "--merged", app).items()}
    values = redact.maskable(settings)
    # A program may show one line of a value that has several.
    values += [line.strip() for value in values for line in value.splitlines()]
    return redact.Redactor(values)


# -- services ------------------------------------------------------------------------------------


def read_service(dokku: Dokku, app: str, plugin: str, name: str) -> Service:
    """State of a database or a cache: runs, answers, is linked to the app. Never its address: that has a password."""
    try:
        state = dokku.run(f"{plugin}:info", name, "--status", timeout=CALL_TIMEOUT).out.strip()
    except NotACommand:
        return Service(plugin, name, problem=f"the plugin {plugin} is not installed on this host")
    except DokkuError as error:
        return Service(plugin, name, problem=str(error))
    linked = answered = None
    problem = ""
    try:
        linked = dokku.run(f"{plugin}:linked", name, app, check=False, timeout=CALL_TIMEOUT).rc == 0
        if state == "running" and plugin in _QUESTIONS:
            started = time.monotonic()
            asked = dokku.run(f"{plugin}:connect", name, stdin=_QUESTIONS[plugin], check=False, timeout=CALL_TIMEOUT)
            if asked.rc == 0:
                answered = round((time.monotonic() - started) * 1000, 1)
            else:
                problem = cut(redact.mask_named(asked.said), 200)
    except DokkuError as error:
        problem = str(error)
    return Service(plugin, name, state, linked, answered, problem)
