# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of a Compose service: its containers, the images they run, the answers from outside and from inside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import before as compose_before
from ansible_collections.ops.runbook.plugins.module_utils.compose import inspect, typed_line
from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import signs
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import digest_in
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe
from ansible_collections.ops.runbook.plugins.module_utils.compose.options import InsideHealth
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import images_of
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Container
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import EngineError, EngineUnreachable
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.health import blame, endpoint
from ansible_collections.ops.runbook.plugins.module_utils.health import gate as health
from ansible_collections.ops.runbook.plugins.module_utils.health.blame import RELEASE, SURROUNDINGS, Fault
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings, Patience
from ansible_collections.ops.runbook.plugins.module_utils.host import clock, load
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text import bounded
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan

#: Seconds for one answer from inside, on an idle machine.
_INSIDE = 5
#: Asks an address with whatever the container has for it. The address and the seconds are arguments of the script.
_ASK = """\
if command -v wget >/dev/null 2>&1; then exec wget -qO- -T "$2" "$1"; fi
if command -v curl >/dev/null 2>&1; then exec curl -sSf -m "$2" "$1"; fi
for python in python3 python; do
  if command -v $python >/dev/null 2>&1; then
    exec $python -c 'import sys, urllib.request as u
print(u.build_opener().open(sys.argv[1], timeout=int(sys.argv[2])).read().decode())' "$1" "$2"
  fi
done
echo 'this container has neither wget, curl nor python' >&2
exit 127
"""


def verify(service: ComposeService, plan: ComposePlan, direction: str, gate: GateSettings) -> dict[str, Any]:
    """Verify what an operation left behind. Returns blame.verdict, health, containers, inside, release.

    A way back is verified against the plan's record of what was there, service by service. Where nothing was seen at
    all, nothing was verified.
    """
    back = direction == "back"
    wanted = plan["from"] if back else plan["to"]
    before = compose_before.of_plan(plan)
    started = time.monotonic()
    patience, so_far = gate.patience(), plan.get("just_before") or {}
    look = _look(service, plan, wanted, back)
    if back and before is not None and not compose_before.to_start(before):
        states = _settled(look, patience, gate.interval)
        problems = blame.so_before(states, so_far.get("containers") or {})
        found = _result(service, problems, [], states, {}, "", started)
        return {**found, "note": "nothing of it ran before, so no address was asked"}
    with ThreadPoolExecutor(max_workers=3) as pool:
        settled = pool.submit(_settled, look, patience, gate.interval)
        inside = pool.submit(_asked_inside, service, patience, gate)
        results: list[health.Result] = []
        note = "no health check is defined (compose_health): the answers of the site were not verified"
        if gate.checks:
            expected = str((wanted or {}).get("revision") or "")
            results = health.gate(
                gate.checks, patience, gate.interval, gate.successes, expected or None, before=so_far.get("health")
            )
            note = ""
        states, answers = settled.result(), inside.result()
    problems = blame.so_before(states, so_far.get("containers") or {})
    problems += health.problems(results)
    problems += [
        Fault(f"{name}: {text}", SURROUNDINGS if (so_far.get("inside") or {}).get(name) else RELEASE)
        for name, text in answers.items()
        if text
    ]
    found = _result(service, problems, results, states, answers, str((wanted or {}).get("id") or ""), started)
    if not gate.checks and not answers:
        found["unasked"] = True
    if not any(states.values()):
        why = behind_the_proxy(service, str(plan["project"]), results)
        found["reason"] += f"; {service.redact(why)}" if why else ""
    return {**found, "note": note} if note else found


def before(service: ComposeService, plan: ComposePlan, gate: GateSettings) -> dict[str, Any]:
    """The facts that the gate will look at, just before the first change."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = pool.submit(health.look, gate.asked)
        inside = pool.submit(
            lambda: {
                _inside_name(check): ask_inside(service, check).problem for check in service.description.inside_health
            }
        )
        ours = images_of(plan["to"])
        # Containers of the release are replaced; those beside it are what they were.
        there = compose_before.ours(compose_before.of_plan(plan), _containers(service, str(plan["project"])) or [])
        beside = [each for each in there if each.service not in ours]
        found = container_problems(service, beside, {}, compose_before.of_plan(plan))
        return {"containers": found, "health": answers.result(), "inside": inside.result()}


def _result(
    service: ComposeService,
    problems: Sequence[Fault],
    results: Sequence[health.Result],
    states: Mapping[str, str],
    answers: Mapping[str, str],
    release: str,
    started: float,
) -> dict[str, Any]:
    if not (problems or results or states or answers):
        problems = [Fault("nothing was seen by which it could be verified: no container, no address")]
    return {
        **blame.verdict(problems, service.redact),
        "health": [result.to_dict() for result in results],
        "containers": {name: text or "well" for name, text in states.items()},
        "inside": {name: text or "well" for name, text in answers.items()},
        "release": release,
        "seconds": round(time.monotonic() - started, 3),
    }


def _containers(service: ComposeService, project: str) -> list[Container] | None:
    """The containers; None where they can't be listed now."""
    try:
        return service.containers(project)
    except (EngineError, EngineUnreachable):
        # One was removed between the list and the look at it, or the engine restarts: the next round sees.
        return None


# -- containers ----------------------------------------------------------------------------------


def _look(
    service: ComposeService, plan: ComposePlan, wanted: Mapping[str, Any] | None, back: bool
) -> Callable[[], dict[str, str]]:
    """A function that looks at the containers once, and returns their problems by name."""
    before = compose_before.of_plan(plan)
    images = images_of(wanted or {})
    left_down: Collection[str] = ()
    if before is not None and (back or plan.get("procedure") == "rotate_secrets"):
        # These start nothing: what did not run before need not run now.
        left_down = [name for name, was in before.items() if not was.ran and not was.once]
        images = {name: image for name, image in images.items() if name not in before or before[name].ran}

    def look() -> dict[str, str]:
        containers = _containers(service, str(plan["project"]))
        if containers is None:
            return {"engine": "the containers can't be listed: the Docker engine does not answer"}
        working = _at_work(service, str(plan["project"]))
        found = container_problems(service, containers, images, before, left_down)
        if back and before is not None:
            found.update(compose_before.differences(before, containers, service.description.images))
            found.update({f"{name}, which did not run before": "" for name in left_down if name not in found})
        elif back and not images:
            # A plan of a version that kept no record.
            found.update(_of_the_new(containers, images_of(plan.get("to") or {})))
        return {**found, **working}

    return look


def _at_work(service: ComposeService, project: str) -> dict[str, str]:
    """Migrations that still run: nothing is verified over a database that is being changed."""
    if not service.description.migration_service:
        return {}
    try:
        names = alembic_probe.at_work(service, project)
    except (EngineError, EngineUnreachable):
        return {}
    return {name: f"a migration is still at work in the container {name}: docker logs -f {name}" for name in names}


def _of_the_new(containers: Sequence[Container], images: Mapping[str, Reference]) -> dict[str, str]:
    """Services that still run the release that was to be left, and services that do not run at all."""
    found: dict[str, str] = {}
    for name, image in images.items():
        running = [one for one in containers if one.service == name and one.state == "running"]
        if not running:
            found[name] = f"{name} does not run, and this operation kept no record of what ran before"
        elif any(digest_in(one.digests, image.repository) == image.digest for one in running):
            found[name] = f"{name} still runs {image.digest[:19]}"
    return found


def _settled(look: Callable[[], dict[str, str]], patience: Patience, interval: float) -> dict[str, str]:
    """Look at the containers until all are well or the gate stops waiting. Returns the problem of each, by name."""
    while True:
        found = look()
        if not any(found.values()) or patience.over():
            return found
        time.sleep(max(interval, 0.1))


def container_problems(
    service: ComposeService,
    containers: Sequence[Container],
    images: Mapping[str, Reference],
    before: compose_before.Record | None = None,
    left_down: Collection[str] = (),
) -> dict[str, str]:
    """The fault of each container; a service without one is a problem by its own name.

    before: what the plan recorded; it says which services end in order, and which containers are of the compose files.
    left_down: services that need not run.
    """
    containers = compose_before.ours(before, containers)
    found = {name: f"{name} has no container" for name in images if not any(c.service == name for c in containers)}
    now = clock.now().utc
    for container in containers:
        if container.service in left_down and container.state != "running":
            continue
        wanted = images.get(container.service)
        ends = before[container.service].once if before is not None else None
        found[container.name] = problem_of(
            container, wanted, _seconds_up(container, now), service.description.settle, ends
        )
    return found


def causes(problems: Mapping[str, str], containers: Sequence[Container]) -> dict[str, str]:
    """The problems, by service, without those of services that only wait, as far as another one has its own.

    A container that is not started yet, or is too new to be judged, does not cause anything.
    """
    busy = {one.service for one in containers if not _only_waits(one, problems.get(one.service, ""))}
    own = {name: text for name, text in problems.items() if name in busy or not _has(name, containers)}
    return own or dict(problems)


def _has(service: str, containers: Sequence[Container]) -> bool:
    return any(one.service == service for one in containers)


def _only_waits(container: Container, problem: str) -> bool:
    """True if a container shows nothing wrong: it was made and waits for others, or it is new."""
    if container.state == "created":
        return container.exit_code == 0
    new = container.health == "starting" or problem.endswith(_NEW)
    return container.state == "running" and new and not container.restarts


#: How the problem of a container ends that runs, and whose health check is not satisfied.
UNWELL = (" is unhealthy", " is starting")
#: How the problem of a container ends that is too new to be judged, and shows nothing wrong.
_NEW = " s only, with 0 restarts"


def problem_of(
    container: Container,
    wanted: Reference | None,
    seconds_up: float | None,
    settle: float,
    ends: bool | None = None,
) -> str:
    """Why a container is not as it should be; empty where it is. wanted: the image that it has to run.

    ends: whether its service has one thing to do, and ends; None where a plan of an older version does not say.
    """
    name = container.name
    if ends is None:
        ends = container.restart_policy in ("", "no") and not wanted
    if ends and container.state == "exited" and container.exit_code == 0:
        # It had one thing to do, and did it; by which image is still to be right.
        return _of_another_image(container, wanted, "ended, and ran")
    if container.state != "running":
        killed = ", killed for its memory (OOM)" if container.oom_killed else ""
        ended = f"exit code {container.exit_code}{killed}, {container.restarts} restarts"
        return f"{name} is {container.state or 'gone'} ({ended})"
    if container.health not in ("", "none", "healthy"):
        return f"{name} is {container.health}"
    other = _of_another_image(container, wanted, "runs")
    if other:
        return other
    if container.health in ("", "none") and seconds_up is not None and seconds_up < settle:
        # Without a health check only time tells a container that runs from one that is about to crash again.
        return f"{name} runs for {seconds_up:.1f} s only, with {container.restarts} restarts"
    return ""


def _of_another_image(container: Container, wanted: Reference | None, verb: str) -> str:
    if wanted is None or wanted.digest in {name.rpartition("@")[2] for name in container.digests}:
        return ""
    running = digest_in(container.digests, wanted.repository)
    return f"{container.name} {verb} {running[:19] or container.image[:19]}, and not {wanted.digest[:19]}"


def _seconds_up(container: Container, now: float) -> float | None:
    started = clock.seconds(container.started)
    return None if started is None else now - started


# -- behind a proxy ------------------------------------------------------------------------------


def behind_the_proxy(service: ComposeService, project: str, results: Sequence[health.Result]) -> str:
    """The proxy's log about an answer such as 502, if all containers are healthy; empty without a sign."""
    if not any(result.status in (502, 503, 504) and not result.ok for result in results):
        return ""
    try:
        listed = service.engine.containers([f"com.docker.compose.project={project}"])
    except (EngineError, EngineUnreachable):
        return ""
    addresses, lines = inspect.addresses(listed), typed_line.lines(service.description)
    for container in listed:
        name = inspect.service_of(container)
        if not any(port.get("PublicPort") for port in container.get("Ports") or ()):
            continue
        found = service.compose(
            *("logs", "--no-color", "--no-log-prefix", "--since", "10m", "--tail", "200", name),
            check=False,
            timeout=20.0,
        )
        error = signs.upstream_error([*bounded.lines_of(found.stdout), *bounded.lines_of(found.stderr)])
        if error is not None:
            return ". ".join(signs.explained(name, error, set(addresses.values()), addresses, {}, lines))
    return ""


# -- from inside ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inside:
    """Result of a check from inside a container. problem: empty if it is healthy."""

    problem: str
    body: str = ""


def ask_inside(service: ComposeService, check: InsideHealth) -> Inside:
    """Ask an address from inside a container of a service."""
    seconds = math.ceil(_INSIDE * load.busy())
    asked = ("exec", "-T", check.service, "sh", "-c", _ASK, "sh", check.url, str(seconds))
    try:
        found = service.compose(*asked, check=False, timeout=4.0 * seconds)
    except CommandFailed as error:
        return Inside(str(error))
    if found.code != 0:
        ended = f"it ended with {found.code}"
        return Inside(excerpt(found.stderr, found.stdout, first=2, last=2, nothing=ended, redact=service.redact))
    if check.contains and check.contains not in found.stdout:
        return Inside(f"the answer does not contain '{check.contains}'", found.stdout)
    return Inside("", found.stdout)


def _inside_name(check: InsideHealth) -> str:
    return f"inside {check.service} {endpoint.display_url(check.url)}"


def _asked_inside(service: ComposeService, patience: Patience, gate: GateSettings) -> dict[str, str]:
    found: dict[str, str] = {}
    for check in service.description.inside_health:
        name = _inside_name(check)
        while True:
            found[name] = ask_inside(service, check).problem
            if not found[name] or patience.over():
                break
            time.sleep(max(gate.interval, 0.1))
    return found
