# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of a Dokku app before a rollback, and what is not known of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku.migrations import (
    Status,
    judge,
    known_by,
    note,
    parse,
    skipped,
)
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan

ONE, TWO, THREE = "2026_01_05_000001_create_orders", "2026_01_06_000001_add_note", "2026_01_07_000001_add_total"

LISTED: dict[str, tuple[str, Status | None]] = {
    "as Laravel 9 and newer list": (
        f"\n  Migration name ........ Batch / Status\n  {ONE} ........ [1] Ran\n  {TWO} .. Pending\n\n",
        Status((ONE, TWO), (TWO,)),
    ),
    "as older ones list": (
        "+------+-----------+-------+\n| Ran? | Migration | Batch |\n"
        f"| Yes  | {ONE} | 1     |\n| No   | {TWO} |       |\n",
        Status((ONE, TWO), (TWO,)),
    ),
    "no migration at all": ("   INFO  No migrations found.\n", Status((), ())),
    "an error that ends with 0": ("Migration table not found.\n", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize("case", LISTED.values(), ids=LISTED)
def test_a_list_of_migrations_is_read(case: tuple[str, Status | None]) -> None:
    text, status = case
    assert parse(text) == status


def record(identity: str, known: list[str], outcome: str = "succeeded") -> dict[str, Any]:
    return {"to": {"id": identity}, "outcome": outcome, "notes": {"migrations": {"known": known, "pending": []}}}


def test_the_newest_good_record_has_the_migrations_of_a_release() -> None:
    records = [record("a", [ONE]), record("b", [ONE, TWO]), record("a", [ONE, TWO]), record("a", [], "failed")]
    assert known_by(records, "a") == (ONE, TWO)
    assert known_by([*records, {"to": {"id": "c"}, "outcome": "succeeded"}], "c") is None


ALL = Status((ONE, TWO, THREE), (THREE,))

JUDGED: dict[str, tuple[Status | None, list[str] | None, str, str]] = {
    "the target knows what the database has": (ALL, [ONE, TWO], "same", ""),
    "the target waits for more, as it did then": (Status((ONE,), ()), [ONE, TWO], "same", ""),
    "the target does not know the newest": (ALL, [ONE], "ahead", "migrations_ahead"),
    "nobody wrote down what the target knows": (ALL, None, "unknown", "migrations_unknown"),
    "the command did not tell": (None, [ONE], "unknown", "migrations_unknown"),
}


@pytest.mark.parametrize("case", JUDGED.values(), ids=JUDGED)
def test_the_verdict_refuses_what_it_can_t_prove(case: tuple[Status | None, list[str] | None, str, str]) -> None:
    status, known, verdict, code = case
    judged = judge("shop", status, "the app does not boot", known, "release 2", "2", "refuse")
    refusal = migration_plan.refuse(judged)
    assert (judged.comparison.verdict, refusal.code if refusal else "") == (verdict, code)
    # Nothing runs migrations backwards here, so nothing offers it.
    assert not refusal or not any("down" in way for way, _ in refusal.ways)
    asserted = judge("shop", status, "the app does not boot", known, "release 2", "2", "keep")
    assert migration_plan.refuse(asserted) is None


def test_the_newest_is_named_first() -> None:
    judged = judge("shop", Status((ONE, TWO, THREE), ()), "", [ONE], "release 2", "2", "keep")
    assert migration_plan.record(judged)["ahead"] == [THREE, TWO]
    assert "dokku run shop php artisan migrate:rollback before it" in judged.undoing.irreversible[THREE]


def test_an_unchecked_schema_is_not_called_the_same() -> None:
    assert skipped("keep", "an emergency", "release 2", "2")["verdict"] == "unknown"


def test_pending_migrations_are_named_after_a_deploy() -> None:
    assert note(Status((ONE,), ()), "restant-main") == {"known": [ONE], "pending": []}
    assert TWO in note(Status((ONE, TWO), (TWO,)), "restant-main")["left_to_do"][0]
