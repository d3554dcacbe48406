"""Dumps prove by themselves that they are whole, and how many rows each table has in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import database_dump as dumps
from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import BadDump, Contents
from ansible_collections.ops.runbook.plugins.module_utils.backup.database_dump import Keys, Objects

HEADER = "-- MySQL dump 10.13\n--\n-- Host: localhost    Database: shop\n-- Server version\t9.7.4-2\n\n"
POSITION = "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '2cf8dba4-e56e-11f1-a0e8-0242ac110002:1-9';\n"
POSITIONS = "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '2cf8dba4-e56e-11f1-a0e8-0242ac110002:1-9,\n3e11fa47-71ca:1-5';\n"
TABLE = "DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `id` int NOT NULL\n) ENGINE=InnoDB;\n"
ROWS = "LOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES (1,'one'),(2,'zwei');\nUNLOCK TABLES;\n"
TRAILER = "-- Dump completed on 2026-11-21  5:42:14\n"


def read(text: str | bytes, engine: str = "mysql", size: int = 7) -> Contents:
    content = text.encode() if isinstance(text, str) else text
    reader = dumps.reader(engine)
    for start in range(0, len(content), size):
        reader.feed(content[start : start + size])
    return reader.contents()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(HEADER + TABLE + ROWS + TRAILER, {"t": 2}, id="mysql"),
        pytest.param(HEADER + TABLE + TRAILER, {"t": 0}, id="an empty table"),
        pytest.param(
            "INSERT INTO `t` VALUES\n(1,'one'),\n(2,'zwei');\n" + TRAILER, {"t": 2}, id="mariadb, a row a line"
        ),
        pytest.param("INSERT INTO `t` (`a`, `b`) VALUES (1,2),(3,4);\n" + TRAILER, {"t": 2}, id="named columns"),
        pytest.param("INSERT INTO `t` VALUES (1,'a),(b'),(2,'it''s; (');\n" + TRAILER, {"t": 2}, id="brackets in text"),
        pytest.param("INSERT INTO `t` VALUES (1,'\\\\'),(2,'\\'),(');\n" + TRAILER, {"t": 2}, id="backslashes"),
        pytest.param("INSERT INTO `t` VALUES (_binary '\\0(\\Z'),(NULL);\n" + TRAILER, {"t": 2}, id="binary"),
        pytest.param("INSERT INTO `a``b` VALUES (1);\n" + TRAILER, {"a`b": 1}, id="a name with a quote"),
        pytest.param("/*!50001 CREATE TABLE `v` (\n*/;\n" + TABLE + TRAILER, {"t": 0}, id="a view's placeholder"),
        pytest.param(
            "INSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (2),(3);\n" + TRAILER,
            {"t": 3},
            id="several statements",
        ),
    ],
)
def test_rows_of_a_dump(text: str, rows: dict[str, int]) -> None:
    found = read(text)
    assert (found.rows, found.problem, found.size) == (rows, "", len(text.encode()))


def test_a_header_names_database_and_server() -> None:
    found = read(HEADER + TABLE + TRAILER)
    assert (found.database, found.server) == ("shop", "9.7.4-2")


@pytest.mark.parametrize(
    ("engine", "content", "problem"),
    [
        ("mysql", b"", "empty"),
        ("mysql", (HEADER + TABLE + ROWS).encode(), "cut off"),
        ("mysql", (HEADER + TABLE + ROWS + "-- Dump comp").encode(), "cut off"),
        ("mysql", ("-- Dump completed on x\n" + TABLE).encode(), "cut off"),
        ("redis", b"", "empty"),
        ("redis", b"HELLO0012" + b"x" * 20 + b"\xff" + b"12345678", "does not begin"),
        ("redis", b"REDIS0012" + b"x" * 20, "cut off"),
        ("redis", b"REDIS0012", "cut off"),
    ],
)
def test_a_dump_that_is_not_whole(engine: str, content: bytes, problem: str) -> None:
    assert problem in read(content, engine).problem


def test_a_whole_dump_of_redis() -> None:
    assert read(b"REDIS0012" + b"x" * 20 + b"\xff" + b"12345678", "redis").problem == ""


def test_an_engine_that_nothing_can_prove() -> None:
    with pytest.raises(BadDump, match="mongo"):
        dumps.reader("mongo")


VALUES = st.one_of(
    st.integers().map(str), st.just("NULL"), st.text(max_size=8).map(lambda text: "'" + escaped(text) + "'")
)


def escaped(text: str) -> str:
    """As mysqldump does it."""
    for bad, good in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0"), ("\x1a", "\\Z")):
        text = text.replace(bad, good)
    return text


@given(rows=st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=8), size=st.integers(1, 60))
def test_any_rows_are_counted_however_they_arrive(rows: list[list[str]], size: int) -> None:
    values = ",".join(f"({','.join(row)})" for row in rows)
    assert read(f"{TABLE}INSERT INTO `t` VALUES {values};\n{TRAILER}", size=size).rows == {"t": len(rows)}


@given(cut=st.integers(0, len(HEADER + TABLE + ROWS)))
def test_no_dump_that_was_cut_passes(cut: int) -> None:
    assert read((HEADER + TABLE + ROWS)[:cut]).problem


def test_the_answers_of_a_database() -> None:
    table, view, odd = (name.encode().hex().upper() for name in ("orders", "big", "odd`na\tme"))
    answer = f"TABLE_TYPE\tHEX(TABLE_NAME)\nBASE TABLE\t{table}\nVIEW\t{view}\nBASE TABLE\t{odd}\nROUTINE\t{view}\n"
    assert dumps.objects(answer) == Objects(("orders", "odd`na\tme"), ("big",), ("big",), ())
    assert dumps.counted(f"ROWS\t{table}\tCOUNT(*)\nROWS\t{table}\t12\n") == {"orders": 12}
    assert dumps.count_rows(("a`b",)).count("FROM `a``b`;") == 1


def test_the_keyspace() -> None:
    answer = "# Keyspace\r\ndb0:keys=5,expires=2,avg_ttl=0\r\ndb3:keys=1,expires=0\r\n"
    assert dumps.keyspace(answer) == {"db0": Keys(5, 2), "db3": Keys(1, 0)}


@pytest.mark.parametrize(
    ("dumped", "before", "after", "wrong"),
    [
        ({"t": 2}, {"t": 2}, {"t": 2}, 0),
        ({"t": 1}, {"t": 2}, {"t": 2}, 1),
        ({"t": 3}, {"t": 2}, {"t": 5}, 0),
        ({"t": 6}, {"t": 2}, {"t": 5}, 1),
        ({"t": 3}, {"t": 5}, {"t": 2}, 0),
        ({}, {"t": 2}, {"t": 2}, 1),
        ({"t": 0, "u": 0}, {"t": 0}, {"t": 0}, 1),
    ],
)
def test_a_dump_is_held_against_its_database(
    dumped: dict[str, int], before: dict[str, int], after: dict[str, int], wrong: int
) -> None:
    assert len(dumps.unproven(dumped, before, after)) == wrong


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
)
def test_rows_differ_where_they_differ(one: dict[str, int], other: dict[str, int]) -> None:
    lines = dumps.row_differences(one, other)
    assert bool(lines) == (one != other)
    assert {line.split()[0] for line in lines} == {t for t in {*one, *other} if one.get(t) != other.get(t)}


def test_keys_that_end_by_themselves_may_be_gone() -> None:
    wanted = dumps.key_range({"db0": Keys(5, 2)}, {"db0": Keys(6, 2)})
    assert wanted == {"db0": [3, 6]}
    assert dumps.key_differences(wanted, {"db0": Keys(3, 0)}) == []
    assert dumps.key_differences(wanted, {"db0": Keys(2, 0)}) == ["db0 has 2 keys; 3 to 6 were expected"]
    assert dumps.key_differences({}, {"db1": Keys(1, 0)}) == ["db1 has 1 keys; 0 were expected"]


def test_tables_that_a_dump_does_not_know_are_removed() -> None:
    sql = dumps.prelude(Objects(("t", "stray"), ("v",)), {"t": 1})
    assert "DROP TABLE IF EXISTS `stray`;" in sql and "`t`" not in sql and "DROP VIEW IF EXISTS `v`;" in sql
    assert sql.startswith("SET FOREIGN_KEY_CHECKS=0;\n")
    assert dumps.prelude(Objects(("t",)), {"t": 1}) == ""


@pytest.mark.parametrize("position", [POSITION, POSITIONS, ""])
@given(size=st.integers(1, 200))
def test_the_position_is_taken_out_and_nothing_else(position: str, size: int) -> None:
    text = (HEADER + position + TABLE + ROWS + f"-- {POSITION}" + TRAILER).encode()
    wanted = (HEADER + TABLE + ROWS + f"-- {POSITION}" + TRAILER).encode()
    without = dumps.WithoutPosition()
    found = b"".join(without.feed(text[start : start + size]) for start in range(0, len(text), size))
    assert found + without.end() == wanted
