"""Verdicts on the backups of a cluster: each tool that says that all is well while it is not, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, OK, WARN, Row
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza, Verified
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import figures
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.judge import judge
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from unit.postgres.repository import BEGIN, archived, stored, wal_name

NOW = BEGIN + 3600.0
HISTORY = "17-1/00000002.history"


def backup(label: str, first: int, hours: float, kind: str = "full", **changed: Any) -> Backup:
    """A backup that ended so many hours ago. first: number of its first WAL file; it needs two."""
    stop = NOW - hours * 3600
    plain = Backup(label, kind, stop - 60, stop, (wal_name(1, first), wal_name(1, first + 1)), 2**30, False, 1)
    return replace(plain, **changed)


ANSWERS: dict[str, Mapping[str, Any]] = {
    "system": {"id": "7714"},
    "checkpoint": {"timeline_id": 1},
    "recovery": {"standby": False},
    "position": {"file": wal_name(1, 13)},
    "archiver": {"last_archived_wal": wal_name(1, 12), "archived": NOW - 30, "failed": None, "last_failed_wal": None},
    "settings": {
        "archive_mode": "on",
        "has_timeout": True,
        "has_command": True,
        "checksums": True,
        "wal_size": 16 * 2**20,
    },
    "waiting": {"files": 0, "seconds": None},
    "wal": {"bytes": 96 * 2**20},
    "folder": {"path": "/var/lib/postgresql/17/main"},
    "ascii": {"names": None},
    "collation": {"names": None},
}
STANZA = Stanza(
    name="shop",
    code=0,
    message="ok",
    database=1,
    system="7714",
    version="17",
    folder="17-1",
    backups=(backup("old", 2, 24), backup("new", 6, 2, "diff")),
)
WELL = Reading(now=NOW, stanza=STANZA, archive=archived((1, range(1, 13))), server=Server(ANSWERS))


def answers(**changed: Mapping[str, Any]) -> Server:
    return Server({name: {**answer, **changed.get(name, {})} for name, answer in ANSWERS.items()})


def stanza(**changed: Any) -> Reading:
    return replace(WELL, stanza=replace(STANZA, **changed))


def holding(archive: Archive) -> Reading:
    return replace(WELL, archive=archive)


def asked(**changed: Mapping[str, Any]) -> Reading:
    return replace(WELL, server=answers(**changed))


def rows(reading: Reading) -> dict[str, Row]:
    return {row.topic: row for row in judge(reading, Limits())}


def test_a_sound_repository_is_green_everywhere() -> None:
    found = rows(WELL)
    assert {row.level for row in found.values()} == {OK}
    assert {*found} == {"repository", "backup", "full backup", "archive", "own WAL", "window", "archiver", "server"}


#: What was planted, the reading, and the row that names it: its topic, its level, and words of it.
LIES: dict[str, tuple[Reading, str, str, str]] = {
    # `info`, `check` and `verify` look for no gap.
    "a WAL file is missing": (
        holding(archived((1, range(1, 9)), (1, range(10, 13)))),
        "archive",
        BAD,
        "1 WAL file is missing",
    ),
    "and then nothing behind it is reached": (
        holding(archived((1, range(1, 9)), (1, range(10, 13)))),
        "window",
        BAD,
        "and no further: a gap follows",
    ),
    "the newest backup's own WAL is missing": (
        holding(archived((1, range(1, 6)), (1, range(7, 13)))),
        "own WAL",
        BAD,
        "backups that can't be restored",
    ),
    "archive_command is /bin/true": (
        asked(archiver={"last_archived_wal": wal_name(1, 90)}, position={"file": wal_name(1, 91)}),
        "archiver",
        BAD,
        f"the server says that it archived {wal_name(1, 90)}, and the repository ends at {wal_name(1, 12)}",
    ),
    "the archive is empty": (holding(archived()), "archive", BAD, "there are no WAL files"),
    # `info` ends with 0 for each of these.
    "the stanza is unknown": (
        stanza(code=1, message="missing stanza path", backups=(), folder="", system=""),
        "repository",
        BAD,
        "missing stanza path (status 1 of stanza shop)",
    ),
    "pgBackRest has made no backup": (
        stanza(code=2, message="no valid backups", backups=()),
        "backup",
        BAD,
        "there is none",
    ),
    "the key is wrong": (
        stanza(code=99, message="other", troubles=("repository 1: unable to decrypt (status 99)",), backups=()),
        "repository",
        BAD,
        "other (status 99",
    ),
    "object storage does not answer": (
        replace(WELL, stanza=None, archive=None, problems={"stanza": "timeout 60 pgbackrest … ended with 124"}),
        "repository",
        BAD,
        "not known: timeout 60 pgbackrest … ended with 124",
    ),
    "the archive could not be listed": (
        replace(WELL, archive=None, problems={"archive": "403"}),
        "archive",
        BAD,
        "not known: 403",
    ),
    "the repository is full": (
        asked(archiver={"failed": NOW - 10, "last_failed_wal": wal_name(1, 13)}),
        "archiver",
        BAD,
        f"{wal_name(1, 13)} failed 0 min ago, and the last good one was 0 min ago",
    ),
    "nothing was ever archived": (
        asked(archiver={"failed": NOW - 10, "archived": None, "last_archived_wal": None, "last_failed_wal": "x"}),
        "archiver",
        BAD,
        "none was ever archived",
    ),
    "the archiver hangs": (
        asked(waiting={"files": 2, "seconds": 3600.0}),
        "archiver",
        BAD,
        "2 finished WAL files wait, the oldest for 60 min",
    ),
    "the repository is behind": (
        asked(position={"file": wal_name(1, 40)}),
        "archiver",
        BAD,
        "the repository is 27 WAL files behind the server",
    ),
    "archiving is off": (asked(settings={"archive_mode": "off"}), "archiver", BAD, "archive_mode is off"),
    "archive_command is empty": (asked(settings={"has_command": False}), "archiver", BAD, "archive_command is empty"),
    "the server is down": (
        replace(WELL, server=Server(problem="connection refused"), problems={"server": "connection refused"}),
        "archiver",
        BAD,
        "not known: connection refused",
    ),
    "the archiver may not be asked": (
        replace(
            WELL,
            server=Server(
                {name: one for name, one in ANSWERS.items() if name != "archiver"}, unanswered={"archiver": "denied"}
            ),
        ),
        "archiver",
        BAD,
        "not known: denied",
    ),
    "waiting files may not be counted": (
        replace(
            WELL,
            server=Server(
                {name: one for name, one in ANSWERS.items() if name != "waiting"},
                unanswered={"waiting": "permission denied"},
            ),
        ),
        "archiver",
        WARN,
        "could not be counted: permission denied",
    ),
    "a standby is asked": (asked(recovery={"standby": True}), "archiver", WARN, "look at the primary"),
    # A backup that is there, and is not what it seems.
    "the newest backup is overdue": (
        stanza(backups=(backup("old", 2, 49),)),
        "backup",
        BAD,
        "old (full), 2 days old: overdue, more than 26 h",
    ),
    "the newest full backup is overdue": (
        stanza(backups=(backup("old", 2, 24 * 9), backup("new", 6, 2, "diff"))),
        "full backup",
        BAD,
        "overdue, more than 8 days",
    ),
    "the newest backup is of next to nothing": (
        stanza(backups=(backup("a", 2, 40), backup("b", 4, 20), backup("c", 6, 2, size=3300))),
        "size",
        BAD,
        "the newest full backup has 0 MiB, and those before it 1.0 GiB",
    ),
    "pages were damaged before they were backed up": (
        stanza(backups=(backup("old", 2, 24, failed_pages=True), backup("new", 6, 2))),
        "pages",
        BAD,
        "wrong checksum when these were made: old",
    ),
    "a file of the repository is damaged": (
        replace(WELL, asked_to_verify=True, verified=Verified(False, ("checksum invalid: 1",))),
        "verify",
        BAD,
        "files of the repository are damaged",
    ),
    "the verification did not end": (
        replace(WELL, asked_to_verify=True, problems={"verified": "ended with 124"}),
        "verify",
        BAD,
        "not known: ended with 124",
    ),
    # Whose backups they are.
    "the repository is of another cluster": (stanza(system="1"), "repository", BAD, "it is of another cluster: 1, "),
    "a drill archives into the repository": (
        holding(archived((1, range(1, 13)), (2, range(10, 13)), besides=[HISTORY])),
        "fork",
        BAD,
        "it has timeline 2, and the server is on 1",
    ),
    "two servers archive into the repository": (
        holding(archived((1, range(1, 13)), besides=[stored(wal_name(1, 5), "b")])),
        "doubles",
        BAD,
        "two servers archive here",
    ),
    "the way to a timeline is missing": (
        replace(
            holding(archived((1, range(1, 10)), (2, range(10, 13)))),
            server=answers(position={"file": wal_name(2, 13)}, archiver={"last_archived_wal": wal_name(2, 12)}),
        ),
        "timelines",
        BAD,
        "the archive has no 00000002.history",
    ),
    # What a restore would find.
    "checksums are off": (asked(settings={"checksums": False}), "server", WARN, "data checksums are off"),
    "a quiet database is not archived": (
        asked(settings={"has_timeout": False}),
        "server",
        WARN,
        "archive_timeout is 0",
    ),
    "an encoding takes any byte": (asked(ascii={"names": ["old"]}), "server", WARN, "SQL_ASCII takes any byte: old"),
    "a collation has another version": (asked(collation={"names": ["shop"]}), "server", WARN, "collation: shop"),
    "a second repository is not looked through": (stanza(repositories=2), "repositories", WARN, "there are 2"),
}


@pytest.mark.parametrize(("reading", "topic", "level", "words"), LIES.values(), ids=LIES)
def test_a_lie_is_seen_and_its_cause_is_named(reading: Reading, topic: str, level: str, words: str) -> None:
    row = rows(reading)[topic]
    assert row.level == level and words in row.text, row
    assert row.level != OK


def test_a_missing_file_is_named() -> None:
    row = rows(LIES["a WAL file is missing"][0])["archive"]
    assert row.details == (wal_name(1, 9),)


CRY_WOLF: dict[str, Reading] = {
    "a cluster that was promoted": replace(
        holding(archived((1, range(1, 10)), (2, range(10, 13)), besides=[HISTORY])),
        server=answers(position={"file": wal_name(2, 13)}, archiver={"last_archived_wal": wal_name(2, 12)}),
    ),
    "the first backup of a cluster": stanza(backups=(backup("only", 2, 1),)),
    "a small database that stays small": stanza(
        backups=(backup("a", 2, 30, size=3300), backup("b", 4, 20, size=3200), backup("c", 6, 1, size=3300))
    ),
    "a failure that is over": asked(archiver={"failed": NOW - 600, "archived": NOW - 30}),
    "an archiver that named a label file last": asked(
        archiver={"last_archived_wal": f"{wal_name(1, 12)}.00000028.backup"}
    ),
    "a backup of the cluster before an upgrade": stanza(
        backups=(backup("before", 90, 40, database=0), backup("old", 2, 24), backup("new", 6, 2))
    ),
    "a file that is being archived": asked(waiting={"files": 1, "seconds": 3.0}, position={"file": wal_name(1, 14)}),
}


@pytest.mark.parametrize("reading", CRY_WOLF.values(), ids=CRY_WOLF)
def test_a_sound_repository_is_not_called_bad(reading: Reading) -> None:
    assert {topic: row for topic, row in rows(reading).items() if row.level != OK} == {}


def test_no_reading_without_facts_is_green() -> None:
    found = judge(Reading(now=NOW, asked_to_verify=True, server=Server(problem="down")), Limits())
    assert found and {row.level for row in found} == {BAD}


def test_the_window_begins_with_the_oldest_backup_that_leads_to_its_end() -> None:
    whole = figures.window(STANZA, archived((1, range(1, 13))), [])
    assert whole == figures.Window(STANZA.backups[0].stop, BEGIN + 60 * 11, True)


@pytest.mark.parametrize("other", [{"database": 2}, {"repository": 2}])
def test_the_window_is_of_this_cluster_and_of_the_repository_that_was_read(other: dict[str, int]) -> None:
    older = backup("other", 1, 90, **other)
    found = figures.window(replace(STANZA, backups=(older, *STANZA.backups)), archived((1, range(1, 13))), [])
    assert found is not None and found.begin == STANZA.backups[0].stop


@pytest.mark.parametrize(
    ("lost", "begin", "last"),
    [(4, 1, 12), (5, 1, 12), (9, 0, 8), (2, 1, 12)],
    ids=["between the backups", "before the second", "behind both", "the first one's own"],
)
def test_a_gap_moves_the_window(lost: int, begin: int, last: int) -> None:
    kept = [number for number in range(1, 13) if number != lost]
    archive = archived(*((1, range(number, number + 1)) for number in kept))
    found = figures.facts(holding(archive))["window"]
    assert found == {"from": STANZA.backups[begin].stop, "to": BEGIN + 60.0 * kept.index(last)}


def test_the_metrics_have_unix_times_and_leave_out_what_is_not_known() -> None:
    text = figures.metrics('sh"op', BAD, figures.facts(WELL), NOW)
    assert 'ops_runbook_postgres_backup_status{service="sh\\"op"} 2\n' in text
    assert f'backup_last_time_seconds{{service="sh\\"op",type="full"}} {STANZA.backups[0].stop:.0f}\n' in text
    assert f'backup_status_time_seconds{{service="sh\\"op"}} {NOW:.0f}\n' in text
    assert "archive_missing_files" in text and text.endswith("\n")
    bare = figures.metrics("shop", BAD, figures.facts(Reading(now=NOW, server=Server(problem="down"))), NOW)
    assert [line.split("{")[0] for line in bare.splitlines() if not line.startswith("#")] == [
        "ops_runbook_postgres_backup_status",
        "ops_runbook_postgres_backup_status_time_seconds",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 min"),
        (0, "0 min"),
        (119, "1 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172799, "47 h"),
        (172800, "2 days"),
    ],
)
def test_a_span_is_for_people(seconds: float, text: str) -> None:
    assert figures.age(seconds) == text
