"""Every key is listed with its age and its owner, what is not known is overdue, and no key is shown."""

from __future__ import annotations

import base64
import json
import os
import pwd
import sys
from pathlib import Path
from typing import Any

import pytest
import real_sshd
from many_playbooks import environment, playbook

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_book
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import report
from ansible_collections.ops.runbook.plugins.module_utils.sshd import audit as ssh_key_audit
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys
from ansible_collections.ops.runbook.plugins.module_utils.sshd.audit import Policy

ROOT = Path(__file__).resolve().parents[3]
ME = pwd.getpwuid(os.geteuid()).pw_name
NOW = 1795219200.0  # 2026-11-21


def line(seed: int, comment: str = "", options: str = "") -> str:
    parts = [b"ssh-ed25519", seed.to_bytes(32, "big")]
    blob = base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).decode()
    return f"{options}ssh-ed25519 {blob} {comment}\n"


def key(seed: int, comment: str = "", options: str = "") -> authorized_keys.Key:
    [(_, found)] = authorized_keys.keys(line(seed, comment, options).encode())
    return found


PRINT = key(1).fingerprint

AGES = {
    "a date in the comment": ("ci 2026-11-01", {}, (20, "2026-11-01", "comment")),
    "a date without dashes": ("ci-20261101", {}, (20, "2026-11-01", "comment")),
    "the last of two dates": ("ci 2025-01-01 renewed 2026-11-20", {}, (1, "2026-11-20", "comment")),
    "our own record goes first": ("ci 2026-11-01", {PRINT: "2026-08-13T00:00:00.000Z"}, (100, "", "rotation")),
    "nothing": ("anna@example.com", {}, (None, "", "unknown")),
    "a date ahead": ("ci 2027-01-01", {}, (None, "", "unknown")),
    "no day of the calendar": ("ci 2026-02-31", {}, (None, "", "unknown")),
    "a part of a number": ("build 1202611010", {}, (None, "", "unknown")),
    "a record ahead, a date before": ("ci 2026-11-01", {PRINT: "2027-01-01T00:00:00Z"}, (20, "2026-11-01", "comment")),
}


@pytest.mark.parametrize(("comment", "rotations", "expected"), AGES.values(), ids=AGES)
def test_the_age_of_a_key(comment: str, rotations: dict[str, str], expected: tuple[int | None, str, str]) -> None:
    days, since, source = ssh_key_audit.age(key(1, comment), Policy(NOW, rotations=rotations))
    assert (days, source) == (expected[0], expected[2])
    assert since == (rotations[PRINT] if source == "rotation" else expected[1])


@pytest.mark.parametrize(
    ("comment", "options", "overdue"),
    [
        ("2026-08-23", "", False),  # 90 days
        ("2026-08-22", "", True),
        ("anna", "", True),
        ("anna", 'expiry-time="20260101Z" ', False),
        ("anna", 'expiry-time="20270101Z" ', True),
    ],
)
def test_an_old_key_or_one_of_unknown_age_is_overdue_unless_it_expired(
    comment: str, options: str, overdue: bool
) -> None:
    said = ssh_key_audit.judge(key(1, comment, options), [], Policy(NOW))
    assert said["overdue"] is overdue
    assert bool(said["unusable"]) is ("2026" in options)


@pytest.mark.parametrize(
    ("comment", "owners", "owner"),
    [
        ("anna@example.com 2026-11-01", {}, "anna@example.com"),
        ("ci-2026-11-01", {}, "ci"),
        ("", {}, ""),
        ("x", {PRINT: "deploy workflow"}, "deploy workflow"),
    ],
)
def test_the_owner_of_a_key(comment: str, owners: dict[str, str], owner: str) -> None:
    assert ssh_key_audit.owner(key(1, comment), Policy(NOW, owners=owners)) == owner


def test_only_rotations_that_succeeded_count_and_the_first_of_a_key() -> None:
    def record(outcome: str, finished: str, procedure: str = "rotate") -> dict[str, Any]:
        return {"procedure": procedure, "outcome": outcome, "finished": finished, "to": {"id": PRINT}}

    records = [
        record("failed", "2026-01-01T00:00:00Z"),
        record("succeeded", "2026-02-01T00:00:00Z", "deploy"),
        record("succeeded", "2026-03-01T00:00:00Z"),
        record("succeeded", "2026-04-01T00:00:00Z"),
        {"procedure": "rotate", "outcome": "succeeded", "finished": "soon", "to": None},
    ]
    assert ssh_key_audit.rotations(records) == {PRINT: "2026-03-01T00:00:00Z"}


def test_a_record_that_was_edited_gives_no_age(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for number in (1, 2):
        ledger_book.append(
            str(path),
            {
                "id": str(number),
                "procedure": "rotate",
                "outcome": "succeeded",
                "finished": "2026-11-01T00:00:00Z",
                "to": {"id": PRINT},
            },
        )
    found, notes = ssh_key_audit.own_record(str(tmp_path))
    assert (found.get(PRINT, ""), notes) == ("2026-11-01T00:00:00Z", [])
    path.write_text(path.read_text().replace("2026-11-01", "2026-11-20", 1))
    found, notes = ssh_key_audit.own_record(str(tmp_path))
    assert found.get(PRINT, "") == "" and "edited" in notes[0]
    found, notes = ssh_key_audit.own_record(str(tmp_path / "none"))
    assert (found.get(PRINT, ""), notes) == ("", [])


def test_a_file_that_strictmodes_refuses_lets_nobody_in() -> None:
    said = ssh_key_audit.judge(key(1), ["folder /x has mode 0777"], Policy(NOW))
    assert "0777" in said["unusable"]


# -- a file ----------------------------------------------------------------------------------------


def audit(tmp_path: Path, content: str, extra: str = "") -> dict[str, Any]:
    real_sshd.make_key(tmp_path / "host_key")
    (tmp_path / "keys").write_bytes(content.encode())
    config = tmp_path / "sshd_config"
    config.write_text(
        f"HostKey {tmp_path / 'host_key'}\nAuthorizedKeysFile {tmp_path / 'keys'}\nStrictModes no\n{extra}"
    )
    if os.geteuid() == 0:
        real_sshd.PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    [found] = ssh_key_audit.read_accounts([ME], Policy(NOW), {}, str(config))
    return found


needs_sshd = pytest.mark.skipif(real_sshd.MISSING, reason="sshd is not there")


@needs_sshd
def test_the_keys_of_the_file_that_sshd_reads_are_listed(tmp_path: Path) -> None:
    secret = 'command="/bin/deploy --token s3cret",from="192.0.2.1" '
    found = audit(
        tmp_path, f"{line(1, 'ci 2026-11-01', secret)}hello s3cret\n\n{line(2, 'anna')}".replace("\n", "\r\n")
    )
    assert found["configuration_known"], found
    assert [(one["line"], one["fingerprint"], one["owner"], one["overdue"]) for one in found["key_lines"]] == [
        (1, PRINT, "ci", False),
        (4, key(2).fingerprint, "anna", True),
    ]
    assert found["files"][0]["unknown_lines"] == [{"line": 2, "why": "no key in it that sshd knows"}]
    said = json.dumps(found)
    assert "s3cret" not in said and line(1).split()[1][20:] not in said


@needs_sshd
def test_other_ways_to_log_in_are_named(tmp_path: Path) -> None:
    found = audit(tmp_path, line(1), "AuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser nobody\n")
    assert any("AuthorizedKeysCommand" in note for note in found["notes"])


@needs_sshd
def test_a_folder_in_place_of_a_file_is_not_called_clean(tmp_path: Path) -> None:
    real_sshd.make_key(tmp_path / "host_key")
    os.mkfifo(tmp_path / "keys")
    config = tmp_path / "sshd_config"
    config.write_text(f"HostKey {tmp_path / 'host_key'}\nAuthorizedKeysFile {tmp_path / 'keys'}\n")
    [found] = ssh_key_audit.read_accounts([ME], Policy(NOW), {}, str(config))
    assert "not a regular file" in found["unread"][0]


# -- the table -------------------------------------------------------------------------------------


def outcome(*lines: str, unread: tuple[str, ...] = ()) -> dict[str, Any]:
    keys = [
        {"account": "deploy", "file": "/k", "line": number, **ssh_key_audit.judge(found, [], Policy(NOW))}
        for number, found in authorized_keys.keys("".join(lines).encode())
    ]
    account = {
        "account": "deploy",
        "key_lines": keys,
        "notes": [],
        "unread": list(unread),
        "files": [{"path": "/k", "exists": True, "problems": [], "unknown_lines": []}],
    }
    return {"accounts": [account], "notes": []}


def test_a_key_on_several_hosts_names_the_others() -> None:
    shared = line(1, "ci 2026-11-01")
    text = "\n".join(report.lines({"a1": outcome(shared), "a2": outcome(shared, line(2, "anna"))}))
    assert "also on a2:deploy" in text and "also on a1:deploy" in text
    assert "OVERDUE (age unknown)" in text and line(1).split()[1] not in text
    assert text.endswith("2 keys in 3 lines: 1 overdue, 0 weak, 1 in several places")


def test_a_key_twice_in_an_account_is_told_from_one_on_two_hosts() -> None:
    text = "\n".join(report.lines({"a1": outcome(line(1), line(1))}))
    assert "2 times in this account" in text and "also on" not in text


@pytest.mark.parametrize(
    ("outcomes", "fail_on", "failing"),
    [
        ({"a": outcome(line(1, "2026-11-01"))}, ["overdue", "weak", "duplicate"], []),
        ({"a": outcome(line(1))}, [], []),
        ({"a": outcome(line(1))}, ["overdue"], ["overdue"]),
        ({"a": outcome(line(1))}, ["weak"], []),
        ({"a": outcome(line(1)), "b": outcome(line(1))}, ["duplicate"], ["duplicate"]),
        ({"a": outcome(unread=("/k can't be read",))}, [], ["unread"]),
        ({"a": {"msg": "it is down"}}, [], ["unread"]),
        ({"a": {}}, [], ["unread"]),
    ],
)
def test_an_audit_fails_for_the_named_findings(
    outcomes: dict[str, Any], fail_on: list[str], failing: list[str]
) -> None:
    assert report.verdict(outcomes, fail_on)["failing"] == failing


# -- as a person runs it ---------------------------------------------------------------------------


@needs_sshd
@pytest.mark.parametrize(("fail_on", "good"), [("", True), ("overdue,weak", False)])
def test_the_playbook_shows_the_table_and_fails_where_it_was_asked_to(tmp_path: Path, fail_on: str, good: bool) -> None:
    audit(tmp_path, line(1, "anna"))
    (tmp_path / "hosts.yml").write_text(
        json.dumps(
            {"all": {"hosts": {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}
        )
    )
    inputs = {"target": "here", "fail_on": fail_on, "ssh_key_sshd_config": str(tmp_path / "sshd_config")}
    inputs["ssh_key_state_dir"] = str(tmp_path)
    before = (tmp_path / "keys").read_bytes(), (tmp_path / "keys").stat().st_mtime_ns
    done = playbook(
        *(ROOT / "playbooks/ssh_key_audit.yml", "-i", tmp_path / "hosts.yml", "--check"),
        *("-vvv", "--diff", "-e", json.dumps(inputs)),
        env=environment(),
    )
    assert (done.returncode == 0) is good, done.stdout + done.stderr
    assert "OVERDUE (age unknown)" in done.stdout and PRINT in done.stdout
    assert ("overdue: 1 keys in 1 lines" in done.stdout) is not good
    assert "changed=0" in done.stdout and line(1).split()[1] not in done.stdout + done.stderr
    assert before == ((tmp_path / "keys").read_bytes(), (tmp_path / "keys").stat().st_mtime_ns)
