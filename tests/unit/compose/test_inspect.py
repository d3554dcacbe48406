"""The roles of containers, as the engine describes them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import inspect


def raw(service: str, address: str = "", port: str = "", image: str = "") -> dict[str, Any]:
    return {
        "Image": image,
        "Config": {"Labels": {"com.docker.compose.service": service}},
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": port}] if port else None},
            "Networks": {"shop_default": {"IPAddress": address}, "other": None},
        },
    }


PROXY, API, JOBS = (
    raw("proxy", "10.1.0.2", "8080"),
    raw("api", "10.1.0.3", "", "sha256:1"),
    raw("jobs", "", "", "sha256:1"),
)


def test_ports_and_addresses() -> None:
    assert inspect.published([PROXY, API, {}]) == {8080: "proxy"}
    assert inspect.addresses([PROXY, API, JOBS]) == {"10.1.0.2": "proxy", "10.1.0.3": "api"}


@pytest.mark.parametrize(
    ("url", "ports", "found"),
    [
        ("http://localhost:8080/x", {8080: "proxy", 9000: "api"}, ("proxy", 8080)),
        ("https://shop.example.com/", {8080: "proxy"}, ("proxy", 443)),
        ("https://shop.example.com/", {8080: "proxy", 9000: "api"}, ("", 443)),
        ("http://localhost:8080/x", {}, ("", 8080)),
        ("http://[x", {8080: "proxy"}, ("proxy", 0)),
    ],
)
def test_the_container_that_answers_at_a_host_address_is_found(
    url: str, ports: dict[int, str], found: tuple[str, int]
) -> None:
    assert inspect.answerer(url, ports) == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://localhost/ping", ("proxy", 80)),
        ("http://127.0.0.1:8000/", ("proxy", 8000)),
        ("http://api:8000/health", ("api", 8000)),
        ("http://elsewhere.example.com/", ("", 80)),
        ("http://[x", ("", 0)),
    ],
)
def test_the_container_that_answers_inside_is_found(url: str, found: tuple[str, int]) -> None:
    assert inspect.answerer_inside(url, "proxy", [PROXY, API]) == found


def test_a_service_of_the_same_repository_that_was_left_behind() -> None:
    config = {
        "services": {
            "api": {"image": "registry.example.com/shop:2"},
            "jobs": {"image": "registry.example.com/shop:1"},
            "proxy": {"image": "nginx:1"},
            "odd": {"image": "A B"},
        }
    }
    named = {"api": "registry.example.com/shop"}
    assert inspect.other_builds([PROXY, API, JOBS], config, named) == {}
    older = {**JOBS, "Image": "sha256:2"}
    assert inspect.other_builds([PROXY, API, older], config, named) == {
        "jobs": "another build than api, of the same repository"
    }
    assert inspect.other_builds([PROXY, older], config, named) == {}


def ran(started: str, created: str = "2026-11-30T07:00:00.5Z") -> dict[str, Any]:
    return {"Created": created, "State": {"StartedAt": started}}


NOON = 1796040000.0
MADE, STARTED = ran("2026-11-30T11:59:59Z", "2026-11-30T11:58:00Z"), ran("2026-11-30T11:57:00.25Z")


@pytest.mark.parametrize(
    ("container", "broken", "before"),
    [
        (ran("2026-11-30T07:00:01Z"), [], 600.0),
        (STARTED, [], 179.75),
        # One that is broken starts again and again, and is the same container.
        (STARTED, [MADE], 120.0),
        (STARTED, [MADE, ran("2026-11-30T11:59:00Z")], 179.75),
        (ran("0001-01-01T00:00:00Z"), [{}], 600.0),
        ({}, [], 600.0),
    ],
    ids=[
        "runs for long",
        "was started lately",
        "a newer one is broken",
        "an older one too",
        "never started",
        "nothing",
    ],
)
def test_since_when_a_line_is_a_sign(container: dict[str, Any], broken: list[dict[str, Any]], before: float) -> None:
    assert NOON - inspect.signs_since(container, broken, NOON, 600.0) == before
