"""The gate of a Compose service looks at the containers, at what is asked inside, and waits as long as it may."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import before as compose_before
from ansible_collections.ops.runbook.plugins.module_utils.compose.health import behind_the_proxy, causes, verify
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe
from ansible_collections.ops.runbook.plugins.module_utils.compose.options import InsideHealth
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import release
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Container, Description
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import EngineUnreachable
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings, Patience
from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Output

BACKEND, WORKER = "registry.example.com/acme/backend", "registry.example.com/acme/worker"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


class Looks(GateSettings):
    """A gate whose time is counted in looks, so a slow machine sees as many as a fast one."""

    def patience(self) -> Patience:
        return Patience(self.deadline, map(float, itertools.count()).__next__, lambda: 1.0)


GATE = Looks(checks=(), deadline=6.0, interval=0.0, successes=1)


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
    """Answers for the gate of a service. rounds: the containers at each look; the last one stays."""

    rounds: list[list[Container]]
    inside: Output = field(default_factory=lambda: Output(0, "fine", ""))
    description: Any = field(
        default_factory=lambda: SimpleNamespace(
            settle=0.0,
            inside_health=(InsideHealth("backend", "http://127.0.0.1:8000/health"),),
            migration_service="",
        )
    )

    fails: bool = False
    asked: tuple[str, ...] = ()

    def containers(self, project: str) -> list[Container]:
        assert project == "shop"
        if self.fails:
            raise EngineUnreachable("connection refused")
        return self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]

    def compose(self, *arguments: str, **_options: Any) -> Output:
        assert arguments[:3] == ("exec", "-T", "backend")
        self.asked = arguments
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


def test_a_healthy_stack_passes() -> None:
    found = judged(Stack([WELL]))
    assert (found["ok"], found["reason"]) == (True, "")
    assert found["containers"] == {"shop-backend-1": "well", "shop-worker-1": "well"}
    assert found["inside"] == {"inside backend http://127.0.0.1:8000/health": "well"}


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_nothing_is_verified_while_a_migration_is_at_work(monkeypatch: pytest.MonkeyPatch, direction: str) -> None:
    looks = iter([["shop-migration-1"], []])
    monkeypatch.setattr(alembic_probe, "at_work", lambda *_: next(looks, []))
    stack = Stack([WELL])
    stack.description.migration_service = "backend"
    planned = {"to": NEW, "start": NEW}
    assert judged(stack, direction, **planned)["ok"], "it was waited for"
    monkeypatch.setattr(alembic_probe, "at_work", lambda *_: ["shop-migration-1"])
    found = judged(stack, direction, **planned)
    assert not found["ok"]
    assert (
        found["reason"]
        == "a migration is still at work in the container shop-migration-1: docker logs -f shop-migration-1"
    )


def test_a_question_from_inside_has_the_time_that_the_machine_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "busy", lambda: 2.5)
    stack = Stack([WELL])
    assert judged(stack)["ok"]
    assert stack.asked[-2:] == ("http://127.0.0.1:8000/health", "13")


REFUSED = (
    "2026/11/30 02:00:00 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, "
    'client: 10.0.0.9, upstream: "http://172.20.0.3:8000/", host: "x"'
)


@pytest.mark.parametrize(
    ("status", "log", "said"),
    [
        (502, REFUSED, "proxy asks 172.20.0.3:8000, an address that no container of this project has now"),
        (502, REFUSED.replace("0.3:8000", "0.5:9001"), "proxy asks 172.20.0.5:9001, where backend does not answer"),
        (502, "fine", ""),
        (500, REFUSED, ""),
        (None, REFUSED, ""),
    ],
)
def test_behind_a_proxy_that_answers_502_its_log_is_the_cause(status: int | None, log: str, said: str) -> None:
    def listed(service: str, address: str, *ports: int) -> dict[str, Any]:
        return {
            "Labels": {"com.docker.compose.service": service},
            "Ports": [{"PrivatePort": port, "PublicPort": port} for port in ports] or [{"PrivatePort": 1}],
            "NetworkSettings": {"Networks": {"shop": {"IPAddress": address}}},
        }

    containers = [listed("backend", "172.20.0.5"), listed("proxy", "172.20.0.4", 80)]
    engine = SimpleNamespace(containers=lambda _labels: containers)
    described = Description("shop", "/srv/shop", {})
    service = SimpleNamespace(
        engine=engine, description=described, compose=lambda *_words, **_options: Output(0, "", f"{log}\n")
    )
    results = [gate.Result("health", "http://localhost/", False, status)]
    assert behind_the_proxy(service, "shop", results).startswith(said)  # type: ignore[arg-type]
    assert bool(behind_the_proxy(service, "shop", results)) is bool(said)  # type: ignore[arg-type]


API, JOBS = container("api", BACKEND), container("jobs", BACKEND, health="")
SICK, YOUNG = "shop-api-1 is restarting", "shop-jobs-1 runs for 2.0 s only, with 0 restarts"
EDGE = container("edge", "nginx", state="created")


@pytest.mark.parametrize(
    ("containers", "problems", "left"),
    [
        ([replace(API, state="restarting"), JOBS, EDGE], {"api": SICK, "jobs": YOUNG, "edge": "is created"}, ["api"]),
        ([JOBS, EDGE], {"api": "api has no container", "jobs": YOUNG, "edge": "is created"}, ["api"]),
        (
            [replace(API, health="starting"), replace(JOBS, state="exited", exit_code=1)],
            {"api": "x", "jobs": "y"},
            ["jobs"],
        ),
        # With an error of its own, or one that came back, it is a cause.
        ([API, replace(EDGE, exit_code=128)], {"edge": "is created"}, ["edge"]),
        ([replace(JOBS, restarts=2)], {"jobs": "shop-jobs-1 runs for 2.0 s only, with 2 restarts"}, ["jobs"]),
        (
            [replace(JOBS, digests=())],
            {"jobs": "shop-jobs-1 runs another image", "api": "no container"},
            ["jobs", "api"],
        ),
        # Where nothing else is wrong, what waits is what there is to say.
        ([JOBS, EDGE], {"jobs": YOUNG, "edge": "is created"}, ["jobs", "edge"]),
    ],
)
def test_a_healthy_service_is_not_a_cause(
    containers: list[Container], problems: dict[str, str], left: list[str]
) -> None:
    assert list(causes(problems, containers)) == left


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


def test_a_service_that_recovers_in_time_passes() -> None:
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


# -- by the record of what was there ---------------------------------------------------------------

SERVICES: dict[str, dict[str, Any]] = {
    "backend": {"restart": "always", "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
    "worker": {"restart": "always"},
    "migrate": {"restart": "no"},
    "db": {"healthcheck": {"test": ["CMD", "true"]}},
}
MIGRATED = container("migrate", BACKEND, state="exited", health="", restart_policy="no")
DATABASE = container("db", "postgres", image="sha256:db")


def with_record(before: list[Container], start: str | None = OLD) -> dict[str, Any]:
    """A plan that keeps what was there."""
    found = plan(NEW, start or OLD)
    found["to"] = release(
        {name: Reference(BACKEND, "0.2.0", NEW) for name in ("backend", "migrate")}
        | {"worker": Reference(WORKER, "0.2.0", NEW)}
    )
    found["from"] = found["from"] if start else None
    record = compose_before.record(SERVICES, before, ["backend", "worker", "migrate"])
    return {**found, "before": compose_before.to_dict(record)}


def gone_back(before: list[Container], after: list[Container] | None, start: str | None = OLD) -> dict[str, Any]:
    stack = Stack([after or []])
    stack.description.images = {"backend": BACKEND, "worker": WORKER, "migrate": BACKEND}
    if after is None:
        stack.fails = True
    return verify(stack, with_record(before, start), "back", GATE)  # type: ignore[arg-type]


OLD_STACK = [
    container("backend", BACKEND, OLD, image="sha256:one"),
    container("worker", WORKER, OLD, image="sha256:two"),
    replace(MIGRATED, digests=(f"{BACKEND}@{OLD}",), image="sha256:one"),
    DATABASE,
]


def test_a_one_shot_of_the_release_that_ended_is_well_and_has_the_wanted_image() -> None:
    after = [*WELL, MIGRATED, DATABASE]
    found = verify(Stack([after]), with_record(OLD_STACK), "forward", GATE)  # type: ignore[arg-type]
    assert found["ok"], found["reason"]
    stale = [*WELL, replace(MIGRATED, digests=(f"{BACKEND}@{OLD}",)), DATABASE]
    found = verify(Stack([stale]), with_record(OLD_STACK), "forward", GATE)  # type: ignore[arg-type]
    assert found["reason"] == f"shop-migrate-1 ended, and ran {OLD[:19]}, and not {NEW[:19]}"


def test_a_database_that_was_stopped_is_not_a_job_that_is_done() -> None:
    after = [*WELL, MIGRATED, replace(DATABASE, state="exited", health="", restart_policy="no")]
    found = verify(Stack([after]), with_record(OLD_STACK), "forward", GATE)  # type: ignore[arg-type]
    assert found["reason"] == "shop-db-1 is exited (exit code 0, 0 restarts)"


def test_a_container_of_another_file_of_the_project_is_nobodys_problem() -> None:
    after = [*WELL, MIGRATED, DATABASE, container("reports", "reports", state="restarting")]
    assert verify(Stack([after]), with_record(OLD_STACK), "forward", GATE)["ok"]  # type: ignore[arg-type]


def test_a_way_back_to_a_worker_that_did_not_run_is_verified_without_it() -> None:
    stopped = replace(OLD_STACK[1], state="exited", health="")
    before = [OLD_STACK[0], stopped, *OLD_STACK[2:]]
    assert gone_back(before, before)["ok"]
    assert gone_back(before, [OLD_STACK[0], *OLD_STACK[2:]])["ok"]
    assert gone_back(before, OLD_STACK)["reason"] == "worker runs, and did not before"
    assert "backend ran before" in gone_back(before, before[1:])["reason"]


def test_a_way_back_to_an_image_of_this_host_is_verified_by_its_id() -> None:
    """Such an image has no digest of a registry, and an outage must not pass for it."""
    built = [replace(one, digests=()) for one in OLD_STACK]
    assert gone_back(built, built, start=None)["ok"]
    assert "backend ran before" in gone_back(built, [DATABASE], start=None)["reason"]
    other = [replace(built[0], image="sha256:new"), *built[1:]]
    assert "shop-backend-1 runs the image sha256:new" in gone_back(built, other, start=None)["reason"]


def test_a_stack_that_did_not_run_passes_if_nothing_runs() -> None:
    found = gone_back([], [], start=None)
    assert (found["ok"], found["note"]) == (True, "nothing of it ran before, so no address was asked")
    assert gone_back([], [WELL[0]], start=None)["reason"] == "backend runs, and did not before"
    assert "can't be listed" in gone_back([], None, start=None)["reason"]


def test_nothing_that_was_seen_is_nothing_that_was_verified() -> None:
    """A rotation of what is not known by its digests, on a host where nothing runs and nothing is asked."""
    stack = Stack([[]])
    stack.description.inside_health = ()
    found = verify(stack, {"project": "shop", "from": {}, "to": {}, "before": {}}, "forward", GATE)  # type: ignore[arg-type]
    assert not found["ok"]
    assert found["reason"].startswith("nothing was seen")


def test_an_old_plan_without_a_record_is_never_verified_by_nothing() -> None:
    """By a version that removed what it could not name: that nothing runs is not what was there before."""
    old = {**plan(), "from": None}
    stack = Stack([[]])
    assert "kept no record" in verify(stack, old, "back", GATE)["reason"]  # type: ignore[arg-type]
    stack = Stack([WELL])
    assert "still runs" in verify(stack, old, "back", GATE)["reason"]  # type: ignore[arg-type]
    built = [replace(one, digests=()) for one in WELL]
    assert verify(Stack([built]), old, "back", GATE)["ok"]  # type: ignore[arg-type]
