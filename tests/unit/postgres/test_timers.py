"""Runs of the calendar that no longer come: the newest backup, and the newest reading of every file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console import schedules, systems
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import timers
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.verified import Verification
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from unit.postgres.test_judge import NOW, STANZA, WELL, backup

ROOT = Path(__file__).resolve().parents[3]
PERIODS = {"backup": 1, "verify": 7}


def kept(days: float, good: bool = True, **changed: Any) -> Verification:
    """A reading of every file so many days ago."""
    return replace(Verification(NOW - days * 86400, good, "shop", "7714", ("a line",)), **changed)


def record(days: float, procedure: str = "backup", outcome: str = "succeeded") -> Mapping[str, Any]:
    at = datetime.fromtimestamp(NOW - days * 86400, UTC)
    return {"procedure": procedure, "outcome": outcome, "finished": f"{at:%Y-%m-%dT%H:%M:%S}Z"}


def with_backups(*days: float) -> Reading:
    """A repository with backups of so many days ago."""
    found = tuple(backup(f"b{number}", 2, 24 * one) for number, one in enumerate(sorted(days, reverse=True)))
    return replace(WELL, stanza=replace(STANZA, backups=found))


def rows(
    reading: Reading, records: Sequence[Mapping[str, Any]] = (), found: Verification | None = None, overdue: int = 2
) -> dict[str, Row]:
    return {row.topic: row for row in timers.rows(reading, records, found, PERIODS, overdue)}


RUNS: dict[str, tuple[Reading, Sequence[Mapping[str, Any]], Verification | None, str, str]] = {
    "both are new": (
        with_backups(0.1),
        [],
        kept(1),
        OK,
        "backup 2 h ago, due each day; verify 24 h ago, due each 7 days",
    ),
    "a backup of almost two days": (with_backups(1.99), [], kept(1), OK, "backup 47 h ago"),
    "a backup of more than two days": (
        with_backups(2.01, 9),
        [],
        kept(1),
        BAD,
        "overdue: backup 2 days ago, due each day:",
    ),
    "a backup that only the ledger has": (with_backups(3), [record(0.5)], kept(1), OK, "backup 12 h ago"),
    "a failed backup does not count": (
        with_backups(3),
        [record(0.5, outcome="failed")],
        kept(1),
        BAD,
        "backup 3 days ago",
    ),
    "another procedure does not count": (with_backups(3), [record(0.5, "restore")], kept(1), BAD, "backup 3 days ago"),
    "the repository can't be read": (replace(WELL, stanza=None), [record(3)], kept(1), BAD, "backup 3 days ago"),
    "a reading of almost two weeks": (with_backups(0.1), [], kept(13.9), OK, "verify 13 days ago"),
    "a reading of more than two weeks": (
        with_backups(0.1),
        [],
        kept(14.1),
        BAD,
        "overdue: verify 14 days ago, due each 7 days:",
    ),
    "a reading that found damage is a run": (with_backups(0.1), [], kept(1, False), OK, "verify 24 h ago"),
    "a reading that never was": (with_backups(0.1, 13), [], None, WARN, "verify never"),
    "a reading that never was, by the backups": (with_backups(0.1, 15), [], None, BAD, "overdue: verify never"),
    "a reading that never was, by the ledger": (
        with_backups(0.1),
        [record(15, "x", "refused"), record(0.1)],
        None,
        BAD,
        "verify never",
    ),
    "a reading of another stanza": (with_backups(0.1), [], kept(1, stanza="other"), WARN, "verify never"),
    "a reading of another cluster": (with_backups(0.1), [], kept(1, system="1"), WARN, "verify never"),
    "a time to come": (with_backups(0.1), [], kept(-1), BAD, "which is yet to come"),
    "a clock that was set back a little": (with_backups(0.1), [], kept(-0.01), OK, "verify 0 min ago"),
    "nothing at all": (with_backups(), [], None, WARN, "backup never"),
    "both are overdue": (
        with_backups(20),
        [],
        kept(20),
        BAD,
        "overdue: backup 20 days ago, due each day; verify 20 days",
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_no_longer_comes_is_seen(name: str) -> None:
    reading, records, found, level, words = RUNS[name]
    row = rows(reading, records, found)["timers"]
    assert (row.level, words in row.text) == (level, True), row


def test_a_site_with_other_timers_says_so() -> None:
    reading = with_backups(5)
    assert rows(reading, found=kept(30), overdue=6)["timers"].level == OK
    assert rows(reading, found=kept(30), overdue=4)["timers"].level == BAD
    assert "timers" not in rows(reading, found=kept(30), overdue=0)


def test_an_older_damage_is_bad_with_what_was_found() -> None:
    row = rows(WELL, found=kept(2, good=False))["verify"]
    assert (row.level, row.details) == (BAD, ("a line",)) and "2 days ago" in row.text and "verify=true" in row.ways[0]


def test_the_reading_of_this_look_has_its_own_row() -> None:
    assert "verify" not in rows(replace(WELL, asked_to_verify=True), found=kept(0))


def test_the_periods_are_those_of_the_calendar() -> None:
    system = systems.read(ROOT, plain_yaml.load)["postgres"]
    found = {name: schedules.period(system, **run) for name, run in system.periods.items()}
    assert (
        found == PERIODS == plain_yaml.load((ROOT / "roles/postgres/vars/main.yml").read_text())["__postgres_periods"]
    )
