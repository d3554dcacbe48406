# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a database among Alembic's revisions, and the revisions that a downgrade would undo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import (
    Graph,
    NotExact,
    Revision,
    applied,
    downgrade_targets,
    graph,
    heads,
    ordered,
    position,
)
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import compare


def tree(**downs: str) -> dict[str, Revision]:
    """A graph: name="what it follows", several with blanks between; what it depends on after a slash."""
    found = {}
    for name, text in downs.items():
        below, _, depends = text.partition("/")
        found[name] = Revision(name, tuple(below.split()), tuple(depends.split()))
    return found


LINE = tree(a="", b="a", c="b")
FORK = tree(a="", b1="a", b2="a", c1="b1", c2="b2")
MERGED = {**FORK, **tree(m="c1 c2")}
TWO_ROOTS = tree(a="", b="a", x="", y="x/b")


@pytest.mark.parametrize(
    ("known", "expected"),
    [(LINE, ("c",)), (FORK, ("c1", "c2")), (MERGED, ("m",)), (TWO_ROOTS, ("b", "y")), ({}, ())],
)
def test_heads(known: Graph, expected: tuple[str, ...]) -> None:
    assert heads(known) == expected


@pytest.mark.parametrize(
    ("known", "at", "expected"),
    [
        (LINE, ["b"], ["a", "b"]),
        (LINE, [], []),
        (FORK, ["c1"], ["a", "b1", "c1"]),
        (FORK, ["c1", "b2"], ["a", "b1", "b2", "c1"]),
        (MERGED, ["m"], ["a", "b1", "b2", "c1", "c2", "m"]),
        (TWO_ROOTS, ["y"], ["a", "x", "b", "y"]),
        (LINE, ["unknown"], []),
    ],
)
def test_applied(known: Graph, at: list[str], expected: list[str]) -> None:
    assert applied(known, at) == expected


VERDICTS = {
    "same": (["c"], LINE, LINE, ("same", (), ())),
    "ahead by two": (["c"], LINE, tree(a=""), ("ahead", ("c", "b"), ())),
    "behind": (["a"], LINE, LINE, ("behind", (), ("b", "c"))),
    "nothing was ever migrated": ([], LINE, LINE, ("behind", (), ("a", "b", "c"))),
    "one branch ahead": (["c1", "c2"], FORK, tree(a="", b1="a", c1="b1"), ("ahead", ("c2", "b2"), ())),
    "diverged": (["b1"], FORK, tree(a="", b2="a"), ("diverged", ("b1",), ("b2",))),
    "only the present image knows where it is": (["c"], LINE, tree(a="", b="a"), ("ahead", ("c",), ())),
    "the target alone is asked": (["a"], None, LINE, ("behind", (), ("b", "c"))),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    database, current, target, expected = VERDICTS[name]
    found = compare(position(database, "", current, target))
    assert (found.verdict, found.ahead, found.behind) == expected


def test_a_revision_that_nobody_knows_makes_it_unknown() -> None:
    found = compare(position(["zzz"], "", LINE, LINE, "the present image"))
    assert found.verdict == "unknown"
    assert "zzz" in found.error
    assert "the present image" in found.error


def test_a_database_that_is_down_is_unknown_and_not_empty() -> None:
    found = compare(position(None, "connection refused", LINE, LINE))
    assert (found.verdict, found.error) == ("unknown", "connection refused")


TARGETS: dict[str, tuple[Graph, list[str], list[str], tuple[str, ...]]] = {
    "one down": (LINE, ["c"], ["c"], ("b",)),
    "two down": (LINE, ["c"], ["c", "b"], ("a",)),
    "one branch of two": (FORK, ["c1", "c2"], ["c2"], ("b2",)),
    "a merge": (MERGED, ["m"], ["m"], ("c1",)),
    "both branches": (FORK, ["c1", "c2"], ["b1", "b2", "c1", "c2"], ("a",)),
    "the ends of both": (FORK, ["c1", "c2"], ["c1", "c2"], ("b1", "b2")),
    "what depends on it goes along": (TWO_ROOTS, ["y"], ["b", "y"], ("a",)),
    "nothing": (LINE, ["c"], [], ()),
    "everything": (LINE, ["c"], ["a", "b", "c"], ("a@base",)),
    "a second base, and what stands on it": (TWO_ROOTS, ["y", "b"], ["x", "y"], ("x@base",)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_downgrade_targets(name: str) -> None:
    known, at, undo, expected = TARGETS[name]
    assert downgrade_targets(known, at, undo) == expected


@pytest.mark.parametrize(
    ("known", "at", "undo", "says"),
    [
        (FORK, ["c1", "c2"], ["b2", "c2"], "would undo b1, c1 too"),
        (TWO_ROOTS, ["y"], ["a"], "would undo b, y too"),
    ],
)
def test_never_more_than_the_difference(known: Graph, at: list[str], undo: list[str], says: str) -> None:
    with pytest.raises(NotExact, match=says):
        downgrade_targets(known, at, undo)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Revision]:
    names = [f"r{number}" for number in range(draw(st.integers(1, 8)))]
    found = {}
    for number, name in enumerate(names):
        before = names[:number]
        down = draw(st.lists(st.sampled_from(before), unique=True, max_size=2)) if before else []
        found[name] = Revision(name, tuple(down))
    return found


@given(graphs(), st.data())
def test_a_downgrade_undoes_exactly_the_requested_revisions(known: dict[str, Revision], data: st.DataObject) -> None:
    """By a model of `alembic downgrade`: each target undoes what stands on it."""
    at = heads(known)
    active = applied(known, at)
    # Upward closed, as what a target does not know always is.
    low = data.draw(st.lists(st.sampled_from(active), unique=True))
    undo = {name for name in active if set(low) & set(applied(known, [name]))}
    try:
        targets = downgrade_targets(known, at, undo)
    except NotExact:
        return
    left = set(active)
    for target in targets:
        root, _, base = target.partition("@")
        assert root in left and base in ("", "base")
        gone = {root} if base else {name for name in left if target in known[name].down}
        while True:
            more = {name for name in left - gone if gone & set(known[name].below)}
            if not more:
                break
            gone |= more
        left -= gone
    assert left == set(active) - undo


@given(graphs())
def test_nothing_comes_before_what_it_stands_on(known: dict[str, Revision]) -> None:
    line = ordered(known, known)
    assert sorted(line) == sorted(known)
    assert all(line.index(below) < line.index(name) for name in known for below in known[name].below)


def test_the_graph_of_an_image() -> None:
    raw = [{"id": "b", "down": ["a"], "depends": ["x"], "title": "b"}, {"id": "a", "down": [], "depends": []}]
    assert graph(raw) == {"b": Revision("b", ("a",), ("x",), "b"), "a": Revision("a")}
