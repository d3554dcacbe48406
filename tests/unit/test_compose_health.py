"""The gate of a Compose service looks at the containers, at what is asked inside, and waits as long as it may."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.command import Output
from ansible_collections.ops.runbook.plugins.module_utils.compose_health import verify
from ansible_collections.ops.runbook.plugins.module_utils.compose_release import release
from ansible_collections.ops.runbook.plugins.module_utils.compose_service import Container, InsideCheck
from ansible_collections.ops.runbook.plugins.module_utils.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.operation_change import GateSettings

BACKEND, WORKER = "registry.example.com/acme/backend", "registry.example.com/acme/worker"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
GATE = GateSettings(checks=(), deadline=0.3, interval=0.1, successes=1)


def container(service: str, repository: str, digest: str = NEW, **changed: Any) -> Container:
    found = Container(
        id=service,
        name=f"shop-{service}-1",
        service=service,
        state="running",
        health="healthy",
        exit_code=0,
        restarts=0,
        oom_killed=False,
        started="2026-11-21T12:00:00Z",
        image="sha256:image",
        reference=repository,
        digests=(f"{repository}@{digest}",),
    )
    return replace(found, **changed)


WELL = [container("backend", BACKEND), container("worker", WORKER)]


@dataclass
class Stack:
    """What the gate asks of a service. rounds: the containers at each look; the last one stays."""

    rounds: list[list[Container]]
    inside: Output = field(default_factory=lambda: Output(0, "fine", ""))
    description: Any = field(
        default_factory=lambda: SimpleNamespace(
            settle=0.0, inside_health=(InsideCheck("backend", "http://127.0.0.1:8000/health"),)
        )
    )

    def containers(self, project: str) -> list[Container]:
        assert project == "shop"
        return self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]

    def compose(self, *arguments: str, **_options: Any) -> Output:
        assert arguments[:3] == ("exec", "-T", "backend")
        return self.inside

    def redact(self, text: str) -> str:
        return text


def plan(to: str = NEW, start: str = OLD) -> dict[str, Any]:
    def of(digest: str) -> dict[str, Any]:
        return release(
            {"backend": Reference(BACKEND, "0.2.0", digest), "worker": Reference(WORKER, "0.2.0", digest)}, "c0ffee1"
        )

    return {"project": "shop", "from": of(start), "to": of(to)}


def judged(stack: Stack, direction: str = "forward", **planned: str) -> dict[str, Any]:
    return verify(stack, plan(**planned), direction, GATE)  # type: ignore[arg-type]


def test_what_is_well_is_well() -> None:
    found = judged(Stack([WELL]))
    assert (found["ok"], found["reason"]) == (True, "")
    assert found["containers"] == {"shop-backend-1": "well", "shop-worker-1": "well"}
    assert found["inside"] == {"inside backend http://127.0.0.1:8000/health": "well"}


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        (container("worker", WORKER, state="restarting", exit_code=1, restarts=4), "shop-worker-1 is restarting"),
        (container("worker", WORKER, health="unhealthy"), "shop-worker-1 is unhealthy"),
        (container("worker", WORKER, OLD), f"shop-worker-1 runs {OLD[:19]}, and not {NEW[:19]}"),
        (None, "worker has no container"),
    ],
    ids=["restarts", "unhealthy", "another image", "gone"],
)
def test_a_container_that_is_not_well_is_the_reason(worker: Container | None, reason: str) -> None:
    """Also where `docker compose up --wait` was content: a person may have been at it since."""
    found = judged(Stack([[WELL[0], *([worker] if worker else [])]]))
    assert not found["ok"]
    assert found["reason"].startswith(reason)


def test_what_gets_well_in_time_is_well() -> None:
    starting = [WELL[0], container("worker", WORKER, health="starting")]
    assert judged(Stack([starting, WELL]))["ok"]


def test_an_answer_from_inside_that_is_missing_is_the_reason() -> None:
    found = judged(Stack([WELL], inside=Output(1, "", "connection refused")))
    assert not found["ok"]
    assert found["reason"] == "inside backend http://127.0.0.1:8000/health: connection refused"


def test_after_a_way_back_the_release_before_is_what_has_to_run() -> None:
    old = [container("backend", BACKEND, OLD), container("worker", WORKER, OLD)]
    assert judged(Stack([old]), "back")["ok"]
    assert not judged(Stack([WELL]), "back")["ok"]
