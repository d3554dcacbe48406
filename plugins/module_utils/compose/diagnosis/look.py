# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at a Compose service that is not well. Nothing is changed, and each part is looked at without the others.

Half of a stack may be down, the compose file may be broken, or the engine gone: what can't be read is itself an answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file, hotfix, inspect, once, typed_line
from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import bundle as compose_bundle
from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis.judge import (
    BAD,
    Answer,
    DiskUse,
    Facts,
    Seen,
    broken_services,
    diagnose,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.options import InsideHealth, Limits
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import EngineError, EngineUnreachable
from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint, gate
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.host import clock, durable_file, work_by_hand
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Output
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import rows as hotfix_rows
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact
from ansible_collections.ops.runbook.plugins.module_utils.text import bounded
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut, excerpt

#: Commands that people type in the folder of a service to change it.
BY_HAND: work_by_hand.Programs = {
    "docker compose": ("up", "down", "pull", "build", "restart", "stop", "start", "rm", "create", "run")
}

_DEPENDS = "com.docker.compose.depends_on"
#: Lines and time of a log in which signs of a cause are looked for: an old one says nothing about now.
_SIGNS_LINES, _SIGNS_SECONDS = 200, 600.0
_PROJECT, _FOLDER = "com.docker.compose.project", "com.docker.compose.project.working_dir"

#: Asks with what the container has, so that the status is seen: `wget -q` would keep it to itself. The address is an
#: argument, and no part of the script.
_ASK = """\
if command -v curl >/dev/null 2>&1; then exec curl -sS -m 5 -w '\\nHTTP %{http_code}' "$1"; fi
if command -v wget >/dev/null 2>&1; then exec wget -S -O- -T 5 "$1"; fi
for python in python3 python; do
  if command -v $python >/dev/null 2>&1; then
    exec $python -c 'import sys, urllib.request as u; a = u.build_opener().open(sys.argv[1], timeout=5)
print(a.read().decode(), "HTTP", a.status)' "$1"
  fi
done
echo 'this container has neither curl, wget nor python' >&2
exit 127
"""


#: Seconds for one command. A part that hangs is itself an answer, and a person waits for it.
COMMAND_TIMEOUT = 20.0


def look(
    service: ComposeService,
    guard: Guard,
    checks: Sequence[endpoint.Check],
    limits: Limits,
    bundle: bool,
    environment: str = "",
) -> dict[str, Any]:
    """Everything that was seen, and the verdict. Returns verdict, facts, seconds, and with bundle its files.

    environment: of the service, as the ledger names it; the records of another one are not its own.
    """
    return _Look(service, guard, limits, environment).at(checks, bundle)


class _Look:
    def __init__(self, service: ComposeService, guard: Guard, limits: Limits, environment: str = "") -> None:
        self.service = service
        self.guard = guard
        self.limits = limits
        self.environment = environment
        self.raw: list[dict[str, Any]] = []

    def at(self, checks: Sequence[endpoint.Check], bundle: bool) -> dict[str, Any]:
        started = time.monotonic()
        self._hide_settings()
        engine_problem = self._read_containers()
        config, files_problem = self._read_config()
        with ThreadPoolExecutor(max_workers=8) as pool:
            outside = [pool.submit(gate.probe, check) for check in checks]
            published = inspect.published(self.raw)
            inside = [pool.submit(self._ask_inside, *check) for check in self._inside_checks()]
            seen = list(pool.map(self._seen, self.raw))
            hotfixes = pool.submit(self._hotfixes)
            results = [future.result() for future in outside]
            answers = [
                Answer(
                    "host",
                    result.name,
                    result.status,
                    self.service.redact(result.reason),
                    *inspect.answerer(check.url, published),
                )
                for check, result in zip(checks, results)
            ]
            answers += [future.result() for future in inside]
        # After all that was seen: an operation may have begun since.
        history, untold = records(self.guard, self._subject)
        facts = Facts(
            lines=typed_line.lines(self.service.description),
            engine_problem=engine_problem,
            files_problem=files_problem,
            services=self._services(config),
            once=self._once(config),
            containers=tuple(seen),
            answers=tuple(answers),
            disks=tuple(disks(self._folders(engine_problem))),
            drift=self._drift(config),
            busy=self._busy(history),
            records=untold,
            hotfixes=tuple(hotfixes.result()),
            addresses=inspect.addresses(self.raw),
            builds=inspect.other_builds(self.raw, config, self.service.description.images),
            disk_warn=self.limits.disk_warn,
            disk_bad=self.limits.disk_bad,
        )
        facts = self._with_logs(facts)
        verdict = diagnose(facts)
        found: dict[str, Any] = {
            "verdict": verdict.to_dict(),
            "facts": self._facts(facts, [result.to_dict() for result in results]),
            "seconds": round(time.monotonic() - started, 3),
        }
        if bundle:
            found["files"] = {name: self.service.redact(text) for name, text in self._files(config, found).items()}
        return found

    def _docker(self, *arguments: str) -> Output:
        """A command of the engine's own; it does not need the compose files."""
        argv = [*self.service.description.docker, *arguments]
        environment = {"DOCKER_HOST": self.service.engine.host}
        return self.service.commands.run(argv, env=environment, check=False, timeout=COMMAND_TIMEOUT, shown=True)

    # -- secrets ---------------------------------------------------------------------------------

    def _hide_settings(self) -> None:
        """Of .env every value is masked that is more than a common word, whatever its name."""
        try:
            text = durable_file.read_bytes(self.service.path(self.service.description.env_file)).decode(
                "utf-8", "replace"
            )
            settings = {item.key: item.literal or "" for item in env_file.parse(text)}
        except (OSError, env_file.NotRead):
            settings = self.service.settings()
        self.service.hide(redact.maskable(settings))

    def _hide_environment(self, raw: Mapping[str, Any]) -> None:
        entries = (raw.get("Config") or {}).get("Env") or []
        self.service.hide(redact.maskable(dict(entry.partition("=")[::2] for entry in entries), by_name=True))

    # -- containers ------------------------------------------------------------------------------

    def _read_containers(self) -> str:
        """All containers of the project. Returns why they can't be read; empty where they were."""
        try:
            labels = ["com.docker.compose.oneoff=False"]
            listed = [
                found for found in self.service.engine.containers(labels) if self._ours(found.get("Labels") or {})
            ]
            for found in listed:
                try:
                    self.raw.append(self.service.engine.container(found["Id"]))
                except EngineError as error:
                    if error.status != 404:
                        raise
        except EngineUnreachable as error:
            return f"{error}{' (the user is not in the group docker)' if error.denied else ''}"
        except EngineError as error:
            return error.message
        for raw in self.raw:
            self._hide_environment(raw)
        self.raw.sort(key=lambda raw: str(raw.get("Name")))
        return ""

    def _ours(self, labels: Mapping[str, str]) -> bool:
        """By folder, because a compose file that can't be read does not say the project's name."""
        named = self.service.description.project
        folder = os.path.realpath(self.service.description.project_dir)
        return labels.get(_PROJECT) == named if named else os.path.realpath(labels.get(_FOLDER) or "/") == folder

    def _seen(self, raw: Mapping[str, Any]) -> Seen:
        state = raw.get("State") or {}
        status = str(state.get("Status") or "")
        checked = (state.get("Health") or {}).get("Log") or []
        started = clock.seconds(str(state.get("StartedAt") or ""))
        return Seen(
            name=str(raw.get("Name") or "").lstrip("/"),
            service=inspect.service_of(raw),
            state=status,
            health=str((state.get("Health") or {}).get("Status") or "").replace("none", ""),
            exit_code=int(state.get("ExitCode") or 0),
            oom_killed=bool(state.get("OOMKilled")),
            restarts=int(raw.get("RestartCount") or 0),
            up=max(time.time() - started, 0.0) if status == "running" and started is not None else None,
            error=self._clean(str(state.get("Error") or "")),
            checks=tuple(self._check_line(one) for one in checked[-5:]),
        )

    def _check_line(self, one: Mapping[str, Any]) -> str:
        said = excerpt(str(one.get("Output") or ""), first=2, last=2, nothing="no output", redact=self.service.redact)
        return f"{str(one.get('End') or '')[:19]} exit {one.get('ExitCode')}: {said}"

    def _clean(self, text: str) -> str:
        return cut(" ".join(self.service.redact(text).split()), 600)

    def _said(self, found: Output) -> str:
        return excerpt(found.stderr, first=2, last=2, nothing=f"exit code {found.code}", redact=self.service.redact)

    def _with_logs(self, facts: Facts) -> Facts:
        """Facts with recent lines of running containers, if something is wrong, and the last lines of unhealthy ones.

        A container that is well and has no part in it is shown to nobody.
        """
        if diagnose(facts).level == BAD:
            alive = [seen for seen in facts.containers if seen.state in ("running", "restarting")]
            with ThreadPoolExecutor(max_workers=4) as pool:
                logs = pool.map(self._signs, alive, [set(broken_services(facts))] * len(alive))
                recent = {seen.name: tuple(lines) for seen, lines in zip(alive, logs)}
            told = [replace(seen, recent=recent.get(seen.name, ())) for seen in facts.containers]
            facts = replace(facts, containers=tuple(told))
        sick = {name for one in diagnose(facts).findings for name in one.services or (one.subject,)}
        containers = tuple(
            replace(seen, log=tuple(self._log(seen.name, self.limits.log_lines)))
            if seen.service in sick or seen.health == "unhealthy"
            else seen
            for seen in facts.containers
        )
        return replace(facts, containers=containers)

    def _signs(self, seen: Seen, broken: Collection[str]) -> list[str]:
        """The recent lines of a container, and those about services that are broken now."""
        mine = next(raw for raw in self.raw if str(raw.get("Name") or "").lstrip("/") == seen.name)
        others = [raw for raw in self.raw if inspect.service_of(raw) in broken]
        since = inspect.signs_since(mine, others, time.time(), _SIGNS_SECONDS)
        return self._log(seen.name, _SIGNS_LINES, "--since", f"{since:.6f}")

    def _log(self, container: str, lines: int, *options: str) -> list[str]:
        try:
            found = self._docker("logs", "--tail", str(lines), *options, container)
        except CommandFailed as error:
            return [str(error)]
        both = [*bounded.lines_of(found.stdout), *bounded.lines_of(found.stderr)]
        return [cut(self.service.redact(line), 600) for line in both if line.strip()][-lines:]

    # -- files -----------------------------------------------------------------------------------

    def _read_config(self) -> tuple[dict[str, Any], str]:
        folder = self.service.description.project_dir
        missing = [name for name in self.service.files() if not os.path.isfile(self.service.path(name))]
        if not os.path.isdir(folder) or missing or not self.service.files():
            return {}, f"{', '.join(missing) or 'the compose file'} is missing in {folder}"
        try:
            return self.service.config(), ""
        except (CommandFailed, ValueError) as error:
            env = self.service.path(self.service.description.env_file)
            more = "" if os.path.isfile(env) else f"; there is no {env}"
            said = re.sub(r"^.*? ended with \d+: ", "", self._clean(str(error)))
            return {}, f"the compose files are not valid: {said}{more}"

    def _services(self, config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Each service with what it depends on."""
        return {name: tuple(once.dependencies(body)) for name, body in self._bodies(config).items()}

    def _bodies(self, config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """The services as the files have them; as far as their containers tell, where the files can't be read."""
        if config:
            return dict(config.get("services") or {})
        found: dict[str, Mapping[str, Any]] = {}
        for raw in self.raw:
            given, host = raw.get("Config") or {}, raw.get("HostConfig") or {}
            policy = str((host.get("RestartPolicy") or {}).get("Name") or "")
            found[inspect.service_of(raw)] = {
                "depends_on": once.from_label(str((given.get("Labels") or {}).get(_DEPENDS) or "")),
                # Of a container "no" may be what was written, or nothing.
                "restart": "" if policy == "no" else policy,
                "ports": host.get("PortBindings") or {},
            }
        return found

    def _once(self, config: Mapping[str, Any]) -> frozenset[str]:
        """Services that have one thing to do and end."""
        checked = {inspect.service_of(raw) for raw in self.raw if (raw.get("State") or {}).get("Health")}
        return once.one_shots(self._bodies(config), self.service.description.images, checked)

    def _drift(self, config: Mapping[str, Any]) -> dict[str, str]:
        """Services whose containers differ from the files' pins, by digest."""
        found: dict[str, str] = {}
        for raw in self.raw:
            name = inspect.service_of(raw)
            wanted = str(((config.get("services") or {}).get(name) or {}).get("image") or "")
            if not wanted or _status(raw) != "running":
                continue
            runs = str(raw.get("Image") or "")
            pinned = self._image_id(wanted)
            if pinned is None:
                found[name] = f"runs {runs[:19]}, and {wanted}, which the files pin, is not on this host"
            elif pinned and pinned != runs:
                found[name] = f"runs {runs[:19]}, and the files pin {wanted} ({pinned[:19]})"
        return found

    def _image_id(self, reference: str) -> str | None:
        """The image behind a reference; None if it is not here, empty if that is not known."""
        try:
            parsed = image_reference.parse(reference)
            image = self.service.engine.image(parsed.by_digest if parsed.digest else reference)
        except (EngineError, EngineUnreachable, image_reference.BadReference):
            return ""
        return str(image["Id"]) if image else None

    # -- addresses, disks, lease -----------------------------------------------------------------

    def _inside_checks(self) -> list[tuple[str, InsideHealth]]:
        """Each check, with the running container in which it is asked."""
        alive = {inspect.service_of(raw): str(raw["Id"]) for raw in self.raw if _status(raw) == "running"}
        checks = self.service.description.inside_health
        return [(alive[check.service], check) for check in checks if check.service in alive]

    def _ask_inside(self, container: str, check: InsideHealth) -> Answer:
        """Ask from inside a container, by its id: the compose files may be what is broken."""
        name = endpoint.display_url(check.url)
        try:
            found = self._docker("exec", container, "sh", "-c", _ASK, "sh", check.url)
        except CommandFailed as error:
            return Answer(check.service, name, None, self._clean(str(error)))
        codes = re.findall(r"\bHTTP(?:/[\d.]+)? (\d{3})\b", f"{found.stdout[-40:]}\n{found.stderr}")
        status = int(codes[-1]) if codes else None
        problem = ""
        service, port = inspect.answerer_inside(check.url, check.service, self.raw)
        if status is not None and status >= 400:
            problem = f"answers {status}"
        elif found.code != 0:
            problem = f"does not answer: {self._said(found)}"
        elif check.contains and check.contains not in found.stdout:
            problem = f"answers {status or 'something'}, without '{check.contains}' in it"
        return Answer(check.service, name, status, problem, service, port)

    def _folders(self, engine_problem: str) -> list[str]:
        folders = [self.service.description.project_dir, self.guard.state_dir, "/tmp"]
        root = "/var/lib/docker"
        if not engine_problem:
            with contextlib.suppress(EngineError, EngineUnreachable):
                root = self.service.engine.root()
        return [root, *folders]

    def _busy(self, history: Mapping[str, Any]) -> str:
        lease = history.get("lease")
        if lease and lease.get("standing") in ("running", "waiting"):
            return f"{lease['holder']} is at work on this service"
        by_hand = work_by_hand.under_way(work_by_hand.read(), self.service.description.project_dir, BY_HAND)
        return f"somebody runs {by_hand} on this service" if by_hand else ""

    @property
    def _subject(self) -> Subject:
        return Subject("compose", os.path.abspath(self.service.description.project_dir), self.environment)

    def _hotfixes(self) -> list[Row]:
        """Hotfixes of the ledger whose merges are not known to be done."""
        history, _ = records(self.guard, self._subject)
        description = self.service.description
        labels = [dict((raw.get("Config") or {}).get("Labels") or {}) for raw in self.raw]
        source, into = hotfix.source_of(description.source, labels), description.hotfix_into
        return hotfix_rows.of(hotfix.standings(history, source, into), source, into)

    # -- what is handed over ---------------------------------------------------------------------

    def _facts(self, facts: Facts, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        document = asdict(facts)
        document["once"] = sorted(facts.once)
        document["services"] = {name: list(below) for name, below in facts.services.items()}
        for seen in document["containers"]:
            # A log of what is well is nobody's business.
            seen.pop("recent")
        document["health"] = [dict(result) for result in results]
        document["images"] = self._images()
        document.pop("disk_warn")
        document.pop("disk_bad")
        return document

    def _images(self) -> list[dict[str, str]]:
        return [
            {
                "service": inspect.service_of(raw),
                "reference": str((raw.get("Config") or {}).get("Image") or ""),
                "id": str(raw.get("Image") or ""),
            }
            for raw in self.raw
        ]

    def _files(self, config: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
        """The bundle: what somebody who was not there needs."""
        files = {
            "facts.json": _json(found["facts"]),
            "verdict.json": _json(found["verdict"]),
            "compose-config.json": _json(compose_bundle.may_be_shown(config)),
            "containers.json": _json([compose_bundle.may_be_shown(raw) for raw in self.raw]),
        }
        for raw in self.raw:
            name = str(raw.get("Name") or "").lstrip("/")
            file = f"logs/{name}.log"
            if not compose_bundle.is_safe_name(file):
                continue
            files[file] = "\n".join(self._log(name, self.limits.bundle_lines)) + "\n"
        for name, argv in (("docker-df.txt", ["system", "df"]), ("docker-version.txt", ["version"])):
            try:
                ran = self._docker(*argv)
                files[name] = ran.stdout + ran.stderr
            except CommandFailed as error:
                files[name] = f"{error}\n"
        return files


def records(guard: Guard, subject: Subject) -> tuple[Mapping[str, Any], tuple[Row, ...]]:
    """The state folder of a service; a row that says so if it can't be read, or is another service's."""
    try:
        return operation_history.of(guard, subject), ()
    except operation_history.StateUnreadable as error:
        ways = tuple(f"{way} ({why})" for way, why in error.ways)
        return {}, (Row("ledger", WARN, error.text, ways=ways),)
    except (OSError, ValueError) as error:
        return {}, (Row("ledger", WARN, f"the records of operations in {guard.state_dir} can't be read: {error}"),)


def _status(raw: Mapping[str, Any]) -> str:
    return str((raw.get("State") or {}).get("Status") or "")


def disks(folders: Iterable[str]) -> list[DiskUse]:
    """The file systems under these folders, each once. A folder that may not be seen counts by its parent."""
    found: dict[int, list[str]] = {}
    for folder in dict.fromkeys(folders):
        there = folder
        while not os.path.exists(there) and os.path.dirname(there) != there:
            there = os.path.dirname(there)
        try:
            found.setdefault(os.stat(there).st_dev, []).append(there)
        except OSError:
            continue
    used: list[DiskUse] = []
    for members in found.values():
        try:
            state = os.statvfs(members[0])
        except OSError:
            continue
        full = state.f_blocks - state.f_bfree
        room = full + state.f_bavail
        percent = round(100.0 * full / room, 1) if room else 100.0
        inodes = round(100.0 * (state.f_files - state.f_ffree) / state.f_files, 1) if state.f_files else None
        used.append(DiskUse(tuple(dict.fromkeys(members)), percent, state.f_bavail * state.f_frsize, inodes))
    return used


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, sort_keys=True, default=str) + "\n"
