"""Going back from a deploy undoes exactly its migrations, unless data would be lost; then it asks, or leaves them."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Revision
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.undo import New, decide, moved, new
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Loss

KNOWN = {"a": Revision("a"), "b": Revision("b", ("a",)), "c": Revision("c", ("b",)), "x": Revision("x")}
DOWNS = {
    "b": {"kind": "ok", "sql": ["ALTER TABLE orders DROP COLUMN note"]},
    "c": {"kind": "ok", "sql": ["DROP INDEX some"]},
    "x": {"kind": "missing"},
}


def found(before: list[str], now: list[str]) -> New:
    return new(KNOWN, before, Answer(KNOWN, tuple(now), downs=DOWNS))


def test_exactly_what_came_with_the_deploy() -> None:
    assert found(["a"], ["c"]) == New(("c", "b"), ("a",), ("a",), "", (Loss("orders", "note"),))
    assert found(["b"], ["c"]) == New(("c",), ("b",), ("a", "b"))


def test_nothing_where_the_database_stands_where_it_stood() -> None:
    assert found(["b"], ["b"]) == New()
    assert decide(New(), {}, "entry.sh", False, "run").kind == "nothing"


@pytest.mark.parametrize(
    ("before", "now", "note"),
    [
        (["b"], ["b"], None),
        (["a"], ["c"], {"by_itself": ["b", "c"], "before": ["a"], "heads": ["c"]}),
        ([], ["a", "x"], {"by_itself": ["a", "x"], "before": [], "heads": ["a", "x"]}),
        (["b"], ["a"], {"by_itself": [], "before": ["b"], "heads": ["a"]}),
        (["a"], ["strange"], {"by_itself": [], "before": ["a"], "heads": ["strange"]}),
    ],
    ids=["it did not move", "it went on", "it was empty", "it went back", "to what the image does not know"],
)
def test_a_database_that_moved_is_noted(before: list[str], now: list[str], note: object) -> None:
    assert moved(KNOWN, before, now) == note


def test_a_migration_without_a_way_back_is_not_undone() -> None:
    result = found(["a"], ["a", "x"])
    assert (result.names, result.targets) == (("x",), ())
    assert "can't be undone" in result.why_not


FREE, DEAR, STUCK = (
    New(("c",), ("b",)),
    New(("b",), ("a",), losses=(Loss("orders", "note"),)),
    New(("x",), why_not="no"),
)
ROWS, NONE = {"column orders.note": "3 rows"}, {"column orders.note": "0 rows"}


@pytest.mark.parametrize(
    ("migrations", "counts", "itself", "shared", "mode", "kind"),
    [
        (FREE, {}, "", False, "run", "undo"),
        (FREE, {}, "entry.sh", False, "run", "undo"),
        (FREE, {}, "", True, "run", "leave"),
        (FREE, {}, "entry.sh", True, "run", "hold"),
        (FREE, {}, "", True, "down", "undo"),
        (FREE, {}, "entry.sh", False, "keep", "leave"),
        (DEAR, NONE, "", False, "run", "undo"),
        (DEAR, ROWS, "", False, "run", "leave"),
        (DEAR, {}, "", False, "run", "leave"),
        (DEAR, ROWS, "entry.sh", False, "run", "hold"),
        (DEAR, ROWS, "entry.sh", False, "down", "undo"),
        (DEAR, ROWS, "entry.sh", False, "keep", "leave"),
        (STUCK, {}, "", False, "run", "leave"),
        (STUCK, {}, "entry.sh", False, "run", "hold"),
        (STUCK, {}, "entry.sh", False, "down", "hold"),
    ],
)
def test_going_back_undoes_the_migrations(
    migrations: New, counts: dict[str, str], itself: str, shared: bool, mode: str, kind: str
) -> None:
    decision = decide(migrations, counts, itself, shared, mode)
    assert decision.kind == kind
    if kind == "hold":
        # Each way that is named leads on: it decides otherwise than holding.
        for way in ("down", "keep"):
            named = f"migrations={way}" in decision.why
            assert named == (decide(migrations, counts, itself, shared, way).kind != "hold")
        assert "interrupted=accept" in decision.why
