"""Services that use a key are found by Compose's own values, and a database's own password is recognised."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import usage
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.usage import Use

KEYS = ("KEY", "PW")
VALUES = {"KEY": "old$1", "PW": "secret"}
MARKS = usage.marks(KEYS, "mark")


def config(**services: dict[str, Any]) -> dict[str, Any]:
    return {"services": services}


def found(before: dict[str, Any], marked: dict[str, Any]) -> dict[str, list[Use]]:
    return usage.uses(before, marked, MARKS, VALUES, "/srv/.env")


def test_a_mark_stands_for_one_key() -> None:
    marks = usage.marks([f"K{number}" for number in range(12)], "m")
    assert not any(one != other and one in other for one in marks.values() for other in marks.values())


TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, list[Use]]]] = {
    "filled into the environment": (
        config(a={"environment": {"X": "old$$1"}}, b={"environment": {"X": "1"}}),
        config(a={"environment": {"X": MARKS["KEY"]}}, b={"environment": {"X": "1"}}),
        {"KEY": [Use("a", "environment.X", "X")], "PW": []},
    ),
    "within an address": (
        config(a={"environment": {"U": "postgres://u:secret@db/x"}}),
        config(a={"environment": {"U": f"postgres://u:{MARKS['PW']}@db/x"}}),
        {"KEY": [], "PW": [Use("a", "environment.U", "U")]},
    ),
    "by env_file, where it does not differ": (
        config(a={"environment": {"KEY": "old$$1", "PW": "of another file"}}),
        config(a={"environment": {"KEY": "old$$1", "PW": "of another file"}}),
        {"KEY": [Use("a", "env_file", "KEY")], "PW": []},
    ),
    "in a command": (
        config(a={"command": ["run", "--key", "old$$1"]}),
        config(a={"command": ["run", "--key", MARKS["KEY"]]}),
        {"KEY": [Use("a", "command.2")], "PW": []},
    ),
    "by a form that hides whose it is": (
        config(a={"labels": {"x": "yes"}}),
        config(a={"labels": {"x": "no"}}),
        {"KEY": [Use("a", "labels.x")], "PW": [Use("a", "labels.x")]},
    ),
    "the file is mounted": (
        config(a={"volumes": [{"type": "bind", "source": "/srv/.env", "target": "/app/.env"}]}),
        config(a={"volumes": [{"type": "bind", "source": "/srv/.env", "target": "/app/.env"}]}),
        {"KEY": [Use("a", "mounted", "/app/.env")], "PW": [Use("a", "mounted", "/app/.env")]},
    ),
    "as a secret": (
        {**config(a={"secrets": [{"source": "s", "target": "t"}]}), "secrets": {"s": {"environment": "PW"}}},
        {**config(a={"secrets": [{"source": "s", "target": "t"}]}), "secrets": {"s": {"environment": "PW"}}},
        {"KEY": [], "PW": [Use("a", "secret", "/run/secrets/t")]},
    ),
}


@pytest.mark.parametrize(("before", "marked", "expected"), TABLE.values(), ids=TABLE)
def test_a_use_is_found(before: dict[str, Any], marked: dict[str, Any], expected: dict[str, list[Use]]) -> None:
    assert found(before, marked) == expected


def test_variables_that_compose_does_not_see_are_passed_to_it() -> None:
    assert [Use("a", place).by_hand for place in ("mounted", "secret", "env_file", "environment.X")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("DATABASE_URL", "postgresql+psycopg://shop:{}@db:5432/shop", True),
        ("BROKER", "amqp://shop:{}@queue/x", True),
        ("DATABASE_URL", "sqlite:////data/{}.db", False),
        ("CACHE_URL", "redis://:{}@cache/0", False),
        ("POSTGRES_PASSWORD", "{}", True),
        ("MYSQL_ROOT_PASSWORD", "{}", True),
        ("SECRET_KEY", "{}", False),
    ],
)
def test_a_password_that_a_database_keeps_is_recognised(name: str, value: str, kept: bool) -> None:
    before = config(a={"environment": {name: value.format("secret")}})
    marked = config(a={"environment": {name: value.format(MARKS["PW"])}})
    uses = found(before, marked)["PW"]
    assert bool(usage.kept_elsewhere("PW", uses, marked, MARKS["PW"])) is kept
