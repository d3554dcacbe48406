# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables keep their cells whole, in a log of any width and on a terminal of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console.table import fitted, table

WORDS = st.text("abc-", min_size=1, max_size=40)


def test_a_table_is_aligned_and_has_no_blanks_at_the_end() -> None:
    assert table(("host", "to"), [("web1.example.com", "v1"), ("db", "")]) == [
        "host              to",
        "web1.example.com  v1",
        "db",
    ]
    assert table(("host", "to"), []) == ["host  to"]


def test_a_cell_over_the_bound_moves_its_own_row_only() -> None:
    assert table(("a", "b"), [("x" * 6, "1"), ("y", "2")], widest=4) == ["a     b", "xxxxxx  1", "y     2"]


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(WORDS, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_a_table_holds_every_cell_in_one_piece(rows: list[list[str]]) -> None:
    header = [f"h{number}" for number in range(len(rows[0]))]
    for width in (20, 80, 160):
        shown = fitted(header, rows, width)
        assert len(shown) == len(rows) + 1
        for row, lines in zip(rows, shown[1:]):
            words = " ".join(lines).split()
            assert all(cell in words for cell in row)


@given(st.lists(st.lists(st.text("abc", max_size=30), min_size=4, max_size=4), min_size=1, max_size=5))
def test_a_table_is_no_wider_than_it_may_be(rows: list[list[str]]) -> None:
    assert all(len(line) <= 80 for lines in fitted(["a", "b", "c", "d"], rows, 80) for line in lines)


def test_the_host_leads_its_row_however_long_its_name_is() -> None:
    name = "web" * 30
    assert fitted(["host", "from"], [[name, "v1"]], 80)[1] == [name, "  from  v1"]
