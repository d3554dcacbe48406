"""Answers of pgBackRest 2.55, recorded on a host: read by their status, because its exit code was 0 in each case."""

from __future__ import annotations

import json

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup

NO_STANZA = (
    '[{"archive":[],"backup":[],"cipher":"none","db":[],"name":"shop","repo":[{"cipher":"none","key":1,"status":'
    '{"code":1,"message":"missing stanza path"}}],"status":{"code":1,"lock":{"backup":{"held":false}},"message":'
    '"missing stanza path"}}]'
)
NO_BACKUP = (
    '[{"archive":[{"database":{"id":1,"repo-key":1},"id":"17-1","max":null,"min":null}],"backup":[],"cipher":"none",'
    '"db":[{"id":1,"repo-key":1,"system-id":7714074524581154855,"version":"17"}],"name":"shop","repo":[{"cipher":"none",'
    '"key":1,"status":{"code":2,"message":"no valid backups"}}],"status":{"code":2,"lock":{"backup":{"held":false}},'
    '"message":"no valid backups"}}]'
)
TWO_BACKUPS = (
    '[{"archive":[{"database":{"id":1,"repo-key":1},"id":"17-1","max":"000000010000000000000008",'
    '"min":"000000010000000000000001"}],"backup":[{"archive":{"start":"000000010000000000000002",'
    '"stop":"000000010000000000000003"},"backrest":{"format":5,"version":"2.55.1"},"database":{"id":1,"repo-key":1},'
    '"error":false,"info":{"delta":23382430,"repository":{"delta":3015571,"size":3015571},"size":23382430},'
    '"label":"20261130-210921F","lsn":{"start":"0/2000028","stop":"0/3000050"},"prior":null,"reference":null,'
    '"timestamp":{"start":1796072961,"stop":1796072965},"type":"full"},{"archive":{"start":"000000010000000000000008",'
    '"stop":"000000010000000000000008"},"backrest":{"format":5,"version":"2.55.1"},"database":{"id":1,"repo-key":1},'
    '"error":false,"info":{"delta":1499394,"repository":{"delta":169399,"size":3017191},"size":23415198},'
    '"label":"20261130-210921F_20261130-210927D","lsn":{"start":"0/80000D8","stop":"0/80001D0"},'
    '"prior":"20261130-210921F","reference":["20261130-210921F"],"timestamp":{"start":1796072967,"stop":1796072969},'
    '"type":"diff"}],"cipher":"none","db":[{"id":1,"repo-key":1,"system-id":7714074524581154855,"version":"17"}],'
    '"name":"shop","repo":[{"cipher":"none","key":1,"status":{"code":0,"message":"ok"}}],"status":{"code":0,'
    '"lock":{"backup":{"held":false}},"message":"ok"}}]'
)


@pytest.mark.parametrize(
    ("text", "code", "message", "troubles"),
    [
        (NO_STANZA, 1, "missing stanza path", ("repository 1: missing stanza path (status 1)",)),
        (NO_BACKUP, 2, "no valid backups", ("repository 1: no valid backups (status 2)",)),
        (TWO_BACKUPS, 0, "ok", ()),
    ],
)
def test_the_status_is_read(text: str, code: int, message: str, troubles: tuple[str, ...]) -> None:
    found = pgbackrest.read_info(text, "shop")
    assert (found.code, found.message, found.troubles) == (code, message, troubles)


def test_the_backups_of_a_stanza_are_read() -> None:
    found = pgbackrest.read_info(TWO_BACKUPS, "shop")
    assert (found.system, found.version, found.folder, found.database) == ("7714074524581154855", "17", "17-1", 1)
    assert found.backups == (
        Backup(
            label="20261130-210921F",
            kind="full",
            start=1796072961,
            stop=1796072965,
            wal=("000000010000000000000002", "000000010000000000000003"),
            size=23382430,
            database=1,
        ),
        Backup(
            label="20261130-210921F_20261130-210927D",
            kind="diff",
            start=1796072967,
            stop=1796072969,
            wal=("000000010000000000000008", "000000010000000000000008"),
            size=23415198,
            database=1,
        ),
    )


def test_a_cluster_that_was_upgraded_is_the_newest_one() -> None:
    raw = json.loads(TWO_BACKUPS)
    raw[0]["db"].append({"id": 2, "repo-key": 1, "system-id": 5, "version": "18"})
    raw[0]["archive"].append({"database": {"id": 2, "repo-key": 1}, "id": "18-2", "max": None, "min": None})
    found = pgbackrest.read_info(json.dumps(raw), "shop")
    assert (found.database, found.system, found.version, found.folder) == (2, "5", "18", "18-2")


def test_a_backup_under_way_and_failed_pages_are_read() -> None:
    raw = json.loads(TWO_BACKUPS)
    raw[0]["status"]["lock"]["backup"]["held"] = True
    raw[0]["backup"][1]["error"] = True
    found = pgbackrest.read_info(json.dumps(raw), "shop")
    assert found.busy and [backup.failed_pages for backup in found.backups] == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[5]",
        '[{"name":"shop"}]',
        '[{"name":"shop","status":{},"db":[],"repo":[]}]',
        NO_BACKUP[:-9],
    ],
)
def test_an_answer_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        pgbackrest.read_info(text, "shop")


def test_another_stanza_is_not_taken_for_this_one() -> None:
    with pytest.raises(ValueError, match="it names 0 stanzas 'shop2'"):
        pgbackrest.read_info(TWO_BACKUPS, "shop2")


VERIFIED = (
    "stanza: shop\nstatus: ok\n  archiveId: 17-1, total WAL checked: 8, total valid WAL: 8\n    missing: 0, other: 0\n"
)
FLIPPED_WAL = "stanza: shop\nstatus: error\n  archiveId: 17-1, total WAL checked: 8, total valid WAL: 7\n    other: 1\n"
FLIPPED_FILE = (
    "stanza: shop\nstatus: error\n  backup: 20261130-210921F, status: invalid, total files checked: 963, "
    "total valid files: 962\n    checksum invalid: 1\n"
)


@pytest.mark.parametrize(("text", "good"), [(VERIFIED, True), (FLIPPED_WAL, False), (FLIPPED_FILE, False)])
def test_a_verification_is_read_by_its_status(text: str, good: bool) -> None:
    found = pgbackrest.read_verify(text)
    assert found.good is good and found.lines


@pytest.mark.parametrize("text", ["", "stanza: shop\n", "status: ok\nstatus: error\n"])
def test_a_verification_that_says_nothing_proves_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="verify printed no status"):
        pgbackrest.read_verify(text)


def test_a_verification_with_another_status_is_not_good() -> None:
    assert not pgbackrest.read_verify("status: okay\n").good
