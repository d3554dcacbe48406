# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of a Compose service, from what was seen: the cause first, then its consequences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import next_steps, signs
from ansible_collections.ops.runbook.plugins.module_utils.compose.typed_line import Lines
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Row
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

OK, WARN, BAD = "ok", "warn", "bad"

#: The meaning of exit codes, which no log shows.
_CODES = {
    125: "the engine could not start it",
    126: "its command may not be run",
    127: "its command was not found in the image",
    134: "it aborted itself (SIGABRT)",
    137: "it was killed (SIGKILL)",
    139: "it crashed (SIGSEGV)",
    143: "it was asked to stop (SIGTERM)",
}

#: Seconds in which a container is new, so that a restart or a missing health check is worth a word.
_YOUNG = 600.0

#: Seconds in which one that was restarted may be between two deaths.
_DYING = 30.0


@dataclass(frozen=True)
class Seen:
    """One container. health: empty without a check. checks: last outputs of its health check, newest last.

    up: seconds since it was started; None where it does not run. error: why the engine could not start it.
    log: last lines of what it wrote. recent: what it wrote in the last minutes, for signs of a cause; not shown.
    """

    name: str
    service: str
    state: str
    health: str = ""
    exit_code: int = 0
    oom_killed: bool = False
    restarts: int = 0
    up: float | None = None
    error: str = ""
    checks: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An address that was asked. where: `host`, or the service from inside whose container. problem: empty if well.

    service: the one that answers at that address; empty where that is not known. port: of the address; 0 likewise.
    """

    where: str
    name: str
    status: int | None = None
    problem: str = ""
    service: str = ""
    port: int = 0


@dataclass(frozen=True)
class DiskUse:
    """A file system. percent: used. inodes: percent, None where there is no such limit."""

    paths: tuple[str, ...]
    percent: float
    free_bytes: int
    inodes: float | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that was seen. A problem that is not empty says why something could not be looked at.

    services: those of the compose files, each with the services that it depends on. once: those that end in order.
    drift: by service, how what runs differs from what is pinned. busy: who is at work on it now.
    records: why the records of operations are not read. hotfixes: those whose merges are not known to be done.
    addresses: the service of each container's address. builds: by service that shares a repository with one of the
    release, and is not of it: how its image differs from that one's. lines: those that a person types on the host.
    """

    lines: Lines
    engine_problem: str = ""
    files_problem: str = ""
    services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    containers: tuple[Seen, ...] = ()
    answers: tuple[Answer, ...] = ()
    disks: tuple[DiskUse, ...] = ()
    drift: Mapping[str, str] = field(default_factory=dict)
    busy: str = ""
    records: tuple[Row, ...] = ()
    hotfixes: tuple[Row, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)
    builds: Mapping[str, str] = field(default_factory=dict)
    disk_warn: int = 85
    disk_bad: int = 95


@dataclass(frozen=True)
class Finding:
    """One thing that is not well. subject: a service, or what it is about. next: what to type.

    services: those whose logs show more of it.
    """

    level: str
    subject: str
    text: str
    next: str = ""
    services: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"level": self.level, "subject": self.subject, "text": self.text, "next": self.next}


@dataclass(frozen=True)
class Diagnosis:
    """level: the worst. text: one sentence, the cause and what follows. findings: the cause first."""

    level: str
    text: str
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"level": self.level, "text": self.text, "findings": [one.to_dict() for one in self.findings]}


def diagnose(facts: Facts) -> Diagnosis:
    """The verdict."""
    findings = [*_around(facts), *_disks(facts)]
    broken = broken_services(facts)
    closed = _closed(facts, broken)
    causes = _causes(facts, broken, [one.subject for one in closed])
    findings += closed
    findings += [_of_service(facts, name, broken[name]) for name in causes]
    findings += [_of_service(facts, name, broken[name]) for name in broken if name not in causes]
    findings += _answers(facts, broken, closed)
    findings += [
        Finding(BAD, name, f"{name} {text}", "compose_deploy or compose_rollback, which leave what they pinned running")
        for name, text in facts.drift.items()
    ]
    findings += _words(facts, broken)
    if facts.busy:
        asked = {answer.name for answer in facts.answers}
        findings = [_passing(one, asked) for one in findings]
    findings.sort(key=lambda one: one.level != BAD)
    level = BAD if any(one.level == BAD for one in findings) else WARN if findings else OK
    return Diagnosis(level, _sentence(facts, findings, broken, causes, closed), tuple(findings))


def _passing(finding: Finding, asked: Collection[str]) -> Finding:
    """A finding that may be a moment of the work under way: not damage, and nothing is to be mended beside it.

    asked: the names of the addresses. An address without an answer stays a fault meanwhile.
    """
    if finding.subject in _AROUND and not finding.services:
        return finding
    return replace(finding, level=finding.level if finding.subject in asked else WARN, next="")


# -- around the containers -----------------------------------------------------------------------


def _around(facts: Facts) -> Iterator[Finding]:
    if facts.engine_problem:
        yield Finding(
            BAD, "engine", f"the Docker engine can't be asked: {facts.engine_problem}", "systemctl status docker"
        )
    if facts.files_problem:
        yield Finding(BAD, "compose files", facts.files_problem, f"{facts.lines.compose} config -q")


def _disks(facts: Facts) -> Iterator[Finding]:
    for disk in facts.disks:
        used, what = disk.percent, "full"
        if disk.inodes is not None and disk.inodes > used:
            used, what = disk.inodes, "out of inodes"
        level = BAD if used >= facts.disk_bad else WARN if used >= facts.disk_warn else OK
        if level != OK:
            text = f"the disk of {', '.join(disk.paths)} is {used:.0f} % {what}"
            look = f"{facts.lines.docker} system df; retention removes what no good release needs"
            yield Finding(level, "disk", text, look)


# -- services ------------------------------------------------------------------------------------


def _all_services(facts: Facts) -> list[str]:
    return list(dict.fromkeys([*facts.services, *(seen.service for seen in facts.containers)]))


def broken_services(facts: Facts) -> dict[str, str]:
    """The fault of each service that is unhealthy by its own containers."""
    return {name: text for name in _all_services(facts) if (text := _trouble(facts, name))}


def _trouble(facts: Facts, service: str) -> str:
    """The fault of a service; empty if it has none, or if that is not known."""
    if facts.engine_problem:
        return ""
    mine = [seen for seen in facts.containers if seen.service == service]
    if not mine:
        return "has no container: it was never started, or was removed"
    return next((text for text in (_state(seen, service in facts.once) for seen in mine) if text), "")


def _state(seen: Seen, once: bool) -> str:
    """The fault of a container; empty if it has none."""
    ended = _ending(seen)
    if seen.state == "restarting":
        return f"is restarting again and again: {ended}, {_times(seen.restarts)}"
    if seen.state == "exited" and once:
        return "" if seen.exit_code == 0 else f"failed at the one thing that it has to do: {ended}"
    if seen.state == "exited":
        return f"is not running: {ended}{_restarted(seen)}"
    if seen.state == "created":
        return f"was never started{': ' + seen.error if seen.error else ''}"
    if seen.state in ("paused", "dead", "removing"):
        return f"is {seen.state}"
    if seen.health == "unhealthy":
        said = f": {seen.checks[-1]}" if seen.checks else ""
        return f"runs, but its health check fails{said}"
    if seen.restarts and seen.up is not None and seen.up < _DYING and seen.health != "healthy":
        again = "is restarting again and again" if seen.restarts > 1 else "was restarted"
        return f"{again}: {_times(seen.restarts)}, the last one {seen.up:.0f} s ago"
    return ""


def _ending(seen: Seen) -> str:
    if seen.oom_killed:
        return f"it needed more memory than it may have, and was killed (OOM, exit code {seen.exit_code})"
    if seen.error:
        return f"{seen.error} (exit code {seen.exit_code})"
    known = _CODES.get(seen.exit_code, "")
    return f"exit code {seen.exit_code}{', ' + known if known else ''}"


def _restarted(seen: Seen) -> str:
    return f", after {_times(seen.restarts)}" if seen.restarts else ""


def _times(count: int) -> str:
    return "1 restart" if count == 1 else f"{count} restarts"


def _causes(facts: Facts, broken: Mapping[str, str], closed: Sequence[str]) -> list[str]:
    """The broken services that depend on no other broken one, nor on one that lets nobody in."""
    others = set(broken) | set(closed)
    return [name for name in broken if not _below(facts, name) & others and not (closed and _alone(facts, name))]


def _alone(facts: Facts, service: str) -> bool:
    """True if a service runs, and the files do not say on what it depends: a database may be it."""
    runs = any(seen.service == service and seen.state in ("running", "restarting") for seen in facts.containers)
    return runs and not facts.services.get(service)


def _below(facts: Facts, service: str) -> set[str]:
    """The services on which a service depends, however indirectly."""
    found: set[str] = set()
    waiting = list(facts.services.get(service, ()))
    while waiting:
        name = waiting.pop()
        if name not in found and name != service:
            found.add(name)
            waiting += facts.services.get(name, ())
    return found


def _of_service(facts: Facts, service: str, text: str) -> Finding:
    mine = [seen for seen in facts.containers if seen.service == service]
    last = next((seen.log[-1] for seen in mine if seen.log), "")
    more = f"; its log ends with: {cut(last, 200)}" if last and last not in text else ""
    seen = next((seen for seen in mine if _state(seen, service in facts.once)), None)
    step = next_steps.of_container(service, seen, service in facts.once, service in facts.builds, facts.lines)
    return Finding(BAD, service, f"{service} {text}{more}", step, (service,))


def _closed(facts: Facts, broken: Mapping[str, str]) -> list[Finding]:
    """Services that run, and turn their clients away; looked for only where something is wrong."""
    if facts.engine_problem or not (broken or any(answer.problem for answer in facts.answers)):
        return []
    found: list[Finding] = []
    for seen in facts.containers:
        done = seen.service in broken or any(one.subject == seen.service for one in found)
        # A container that depends on another one is a client itself, and prints the error that it got.
        if done or seen.state != "running" or facts.services.get(seen.service):
            continue
        others = "\n".join(
            line
            for one in facts.containers
            if one.service != seen.service
            for line in (*one.checks, *one.recent, *one.log)
        )
        line, step = signs.refusal(seen.recent, others, facts.lines)
        if line:
            text = f"{seen.service} runs, and turns its clients away: {cut(line, 300)}"
            found.append(Finding(BAD, seen.service, text, step, (seen.service,)))
    return found


# -- addresses -----------------------------------------------------------------------------------


def _answers(facts: Facts, broken: Mapping[str, str], closed: Sequence[Finding]) -> Iterator[Finding]:
    """Addresses that do not answer as they should, where the container they are in is well."""
    told: set[str] = set()
    for answer in facts.answers:
        if not answer.problem or answer.where in broken:
            continue
        why, step = ("", "") if broken or closed or facts.engine_problem else _why(facts, answer)
        text = f"{_place(answer)} {answer.problem}"
        if why and why not in told:
            text += f". {why}"
        told.add(why)
        proxy = answer.service or (answer.where if answer.where != "host" else "")
        yield Finding(BAD, answer.name, text, step, (proxy,) if proxy else ())


def _place(answer: Answer) -> str:
    return f"{answer.name}, asked from {'the host' if answer.where == 'host' else f'inside {answer.where}'}:"


def _why(facts: Facts, answer: Answer) -> tuple[str, str]:
    """The place where the path is cut, from the answers and the logs together, and what to type next."""
    inside = [one for one in facts.answers if one.where != "host"]
    proxy = answer.service or next((one.service for one in inside if one.service and _gateway(one)), "")
    behind = [one for one in inside if one.service and one.service != proxy]
    if _gateway(answer) and not any(one.problem for one in behind):
        ports: dict[str, set[int]] = {}
        for one in behind:
            ports.setdefault(one.service, set()).add(one.port)
        log = [line for seen in facts.containers if seen.service == proxy for line in seen.recent]
        error = signs.upstream_error(log)
        return signs.explained(proxy, error, facts.services, facts.addresses, ports, facts.lines)
    if answer.where == "host" and inside and not any(one.problem for one in inside):
        look = "look at the published port, the firewall, and what else listens there (ss -ltnp)"
        return "inside all is well", look
    return "", ""


def _gateway(answer: Answer) -> bool:
    return answer.status in (502, 503, 504) or any(f" {code}" in f" {answer.problem}" for code in ("502", "503", "504"))


# -- worth a word --------------------------------------------------------------------------------


def _words(facts: Facts, broken: Mapping[str, str]) -> Iterator[Finding]:
    for seen in facts.containers:
        if seen.service in broken or seen.state != "running":
            continue
        if seen.health == "starting":
            since = f" for {seen.up:.0f} s" if seen.up is not None else ""
            yield Finding(WARN, seen.service, f"{seen.service} runs{since}; its health check has not passed yet")
        elif seen.restarts and seen.up is not None and seen.up < _YOUNG:
            text = f"{seen.service} runs for {seen.up:.0f} s only, after {_times(seen.restarts)}"
            yield Finding(WARN, seen.service, text)
    for row in (*facts.records, *facts.hotfixes):
        yield Finding(WARN, row.topic, row.text, next(iter((*row.details, *row.ways)), ""))
    for name, text in facts.builds.items():
        yield Finding(WARN, name, f"{name} is of {text}", next_steps.NAME_IT.format(name=name))
    if facts.busy:
        yield Finding(WARN, "lease", f"{facts.busy}: what is seen may be a moment in its midst")
    if not facts.answers:
        yield Finding(WARN, "checks", "no address is asked: compose_health and compose_inside_health are empty")


def _sentence(
    facts: Facts,
    findings: Sequence[Finding],
    broken: Mapping[str, str],
    causes: Sequence[str],
    closed: Sequence[Finding],
) -> str:
    """The cause, and what follows from it, as one would say it on the phone."""
    bad = [one for one in findings if one.level == BAD]
    if not findings:
        return "all is well"
    if not bad:
        works = "seen in its midst" if facts.busy and broken else "it works; to look at"
        return f"{works}: {'; '.join(one.text for one in findings)}"
    around = [one.text for one in bad if one.subject in _AROUND and not one.services]
    cause = "; ".join([*(one.text for one in closed), *(f"{name} {broken[name]}" for name in causes)])
    if not cause and not around:
        return _with_hint(bad[0])
    parts = [*around, *([_seen_outside(facts) + cause] if cause else [])]
    follows = [name for name in broken if name not in causes]
    if follows:
        parts.append(
            f"{_and(follows)} {'depends' if len(follows) == 1 else 'depend'} on that, and can't be well either"
        )
    return ". ".join(parts)


#: Parts beside the services, which come first: without them nothing works.
_AROUND = ("engine", "compose files", "disk")


def _seen_outside(facts: Facts) -> str:
    """The answer that a visitor gets."""
    failing = next((one for one in facts.answers if one.where == "host" and one.problem), None)
    if failing is None:
        return ""
    return f"{failing.name} answers {failing.status}: " if failing.status else f"{failing.name} does not answer: "


def _with_hint(finding: Finding) -> str:
    return f"{finding.text}. {finding.next}" if finding.next else finding.text


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
