"""A plan of a Compose service names only those ways about migrations that were tried."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Graph, Revision
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins.files import Pins
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import (
    Facts,
    Image,
    Revisions,
    Situation,
    Standing,
    Wish,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.schema import Schema, schema
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.steps import Change, seen_after
from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import history
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

IMAGE = Reference("registry.example.com/acme/api", "2", f"sha256:{'a' * 64}")
GOAL: dict[str, Any] = {"id": "rel-1", "name": "1", "images": {}}


def tree(**down: str) -> dict[str, Revision]:
    return {name: Revision(name, tuple(below.split(","))) if below else Revision(name) for name, below in down.items()}


def found(wish: Wish, answer: Answer, target: Graph | None = None) -> Schema:
    """The schema of a plan. answer: of the image that is asked; target: the revisions of an older release."""
    service = Description("shop", "/srv/shop", {"api": IMAGE.repository}, migration_service="api")
    situation = Situation(wish, service, Ledger(), history([]))
    facts = Facts(
        "shop",
        {},
        {},
        Present(None, {"api": IMAGE}),
        images={IMAGE.text: Image()},
        graphs={IMAGE.text: Revisions(target or {})},
        standing=Standing(answer),
    )
    return schema(situation, {"api": IMAGE}, GOAL, False, facts)


def asked(newer: Graph, heads: tuple[str, ...], target: Graph, mode: str) -> Schema:
    """A rollback's look at the database, where the newer image answers that each migration has a way down."""
    downs = {name: {"kind": "ok", "sql": []} for name in newer}
    return found(Wish("rollback", "previous", mode), Answer(newer, heads, downs=downs), target)


#: newer, heads of the database, target, and whether migrations=down does exactly the difference.
ROLLBACKS: dict[str, tuple[Graph, tuple[str, ...], Graph, bool]] = {
    "a line": (tree(a="", b="a"), ("b",), tree(a=""), True),
    "a base that the target does not have": (tree(a="", x="", y="x"), ("a", "y"), tree(a=""), True),
    "a branch that begins where another goes on": (
        tree(a="", b="a", c="a"),
        ("b", "c"),
        tree(a="", b="a"),
        False,
    ),
}


@pytest.mark.parametrize("name", ROLLBACKS)
def test_a_way_that_is_offered_is_not_refused(name: str) -> None:
    newer, heads, target, exact = ROLLBACKS[name]
    with pytest.raises(Problem) as refused:
        asked(newer, heads, target, "refuse")
    offered = "migrations=down" in dict(refused.value.ways)
    assert offered is exact
    if offered:
        migrations = asked(newer, heads, target, "down").migrations
        assert migrations is not None
        assert set(migrations.undoes) == set(newer) - set(target)
    else:
        with pytest.raises(Problem) as again:
            asked(newer, heads, target, "down")
        assert again.value.code == "migrations_not_exact"


def test_a_new_deploy_can_not_undo_migrations() -> None:
    with pytest.raises(Problem) as refused:
        found(Wish("deploy", "1", "down"), Answer({}))
    assert [way for way, _ in refused.value.ways][1] == "interrupted=undo migrations=down"
    assert "down" not in migration_plan.MODES["deploy"]


LINE = tree(a="", b="a")


#: heads of the database, the operator's migrations, whether this host migrates, whether it is looked at afterwards.
DEPLOYS: dict[str, tuple[tuple[str, ...] | None, str, bool, bool]] = {
    "the database has all of them": (("b",), "skip", True, False),
    "the deploy runs them": (("a",), "run", True, False),
    "nobody runs them": (("a",), "skip", True, True),
    "another host runs them": (("a",), "run", False, False),
    "where the database is can not be told": (None, "skip", True, False),
}


@pytest.mark.parametrize("name", DEPLOYS)
def test_without_a_migration_the_schema_is_checked_afterwards(name: str) -> None:
    heads, mode, here, looked = DEPLOYS[name]
    wish = Wish("deploy", "2", mode, migrate_here=here)
    service = Description("shop", "/srv/shop", {"api": IMAGE.repository}, migration_service="api")
    known = found(wish, Answer(LINE, heads))
    change = Change(wish, service, Present(None, {}), {"api": IMAGE}, known, Pins(()))
    assert [(step.id, step.data) for step in seen_after(change)] == (
        [("schema", {"image": IMAGE.text, "heads": ["a"]})] if looked else []
    )
