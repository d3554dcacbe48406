# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a database between two codes, and the data that going down would destroy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import (
    KNOWS,
    LACKS,
    UNTOLD,
    Comparison,
    Loss,
    Position,
    compare,
    losses,
    place,
    undoing,
)

COMPARISONS: dict[str, tuple[Position, Comparison]] = {
    "the same": (Position(["a", "b"], ["a", "b"], ["a", "b"]), Comparison("same")),
    "nothing anywhere": (Position([], [], []), Comparison("same")),
    "the database is ahead, newest first": (
        Position(["a", "b", "c"], ["a", "b", "c"], ["a"]),
        Comparison("ahead", ahead=("c", "b")),
    ),
    "in the order in which they ran, not by name": (
        Position(["c", "a", "b"], ["a", "b", "c"], ["c"]),
        Comparison("ahead", ahead=("b", "a")),
    ),
    "the database is behind": (Position(["a"], ["a"], ["c", "b", "a"]), Comparison("behind", behind=("b", "c"))),
    "the present code was never migrated": (Position(["a"], ["a", "b"], ["a"]), Comparison("same")),
    "diverged": (
        Position(["a", "b"], ["a", "b"], ["a", "c"]),
        Comparison("diverged", ahead=("b",), behind=("c",)),
    ),
    "nobody knows one of them": (
        Position(["a", "b", "x"], ["a", "b"], ["a"]),
        Comparison("ahead", ahead=("b",), foreign=("x",)),
    ),
    "schema:dump --prune: neither of two later releases knows the rows": (
        Position(["x", "y", "a"], ["a"], ["a"]),
        Comparison("same", foreign=("y", "x")),
    ),
    "a foreign one that the target knows": (Position(["a", "x"], ["a"], ["a", "x"]), Comparison("same")),
    "unreadable": (
        Position(None, ["a"], ["a"], error="connection refused"),
        Comparison("unknown", error="connection refused"),
    ),
    "unreadable, no reason": (Position(None, [], []), Comparison("unknown", error="the database can't be read")),
    "empty is not unreadable": (Position([], ["a"], ["a"]), Comparison("behind", behind=("a",))),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_compare(name: str) -> None:
    position, expected = COMPARISONS[name]
    assert compare(position) == expected


def test_a_migration_that_a_package_of_the_target_may_have_is_unknown() -> None:
    found = compare(Position(["a", "p", "b"], ["a", "p", "b"], ["a"], unsure=["p"], why="package q is another one"))
    assert (found.verdict, found.ahead, found.unsure) == ("unknown", ("b",), ("p",))
    assert found.error == "package q is another one: p"


def test_migrations_that_either_release_may_have_are_named_in_order() -> None:
    found = compare(Position(["q", "p"], [], [], unsure=["p", "q"], unsure_here=["p", "q"]))
    assert found.error == "it is not known which of the two releases has them: p, q"


SAYS = (KNOWS, LACKS, UNTOLD)


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("current", SAYS)
@pytest.mark.parametrize("target", SAYS)
def test_each_answer_of_two_codes_has_a_place_and_cannot_tell_is_never_taken_for_yes(
    applied: bool, current: str, target: str
) -> None:
    """Whatever cannot be told, the place is one that every answer it might have been leads to, or it is unsure."""
    found = place(applied, current, target)
    assert found in ("shared", "ahead", "behind", "foreign", "unsure", "")
    meanings = {
        place(applied, here, there)
        for here in ((KNOWS, LACKS) if current == UNTOLD else (current,))
        for there in ((KNOWS, LACKS) if target == UNTOLD else (target,))
    }
    # Rows that the present code does not know speak neither for the target nor against it.
    harmless = [{"shared", "foreign"}]
    if len(meanings) == 1:
        assert {found} == meanings
    elif meanings in harmless:
        assert found == "foreign"
    else:
        assert found == "unsure"
    position = Position(
        ["m"] if applied else [],
        ["m"] if current == KNOWS else [],
        ["m"] if target == KNOWS else [],
        ["m"] if target == UNTOLD else [],
        unsure_here=["m"] if current == UNTOLD else [],
    )
    verdict = compare(position).verdict
    assert (verdict == "unknown") is (found == "unsure")
    assert (verdict == "same") is (found in ("shared", "foreign", ""))


names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(names, names, names)
def test_a_comparison_adds_up(applied: list[str], current: list[str], target: list[str]) -> None:
    found = compare(Position(applied, current, target))
    assert set(applied) - set(found.ahead) - set(found.foreign) | set(found.behind) == set(target)
    assert list(found.ahead) == [name for name in reversed(applied) if name not in target and name in current]
    assert set(found.foreign) == set(applied) - set(target) - set(current)
    expected = {(False, False): "same", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    assert found.verdict == expected[bool(found.ahead), bool(found.behind)]


# -- losses ----------------------------------------------------------------------------------------

T, NOTE = [Loss("t")], [Loss("t", "note")]
SQL: dict[str, tuple[str, list[Loss]]] = {
    # Whole tables.
    "SQLite, PostgreSQL": ('drop table "t"', T),
    "MySQL": ("drop table `t`", T),
    "SQL Server": ("drop table [t]", T),
    "unquoted, upper case": ("DROP TABLE t", T),
    "if exists": ('drop table if exists "t"', T),
    "a table with its database": ("drop table if exists `db`.`t`", [Loss("db.t")]),
    "a table with schema and database": ("drop table [db].[dbo].[t]", [Loss("db.dbo.t")]),
    "a schema without quotes": ("drop table public.t", [Loss("public.t")]),
    "several tables": ('drop table "t", "u" cascade', [Loss("t"), Loss("u")]),
    "a temporary table": ("drop temporary table `t`", T),
    "a name with a blank, a dash and a quote": ('drop table "my t-""1"""', [Loss('my t-"1"')]),
    "a table whose name is a word of SQL": ("drop table `table`", [Loss("table")]),
    "SQL Server asks first": (
        "if exists (select * from sys.sysobjects where id = object_id('t', 'U')) drop table [t]",
        T,
    ),
    "SQL Server asks first, newer": ("if object_id(N'[t]') is not null drop table [t]", T),
    "after a comment": ("-- away with it\n/* all of it */ drop table `t`", T),
    "the second of two statements": ("select 1; drop table `t`;", T),
    "truncate": ("truncate table `t`", T),
    "truncate, PostgreSQL": ('truncate "t", "u" restart identity', [Loss("t"), Loss("u")]),
    "delete": ("delete from `t` where `id` > 5", T),
    # Columns.
    "a column, SQLite and PostgreSQL": ('alter table "t" drop column "note"', NOTE),
    "a column, MySQL": ("alter table `t` drop `note`", NOTE),
    "a column, MySQL, unquoted": ("ALTER TABLE t DROP note", NOTE),
    "a column, SQL Server": ("alter table [t] drop column [note]", NOTE),
    "a column if it exists": ('alter table "t" drop column if exists "note" cascade', NOTE),
    "a table that may be missing": ('alter table if exists only "t" drop column "note"', NOTE),
    "columns, MySQL": ("alter table `t` drop `note`, drop `size`", [*NOTE, Loss("t", "size")]),
    "columns, PostgreSQL": ('alter table "t" drop column "note", drop column "size"', [*NOTE, Loss("t", "size")]),
    "columns, SQL Server": ("alter table [t] drop column [note], [size]", [*NOTE, Loss("t", "size")]),
    "SQL Server drops the defaults first": (
        "DECLARE @sql NVARCHAR(MAX) = '';SELECT @sql += 'ALTER TABLE [dbo].[t] DROP CONSTRAINT ' + name + ';' "
        "FROM sys.default_constraints;EXEC(@sql);alter table [t] drop column [note]",
        NOTE,
    ),
    "SQL Server drops a constraint and a column": ("alter table [t] drop constraint [c], column [note]", NOTE),
    "a column among other changes": ("alter table `t` add `x` int, drop `note`, modify `y` decimal(5, 2)", NOTE),
    "a column whose name is a word of SQL": ("alter table `t` drop `index`", [Loss("t", "index")]),
    "a column named key, said to be one": ("alter table t drop column key", [Loss("t", "key")]),
    "a column of a table with its schema": ('alter table "public"."t" drop column "note"', [Loss("public.t", "note")]),
    "a partition has rows of the table": ("alter table `t` drop partition `p0`", T),
    "three columns, SQL Server": (
        "alter table [t] drop column [note], [size], [colour]",
        [*NOTE, Loss("t", "size"), Loss("t", "colour")],
    ),
    "rows of a partition": ("alter table `t` truncate partition `p0`", T),
    "a partition, and then a column": ("alter table `t` drop partition `p0`, `p1`, drop `note`", [*T, *NOTE]),
    "a column behind commas in parentheses": (
        "alter table `t` add `x` decimal(5, (2)), add `y` enum('a', 'b'), drop `note`",
        NOTE,
    ),
    "a word in parentheses behind a drop": ("alter table `t` drop index `i`, add check (`a` in (1, `b`, 2))", []),
    "commas in parentheses after a dropped column": (
        "alter table `t` drop column `note`, add constraint `c` check (f(`a`), `b`, `d`)",
        NOTE,
    ),
    "a truncated table and its children, PostgreSQL": ('truncate only "t", only "u"', [Loss("t"), Loss("u")]),
    "a delete from one table, with a list behind it": ("delete from `t`, `u`", T),
    "a line comment before a drop": ("-- x\ndrop table `t`", T),
    "a comment between two words": ("drop /* really */ table `t`", T),
    "a comment between two words, on a line": ("drop -- really\ntable `t`", T),
    "a name that ends in a dot": ("drop table a.b.", [Loss("a.b")]),
    "a renamed table among other changes": ("alter table `t` rename to `u`, drop `note`", NOTE),
    # No data.
    "an index": ("alter table `t` drop index `t_note_index`", []),
    "an index of its own": ('drop index "t_note_index"', []),
    "an index, SQL Server": ("drop index [t_note_index] on [t]", []),
    "a foreign key, MySQL": ("alter table `t` drop foreign key `t_user_id_foreign`", []),
    "a constraint, PostgreSQL": ('alter table "t" drop constraint "t_user_id_foreign"', []),
    "several constraints": ('alter table "t" drop constraint "a", drop constraint "b"', []),
    "a primary key": ("alter table `t` drop primary key", []),
    "a check": ("alter table `t` drop check `t_note_check`", []),
    "a default": ('alter table "t" alter column "note" drop default', []),
    "not null": ('alter table "t" alter column "note" drop not null', []),
    "a new column": ('alter table "t" add column "note" varchar(255) default \'drop table x\'', []),
    "a renamed column": ('alter table "t" rename column "a" to "b"', []),
    "a view": ('drop view "v"', []),
    "words in a string": ("insert into `t` values ('drop table `x`; truncate y')", []),
    "words in a comment": ("select 1 -- drop table t", []),
    "on delete": ("alter table `t` add foreign key (`u`) references `users` (`id`) on delete cascade", []),
    "the function truncate": ("update `t` set `x` = truncate(`x`, 2)", []),
    "nothing": ("", []),
    "a comma in parentheses": ("alter table `t` add `x` enum(a, drop `y`), add `z` int", []),
    "a comma in parentheses, behind others": ("alter table `t` add `x` enum((a), drop `y`)", []),
    "a change that is not there": ("alter table `t` `note`", []),
    "cut short": ("alter table", []),
    "cut short in a drop": ("alter table `t` drop", []),
}


@pytest.mark.parametrize("name", SQL)
def test_losses(name: str) -> None:
    statement, expected = SQL[name]
    assert losses([statement]) == expected


def test_losses_are_named_once_and_in_order() -> None:
    found = losses(["alter table `t` drop `note`", "drop table `u`", "drop table `u`"])
    assert [loss.text for loss in found] == ["column t.note", "table u"]


def test_a_table_that_sqlite_makes_anew_is_not_lost() -> None:
    rebuild = [
        'create table "__temp__t" ("id" integer primary key)',
        'insert into "__temp__t" ("id") select "id" from "t"',
        'drop table "t"',
        'alter table "__temp__t" rename to "t"',
    ]
    assert losses(rebuild) == []
    assert losses(rebuild[:3]) == T
    # Without the word `to`; and where the table that it takes the place of was never dropped.
    assert losses([*rebuild[:3], 'alter table "__temp__t" rename "t"']) == []
    assert losses(['alter table "__temp__t" rename to "t"']) == []
    assert losses(['drop table "t"', 'alter table "__temp__u" drop column "to", add "t" int']) == [
        Loss("t"),
        Loss("__temp__u", "to"),
    ]
    assert losses(['drop table "t"', 'alter table "u" rename to "t"']) == T


def test_a_way_down_without_words_about_its_failure_is_judged() -> None:
    judged = undoing(Comparison("ahead", ahead=("b", "a")), {"a": {"kind": "error"}, "b": {"kind": "untried"}})
    assert judged.irreversible == {"a": "its down() fails: "}
    assert judged.untried == {"b": ""}


@given(st.text(alphabet="drop table`\"[](),;'-/*tx \n", max_size=60))
def test_no_text_is_a_crash(text: str) -> None:
    losses([text, f"alter table t {text}", f"drop table {text}"])


# -- the way down ----------------------------------------------------------------------------------


def test_a_way_down_is_judged_migration_by_migration() -> None:
    comparison = Comparison("ahead", ahead=("f", "e", "d", "c", "b", "a"))
    judged = undoing(
        comparison,
        {
            "f": {"kind": "untried", "error": "it uses Storage in line 3"},
            "e": {"kind": "missing"},
            "d": {"kind": "empty"},
            "c": {"kind": "error", "error": "no such column"},
            "b": {"kind": "ok", "sql": ["alter table `t` drop `note`"]},
        },
    )
    assert judged.names == comparison.ahead
    assert judged.irreversible == {
        "e": "it has no down()",
        "d": "its down() does nothing",
        "c": "its down() fails: no such column",
        "a": "its file is not in the current code",
    }
    assert judged.untried == {"f": "it uses Storage in line 3"}
    assert judged.sql == {"b": ("alter table `t` drop `note`",)}
    assert judged.losses == (Loss("t", "note"),)


def test_nothing_ahead_is_nothing_to_undo() -> None:
    judged = undoing(Comparison("same"), {"a": {"kind": "ok", "sql": ["drop table `t`"]}})
    assert (judged.names, judged.irreversible, judged.sql, judged.losses) == ((), {}, {}, ())
