"""What a plan of a Compose service offers about migrations was tried before it is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Graph, Revision
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import schema as compose_schema
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.schema import SchemaPlanner
from ansible_collections.ops.runbook.plugins.module_utils.compose.plan import ComposePlanner
from ansible_collections.ops.runbook.plugins.module_utils.compose.target import Wish
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refused
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan

IMAGE = Reference("registry.example.com/acme/api", "2", f"sha256:{'a' * 64}")
GOAL: dict[str, Any] = {"id": "rel-1", "name": "1", "images": {}}


def tree(**down: str) -> dict[str, Revision]:
    return {name: Revision(name, tuple(below.split(","))) if below else Revision(name) for name, below in down.items()}


def asked(monkeypatch: pytest.MonkeyPatch, newer: Graph, heads: tuple[str, ...], target: Graph, mode: str) -> Any:
    """A rollback's look at the database, where the newer image answers that each migration has a way down."""
    downs = {name: {"kind": "ok", "sql": []} for name in newer}
    monkeypatch.setattr(compose_schema, "ask", lambda *_args, **_options: Answer(newer, heads, downs=downs))
    service = SimpleNamespace(description=SimpleNamespace(migration_service="api", images={"api": IMAGE.repository}))
    store = SimpleNamespace(graph=lambda _image: target, has=lambda _image: True)
    planner = SchemaPlanner(service, store, {}, check_mode=True)  # type: ignore[arg-type]
    wish = Wish("rollback", "previous", mode)
    return planner.schema(wish, {"api": IMAGE}, {"api": IMAGE}, GOAL, unseen=False)


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
def test_a_way_that_is_offered_is_not_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    newer, heads, target, exact = ROLLBACKS[name]
    with pytest.raises(Refused) as refused:
        asked(monkeypatch, newer, heads, target, "refuse")
    offered = "migrations=down" in dict(refused.value.refusal.ways)
    assert offered is exact
    if offered:
        schema = asked(monkeypatch, newer, heads, target, "down")
        assert set(schema.migrations.undoes) == set(newer) - set(target)
    else:
        with pytest.raises(Refused) as again:
            asked(monkeypatch, newer, heads, target, "down")
        assert again.value.refusal.code == "migrations_not_exact"


def test_a_new_deploy_can_not_undo_migrations() -> None:
    planner = SchemaPlanner(SimpleNamespace(description=SimpleNamespace(migration_service="")), None, {}, True)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        planner.schema(Wish("deploy", "1", "down"), {}, {}, GOAL, unseen=False)
    assert [way for way, _ in refused.value.refusal.ways][1] == "interrupted=undo migrations=down"
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
def test_where_nobody_is_to_migrate_it_is_looked_at_afterwards(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    heads, mode, here, looked = DEPLOYS[name]
    monkeypatch.setattr(compose_schema, "ask", lambda *_args, **_options: Answer(LINE, heads))
    service = SimpleNamespace(description=SimpleNamespace(migration_service="api", images={"api": IMAGE.repository}))
    store = SimpleNamespace(graph=lambda _image: None, image=lambda _name: None)
    wish = Wish("deploy", "2", mode, migrate_here=here)
    schema = SchemaPlanner(service, store, {}, check_mode=True).schema(wish, {}, {"api": IMAGE}, GOAL, False)  # type: ignore[arg-type]
    planner = SimpleNamespace(service=service)
    steps = ComposePlanner._seen_after(planner, wish, {"api": IMAGE}, schema)  # type: ignore[arg-type]
    assert [(step.id, step.data) for step in steps] == (
        [("schema", {"image": IMAGE.text, "heads": ["a"]})] if looked else []
    )
