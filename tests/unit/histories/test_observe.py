# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer of histories: its programs, and what becomes of the documents that they print."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from histories import observe, systems
from histories.check import Keys

RAW: dict[str, Any] = {
    "answers": [[200, "0.2.0"]],
    "release": "rel-1",
    "rows": {"orders": [1, 2]},
    "ledger": base64.b64encode(b"{}\n").decode(),
    "journal": "",
    "lease": "",
    "lease_lives": False,
    "aside": [],
}


@pytest.mark.parametrize("system", systems.SYSTEMS)
def test_the_program_of_a_system_is_python(system: str) -> None:
    compile(f"PLANT = True\n{observe.PROGRAMS[system]}", system, "exec")


def test_a_document_is_read() -> None:
    facts = observe.facts(RAW)
    assert (facts.one, facts.ledger, facts.lease, facts.rows) == ("0.2.0", b"{}\n", None, {"orders": {1, 2}})
    assert facts.rows_seen and facts.keys is None


def test_rows_that_nobody_could_ask_for_are_unknown() -> None:
    facts = observe.facts({**RAW, "rows": None})
    assert (facts.rows, facts.rows_seen) == ({}, False)


def test_keys_are_read() -> None:
    facts = observe.facts({**RAW, "keys": {"valid": ["a"], "let_in": {"a": True, "b": False}, "listed": ["a"]}})
    assert facts.keys == Keys(frozenset("a"), {"a": True, "b": False}, frozenset("a"))


def test_a_lease_that_can_not_be_read_is_a_lease() -> None:
    assert observe.facts({**RAW, "lease": base64.b64encode(b'{"oper').decode()}).lease is not None
