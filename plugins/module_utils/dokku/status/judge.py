# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the apps of a Dokku host are, from what was read: one row for each thing that the morning looks at. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import holds as dokku_holds
from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status.reading import (
    PRODUCTION,
    App,
    Reading,
    Service,
    Usage,
)
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health import rows as status_rows
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import rows as hotfix_rows

#: CPU values that Docker takes for --cpus. Dokku takes any text, and the next deploy fails.
_CPUS = re.compile(r"\d+(?:\.\d+)?|\.\d+|\d+/[1-9]\d*")
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmg]?)b?", re.I)
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30}

#: How many releases are shown of the app that matters.
_RELEASES = 5


def judge(reading: Reading, limits: Limits) -> list[Row]:
    """The rows of the screen, in the order in which a person wants them."""
    rows: list[Row] = []
    if reading.call_problem:
        rows.append(Row("dokku", BAD, reading.call_problem, (reading.way,) if reading.way else ()))
    if reading.nginx is not None:
        text = f"{reading.nginx.text}. The next deploy, restart or rollback of any app fails at its end"
        ways = tuple(f"{command}   {effect}" for command, effect in nginx_check.ways(reading.nginx))
        rows.append(Row("nginx", BAD, text, ways=ways))
    for app in reading.apps:
        # Staging that is down stops no visitor: it is worth a word, and no alarm.
        own = status_rows.during(_app_rows(app, reading, limits), going_on(app, reading))
        rows += own if app.role == PRODUCTION else [replace(row, level=min(row.level, WARN, key=_order)) for row in own]
    rows += _endpoint_rows("host", reading.endpoints, limits, bool(reading.apps or reading.call_problem))
    rows += [_service_row(service) for service in reading.services]
    rows += [status_rows.disk_row(disk, limits.disk_warn, limits.disk_bad) for disk in reading.disks]
    rows += status_rows.operation_rows("dokku", reading.history, reading.history_problem)
    rows += hotfix_rows.of(reading.hotfixes, reading.repository, reading.hotfix_into)
    rows += _maintenance_rows(reading, limits)
    return rows


def going_on(app: App, reading: Reading) -> str:
    """The work of Dokku or of this collection that changes an app just now; empty without any."""
    ours = status_rows.under_way(reading.history) if app.role == PRODUCTION else ""
    return app.report.get("under-way", "") or ours


def _order(level: str) -> int:
    return status_rows.ORDER.index(level)


def outside_rows(results: Sequence[gate.Result], limits: Limits) -> list[Row]:
    """The same endpoints, as the controller saw them."""
    return list(_endpoint_rows("controller", results, limits, False))


def verdict(rows: Sequence[Row]) -> dict[str, Any]:
    """The worst level, what is bad in words, and the topics that are worth a look."""
    found = status_rows.verdict(rows)
    parts = [f"{row.topic}: {row.text}" for row in rows if row.level == BAD]
    if found["warn"]:
        parts.append(f"to look at: {', '.join(dict.fromkeys(found['warn']))}")
    return {**found, "text": "; ".join(parts) or "all is well"}


# -- one app -------------------------------------------------------------------------------------


def _app_rows(app: App, reading: Reading, limits: Limits) -> Iterator[Row]:
    if reading.call_problem:
        return
    if app.missing:
        way = "dokku_app" if app.role == PRODUCTION else "dokku_staging_app"
        yield Row(f"{app.name} processes", BAD, f"there is no app of that name on this host ({way})")
        return
    yield _process_row(app)
    yield from _stray_rows(app)
    what = going_on(app, reading)
    if what:
        # A half-done operation is not damage, and nothing is to be mended beside it.
        yield Row(f"{app.name} release", OK, f"under way: {what}")
    else:
        yield _release_row(app, reading.now)
        yield from _hold_rows(app)
        yield from _pending_rows(app, reading)
        yield from _proxy_rows(app)
    yield _certificate_row(app, limits)
    yield _resource_row(app, limits)
    yield _log_row(app, limits)


def _process_row(app: App) -> Row:
    topic = f"{app.name} processes"
    if "ps" in app.problems:
        return Row(topic, BAD, f"not known: {app.problems['ps']}")
    if not app.deployed:
        return Row(topic, BAD, "nothing was ever deployed to it")
    stopped = {name: state for name, state in app.processes.items() if state != "running"}
    if stopped:
        said = ", ".join(f"{name} is {state}" for name, state in stopped.items())
        text = f"{said}; {len(app.processes) - len(stopped)} of {len(app.processes)} run"
        return Row(topic, BAD, text, moving=True)
    if app.running != "true" or not app.processes:
        return Row(topic, BAD, "stopped, or scaled to nothing: none of it runs", moving=True)
    return Row(topic, OK, f"all run: {', '.join(app.processes)}")


def _stray_rows(app: App) -> Iterator[Row]:
    """Containers beside those that Dokku counts: old code that takes jobs, or will after the next boot."""
    way = (f"dokku releases:strays {app.name} --remove   removes what a step has left that was cut off",)
    running, stopped = app.report.get("strays", ""), app.report.get("strays-stopped", "")
    if running:
        text = f"run beside those that Dokku counts, and take requests or jobs with other code: {running}"
        yield Row(f"{app.name} containers", BAD, text, ways=way, moving=True)
    if stopped:
        text = f"not counted by Dokku, and Docker starts them again at the next boot: {stopped}"
        yield Row(f"{app.name} containers", WARN, text, ways=way, moving=True)


def _release_row(app: App, now: float) -> Row:
    topic = f"{app.name} release"
    if app.releases is None:
        if "releases" in app.problems:
            return Row(topic, WARN, f"not known: {app.problems['releases']}")
        text = "the plugin `releases` is missing, so none can be gone back to: dokku_releases.yml installs it"
        return Row(topic, WARN, text, tuple(_build_lines(app.builds)))
    shown = app.releases[: _RELEASES if app.role == PRODUCTION else 1]
    lines = tuple(_release_line(release) for release in shown) if len(shown) > 1 else ()
    if not app.releases:
        return Row(topic, WARN, f"none is recorded yet: dokku releases:record {app.name}")
    live = app.report.get("live", "")
    if not live:
        return Row(topic, WARN, f"what is live is not recorded: dokku releases:record {app.name}", lines)
    newest = next((release for release in app.releases if str(release.get("number")) == live), app.releases[0])
    since = f" since {_clock(newest.get('recorded_at'))}" if newest.get("recorded_at") else ""
    back = app.report.get("previous", "")
    return Row(
        topic,
        OK if back or app.role != PRODUCTION else WARN,
        f"{live}{since} by {newest.get('by') or 'somebody'}; "
        + (f"a rollback goes to {back}" if back else "there is no release to go back to"),
        lines,
    )


def _release_line(release: Mapping[str, Any]) -> str:
    what = str(release.get("source_image") or "") or str(release.get("revision") or "")[:8]
    parts = [
        f"{release.get('number')!s:>4}",
        f"{release.get('state')!s:<6}",
        _clock(release.get("recorded_at")),
        str(release.get("source") or "-"),
        what,
        f"rollback to {release['rollback_to']}" if release.get("rollback_to") else "",
    ]
    return " ".join(part for part in parts if part)


def _build_lines(builds: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for build in builds[:_RELEASES]:
        # A restart is never finalised: Dokku shows it as abandoned, and later as failed with -1, though it went well.
        known = build.get("source") != "ps:restart" and build.get("exit_code") != -1
        state = build.get("display_status") if known else "not known"
        yield f"{_clock(build.get('started_at'))} {build.get('source')} {state}"


def _hold_rows(app: App) -> Iterator[Row]:
    """Rows about images that a restart, or a cleanup, would take away."""
    if app.releases is None or not app.report:
        return
    topic, live = f"{app.name} image", app.report.get("live", "")
    if app.report.get("latest-is-live") == "false" and app.report.get("live-image"):
        text = (
            f"dokku/{app.name}:latest is not what runs, as after a deploy that failed: the next restart puts it live"
            if app.report.get("latest-image")
            else f"dokku/{app.name}:latest is gone: the next restart fails"
        )
        yield Row(topic, BAD, text, ways=(f"dokku releases:rollback {app.name} {live or 'NUMBER'}   puts it right",))
    holds = dokku_holds.judge(app.name, app.releases, app.report)
    if holds.missing:
        numbers = ", ".join(map(str, holds.missing))
        text = f"not held, so the next cleanup removes them: {numbers}"
        yield Row(f"{app.name} holds", WARN, text, ways=("dokku_maintenance -e cadence=weekly holds them again",))
    elif holds.gone:
        text = f"the image of {', '.join(map(str, holds.gone))} is gone: there is no way back to it"
        yield Row(f"{app.name} holds", WARN, text)


def _pending_rows(app: App, reading: Reading) -> Iterator[Row]:
    to = app.report.get("pending-rollback", "")
    if to:
        text = f"a rollback to {to} began and did not end"
        # For an interrupted operation of ours its own row says how it is ended, with its journal.
        ours = bool(reading.history.get("interrupted"))
        way = f"dokku releases:rollback {app.name} {to}   finishes it"
        yield Row(f"{app.name} rollback", BAD, text, ways=() if ours else (way,))
    # Dokku's own note of the revision moves with each attempt to deploy; the image tells what came of it.
    drift = [name for name in app.report.get("config-drift", "").split() if name != "GIT_REV"]
    if drift:
        names = ", ".join(drift)
        yield Row(f"{app.name} config", WARN, f"changed since the release, and not in its record: {names}")
    if app.locked and not _at_work(reading.history):
        text = "the deploy lock is there: a deploy is under way, or one was killed (then dokku apps:unlock)"
        yield Row(f"{app.name} lock", WARN, text)


def _at_work(history: Mapping[str, Any]) -> bool:
    return (history.get("lease") or {}).get("standing") in ("running", "waiting")


def _proxy_rows(app: App) -> Iterator[Row]:
    """A configuration of nginx that is missing, or leads to the container of somebody else."""
    kind, _, rest = app.report.get("nginx-config", "").partition(" ")
    # Without a container there is nothing to lead to, and Dokku writes nothing.
    down = app.running == "false"
    what = "ps:rebuild" if down else "proxy:build-config"
    way = (f"dokku {what} {app.name}   {'starts it again, and ' if down else ''}writes it anew",)
    if kind == "missing" and app.proxied:
        yield Row(f"{app.name} nginx", BAD, "it has no nginx.conf, so nginx does not serve it", ways=way)
    elif kind == "stale":
        address, _, other = rest.partition(" ")
        text = f"its nginx.conf leads its visitors to {address}, which is the container {other} and none of its own"
        yield Row(f"{app.name} nginx", BAD, text, ways=way)


def _certificate_row(app: App, limits: Limits) -> Row:
    topic = f"{app.name} certificate"
    if app.certificate is None:
        return Row(topic, WARN, f"not known: {app.problems.get('certificate', 'not read')}")
    found = app.certificate
    if found.days is None:
        return Row(topic, WARN, "no certificate: the app is served without TLS")
    how = "renewed by itself" if found.renews and found.scheduled else "NOT renewed by itself"
    text = f"{_left(found.days)}, {how}"
    level = certificate_level(found.days, limits.certificate_warn, limits.certificate_critical)
    if found.renews and not found.scheduled:
        text += " (dokku letsencrypt:cron-job --add)"
        level = max(level, WARN, key=_order)
    return Row(topic, level, text)


def certificate_level(days: int, warn: int, critical: int) -> str:
    """How bad it is that a certificate ends in so many days."""
    return BAD if days <= critical else WARN if days <= warn else OK


def resource_rows(app: App, limits: Limits) -> list[Row]:
    """Use and limits of an app; a value that could not be read is a row too."""
    if app.missing:
        return [Row(f"{app.name} resources", WARN, "there is no such app")]
    return [_resource_row(app, limits)]


def _resource_row(app: App, limits: Limits) -> Row:
    topic = f"{app.name} resources"
    if "resources" in app.problems:
        return Row(topic, WARN, f"not known: {app.problems['resources']}")
    level, parts, details = OK, [], []
    for name, usage in sorted(app.usage.items()):
        wanted = memory_bytes(limit_of(app.limits, name, "memory"))
        cpu = limit_of(app.limits, name, "cpu")
        parts.append(f"{name} {_used(usage, wanted, cpu)}")
        held = usage.limit or wanted
        if usage.memory is not None and held and 100.0 * usage.memory / held >= limits.memory_warn:
            level = WARN
            details.append(f"{name} uses {100.0 * usage.memory / held:.0f} % of its memory")
        if usage.oom_kills:
            level = WARN
            details.append(f"{name}: {usage.oom_kills} processes were killed for want of memory")
        if wanted and usage.memory is not None and usage.limit != wanted:
            level = WARN
            now = status_rows.size(usage.limit) if usage.limit else "no limit"
            details.append(f"{name} runs with {now}: a new limit counts from the next deploy on")
    for key, value in refused_limits(app.limits):
        level = WARN
        details.append(f"Docker refuses {key} {value}, so the next deploy fails: dokku_tune")
    if not parts:
        return Row(topic, level, "what it uses was not seen", tuple(details))
    text = "; ".join(parts)
    return Row(topic, level, text if app.limits else f"{text} (no limits are set)", tuple(details))


def _used(usage: Usage, wanted: int | None, cpu: str) -> str:
    memory = "memory not seen" if usage.memory is None else status_rows.size(usage.memory)
    held = usage.limit or wanted
    if held and usage.memory is not None:
        memory = f"{memory} of {status_rows.size(held)}"
    if usage.cores is None:
        return memory
    return f"{memory}, {usage.cores:.2f}{f' of {cpu}' if cpu else ''} cores"


def limit_of(report: Mapping[str, str], process: str, what: str) -> str:
    """The limit that counts for a process (web.1): that of its kind, or else the one for all."""
    kind = process.partition(".")[0]
    return report.get(f"{kind}.limit.{what}") or report.get(f"_default_.limit.{what}") or ""


def memory_bytes(text: str) -> int | None:
    """The bytes of a memory limit; without a unit Dokku means MiB. None for no limit, or none that Docker takes."""
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        return None
    return int(float(match[1]) * _UNITS[(match[2] or "m").lower()]) or None


def refused_limits(report: Mapping[str, str]) -> list[tuple[str, str]]:
    """The limits that Dokku took and Docker will not."""
    found = []
    for key, value in sorted(report.items()):
        what = key.rpartition(".")[2]
        bad = (what == "cpu" and not _CPUS.fullmatch(value)) or (what == "memory" and not _BYTES.fullmatch(value))
        if value and bad and ".limit." in f".{key}":
            found.append((f"{key.partition('.')[0]} {what}".replace("_default_ ", ""), value))
    return found


def _log_row(app: App, limits: Limits) -> Row:
    topic = f"{app.name} log"
    if app.log is None:
        return Row(topic, WARN, f"not read: {app.problems.get('log', 'not asked')}")
    span = f"in the last {app.log.lines} lines"
    counts = app.log.counts
    errors = counts.get("error", 0) + counts.get("5xx", 0)
    said = ", ".join(
        f"{count} {word}{'' if count == 1 or word == '5xx' else 's'}" for word, count in sorted(counts.items())
    )
    last = app.log.last if app.log_shown else ("the lines are not shown: the secrets to mask could not be read",)
    return Row(
        topic,
        WARN if errors >= limits.log_errors_warn else OK,
        f"{said} {span}" if said else f"no error {span}",
        last if errors else (),
    )


# -- around the apps -----------------------------------------------------------------------------


def _endpoint_rows(where: str, results: Sequence[gate.Result], limits: Limits, wanted: bool) -> Iterator[Row]:
    if not results and wanted:
        yield Row("endpoints", WARN, "no health check is described (dokku_health): the answers are not seen")
    for result in results:
        parts = [f"{result.status or 'no answer'} in {result.seconds * 1000:.0f} ms from the {where}"]
        level = OK if result.ok else BAD
        if result.release:
            parts.append(f"release {result.release[:10]}")
        if result.request_id and not result.ok:
            parts.append(f"request id {result.request_id}")
        if result.tls_days is not None:
            parts.append(f"certificate: {_left(result.tls_days)}")
            level = max(
                level,
                certificate_level(result.tls_days, limits.certificate_warn, limits.certificate_critical),
                key=_order,
            )
        yield Row(f"endpoint {result.name}", level, ", ".join(parts), (result.reason,) if result.reason else ())


def _service_row(service: Service) -> Row:
    topic = f"{service.plugin} {service.name}"
    if service.problem and not service.status:
        return Row(topic, BAD, service.problem)
    if service.status != "running":
        return Row(topic, BAD, f"its container is {service.status or 'not known'}: dokku {service.plugin}:start")
    if service.problem:
        return Row(topic, BAD, f"its container runs, but it does not answer: {service.problem}")
    said = "runs" if service.answer is None else f"runs, answered in {service.answer:.0f} ms"
    if service.linked is False:
        return Row(topic, WARN, f"{said}; it is not linked to the app")
    return Row(topic, OK, said)


def _maintenance_rows(reading: Reading, limits: Limits) -> Iterator[Row]:
    records = [
        record
        for record in reading.history.get("records") or []
        if record.get("procedure") == "maintenance" and record.get("outcome") in ("succeeded", "failed")
    ]
    if not records:
        return
    record = records[-1]
    ended = _epoch(str(record.get("finished") or ""))
    days = int((reading.now - ended) // 86400) if ended is not None else None
    cadence = (record.get("facts") or {}).get("cadence") or "maintenance"
    text = f"the last was {cadence}, {record['outcome']}, {_clock(record.get('finished'))}"
    late = days is not None and days > limits.maintenance_days
    if late:
        text += f": {days} days ago, and due each week"
    yield Row("maintenance", WARN if late or record["outcome"] == "failed" else OK, text)


# -- facts for programs --------------------------------------------------------------------------


def facts(reading: Reading) -> dict[str, Any]:
    """The figures behind the rows."""
    records = reading.history.get("records") or []
    return {
        "apps": {app.name: _app_facts(app) for app in reading.apps},
        "services": {f"{one.plugin}:{one.name}": asdict(one) for one in reading.services},
        "endpoints": {"host": [result.to_dict() for result in reading.endpoints], "controller": []},
        "disks": [asdict(disk) for disk in reading.disks],
        "lease": reading.history.get("lease"),
        "interrupted": reading.history.get("interrupted"),
        "last_operation": records[-1] if records else None,
        "nginx": reading.nginx.text if reading.nginx else None,
    }


def _app_facts(app: App) -> dict[str, Any]:
    return {
        "role": app.role,
        "exists": not app.missing,
        "deployed": app.deployed,
        "running": app.running == "true" and all(state == "running" for state in app.processes.values()),
        "processes": dict(app.processes),
        "release": int(app.report["live"]) if app.report.get("live", "").isdigit() else None,
        "previous": int(app.report["previous"]) if app.report.get("previous", "").isdigit() else None,
        "releases": None if app.releases is None else [dict(release) for release in app.releases[:_RELEASES]],
        "latest_is_live": {"true": True, "false": False}.get(app.report.get("latest-is-live", "")),
        "holds_missing": list(dokku_holds.judge(app.name, app.releases or (), app.report).missing),
        "pending_rollback": app.report.get("pending-rollback") or None,
        "strays": f"{app.report.get('strays', '')} {app.report.get('strays-stopped', '')}".split(),
        "under_way": app.report.get("under-way") or None,
        "certificate_days": app.certificate.days if app.certificate else None,
        "limits": dict(app.limits),
        "usage": {name: asdict(usage) for name, usage in app.usage.items()},
        "log": None if app.log is None else {"lines": app.log.lines, "counts": dict(app.log.counts)},
        "problems": dict(app.problems),
    }


# -- words ---------------------------------------------------------------------------------------


def _clock(moment: Any) -> str:
    """To the minute; a text that is not an RFC 3339 time in UTC is shown as it is."""
    text = str(moment or "")
    match = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", text)
    return f"{match[1]} {match[2]}" if match else text[:16]


def _epoch(text: str) -> float | None:
    try:
        return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def _left(days: int) -> str:
    if days < 0:
        return "ended" if days == -1 else f"ended {-days - 1} days ago"
    return "1 day left" if days == 1 else f"{days} days left"
