# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL of pg_restore: whole or not, and rows by table; as PostgreSQL 17.12 printed it on a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import Contents
from ansible_collections.ops.runbook.plugins.module_utils.backup.database_dump import reader
from ansible_collections.ops.runbook.plugins.module_utils.backup.postgres_dump import (
    CLUSTER_TRAILER,
    TRAILER,
    PostgresDump,
    qualified,
)

HEADER = """\
--
-- PostgreSQL database dump
--

\\restrict k3

-- Dumped from database version 17.12 (Debian 17.12-0+deb13u1)
-- Dumped by pg_dump version 17.12 (Debian 17.12-0+deb13u1)

SET statement_timeout = 0;

CREATE TABLE public."none" (
);

"""
DATA = """\
--
-- Data for Name: none; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public."none"  FROM stdin;

\\.


COPY public."order" (i) FROM stdin;
\\.


COPY public.orders (id, "FROM stdin;") FROM stdin;
1	\\\\.
2	COPY public.other (id) FROM stdin;
3	-- PostgreSQL database dump complete
\\.


COPY "we ird"."a ""b" (id, t) FROM stdin;
1	x\\ny
2	\\N
\\.


"""
END = """\
--
-- PostgreSQL database dump complete
--

"""
ROWS = {"public.none": 1, "public.order": 0, "public.orders": 3, '"we ird"."a ""b"': 2}


def read(text: str | bytes, size: int = 7, trailer: bytes = TRAILER) -> Contents:
    content = text.encode() if isinstance(text, str) else text
    found = PostgresDump(trailer)
    for at in range(0, len(content), size):
        found.feed(content[at : at + size])
    return found.contents()


@pytest.mark.parametrize("size", [1, 2, 7, 10**6])
@pytest.mark.parametrize("after", ["", "\\unrestrict k3\n\n"])
def test_a_whole_dump_has_its_rows_and_its_server(size: int, after: str) -> None:
    found = read(HEADER + DATA + END + after, size)
    assert (found.problem, found.rows) == ("", ROWS)
    assert found.server == "17.12 (Debian 17.12-0+deb13u1)"
    assert found.size == len((HEADER + DATA + END + after).encode())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (HEADER + DATA, "it does not end with"),
        (HEADER + DATA[: DATA.index("2\tCOPY")], "within the rows of public.orders"),
        (HEADER + DATA + END + "CREATE TABLE public.x (\n", "it does not end with"),
        (HEADER + DATA + "-- PostgreSQL database dump comp", "it does not end with"),
        (HEADER + DATA + END + "\\unrest", "it does not end with"),
    ],
)
def test_a_dump_that_is_not_whole_says_so(text: str, problem: str) -> None:
    assert problem in read(text).problem


@given(st.integers(0, len(HEADER + DATA + END) - len("\n--\n\n")))
def test_a_dump_that_was_cut_off_anywhere_before_its_trailer_is_not_whole(length: int) -> None:
    assert read((HEADER + DATA + END)[:length]).problem


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n\0\r"), min_size=1, max_size=6)
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\n\0\r"), max_size=12).filter(
    lambda text: text != "\\."
)


def written(name: str) -> str:
    plain = name[0] in "abcdefghijklmnopqrstuvwxyz_" and all(one in "abcdefghijklmnopqrstuvwxyz_0123" for one in name)
    return name if plain else '"' + name.replace('"', '""') + '"'


@given(st.dictionaries(st.tuples(NAMES, NAMES), st.lists(LINES, max_size=4), max_size=4), st.integers(1, 50))
def test_each_table_has_as_many_rows_as_lines_whatever_its_name(
    tables: dict[tuple[str, str], list[str]], size: int
) -> None:
    text = "".join(
        f"COPY {written(schema)}.{written(table)} (a) FROM stdin;\n{''.join(line + chr(10) for line in lines)}\\.\n\n"
        for (schema, table), lines in tables.items()
    )
    found = read(HEADER + text + END, size)
    assert found.problem == ""
    assert found.rows == {qualified(*name): len(lines) for name, lines in tables.items()}


def test_a_table_whose_rows_come_in_two_parts_has_both() -> None:
    """Partitions may be dumped into the table that they are of."""
    part = "COPY public.t (a) FROM stdin;\n1\n\\.x\n\\.\n\n"
    assert read(HEADER + part + part + END).rows == {"public.t": 4}


def test_no_more_than_the_beginning_of_a_row_is_kept() -> None:
    found = PostgresDump()
    found.feed(b"COPY public.big (t) FROM stdin;\n")
    for _ in range(80):
        found.feed(b"x" * 65536)
    assert len(found._head) <= 2 * 1024 * 1024


def test_a_row_that_is_longer_than_what_is_kept_counts_once() -> None:
    row = "x" * (3 * 1024 * 1024)
    found = read(f"{HEADER}COPY public.big (t) FROM stdin;\n{row}\n{row}\n\\.\n{END}", 65536)
    assert (found.problem, found.rows) == ("", {"public.big": 2})


def test_the_roles_of_a_cluster_end_with_their_own_trailer() -> None:
    text = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE deploy;\n\n{}\n--\n\n"
    assert read(text.format(CLUSTER_TRAILER.decode()), trailer=CLUSTER_TRAILER).problem == ""
    assert read(text.format(TRAILER.decode()), trailer=CLUSTER_TRAILER).problem


def test_the_engine_has_its_reader() -> None:
    assert isinstance(reader("postgres"), PostgresDump)
