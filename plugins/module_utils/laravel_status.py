# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Laravel service is: everything a person on call looks at first, read once and judged, nothing changed."""

from __future__ import annotations

import glob
import os
import pwd
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import (
    health,
    hotfix_merges,
    laravel_health,
    laravel_hotfix,
    laravel_migrations,
    laravel_probe,
    laravel_settings,
    operation_history,
    redact,
    systemd_units,
    work_by_hand,
)
from ansible_collections.ops.runbook.plugins.module_utils.bounded import lines_of
from ansible_collections.ops.runbook.plugins.module_utils.checkout import CheckoutProblem
from ansible_collections.ops.runbook.plugins.module_utils.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.excerpt import cut
from ansible_collections.ops.runbook.plugins.module_utils.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.health_endpoint import Check
from ansible_collections.ops.runbook.plugins.module_utils.hotfix_merges import Standing
from ansible_collections.ops.runbook.plugins.module_utils.laravel_service import (
    Description,
    LaravelService,
)
from ansible_collections.ops.runbook.plugins.module_utils.log_errors import without_data
from ansible_collections.ops.runbook.plugins.module_utils.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.status_rows import (
    BAD,
    OK,
    ORDER,
    WARN,
    Disk,
    Row,
    clock,
    disk_row,
    disks,
    during,
    moving,
    operation_rows,
    under_way,
    verdict,
    who,
)
from ansible_collections.ops.runbook.plugins.module_utils.systemd_units import UnitState

#: A crontab is worth nothing without one of these; which one a distribution has differs.
_CRON = ("cron", "crond", "cronie")

#: The newest log files that are read; with daily files one for each day.
_LOG_FILES = 5


@dataclass(frozen=True)
class Limits:
    """Where a figure becomes worth a word. Disk in percent, log in minutes and KiB, TLS in days."""

    disk_warn: int = 85
    disk_bad: int = 95
    queue_warn: int = 100
    failed_jobs_warn: int = 1
    tls_warn: int = 21
    log_minutes: int = 60
    log_kib: int = 256


@dataclass(frozen=True)
class Release:
    """What the checkout says. problem: why it can't be read."""

    commit: str = ""
    tags: tuple[str, ...] = ()
    subject: str = ""
    committed: str = ""
    changes: tuple[str, ...] = ()
    repository: str = ""
    problem: str = ""

    @property
    def label(self) -> str:
        short = self.commit[:10]
        return f"{self.tags[0]} ({short})" if self.tags else short


@dataclass(frozen=True)
class Log:
    """Errors of the application's log.

    counts: by level. last: the last distinct messages, newest last, each with how often it stands there.
    minutes: how far back the figures reach, less than asked for where only the end of a file was read.
    silent_minutes: since the newest file was written. problem: why there is no figure.
    """

    files: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    last: tuple[str, ...] = ()
    minutes: float = 0.0
    complete: bool = True
    silent_minutes: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Reading:
    """Everything that was read on the host. Nothing in it is judged.

    stranger: another user to whom the checkout belongs. working_tree: names of the migrations in it.
    cron: what would run a crontab. settings_outdated: the configuration was cached with another .env. by_hand: the
    command with which somebody changes the service just now.
    hotfixes: how the branches of the remote stand to those of the ledger.
    """

    path_problem: str = ""
    stranger: str = ""
    release: Release = Release()
    app: Mapping[str, Any] = field(default_factory=dict)
    working_tree: tuple[str, ...] = ()
    down: bool = False
    settings_outdated: bool = False
    units: tuple[UnitState, ...] = ()
    units_problem: str = ""
    cron: tuple[UnitState, ...] = ()
    scheduler_problem: str = ""
    health: tuple[health.Result, ...] = ()
    health_note: str = ""
    disks: tuple[Disk, ...] = ()
    log: Log = Log()
    history: Mapping[str, Any] = field(default_factory=dict)
    history_problem: str = ""
    by_hand: str = ""
    hotfixes: tuple[Standing, ...] = ()


# -- reading -------------------------------------------------------------------------------------


def status(service: LaravelService, guard: Guard, checks: Sequence[Check], limits: Limits) -> dict[str, Any]:
    """The whole screen as data: verdict, rows, facts, seconds. A broken service gives a screen too."""
    started = time.monotonic()
    reading = read(service, guard, checks, limits)
    rows = judge(service.description, reading, limits)
    found: dict[str, Any] = _redacted(
        {"verdict": verdict(rows), "rows": [row.document() for row in rows], "facts": facts(reading)}, service
    )
    return {**found, "seconds": round(time.monotonic() - started, 3)}


def read(service: LaravelService, guard: Guard, checks: Sequence[Check], limits: Limits) -> Reading:
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
        history, history_problem = _history(guard, service.description.path)
        hotfixes = pool.submit(laravel_hotfix.standings, service, history) if not path_problem else None
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
        working_tree=tuple(laravel_migrations.in_working_tree(service.app)),
        down=down,
        settings_outdated=not path_problem and laravel_settings.outdated(service),
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
        by_hand=work_by_hand.under_way(work_by_hand.read(), service.description.path, ("git", "composer", "artisan")),
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
    return f"{path} is no folder (laravel_path)"


#: What a log message may hold is masked by the values of .env, so without those it stays where it is.
_UNSHOWN = ("the messages are not shown: .env can't be read, so that a secret in them could not be masked",)


def _settings_known(service: LaravelService) -> bool:
    return not os.path.exists(service.file(".env")) or os.access(service.file(".env"), os.R_OK)


def _stranger(path: str) -> str:
    try:
        owner = os.stat(path).st_uid
        return "" if owner == os.geteuid() else pwd.getpwuid(owner).pw_name
    except (OSError, KeyError):
        return ""


def _app(service: LaravelService, path_problem: str) -> Mapping[str, Any]:
    if path_problem:
        return {"error": path_problem}
    try:
        return laravel_probe.ask(
            service.commands, service.description.php, {"migrations": True, "queue": True, "bypass": True}
        )
    except (laravel_probe.ProbeFailed, OSError, ValueError) as error:
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
    except (CheckoutProblem, CommandFailed) as error:
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


def _endpoints(checks: Sequence[Check], commit: str, down: bool, cookie: object) -> tuple[list[health.Result], str]:
    if not checks:
        return [], ""
    headers, note = None, ""
    if down and isinstance(cookie, str) and cookie:
        headers, note = {"Cookie": f"laravel_maintenance={cookie}"}, "seen behind the maintenance page"
    elif down:
        checks = [replace(check, status=(503,), json={}, contains=None, release=None) for check in checks]
        note = "the maintenance page"
    return health.gate(checks, 0, 0, 1, commit or None, headers), note


def _history(guard: Guard, path: str) -> tuple[Mapping[str, Any], str]:
    try:
        return operation_history.of(guard, Subject("laravel", os.path.abspath(path))), ""
    except operation_history.StateUnreadable as error:
        return {}, str(error)


# -- the log -------------------------------------------------------------------------------------

_ENTRY = re.compile(
    r"^\[(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)[^\]]*\] [\w.-]+\."
    r"(EMERGENCY|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG): (.*)$"
)
_ERRORS = ("EMERGENCY", "ALERT", "CRITICAL", "ERROR")


def read_log(folder: str, limits: Limits, now: float) -> Log:
    """The errors at the end of the newest log files of a folder."""
    found = glob.glob(os.path.join(glob.escape(folder), "laravel*.log"))
    try:
        dated = sorted(((os.stat(path).st_mtime, path) for path in found if os.path.isfile(path)), reverse=True)
    except OSError as error:
        return Log(problem=f"{folder} can't be read: {error.strerror}")
    if not dated:
        return Log(problem="" if os.path.isdir(folder) else f"there is no folder {folder}")
    window = limits.log_minutes * 60.0
    entries: list[tuple[float, str, str]] = []
    complete = True
    for written, path in dated[:_LOG_FILES]:
        if now - written > window:
            continue
        try:
            text, whole = tail_of(path, limits.log_kib * 1024)
        except OSError as error:
            return Log(problem=f"{path} can't be read: {error.strerror}")
        ages = list(parse_log(text, now - written))
        entries += [entry for entry in ages if entry[0] <= window]
        complete = complete and (whole or any(age > window for age, _, _ in ages))
    return summarise(
        entries,
        tuple(os.path.basename(path) for _, path in dated[:_LOG_FILES]),
        complete,
        limits.log_minutes,
        max(0.0, now - dated[0][0]) / 60,
    )


def tail_of(path: str, size: int) -> tuple[str, bool]:
    """The end of a file from the beginning of a line, and whether that is the whole file."""
    with open(path, "rb") as handle:
        length = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, length - size))
        content = handle.read(size)
    if length > size:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", "replace"), length <= size


def parse_log(text: str, last_age: float) -> Iterator[tuple[float, str, str]]:
    """(age in seconds, level, message) of each entry, of which the last was written `last_age` seconds ago.

    Its stamps are in a time zone that only the application knows, so that only their differences count.
    """
    entries = []
    for stamp, level, message in (match.groups() for match in map(_ENTRY.match, lines_of(text)) if match):
        try:
            moment = datetime.strptime(stamp.replace("T", " "), "%Y-%m-%d %H:%M:%S")
        except ValueError:
            # Somebody's text in a message of several lines, which only looks like an entry.
            continue
        entries.append((moment, level, message))
    for moment, level, message in entries:
        yield max(0.0, last_age + (entries[-1][0] - moment).total_seconds()), level, message


def summarise(
    entries: Sequence[tuple[float, str, str]],
    files: tuple[str, ...],
    complete: bool,
    minutes: int,
    silent: float,
) -> Log:
    """Count the errors among entries, and keep the last messages."""
    counts: dict[str, int] = {}
    messages: dict[str, int] = {}
    for _, level, message in sorted(entries, key=lambda entry: -entry[0]):
        if level in _ERRORS:
            counts[level] = counts.get(level, 0) + 1
            said = f"{level}: {clean_message(message)}"
            # Taken out and put back, so that the newest is last.
            messages[said] = messages.pop(said, 0) + 1
    last = list(messages.items())[-3:]
    oldest = max((age for age, _, _ in entries), default=0.0)
    return Log(
        files=files,
        counts=counts,
        last=tuple(f"{said} ({count} times)" if count > 1 else said for said, count in last),
        minutes=float(minutes) if complete else round(oldest / 60, 1),
        complete=complete,
        silent_minutes=round(silent, 1),
    )


def clean_message(message: str) -> str:
    """A log message without context, without the values of a query, and without what is named a secret."""
    plain = redact.mask_named(without_data(message)).strip()
    return cut(plain, 160) or "(no text)"


# -- judging -------------------------------------------------------------------------------------


def judge(description: Description, reading: Reading, limits: Limits) -> list[Row]:
    """The rows of the screen, in the order in which a person on call wants them. Pure."""
    rows = [
        *_health_rows(reading, limits),
        *moving([_app_row(reading), _maintenance_row(reading), *_unit_rows(reading, description.queue_unit)]),
        _scheduler_row(reading, description.scheduler),
        *moving([_release_row(reading, description), _previous_row(reading)]),
        *hotfix_merges.rows(
            reading.hotfixes, description.repository or reading.release.repository, description.hotfix_into
        ),
        *operation_rows("laravel", reading.history, reading.history_problem),
        *moving([_migration_row(reading), *_queue_rows(reading, limits)]),
        *(disk_row(disk, limits.disk_warn, limits.disk_bad) for disk in reading.disks),
        _log_row(reading.log, limits),
    ]
    return during(rows, under_way(reading.history) or reading.by_hand)


def _health_rows(reading: Reading, limits: Limits) -> Iterator[Row]:
    if not reading.health:
        yield Row("health", WARN, "no health check is defined (laravel_health): the answers of the site are not seen")
    for result in reading.health:
        parts = [f"{result.status or 'no answer'} in {result.seconds * 1000:.0f} ms"]
        level = OK if result.ok else BAD
        if result.release:
            parts.append(f"release {result.release[:10]}")
        if result.request_id:
            parts.append(f"request id {result.request_id}")
        if result.tls_days is not None:
            parts.append(f"certificate ends in {result.tls_days} days")
            if result.ok and (result.tls_days <= limits.tls_warn or result.warnings):
                level = WARN
        if reading.health_note:
            parts.append(reading.health_note)
        yield Row(f"health {result.name}", level, ", ".join(parts), (result.reason,) if result.reason else ())


def _app_row(reading: Reading) -> Row:
    app = reading.app
    if app.get("error"):
        return Row("application", BAD, str(app["error"]))
    php = f"PHP {app.get('php', '?')}"
    if app.get("boot_error"):
        return Row("application", BAD, f"it does not boot, {php}", (cut(str(app["boot_error"])),))
    if app.get("unanswered"):
        return Row("application", BAD, f"it does not answer: {app['unanswered']}")
    text = f"Laravel {app.get('laravel')}, {php}, {app.get('environment')}"
    if app.get("debug") and app.get("environment") == "production":
        return Row("application", WARN, f"{text}; APP_DEBUG is on: errors show secrets to visitors")
    if reading.settings_outdated:
        to = reading.release.label.partition(" ")[0] or "<the release that runs>"
        way = f"laravel_deploy -e to={to} builds the caches anew, and nothing else"
        return Row(
            "application", WARN, f"{text}; the config cache is older than .env, which has no effect yet", ways=(way,)
        )
    return Row("application", OK, text)


def _maintenance_row(reading: Reading) -> Row:
    if reading.path_problem:
        return Row("maintenance", BAD, "not known")
    if not reading.down:
        return Row("maintenance", OK, "up")
    records = reading.history.get("records") or []
    since = ""
    for record in reversed(records):
        if record.get("procedure") == "maintenance" and record.get("outcome") == "succeeded":
            if (record.get("facts") or {}).get("maintenance") == "down":
                since = f" since {clock(record.get('finished'))} by {who(record)}"
                since += f": {record['reason']}" if record.get("reason") else ""
            break
    return Row("maintenance", WARN, f"DOWN{since}", ways=("laravel_maintenance -e state=up ends it",))


def _unit_rows(reading: Reading, queue_unit: str) -> Iterator[Row]:
    if reading.units_problem:
        yield Row("units", BAD, reading.units_problem)
    for state in reading.units:
        topic = f"queue worker {state.unit}" if state.unit == queue_unit else state.unit
        problem = systemd_units.unit_problem(state)
        since = f" since {state.since}" if state.since else ""
        restarts = f", {state.restarts} restarts" if state.restarts > 1 else ""
        if state.unit == queue_unit and systemd_units.ended_in_order(state):
            yield Row(topic, WARN, "ended in order, as after queue:restart, and is being started again")
        else:
            yield Row(topic, BAD if problem else OK, problem or f"{state.active}{since}{restarts}")
    if not queue_unit:
        yield Row("queue worker", OK, "none is described (laravel_queue_unit)")


def _scheduler_row(reading: Reading, scheduler: str) -> Row:
    if scheduler == "crontab":
        if reading.scheduler_problem and reading.stranger:
            return Row("scheduler", WARN, f"not seen: the crontab of {reading.stranger} is not this user's")
        if reading.scheduler_problem:
            return Row("scheduler", BAD, reading.scheduler_problem)
        loaded = [state for state in reading.cron if state.load == "loaded"]
        if loaded and all(systemd_units.unit_problem(state) for state in loaded):
            return Row("scheduler", BAD, f"in the crontab, but {systemd_units.unit_problem(loaded[0])}")
        return Row("scheduler", OK, "schedule:run is in the crontab")
    if scheduler.endswith(".timer"):
        state = next((state for state in reading.units if state.unit == scheduler), None)
        problem = systemd_units.unit_problem(state) if state else "its state could not be read"
        return Row("scheduler", BAD if problem else OK, problem or f"timer {scheduler} is active")
    return Row("scheduler", OK, f"{scheduler}: not looked at")


def _release_row(reading: Reading, description: Description) -> Row:
    release, repository = reading.release, description.repository
    level, details = OK, []
    if reading.stranger:
        level = WARN
        details.append(f"{description.path} belongs to {reading.stranger}: connect as {reading.stranger}")
    if release.problem:
        return Row("release", BAD, release.problem, tuple(details))
    if _drifted(reading):
        level = WARN
        left = str(reading.history["current"])[:10]
        details.append(f"the ledger left this host at {left}: somebody changed it without a record")
    if repository and repository != release.repository:
        level = BAD
        details.append(f"the checkout is of {redact.without_login(release.repository) or 'nothing'}, not the service's")
    if release.changes:
        level = max(level, WARN, key=ORDER.index)
        details.append(f"{len(release.changes)} files differ from the commit: {', '.join(release.changes[:5])}")
    return Row("release", level, f"{release.label}, {release.committed[:10]}: {release.subject}", tuple(details))


def _drifted(reading: Reading) -> bool:
    """Whether the host is at another commit than the one at which the ledger left it."""
    current = reading.history.get("current")
    known = not _at_work(reading) and reading.history.get("releases") and current
    return bool(known) and bool(reading.release.commit) and current != reading.release.commit


def _at_work(reading: Reading) -> bool:
    """Whether an operation has begun and not ended: then nothing is where the ledger left it."""
    lease = reading.history.get("lease") or {}
    return bool(reading.history.get("interrupted")) or lease.get("standing") in ("running", "waiting")


def _previous_row(reading: Reading) -> Row:
    history = reading.history
    previous = history.get("previous") or {}
    if reading.history_problem:
        return Row("rollback", WARN, "the ledger can't be read")
    if previous.get("id"):
        if _drifted(reading):
            return Row("rollback", WARN, "is refused without to=: the host is not where the ledger left it")
        return Row("rollback", OK, f"would go to {_label(previous)}")
    if not history.get("releases"):
        return Row("rollback", WARN, "no release was ever recorded here; laravel_adopt records the present one")
    return Row("rollback", WARN, f"nowhere by itself: {previous.get('why_none')}")


def _migration_row(reading: Reading) -> Row:
    database = reading.app.get("database") or {}
    if reading.app.get("error"):
        return Row("migrations", BAD, "not known: PHP can't be asked")
    if database.get("error"):
        return Row("migrations", BAD, "the database can't be asked", (cut(str(database["error"]), 300),))
    applied = set(database.get("applied") or ())
    pending, unknown = _positions(reading)
    parts = [f"{len(applied)} applied"]
    details: list[str] = []
    if pending:
        parts.append(f"{len(pending)} PENDING")
        details += [f"pending: {name}" for name in pending[:5]]
    if unknown:
        parts.append(f"{len(unknown)} UNKNOWN to this release")
        details += [f"not in this release: {name}" for name in unknown[:5]]
    if reading.app.get("boot_error") or reading.app.get("unanswered"):
        # Neither "none pending" nor "none unknown" could be told.
        parts.append("not known of packages and modules")
        details.append("the application does not answer, so that only its own folder of migrations could be looked at")
    elif not pending and not unknown:
        parts.append("none pending")
    text = f"{', '.join(parts)} ({database.get('driver')})"
    return Row("migrations", WARN if details else OK, text, tuple(details))


def _positions(reading: Reading) -> tuple[list[str], list[str]]:
    """Migrations that the code has and the database has not, and the other way round."""
    database = reading.app.get("database") or {}
    applied = set(database.get("applied") or ())
    if reading.app.get("boot_error") or reading.app.get("unanswered"):
        # The files of packages are known only to an application that boots.
        return sorted(set(reading.working_tree) - applied), []
    known = set(database.get("files") or ())
    return sorted(known - applied), sorted(applied - known)


def _queue_rows(reading: Reading, limits: Limits) -> Iterator[Row]:
    queue, failed = reading.app.get("queue"), reading.app.get("failed_jobs")
    if not isinstance(queue, Mapping):
        yield Row("queue", WARN, "not known: the application can't be asked")
        return
    if queue.get("error"):
        yield Row("queue", BAD, "it can't be asked", (cut(str(queue["error"]), 300),))
    else:
        size = int(queue.get("size") or 0)
        text = f"{size} waiting in the default queue ({queue.get('connection')})"
        yield Row("queue", WARN if size >= limits.queue_warn else OK, text)
    if isinstance(failed, Mapping):
        yield Row("failed jobs", WARN, "not known", (cut(str(failed.get("error")), 300),))
    else:
        count = int(failed or 0)
        yield Row("failed jobs", WARN if count >= limits.failed_jobs_warn else OK, str(count))


def _log_row(log: Log, limits: Limits) -> Row:
    if log.problem:
        return Row("log", WARN, log.problem)
    if not log.files:
        return Row("log", OK, "no storage/logs/laravel*.log: it logs elsewhere, or nothing yet")
    span = f"in the last {log.minutes:g} minutes"
    if not log.complete:
        span += f" (more in {limits.log_kib} KiB were not read)"
    if not log.counts:
        return Row("log", OK, f"no error {span} ({log.files[0]}, written {_ago(log.silent_minutes)})")
    counts = ", ".join(f"{count} {level}" for level, count in log.counts.items())
    return Row("log", WARN, f"{counts} {span} ({log.files[0]})", log.last)


# -- facts for programs --------------------------------------------------------------------------


def facts(reading: Reading) -> dict[str, Any]:
    """The figures behind the rows."""
    app, history = reading.app, reading.history
    pending, unknown = _positions(reading)
    queue, failed = app.get("queue"), app.get("failed_jobs")
    records = history.get("records") or []
    return {
        "release": {"id": reading.release.commit, "name": (reading.release.tags or ("",))[0]},
        "recorded_release": history.get("current"),
        "previous": (history.get("previous") or {}).get("id"),
        "laravel": app.get("laravel"),
        "php": app.get("php"),
        "environment": app.get("environment"),
        "maintenance": reading.down,
        "pending_migrations": pending,
        "unknown_migrations": unknown,
        "queue_depth": queue.get("size") if isinstance(queue, Mapping) else None,
        "failed_jobs": failed if isinstance(failed, int) else None,
        "units": [state.to_dict() for state in reading.units],
        "health": [result.to_dict() for result in reading.health],
        "disks": [asdict(disk) for disk in reading.disks],
        "log": {"counts": dict(reading.log.counts), "minutes": reading.log.minutes},
        "lease": history.get("lease"),
        "interrupted": history.get("interrupted"),
        "last_operation": records[-1] if records else None,
    }


def _redacted(value: Any, service: LaravelService) -> Any:
    if isinstance(value, str):
        return service.redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item, service) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item, service) for item in value]
    return value


def _label(release: Mapping[str, Any]) -> str:
    short = str(release.get("id") or "")[:10]
    return f"{release['name']} ({short})" if release.get("name") else short


def _ago(minutes: float | None) -> str:
    if minutes is None:
        return "never"
    if minutes < 120:
        return f"{minutes:.0f} minutes ago"
    return f"{minutes / 60:.0f} hours ago" if minutes < 2880 else f"{minutes / 1440:.0f} days ago"
