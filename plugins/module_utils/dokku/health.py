# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of an app of Dokku: its processes, its live release, the answers of its endpoints, and its queue."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku import release as dokku_release
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError, NotACommand
from ansible_collections.ops.runbook.plugins.module_utils.dokku.release import Situation
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health import gate as health
from ansible_collections.ops.runbook.plugins.module_utils.health.blame import Fault
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings, Patience

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

_COMMIT = re.compile(r"[0-9a-f]{40}")

NO_CHECKS = "no health check is defined (dokku_health): the answers of the app were not verified"


#: Parts that the plugin `releases` reads in one call; with the present work, also whether a build runs.
_IN_ONE_CALL = ("releases", "report", "ps", "builds")


def situation(service: DokkuService, *parts: str) -> Situation:
    """Facts of the app, read at once. parts: releases, report, ps, git, checks, builds, nginx. Raises
    DokkuError, AppMissing among them."""
    app, dokku = service.app, service.dokku
    reads: dict[str, Callable[[], Any]] = {
        "releases": lambda: dokku_release.parse(dokku.json("releases", app)),
        "report": lambda: dokku.json("releases:report", app),
        "ps": lambda: dokku.report(app, "ps"),
        "git": lambda: dokku.report(app, "git"),
        "checks": lambda: dokku.report(app, "checks"),
        "builds": lambda: dokku.json("builds:list", app),
        "nginx": lambda: nginx_check.look(dokku, app),
    }
    if service.tells_state and len(set(_IN_ONE_CALL).intersection(parts)) > 1:
        others = [part for part in parts if part not in _IN_ONE_CALL]
        try:
            told, *found = service.together(lambda: dokku.json("releases:state", app), *(reads[one] for one in others))
            return replace(dokku_release.state_of(app, told), **dict(zip(others, found)))
        except NotACommand:
            service.tells_state = False
    found = service.together(*(reads[part] for part in parts))
    return Situation(app, **dict(zip(parts, found)))


def verify(
    service: DokkuService,
    gate: GateSettings,
    wrong: Callable[[Situation], Sequence[str]] | None = None,
    revision: tuple[str, ...] = (),
    probe_queue: bool = False,
    stopped: bool = False,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Verify the app as an operation left it. Returns blame.verdict, health, processes, release, seconds, maybe note.

    wrong: what is not as it should be in what is live; it needs the plugin `releases`. revision: the ids of the
    release that the endpoints must report, where they report one. stopped: the app is to be down, so only that is
    looked at. before: what look answered just before the change.
    """
    started, patience = time.monotonic(), gate.patience()
    results: list[health.Result] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        settled = pool.submit(_settled, service, wrong, patience, gate.interval, stopped)
        if gate.checks and not stopped:
            known = (before or {}).get("health")
            results = health.gate(gate.checks, patience, gate.interval, gate.successes, revision or None, before=known)
        wrongs, processes, live = settled.result()
    problems = [Fault(text) for text in wrongs] + health.problems(results)
    if probe_queue and not any(problem.red for problem in problems):
        problems += [Fault(text) for text in _queue_problems(service)]
    found = {
        **blame.verdict(problems, service.redact if problems else str),
        "health": [result.to_dict() for result in results],
        "processes": processes,
        "release": live,
        "seconds": round(time.monotonic() - started, 3),
    }
    return found if gate.checks or stopped else {**found, "note": NO_CHECKS, "unasked": True}


def _settled(
    service: DokkuService,
    wrong: Callable[[Situation], Sequence[str]] | None,
    patience: Patience,
    interval: float,
    stopped: bool,
) -> tuple[list[str], dict[str, str], str]:
    """Look at the app until it is well or the gate stops waiting.

    Returns the problems of processes and release, the states of the processes by name, and the live release.
    """
    parts = ("ps", "releases", "report") if wrong is not None else ("ps",)
    settle = 0.0 if stopped else service.description.settle
    while True:
        problems, processes, live = _look(service, parts, wrong, stopped)
        if not problems and settle:
            # Dokku's own checks come before; what crashes after them is seen here.
            time.sleep(settle)
            problems, processes, _ = _look(service, ("ps",), None, stopped)
        if not problems or patience.over():
            return problems, processes, live
        time.sleep(min(max(interval, 0.1), 1.0))


def _look(
    service: DokkuService,
    parts: Sequence[str],
    wrong: Callable[[Situation], Sequence[str]] | None,
    stopped: bool,
) -> tuple[list[str], dict[str, str], str]:
    try:
        found = situation(service, *parts)
    except NotACommand:
        raise
    except DokkuError as error:
        return [str(error)], {}, ""
    processes = {key[len("status-") :]: str(value) for key, value in found.ps.items() if key.startswith("status-")}
    if stopped:
        running = [name for name, state in processes.items() if state.startswith("running")]
        return [f"{name} still runs" for name in running], processes, ""
    problems = dokku_release.process_problems(found.ps)
    live = found.live
    return (
        [*problems, *(wrong(found) if wrong is not None else ())],
        processes,
        f"release {live.number}" if live is not None else "",
    )


def _queue_problems(service: DokkuService) -> list[str]:
    """Asked in a container of its own, of the code that is live."""
    probe = service.description.queue_probe
    if not probe:
        return []
    try:
        service.dokku.run("run", service.app, *probe, timeout=300.0)
    except DokkuError as error:
        return [f"the queue: {error}"]
    return []


def reported(release: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The releases that endpoints must report, if they report one; for an image Dokku's own commit says nothing.

    Of an annotated tag Dokku gives the app the tag's own id as GIT_REV, and builds the commit: both name the release.
    """
    found = release or {}
    if not _COMMIT.fullmatch(str(found.get("id") or "")):
        return ()
    ids = (str(found.get(key) or "") for key in ("id", "revision", "git_rev"))
    return tuple(dict.fromkeys(one for one in ids if _COMMIT.fullmatch(one)))


def live_problems(plan: DokkuPlan, direction: str) -> Callable[[Situation], list[str]]:
    """Faults of the live release, after going in a direction of a plan that moves between two releases."""
    wanted = plan["from"] if direction == "back" else plan["to"]

    def wrong(found: Situation) -> list[str]:
        problems = []
        live = found.live
        if live is None:
            problems.append("what is live is not recorded by the plugin `releases`")
        elif wanted.get("image") and live.image != wanted["image"]:
            problems.append(f"release {live.number} is live, and it does not run the image of {wanted['name']}")
        elif (code := dokku_release.code_asked(wanted)) is None:
            problems.append(f"release {live.number} is live; which commit {wanted['id']} is was never found out")
        elif not wanted.get("image") and not dokku_release.is_code(dokku_release.code_of(live, found.releases), code):
            problems.append(f"release {live.number} is live, and it is not {wanted['id']}")
        if not found.restart_is_safe:
            problems.append(f"dokku/{found.app}:latest is not what is live: a mere restart would change the code")
        if found.pending_rollback:
            problems.append(f"the rollback to release {found.pending_rollback} did not end")
        return problems

    return wrong
