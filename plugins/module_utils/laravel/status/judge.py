# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Laravel service is, by what was read of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import (
    BAD,
    OK,
    ORDER,
    WARN,
    Row,
    disk_row,
    during,
    moving,
    operation_rows,
    under_way,
    who,
)
from ansible_collections.ops.runbook.plugins.module_utils.host import systemd_units
from ansible_collections.ops.runbook.plugins.module_utils.host.clock import minute
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import rows as hotfix_rows
from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status.reading import Log, Reading
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut


def judge(description: Description, reading: Reading, limits: Limits) -> list[Row]:
    """The rows of the screen, in the order in which a person on call wants them. Pure."""
    rows = [
        *_health_rows(reading, limits),
        *moving([_app_row(reading), _maintenance_row(reading), *_unit_rows(reading, description.queue_unit)]),
        _scheduler_row(reading, description.scheduler),
        *moving([_release_row(reading, description), _previous_row(reading)]),
        *hotfix_rows.of(
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
    if reading.caches.apart:
        way = f"{reading.caches.way} in the inventory, and a deploy, have both use one file"
        return Row("application", WARN, text, (reading.caches.apart,), ways=(way,))
    if reading.caches.outdated:
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
                since = f" since {minute(record.get('finished'))} by {who(record)}"
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
    """True if the host is at another commit than the one at which the ledger left it."""
    current = reading.history.get("current")
    known = not _at_work(reading) and reading.history.get("releases") and current
    return bool(known) and bool(reading.release.commit) and current != reading.release.commit


def _at_work(reading: Reading) -> bool:
    """True if an operation has begun and not ended: then nothing is where the ledger left it."""
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
        # It is not known if migrations are pending or unknown.
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


def _label(release: Mapping[str, Any]) -> str:
    short = str(release.get("id") or "")[:10]
    return f"{release['name']} ({short})" if release.get("name") else short


def _ago(minutes: float | None) -> str:
    if minutes is None:
        return "never"
    if minutes < 120:
        return f"{minutes:.0f} minutes ago"
    return f"{minutes / 60:.0f} hours ago" if minutes < 2880 else f"{minutes / 1440:.0f} days ago"
