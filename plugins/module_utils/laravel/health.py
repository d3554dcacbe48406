# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of a Laravel service: the gate after every change, and parts of the status screen."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health import gate as health
from ansible_collections.ops.runbook.plugins.module_utils.health.blame import RELEASE, SURROUNDINGS, Fault
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings, Patience
from ansible_collections.ops.runbook.plugins.module_utils.host import systemd_units
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.laravel import probe
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.migrations import gate as migration_gate
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan


@dataclass(frozen=True)
class Looked:
    """A service after a change, as the gate found it.

    head: the commit that is checked out, or why none can be told. down: it is in maintenance. migrations: of the
    release that runs, by its own migrator; None where nobody asked. scheduler and units: what is wrong with each.
    seconds: of the look.
    """

    head: str
    down: bool
    results: tuple[health.Result, ...] = ()
    note: str = ""
    migrations: migration_gate.Found | None = None
    scheduler: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def verify(service: LaravelService, plan: LaravelPlan, direction: str, gate: GateSettings) -> dict[str, Any]:
    """Verify the result of an operation: the commit, the units, the scheduler, the answers. See `judge`."""
    looked = _look(service, plan, direction, gate)
    unasked = {} if gate.checks else {"unasked": True}
    return {**judge(plan, direction, looked, service.redact), **unasked}


def judge(plan: LaravelPlan, direction: str, looked: Looked, redact: Callable[[str], str] = str) -> dict[str, Any]:
    """Judge a service after a change. Pure.

    plan: of the operation; `just_before` has what was so before the first change. direction: the way that was gone.
    Returns what blame.verdict does, and health (the results), units, scheduler, maintenance, note, release, seconds.
    """
    before, expected = plan.get("just_before"), _expected(plan, direction)
    problems: list[Fault] = []
    if looked.head != expected:
        problems.append(Fault(f"the checkout is at {looked.head[:10]}, not at {expected[:10]}", SURROUNDINGS))
    wanted_down = plan.get("maintenance")
    if plan.get("procedure") == "maintenance":
        wanted_down = (plan["facts"]["maintenance"] == "down") is (direction != "back")
    if wanted_down is not None and bool(wanted_down) is not looked.down:
        text = f"the application is {'down' if looked.down else 'up'}, and should be {'down' if wanted_down else 'up'}"
        problems.append(Fault(text, SURROUNDINGS))
    schema = migration_gate.Judged()
    if looked.migrations is not None:
        schema = migration_gate.judge(looked.migrations, plan.get("migrations"), str(plan["procedure"]), direction)
    if schema.problem:
        problems.append(Fault(schema.problem, RELEASE if schema.of_release else SURROUNDINGS))
    if looked.scheduler:
        stood = bool(before and before["scheduler"])
        named = {"scheduler": looked.scheduler}
        problems += blame.so_before(named, named if stood else None)
    problems += health.problems(looked.results)
    problems += blame.so_before(looked.units, before["units"] if before else None)
    return {
        **blame.verdict(problems, redact),
        "health": [result.to_dict() for result in looked.results],
        "units": {name: text or "active" for name, text in looked.units.items()},
        "scheduler": looked.scheduler or "present",
        "maintenance": looked.down,
        "note": "; ".join(part for part in (looked.note, *schema.notes) if part),
        "release": looked.head,
        "seconds": looked.seconds,
    }


def _expected(plan: LaravelPlan, direction: str) -> str:
    """The commit at which an operation leaves the service."""
    return str((plan["from"] if direction == "back" and plan.get("from") else plan["to"])["id"])


def _look(service: LaravelService, plan: LaravelPlan, direction: str, gate: GateSettings) -> Looked:
    """Look at the service until it is well or the gate stops waiting."""
    started = time.monotonic()
    before, expected = plan.get("just_before"), _expected(plan, direction)
    try:
        head = service.checkout.head()
    except (Problem, CommandFailed) as error:
        head = str(error)
    down = is_down(service, str(plan.get("maintenance_driver") or ""))
    told = any("queue:restart" in step["data"].get("commands", []) for step in plan.get("steps") or [])
    patience = gate.patience()
    with ThreadPoolExecutor(max_workers=3) as pool:
        migrations = pool.submit(_migrations, service, str(plan.get("procedure")))
        planted = pool.submit(scheduler_problem, service)
        settled = pool.submit(_settled_units, service, patience, gate.interval, told, (before or {}).get("units"))
        results, note = _answers(service, gate, patience, expected, down, before)
        return Looked(
            head,
            down,
            tuple(results),
            note,
            migrations.result(),
            planted.result(),
            settled.result(),
            round(time.monotonic() - started, 3),
        )


def _migrations(service: LaravelService, procedure: str) -> migration_gate.Found | None:
    """The position of the database against the release that runs now, by its own migrator."""
    if procedure not in ("deploy", "rollback"):
        return None
    try:
        answer = probe.ask(service.commands, service.description.php, {"migrations": True})
    except probe.ProbeFailed as error:
        answer = {"error": str(error)}
    return migration_gate.found(answer)


def before(service: LaravelService, gate: GateSettings, driver: str = "file") -> dict[str, Any]:
    """The state that the gate will look at, just before the first change."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Behind the maintenance page nothing is asked: its answers are those of no release.
        answers = pool.submit(health.look, () if is_down(service, driver) else gate.asked)
        return {"scheduler": scheduler_problem(service), "units": stopped(service), "health": answers.result()}


def idle(service: LaravelService) -> list[str]:
    """Units that do not run now, and the scheduler that does not, whatever the release."""
    return [text for text in (*stopped(service).values(), scheduler_problem(service)) if text]


def stopped(service: LaravelService) -> dict[str, str]:
    """The units that do not run now, and why, by name."""
    return {name: text for name, text in _unit_problems(unit_names(service), "").items() if text}


def _answers(
    service: LaravelService,
    gate: GateSettings,
    patience: Patience,
    expected: str,
    down: bool,
    before: Mapping[str, Any] | None,
) -> tuple[list[health.Result], str]:
    if not gate.checks:
        return [], "no health check is defined (laravel_health): the answers of the site were not verified"
    checks, headers, note = gate.checks, None, ""
    if down:
        cookie = bypass_cookie(service)
        if cookie:
            headers = {"Cookie": f"laravel_maintenance={cookie}"}
            note = "in maintenance: verified behind the maintenance page"
        else:
            checks = tuple(replace(check, status=(503,), json={}, contains=None, release=None) for check in checks)
            note = "in maintenance without a secret: only the maintenance page could be verified"
    known = (before or {}).get("health")
    results = health.gate(checks, patience, gate.interval, gate.successes, expected, headers, before=known)
    return results, note


def _settled_units(
    service: LaravelService, patience: Patience, interval: float, told: bool, stood: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Look at the units until they settled or the gate stops waiting. Returns the problem of each, by name.

    stood: units that did not run before the change; they are not waited for.
    told: the worker was told to restart. It then ends by itself, with success, when its job is done, and systemd
    starts it again after RestartSec: that moment is not a problem, and when it comes can't be known.
    """
    names = unit_names(service)
    while True:
        found = _unit_problems(names, service.description.queue_unit if told else "")
        waits = any(text for name, text in found.items() if name not in (stood or {}))
        if not waits or patience.over():
            return found
        time.sleep(max(interval, 0.1))


def _unit_problems(names: Sequence[str], restarting: str) -> dict[str, str]:
    try:
        states = systemd_units.read_units(names)
    except systemd_units.SystemdError as error:
        return {name: str(error) for name in names[:1]}
    return {
        state.unit: ""
        if state.unit == restarting and systemd_units.ended_in_order(state)
        else systemd_units.unit_problem(state) or ""
        for state in states
    }


def unit_names(service: LaravelService) -> list[str]:
    """The units of the service, each once: web server, php-fpm, queue worker, and a scheduler's timer."""
    description = service.description
    names = [*description.units, description.php_fpm_unit, description.queue_unit]
    if description.scheduler.endswith(".timer"):
        names.append(description.scheduler)
    return list(dict.fromkeys(name for name in names if name))


def scheduler_problem(service: LaravelService) -> str:
    """The reason why the scheduler would not run; empty where it is in place."""
    if service.description.scheduler != "crontab":
        return ""
    try:
        listed = service.commands.run(["crontab", "-l"], check=False)
    except CommandFailed as error:
        return f"the scheduler can't be checked: {error}"
    lines = [line for line in listed.stdout.splitlines() if not line.lstrip().startswith("#")]
    if any("schedule:run" in line and service.description.path in line for line in lines):
        return ""
    return f"the crontab has no line that runs schedule:run in {service.description.path}"


def is_down(service: LaravelService, driver: str = "file") -> bool:
    """Tell if the application is in maintenance. driver: where it keeps that, as the plan has it from itself.

    Only what the driver `file` keeps can be seen from outside (operations that were planned before name no driver).
    """
    if driver not in ("", "file"):
        with contextlib.suppress(probe.ProbeFailed):
            answer = probe.ask(service.commands, service.description.php, {})
            if "boot_error" not in answer:
                return bool(answer.get("down"))
    return os.path.exists(service.file("storage", "framework", "down"))


def bypass_cookie(service: LaravelService) -> str:
    """The cookie that looks behind the maintenance page, made by Laravel itself; empty without a secret."""
    try:
        answer = probe.ask(service.commands, service.description.php, {"bypass": True})
    except probe.ProbeFailed:
        return ""
    cookie = answer.get("bypass")
    return cookie if isinstance(cookie, str) else ""
