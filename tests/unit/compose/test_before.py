"""Going back brings up what ran, stops only what did not, and is verified service by service."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose import before as compose_before
from ansible_collections.ops.runbook.plugins.module_utils.compose.before import Was
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Container

SERVICES: dict[str, dict[str, Any]] = {
    "api": {
        "restart": "always",
        "depends_on": {
            "db": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        },
    },
    "jobs": {"restart": "always"},
    "migrate": {"restart": "no"},
    "db": {},
}
PINNED = ["api", "jobs", "migrate"]


def container(service: str, state: str = "running", image: str = "sha256:old", **more: Any) -> Container:
    return Container(
        id=f"{service}-{state}",
        name=f"shop-{service}-1",
        service=service,
        state=state,
        health="",
        exit_code=0,
        restarts=0,
        oom_killed=False,
        started="",
        image=image,
        reference="",
        digests=(),
        **more,
    )


ALL = [container("api"), container("jobs"), container("migrate", "exited"), container("db")]


def recorded(*containers: Container) -> dict[str, Was]:
    record = compose_before.record(SERVICES, containers, PINNED)
    # As a journal gives it back.
    read = compose_before.of_plan({"before": json.loads(json.dumps(compose_before.to_dict(record)))})
    assert read == record
    return record


def test_a_worker_that_was_stopped_is_stopped_again_and_nothing_else() -> None:
    record = recorded(container("api"), container("jobs", "exited"), container("migrate", "exited"), container("db"))
    assert compose_before.to_stop(record) == ["jobs"]
    assert compose_before.to_start(record) == ["api", "db"]
    assert not compose_before.all_run(record)
    assert compose_before.warnings(record, "deploy") == [
        "jobs does not run now (exited, exit code 0): this deploy starts it, and going back stops it again"
    ]


def test_up_takes_no_names_if_every_service_ran() -> None:
    record = recorded(*ALL)
    assert compose_before.all_run(record)
    assert compose_before.to_stop(record) == []
    assert compose_before.warnings(record, "deploy") == []


def test_one_that_dies_again_and_again_is_meant_to_run() -> None:
    record = recorded(container("api", "restarting"), *ALL[1:])
    assert compose_before.to_stop(record) == []
    assert "api" in compose_before.to_start(record)


def test_a_service_that_a_running_one_needs_is_not_stopped() -> None:
    record = recorded(container("api"), container("jobs"), container("migrate", "exited"), container("db", "exited"))
    assert compose_before.to_stop(record) == []
    assert "db does not run now" in compose_before.warnings(record, "deploy")[0]
    assert compose_before.differences(record, ALL, PINNED) == {}


def test_on_a_new_host_everything_is_stopped() -> None:
    record = recorded()
    assert compose_before.to_start(record) == []
    assert set(compose_before.to_stop(record)) == {"api", "jobs", "db"}


def test_a_container_of_another_file_of_the_project_is_not_ours() -> None:
    record = recorded(*ALL, container("reports"))
    assert "reports" not in record
    assert [one.service for one in compose_before.ours(record, [*ALL, container("reports")])] == list(SERVICES)


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (ALL, ""),
        (ALL[1:], "api ran before, and has no running container"),
        (
            [replace(ALL[0], image="sha256:new"), *ALL[1:]],
            "shop-api-1 runs the image sha256:new, and sha256:old before",
        ),
        ([*ALL[:3], replace(ALL[3], image="sha256:new")], ""),
    ],
    ids=["as before", "gone", "another image", "another image, which no operation changes"],
)
def test_differences_from_before_are_named(after: list[Container], problem: str) -> None:
    assert next(iter(compose_before.differences(recorded(*ALL), after, PINNED).values()), "") == problem


STATES = st.sampled_from(["running", "exited", "created", "none"])


@given(st.fixed_dictionaries(dict.fromkeys(SERVICES, STATES)))
def test_each_service_ends_as_it_was(states: dict[str, str]) -> None:
    """By a model of Compose: a release came up whole, and then the way back is taken."""
    before = [container(name, state) for name, state in states.items() if state != "none"]
    record = recorded(*before)
    running = set(SERVICES) - set(compose_before.to_stop(record))
    started = set(SERVICES) if compose_before.all_run(record) else set(compose_before.to_start(record))
    running |= started
    for name, state in states.items():
        if state == "running":
            assert name in running, "what ran runs again"
        elif name in running:
            assert record[name].once or record[name].needed, "what did not run runs only where something needs it"
    after = [container(name) for name in running if not (record[name].once and states[name] != "running")]
    assert compose_before.differences(record, after, PINNED) == {}
    # Nothing of it is said to be as before where something that ran is gone.
    for name in compose_before.to_start(record):
        left = [one for one in after if one.service != name]
        assert name in compose_before.differences(record, left, PINNED)
