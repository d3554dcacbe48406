# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at a Laravel service: everything a person on call looks at first, read once. It changes nothing."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import Check
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import disks, verdict
from ansible_collections.ops.runbook.plugins.module_utils.host import systemd_units, work_by_hand
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.host.systemd_units import UnitState
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.laravel import health as laravel_health
from ansible_collections.ops.runbook.plugins.module_utils.laravel import hotfix, probe, settings
from ansible_collections.ops.runbook.plugins.module_utils.laravel.caches import Caches
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations import compare
from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status.judge import facts, judge
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status.log import read_log
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status.reading import Reading, Release
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Commands that people type in the folder of a service to change it.
_BY_HAND: work_by_hand.Programs = {
    **work_by_hand.GIT,
    "composer": ("install", "update", "require", "remove", "dump-autoload"),
    "artisan": ("migrate", "migrate:rollback", "down", "up", "optimize", "config:cache", "queue:restart"),
}

#: A crontab is worth nothing without one of these; which one a distribution has differs.
_CRON = ("cron", "crond", "cronie")


def status(
    service: LaravelService, guard: Guard, checks: Sequence[Check], limits: Limits, environment: str = ""
) -> dict[str, Any]:
    """The whole screen as data: verdict, rows, facts, seconds. A broken service gives a screen too.

    environment: of the service, as the ledger names it; the records of another one are not its own.
    """
    started = time.monotonic()
    reading = read(service, guard, checks, limits, environment)
    rows = judge(service.description, reading, limits)
    found: dict[str, Any] = _redacted(
        {"verdict": verdict(rows), "rows": [row.document() for row in rows], "facts": facts(reading)}, service
    )
    return {**found, "seconds": round(time.monotonic() - started, 3)}


def read(
    service: LaravelService, guard: Guard, checks: Sequence[Check], limits: Limits, environment: str = ""
) -> Reading:
    """Read the host. PHP, git, systemd and the endpoints are asked at the same time."""
    path_problem = _path_problem(service.description.path)
    down = not path_problem and laravel_health.is_down(service)
    with ThreadPoolExecutor(max_workers=5) as pool:
        app = pool.submit(_app, service, path_problem)
        release = pool.submit(_release, service, path_problem)
        units = pool.submit(_units, service)
        scheduler = pool.submit(_scheduler, service, path_problem)
        # Behind a maintenance page the endpoints are asked with a cookie that only the application can make.
        asked = None if down else pool.submit(_endpoints, checks, release.result().commit, False, None)
        history, history_problem = _history(
            guard, Subject("laravel", os.path.abspath(service.description.path), environment)
        )
        hotfixes = pool.submit(hotfix.standings, service, history) if not path_problem else None
        found_disks = disks((service.description.path, service.file("storage"), guard.state_dir, tempfile.gettempdir()))
        log = read_log(service.file("storage", "logs"), limits, time.time())
        # An application may keep its maintenance in a cache store, and only it can tell.
        down = down or bool(app.result().get("down"))
        results, note = asked.result() if asked else ([], "")
        if down:
            results, note = _endpoints(checks, release.result().commit, True, app.result().get("bypass"))
        states, units_problem = units.result()
    cron = tuple(state for state in states if state.unit in _CRON)
    return Reading(
        path_problem=path_problem,
        stranger=_stranger(service.description.path),
        release=release.result(),
        app=app.result(),
        working_tree=tuple(compare.in_working_tree(service.app)),
        down=down,
        caches=Caches() if path_problem else settings.read(service),
        units=tuple(state for state in states if state not in cron),
        units_problem=units_problem,
        cron=cron,
        scheduler_problem=scheduler.result(),
        health=tuple(results),
        health_note=note,
        disks=tuple(found_disks),
        log=log if _settings_known(service) else replace(log, last=_UNSHOWN if log.last else ()),
        history=history,
        history_problem=history_problem,
        by_hand=work_by_hand.under_way(work_by_hand.read(), service.description.path, _BY_HAND),
        hotfixes=hotfixes.result() if hotfixes else (),
    )


def _path_problem(path: str) -> str:
    try:
        if os.path.isdir(path):
            os.listdir(path)
            return ""
        os.stat(path)
    except FileNotFoundError:
        return f"there is no folder {path} (laravel_path)"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    return f"{path} is not a folder (laravel_path)"


#: Log messages are masked by the values of .env, so without those they are not shown.
_UNSHOWN = ("the messages are not shown: .env can't be read, so that a secret in them could not be masked",)


def _settings_known(service: LaravelService) -> bool:
    return not os.path.exists(service.file(".env")) or os.access(service.file(".env"), os.R_OK)


def _stranger(path: str) -> str:
    try:
        owner = os.stat(path).st_uid
        return "" if owner == os.geteuid() else user_name(owner)
    except OSError:
        return ""


def _app(service: LaravelService, path_problem: str) -> Mapping[str, Any]:
    if path_problem:
        return {"error": path_problem}
    try:
        return probe.ask(service.commands, service.description.php, {"migrations": True, "queue": True, "bypass": True})
    except (probe.ProbeFailed, OSError, ValueError) as error:
        return {"error": f"PHP can't be asked: {error}"}


def _release(service: LaravelService, path_problem: str) -> Release:
    if path_problem:
        return Release(problem=path_problem)
    checkout = service.checkout
    try:
        commit = checkout.head()
        shown = checkout.text("log", "-1", "--format=%cI%x00%s", commit).partition("\0")
        return Release(
            commit=commit,
            tags=tuple(checkout.tags_at(commit)),
            subject=shown[2],
            committed=shown[0],
            changes=tuple(checkout.changes()),
            repository=checkout.repository(),
        )
    except (Problem, CommandFailed) as error:
        return Release(problem=str(error))


def _units(service: LaravelService) -> tuple[list[UnitState], str]:
    names = laravel_health.unit_names(service)
    if service.description.scheduler == "crontab":
        names += [name for name in _CRON if name not in names]
    try:
        return systemd_units.read_units(names), ""
    except systemd_units.SystemdError as error:
        return [], str(error)


def _scheduler(service: LaravelService, path_problem: str) -> str:
    return path_problem or laravel_health.scheduler_problem(service)


def _endpoints(checks: Sequence[Check], commit: str, down: bool, cookie: object) -> tuple[list[gate.Result], str]:
    if not checks:
        return [], ""
    headers, note = None, ""
    if down and isinstance(cookie, str) and cookie:
        headers, note = {"Cookie": f"laravel_maintenance={cookie}"}, "seen behind the maintenance page"
    elif down:
        checks = [replace(check, status=(503,), json={}, contains=None, release=None) for check in checks]
        note = "the maintenance page"
    return gate.gate(checks, 0, 0, 1, commit or None, headers), note


def _history(guard: Guard, subject: Subject) -> tuple[Mapping[str, Any], str]:
    try:
        return operation_history.of(guard, subject), ""
    except operation_history.StateUnreadable as error:
        return {}, error.line()


def _redacted(value: Any, service: LaravelService) -> Any:
    if isinstance(value, str):
        return service.redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item, service) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item, service) for item in value]
    return value
