"""The present state, service by service: those that do not run, images without a digest, and changes by `up`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present, PresentReader
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Container

API = "registry.example.com/acme/api"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
SERVICES: dict[str, dict[str, Any]] = {
    "api": {
        "image": f"{API}:1@{OLD}",
        "restart": "always",
        "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
    },
    "jobs": {"image": f"{API}:1@{OLD}", "restart": "always"},
    "migrate": {"image": f"{API}:1@{OLD}", "restart": "no"},
    "db": {"image": "postgres:17"},
}


def container(
    service: str, state: str = "running", digests: tuple[str, ...] = (OLD,), image: str = "sha256:1"
) -> Container:
    return Container(
        id=service,
        name=f"shop-{service}-1",
        service=service,
        state=state,
        health="",
        exit_code=0,
        restarts=0,
        oom_killed=False,
        started="",
        image=image,
        reference=f"{API}:1",
        digests=tuple(f"{API}@{digest}" for digest in digests),
    )


def read(*containers: Container) -> Present:
    store = SimpleNamespace(
        digest_of_tag=lambda *_: "",
        labels=lambda _image: {},
        image=lambda reference: {"Id": "sha256:db"} if reference == "postgres:17" else None,
    )
    description = SimpleNamespace(images=dict.fromkeys(("api", "jobs", "migrate"), API))
    reader = PresentReader(SimpleNamespace(description=description), store)  # type: ignore[arg-type]
    return reader.read({"name": "shop", "services": SERVICES}, containers)


ALL = [container("api"), container("jobs"), container("migrate", "exited"), container("db", image="sha256:db")]


def test_a_stack_whose_one_shot_has_done_its_work_runs() -> None:
    present = read(*ALL)
    assert present.running and present.release is not None and present.warnings == ()


def test_a_service_that_does_not_run_is_named() -> None:
    present = read(ALL[0], container("jobs", "exited"), *ALL[2:])
    assert not present.running
    assert present.idle == ("jobs does not run (exited, exit code 0)",)
    assert read(*ALL[1:]).idle == ("api does not run (it has no container)",)


def test_an_image_that_was_pushed_twice_is_the_one_that_is_pinned() -> None:
    both = [container(one.service, one.state, (NEW, OLD), one.image) for one in ALL]
    assert (read(*both).release or {})["id"] == (read(*ALL).release or {})["id"]


def test_a_newer_image_of_a_service_beside_the_release_is_told() -> None:
    present = read(*ALL[:3], container("db", image="sha256:before"))
    assert "db runs sha256:before, and postgres:17 is sha256:db on this host now" in present.warnings[0]
