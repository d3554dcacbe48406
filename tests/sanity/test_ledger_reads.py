# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No procedure reads a ledger from its beginning: its cost would grow with the age of the service."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import PLUGINS, called, own_names

#: What reads all of it, since that is what it is there for.
OWN = ("guard/ledger.py", "guard/ledger_book.py")
#: What asks for all of it where a person did.
ASKED = {"modules/operation_history_info.py": "the limit is an option"}


def whole_readings(source: str) -> Iterator[str]:
    """Each place that asks for all records of a ledger, or for a history without a limit."""
    for node in ast.walk(own_names(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("records", "whole"):
            owner = ast.unparse(node.value)
            if owner.endswith(("ledger", "ledger()", "book", "read")) or owner.startswith("Book("):
                yield ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "history.read",
            "history.picture",
            "ledger.read",
            "ledger.parse",
            "release_choice.history",
        ):
            told = " ".join(ast.unparse(word) for word in (*node.args, *(word.value for word in node.keywords)))
            if "LATELY" not in told and "Wanted" not in told:
                yield ast.unparse(node)


@pytest.mark.parametrize("path", [path for path in PLUGINS if called(path) not in OWN], ids=called)
def test_no_code_reads_all_records_of_a_ledger(path: Path) -> None:
    found = [] if called(path) in ASKED else list(whole_readings(path.read_text(encoding="utf-8")))
    assert found == [], "ask for a key (ledger_keys), for history(), or backwards() as far as it is needed"


@pytest.mark.parametrize(
    "source",
    [
        "for record in guard.ledger().records: pass",
        "last = self.ledger.records[-1]",
        "found = history.read(guard)",
        "past = release_choice.history(ledger.records)",
        "history.picture(book, None, 'free', None)",
    ],
)
def test_the_rule_finds_what_it_is_for(source: str) -> None:
    assert list(whole_readings(source))


def test_a_bounded_read_is_allowed() -> None:
    bounded = "book.history(); guard.ledger().of(keys); history.read(guard, history.LATELY)"
    assert list(whole_readings(bounded)) == []
