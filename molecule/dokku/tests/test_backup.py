"""A backup is whole, proven and readable to one key, or it is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dokku_backup_lab import CANARIES, STATE, Backed, key_pair
from lab import HOSTS


@pytest.fixture(scope="module")
def host() -> Backed:
    host = Backed(HOSTS[0])
    host.reset("apps")
    host.equip()
    host.seed()
    return host


@pytest.fixture(autouse=True)
def fresh(host: Backed) -> Iterator[None]:
    host.root(f"rm -rf {STATE}")
    yield


def test_a_backup_is_planned_made_and_fetched(host: Backed, tmp_path: Path) -> None:
    _, public = key_pair(tmp_path, "good")
    planned = host.play("dokku_backup", "--check", dokku_backup_public_key=public)
    assert planned.green and "export mysql.restant-db" in planned.text and host.backups() == [], planned.text
    fetched = tmp_path / "fetched"
    made = host.play("dokku_backup", "-vvv", "--diff", dokku_backup_public_key=public, fetch_to=str(fetched))
    assert made.green and host.outcomes() == ["succeeded"], made.text
    (identity,) = host.backups()
    here = fetched / host.name / "restant-main" / identity
    manifest = json.loads((here / "manifest.json").read_text())
    rows = next(part["facts"]["rows"] for part in manifest["parts"] if part["name"] == "mysql.restant-db")
    assert rows == {"customers": 3, "orders": 3, "odd`na-me (x)": 2}
    kinds = [part["kind"] for part in manifest["parts"]]
    assert kinds == ["database", "database", "config", "settings", "properties", "storage", "repository"]
    ledger = host.root(f"cat {STATE}/ledger.jsonl")
    shown = [made.text, ledger, *(path.read_bytes().decode("latin-1") for path in here.iterdir())]
    for canary in CANARIES:
        assert not [text for text in shown if canary in text], canary


@pytest.mark.parametrize(
    ("before", "inputs", "after", "code"),
    [
        ("true", {"dokku_app": "restant-mian"}, "true", "app_missing"),
        ("true", {"dokku_disk_reserve": 10**9}, "true", "disk_space"),
        ("true", {"parts": "databases"}, "true", "unknown_part"),
        ("true", {"dokku_backup_public_key": "ssh-rsa AAAA"}, "true", "bad_backup_settings"),
        (
            "mv /etc/sudoers.d/ops-runbook-parts /root/",
            {},
            "mv /root/ops-runbook-parts /etc/sudoers.d/",
            "parts_not_allowed",
        ),
        (
            "runuser -u dokku -- dokku mysql:stop restant-db",
            {},
            "runuser -u dokku -- dokku mysql:start restant-db",
            "service_down",
        ),
    ],
)
def test_a_backup_that_can_not_be_made_is_refused(
    host: Backed, before: str, inputs: dict[str, object], after: str, code: str
) -> None:
    host.root(before)
    try:
        refused = host.play("dokku_backup", **inputs)
    finally:
        host.root(after)
    assert not refused.green and f"({code})" in refused.text and host.backups() == [], refused.text


def test_one_that_was_killed_counts_for_nothing_and_is_gone_on_with(host: Backed) -> None:
    killed = host.killed("dokku_backup", "part:settings")
    assert not killed.green and all(name.startswith(".making-") for name in host.backups()), killed.text
    assert "interrupted=resume" in host.play("dokku_backup").text
    resumed = host.play("dokku_backup", interrupted="resume")
    assert resumed.green and [name[0] for name in host.backups()] == ["2"], resumed.text
