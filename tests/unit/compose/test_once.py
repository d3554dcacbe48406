"""A service that ends with 0 is well only if it has one thing to do; a stopped database is not well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.once import from_label, needed_by, one_shots

COMPLETED = {"condition": "service_completed_successfully", "required": True}
HEALTHY = {"condition": "service_healthy", "required": True}
Services = dict[str, dict[str, Any]]

#: services, pinned ones, ones whose container has a health check, and which of `job` and `db` end in order.
CASES: dict[str, tuple[Services, list[str], list[str], set[str]]] = {
    "awaited": ({"job": {}, "api": {"depends_on": {"job": COMPLETED}}}, ["api", "job"], [], {"job"}),
    "awaited, restarted on failure": (
        {"job": {"restart": "on-failure"}, "api": {"depends_on": {"job": COMPLETED}}},
        [],
        [],
        {"job"},
    ),
    "no restart, nobody needs it": ({"job": {}}, [], [], {"job"}),
    "no restart, pinned: it may be a worker": ({"job": {}}, ["job"], [], set()),
    "restart no, pinned": ({"job": {"restart": "no"}}, ["job"], [], {"job"}),
    "deploy condition none, pinned": (
        {"job": {"deploy": {"restart_policy": {"condition": "none"}}}},
        ["job"],
        [],
        {"job"},
    ),
    "always": ({"job": {"restart": "always"}}, [], [], set()),
    "deploy condition any": ({"job": {"deploy": {"restart_policy": {"condition": "any"}}}}, [], [], set()),
    "a database without restart": ({"db": {}, "api": {"depends_on": {"db": HEALTHY}}}, ["api"], [], set()),
    "needed running": (
        {"db": {}, "api": {"restart": "always", "depends_on": {"db": {"condition": "service_started"}}}},
        ["api"],
        [],
        set(),
    ),
    "a health check": ({"db": {"healthcheck": {"test": ["CMD", "true"]}}}, [], [], set()),
    "a health check that is switched off": ({"job": {"healthcheck": {"test": ["NONE"]}}}, [], [], {"job"}),
    "a health check of the image": ({"db": {}}, [], ["db"], set()),
    "a published port": ({"db": {"ports": [{"target": 5432, "published": "5432"}]}}, [], [], set()),
}


@pytest.mark.parametrize("name", CASES)
def test_services_that_end_in_order_are_found(name: str) -> None:
    services, pinned, checked, expected = CASES[name]
    assert one_shots(services, pinned, checked) & {"job", "db"} == expected


def test_the_label_of_a_container_says_the_same() -> None:
    label = from_label("db:service_healthy:false,migrate:service_completed_successfully:false")
    services: Services = {"api": {"depends_on": label}, "db": {}, "migrate": {}}
    assert one_shots(services, ["api"]) == {"migrate"}


def test_indirect_dependencies_of_a_service_are_found() -> None:
    services: Services = {"api": {"depends_on": {"cache": HEALTHY}}, "cache": {"depends_on": ["db"]}, "db": {}}
    assert needed_by(services, ["api"]) == {"cache", "db"}


def test_the_rule_is_written_once() -> None:
    """The plan, the gate and the diagnosis must not have each a rule of their own."""
    folder = Path(__file__).parents[3] / "plugins"
    having = [file.name for file in folder.rglob("*.py") if "service_completed_successfully" in file.read_text()]
    assert having == ["once.py"]
