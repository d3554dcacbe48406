# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump is proven without keeping any line of it, with the same verdicts as an expression over whole lines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup.database_dump import SqlDump, WithoutPosition
from ansible_collections.ops.runbook.plugins.module_utils.backup.sql_rows import RowCounter

STRING = re.compile(rb"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
PIECES = [b"'", b"''", b"\\", b"\\'", b"(", b")", b",", b";", b" ", b"a", b"\t", b"(1,'a'),", b"\\\\"]


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.lists(st.integers(0, 40), max_size=3))
def test_rows_are_counted_as_an_expression_over_the_whole_line_does(parts: list[bytes], cuts: list[int]) -> None:
    line = b"".join(parts)
    bare = STRING.sub(b"", line)
    counter = RowCounter()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(line)], strict=True):
        counter.take(line[start:end])
    assert (counter.end(), counter.rows) == (bare.rstrip().endswith(b";"), bare.count(b"("))


LINES = [
    b"CREATE TABLE `a` (\n",
    b"INSERT INTO `a` VALUES (1,'x;'),\n",
    b"INSERT INTO `a``b` (`c`, `d`) VALUES\n",
    b"(1,'it''s'),(2,'\\'(');\n",
    b"('open\n",
    b"  \n",
    b"-- Host: h    Database: shop\n",
    b"-- Server version\t8.4\n",
    b"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5,\n",
    b"b:1-5';\n",
    b"LOCK TABLES `a` WRITE;\n",
    b"-- Dump completed on 2026\n",
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(LINES), max_size=8).map(b"".join), st.integers(1, 50))
def test_pieces_of_any_size_give_the_same(dump: bytes, size: int) -> None:
    whole, parts = SqlDump(), SqlDump()
    whole.feed(dump)
    without, cut = WithoutPosition(), WithoutPosition()
    kept = without.feed(dump) + without.end()
    again = b""
    for at in range(0, len(dump), size):
        parts.feed(dump[at : at + size])
        again += cut.feed(dump[at : at + size])
    assert parts.contents() == whole.contents()
    assert again + cut.end() == kept
    assert dump.startswith(kept) or b"GTID_PURGED" in dump


LARGE = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from ansible_collections.ops.runbook.plugins.module_utils.backup.database_dump import SqlDump, WithoutPosition
dump, other = SqlDump(), WithoutPosition()
def feed(piece):
    dump.feed(piece)
    assert other.feed(piece) == piece
feed(b"-- Host: h    Database: shop\\nCREATE TABLE `a` (\\n);\\nINSERT INTO `a` VALUES (1," + {begin!r})
unit = {unit!r} * (65536 // len({unit!r}))
for _ in range((64 << 20) // len(unit)):
    feed(unit)
feed({end!r} + b"),(2,'x');\\n-- Dump completed on 2026\\n")
found = dump.contents()
assert found.rows == {{"a": 2}} and found.problem == "" and found.size > 63 << 20, found
"""


@pytest.mark.parametrize(
    ("begin", "unit", "end"),
    [
        (b"'", b"Lorem (ipsum); ", b"'"),
        (b"'", b"\\\\\\'\\0", b"'"),
        (b"'", b"''", b"'"),
        (b"0x", b"0f", b""),
    ],
    ids=["text", "escapes", "doubled marks", "hex"],
)
def test_a_row_of_64_megabytes_needs_no_memory(begin: bytes, unit: bytes, end: bytes) -> None:
    root = Path(__file__).resolve().parents[3] / "collections"
    program = LARGE.format(begin=begin, unit=unit, end=end)
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
