# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker of histories, for keys: a valid key logs in at every moment, and one that was taken out never does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from histories import check
from histories.check import Facts, Keys, Run, Surroundings

OLD, NEW, OPERATOR = "SHA256:old", "SHA256:new", "SHA256:operator"


def ledger(outcome: str) -> bytes:
    record: dict[str, Any] = {"id": "1", "procedure": "rotate", "outcome": outcome, "previous_hash": check.FIRST}
    return json.dumps({**record, "from": {"id": OLD}, "to": {"id": NEW}}).encode() + b"\n"


def facts(outcome: str, valid: str, listed: set[str], **let_in: bool) -> Facts:
    known = {OLD: let_in.get("old", OLD in listed), NEW: let_in.get("new", NEW in listed), OPERATOR: True}
    keys = Keys(frozenset({valid, OPERATOR}), known, frozenset(listed))
    return Facts(((200, valid),), valid, {}, ledger(outcome), keys=keys)


def found(after: Facts, outcome: str, troubled: bool = False) -> list[str]:
    run = Run(outcome == "succeeded", False, outcome, "", "1", "-e ", True)
    before = replace(after, ledger=b"")
    return [
        problem
        for problem in check.judge(before, after, run, Surroundings(troubled=troubled), lambda _text, _table: False)
        if problem.startswith("keys:")
    ]


GREEN = {
    "rotated": (facts("succeeded", NEW, {NEW, OPERATOR}), "succeeded"),
    "taken back": (facts("reverted", OLD, {OLD, OPERATOR}), "reverted"),
    "held with both keys": (facts("failed", NEW, {OLD, NEW}), "failed"),
}
RED = {
    "a valid key does not log in": (facts("failed", NEW, {OLD, NEW}, new=False), "failed"),
    "the old key is in a file": (facts("succeeded", NEW, {OLD, NEW}, old=False), "succeeded"),
    "the old key logs in": (facts("succeeded", NEW, {NEW}, old=True), "succeeded"),
    "the new key is in after it was taken back": (facts("reverted", OLD, {OLD, NEW}), "reverted"),
    "the new key is in no file": (facts("succeeded", NEW, set(), new=True, old=False), "succeeded"),
}


@pytest.mark.parametrize("name", GREEN)
def test_it_is_green(name: str) -> None:
    assert found(*GREEN[name]) == []


@pytest.mark.parametrize("name", RED)
def test_it_is_red(name: str) -> None:
    assert found(*RED[name])


def test_a_lockout_by_hand_is_not_the_products() -> None:
    after, outcome = RED["a valid key does not log in"]
    assert found(after, outcome, troubled=True) == []
