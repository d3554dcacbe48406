"""The maintenance of a Dokku host: what is due, what each item says, and what a person reads of it."""

from __future__ import annotations

import gzip
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import items
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import report as dokku_maintenance_report
from ansible_collections.ops.runbook.plugins.module_utils.host import log_archive, safety_review
from ansible_collections.ops.runbook.plugins.module_utils.text import log_errors

WEDNESDAY = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)


def record(name: str, finished: str, status: str = "done", again: bool = False, **changes: Any) -> dict[str, Any]:
    note = {"status": status, "text": "it went", "details": [], "attention": False, "again": again, "data": {}}
    return {"id": "op1", "procedure": "maintenance", "finished": finished, "notes": {name: note}, **changes}


# -- what is due ---------------------------------------------------------------------------------


def test_a_month_is_also_a_week_and_a_quarter_is_a_review_of_its_own() -> None:
    of = {cadence: [item.id for item in items.items_of(cadence)] for cadence in items.CADENCES}
    assert {"holds", "cleanup", "certificates", "backup", "logs", "updates"} <= set(of["weekly"])
    assert set(of["monthly"]) - set(of["weekly"]) == {"full_backup", "composer_audit", "npm_audit"}
    assert "backup" not in of["monthly"]
    assert not set(of["quarterly"]) & set(of["monthly"])


def test_images_that_a_cleanup_might_take_are_held_before_it() -> None:
    order = [item.id for item in items.items_of("weekly")]
    assert order.index("holds") < order.index("cleanup")


@pytest.mark.parametrize(
    ("name", "finished", "status", "again", "settled"),
    [
        ("logs", "2026-11-16T00:00:00.000Z", "done", False, True),
        ("logs", "2026-11-15T23:59:59.000Z", "done", False, False),
        ("logs", "2026-11-17T09:00:00.000Z", "skipped", False, True),
        ("logs", "2026-11-17T09:00:00.000Z", "failed", False, False),
        ("cleanup", "2026-11-17T09:00:00.000Z", "skipped", True, False),
        ("full_backup", "2026-11-01T00:00:00.000Z", "done", False, True),
        ("full_backup", "2026-10-31T23:59:59.000Z", "done", False, False),
        ("tls", "2026-10-01T00:00:00.000Z", "done", False, True),
        ("tls", "2026-09-30T23:00:00.000Z", "done", False, False),
        ("unknown_item", "2026-11-17T09:00:00.000Z", "done", False, False),
        ("logs", "", "done", False, False),
    ],
)
def test_an_operation_done_in_its_period_is_not_due(
    name: str, finished: str, status: str, again: bool, settled: bool
) -> None:
    found = items.settled([record(name, finished, status, again)], WEDNESDAY)
    assert (name in found) == settled
    if settled:
        assert (found[name]["when"], found[name]["operation"]) == (finished, "op1")


def test_a_later_failure_makes_it_due_again() -> None:
    records = [record("logs", "2026-11-16T09:00:00.000Z"), record("logs", "2026-11-17T09:00:00.000Z", "failed")]
    assert "logs" not in items.settled(records, WEDNESDAY)
    assert "logs" in items.settled(records[::-1], WEDNESDAY)


def test_an_operation_skipped_under_other_settings_is_due() -> None:
    records = [record("schedule", "2026-11-17T09:00:00.000Z", "skipped"), record("logs", "2026-11-17T09:00:00.000Z")]
    assert set(items.settled(records, WEDNESDAY, "other")) == {"logs"}


def test_other_procedures_are_no_maintenance() -> None:
    assert items.settled([record("logs", "2026-11-17T09:00:00.000Z", procedure="deploy")], WEDNESDAY) == {}


@pytest.mark.parametrize(("finished", "there"), [("2026-11-17T09:00:00Z", True), ("2026-11-02T09:00:00Z", False)])
def test_the_full_backup_of_this_week_has_the_databases(finished: str, there: bool) -> None:
    assert ("backup" in items.settled([record("full_backup", finished)], WEDNESDAY)) == there


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.sampled_from(items.CADENCES))
def test_a_period_has_an_end(moment: datetime, cadence: str) -> None:
    later = datetime.fromtimestamp(moment.timestamp() + 93 * 86400)
    assert items.period(cadence, moment) != items.period(cadence, later)


@pytest.mark.parametrize(
    ("statuses", "ok"),
    [({}, True), ({"logs": "skipped"}, True), ({"logs": "failed"}, False), ({"logs": "planned"}, False)],
)
def test_a_run_is_green_only_if_nothing_failed(statuses: dict[str, str], ok: bool) -> None:
    notes = {item.id: {"status": statuses.get(item.id, "done"), "text": "so"} for item in items.items_of("weekly")}
    found = items.entries("weekly", {}, {name: note for name, note in notes.items() if note["status"] != "planned"})
    green, reason = items.verdict(found)
    assert green == ok
    assert ok or "logs" in reason


def test_an_item_that_never_began_is_not_done() -> None:
    assert items.verdict(items.entries("weekly", {}, {}))[0] is False


# -- logs ----------------------------------------------------------------------------------------


def test_an_archive_is_compressed_and_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    path = log_archive.write(str(folder), "restant-main", "20261118", ["one", "two"])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert gzip.decompress(Path(path).read_bytes()) == b"one\ntwo\n"


def test_the_same_log_makes_the_same_file(tmp_path: Path) -> None:
    one = Path(log_archive.write(str(tmp_path), "app", "20261118", ["x"])).read_bytes()
    # gzip writes the moment into its head, if it is let.
    assert one[4:8] == bytes(4)
    assert Path(log_archive.write(str(tmp_path), "app", "20261118", ["x"])).read_bytes() == one


@given(
    st.lists(st.tuples(st.sampled_from(["app", "app-2", "other"]), st.integers(20260101, 20261231)), unique=True),
    st.integers(1, 5),
)
def test_only_archives_of_that_app_beyond_the_newest_go(found: list[tuple[str, int]], keep: int) -> None:
    names = [log_archive.name(app, str(day)) for app, day in found] + ["notes.txt", "app.log.gz"]
    gone = log_archive.outdated(names, "app", keep, "20261231")
    mine = sorted(day for app, day in found if app == "app")
    assert gone == [log_archive.name("app", str(day)) for day in mine[:-keep]]


def test_an_archived_line_has_no_secret() -> None:
    text = "\x1b[36m2026 app[web.1]:\x1b[0m key k9Q!canary\npassword: hunter22"
    lines = list(log_errors.masked(text, lambda line: line.replace("k9Q!canary", "********")))
    assert lines == ["2026 app[web.1]: key ********", "password: ********"]


# -- the host ------------------------------------------------------------------------------------

APT = """\
Listing... Done
openssl/stable-security 3.5.1-1+deb13u1 amd64 [upgradable from: 3.5.1-1]
tzdata/stable,stable-updates 2026b-0 all [upgradable from: 2026a-0]
libssl3t64/stable-updates,stable-security 3.5.1-1+deb13u1 amd64 [upgradable from: 3.5.1-1]
"""


def test_security_updates_are_told_from_others() -> None:
    found = safety_review.upgrades(APT)
    assert [(one.name, one.security) for one in found] == [
        ("openssl", True),
        ("tzdata", False),
        ("libssl3t64", True),
    ]


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0016 00000000:0000 0A 00000000:00000000
   1: 0100007F:0CEA 00000000:0000 0A 00000000:00000000
   2: 0100007F:0016 0100007F:9C40 01 00000000:00000000
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A
"""


@pytest.mark.skipif(__import__("sys").byteorder != "little", reason="the kernel prints words as it has them in memory")
def test_ports_open_to_the_outside_are_found() -> None:
    sockets = safety_review.listening(TCP, 4) + safety_review.listening(TCP6, 6)
    assert ("127.0.0.1", 3306) in sockets
    assert ("::1", 8080) in sockets
    assert safety_review.open_ports(sockets) == [22, 80]


PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
deploy:x:1000:1000::/home/deploy:/bin/bash
dokku:x:1001:1001::/home/dokku:/bin/bash
toor:x:0:0::/root:/bin/sh
"""
GROUP = "root:x:0:\nsudo:x:27:admin\ndocker:x:999:dokku,deploy\ndeploy:x:1000:\n"


def test_accounts_that_log_in_and_those_as_good_as_root_are_found() -> None:
    assert safety_review.logins(PASSWD) == ["deploy", "dokku", "root", "toor"]
    assert safety_review.as_good_as_root(PASSWD, GROUP) == {
        "root": ["toor"],
        "sudo": ["admin"],
        "docker": ["deploy", "dokku"],
        "uid 0": ["toor"],
    }


def test_the_keys_of_an_account_are_those_that_sshd_reads() -> None:
    good = {"type": "ssh-ed25519", "fingerprint": "SHA256:a", "comment": "ann@example.com", "unusable": ""}
    dead = {"type": "ssh-rsa", "fingerprint": "SHA256:b", "comment": "", "unusable": "it expired"}
    account = {
        "key_lines": [good, dead],
        "unread": ["/k can't be read"],
        "notes": ["AuthorizedKeysCommand gives keys too"],
    }
    assert safety_review.keys(account) == [
        "ssh-ed25519 SHA256:a ann@example.com",
        "ssh-rsa SHA256:b (no comment), lets nobody in: it expired",
        "not read: /k can't be read",
        "AuthorizedKeysCommand gives keys too",
    ]


# -- the report ----------------------------------------------------------------------------------


def planned(**changes: Any) -> dict[str, Any]:
    return {"operation": "op2", "plan": {"cadence": "weekly", "before": {}, "checklist": ["tick me"], **changes}}


def applied(status: str = "done", **changes: Any) -> dict[str, Any]:
    notes = {item.id: {"status": status, "text": "so", "details": ["a line"]} for item in items.items_of("weekly")}
    entries = items.entries("weekly", {}, notes)
    green = status != "failed"
    return {"healthy": green, "error": "" if green else "logs: so", "verified": {"items": entries}, **changes}


def test_the_report_says_each_item_and_why() -> None:
    report = dokku_maintenance_report.document("dokku1", "restant-main", planned(), applied())
    text = dokku_maintenance_report.markdown(report)
    assert report["green"]
    assert "- [ ] tick me" in text
    assert "| logs | archive the logs, and remove the oldest archives | done | so |" in text


def test_a_run_that_failed_is_not_green() -> None:
    report = dokku_maintenance_report.document("dokku1", "restant-main", planned(), applied("failed"))
    assert (report["green"], report["reason"]) == (False, "logs: so")
    assert "NOT GREEN" in dokku_maintenance_report.markdown(report)


def test_a_run_of_which_nothing_is_known_is_not_green() -> None:
    report = dokku_maintenance_report.document(
        "dokku1", "restant-main", planned(), {"unreachable": True, "msg": "gone"}
    )
    assert (report["green"], report["reason"]) == (False, "gone")
    assert {entry["status"] for entry in report["items"]} == {"planned"}


def test_an_earlier_run_is_shown_with_its_date() -> None:
    before = {"logs": {"status": "done", "text": "2 logs", "when": "2026-11-16T09:00:00.000Z", "operation": "op1"}}
    verified = {"items": items.entries("weekly", before, {})}
    report = dokku_maintenance_report.document("dokku1", "a", planned(before=before), applied(verified=verified))
    assert "2 logs (on 2026-11-16, by op1)" in dokku_maintenance_report.markdown(report)


@given(st.text())
def test_nothing_that_an_item_says_breaks_the_table(text: str) -> None:
    entries = [{"item": "logs", "title": "x", "cadence": "weekly", "status": "done", "text": text, "details": [text]}]
    report = dokku_maintenance_report.document("h", "a", planned(), applied(verified={"items": entries}))
    rows = [line for line in dokku_maintenance_report.markdown(report).splitlines() if line.startswith("| logs ")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 5
