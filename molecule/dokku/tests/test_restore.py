"""A restore is proven beside the app first, keeps what it overwrites, and puts it back where it is not well."""

from __future__ import annotations

from pathlib import Path

import pytest
from dokku_backup_lab import APP, STAGING, STATE, Backed, key_pair
from lab import HOSTS

KEEP = f"{STATE}/backups"


@pytest.fixture(scope="module")
def host() -> Backed:
    host = Backed(HOSTS[0])
    host.reset("apps")
    host.equip()
    return host


@pytest.fixture(scope="module")
def made(host: Backed) -> str:
    """A backup of the app, and a copy of it for each test to spoil."""
    host.root(f"rm -rf {STATE}")
    host.seed()
    run = host.play("dokku_backup", parts="database,config,storage")
    assert run.green, run.text
    copy = "/srv/lab/restore-state"
    host.root(f"rm -rf {copy}; cp -a {STATE} {copy}")
    return copy


@pytest.fixture(autouse=True)
def fresh(host: Backed, made: str) -> None:
    host.root(f"rm -rf {STATE}; cp -a {made} {STATE}")
    host.seed()


def test_the_drill_changes_nothing(host: Backed) -> None:
    host.change()
    before = host.data()
    drill = host.play("dokku_restore", verify_only=True)
    assert drill.green and "restores: database mysql.restant-db" in drill.text and host.data() == before, drill.text


def test_a_restore_shows_what_it_overwrites_and_keeps_it(host: Backed) -> None:
    wanted = host.data()
    host.change()
    changed = host.data()
    planned = host.play("dokku_restore", "--check")
    for said in ("customers: 4 rows now, 3 in the backup", "stray: 1 rows now", "GREETING changes", "LATER is removed"):
        assert said in planned.text, planned.text
    unconfirmed = host.play("dokku_restore")
    assert "(not_confirmed)" in unconfirmed.text and host.data() == changed
    (first,) = host.backups()
    done = host.play("dokku_restore", overwrite=APP)
    assert done.green and host.data() == wanted, done.text
    (before,) = set(host.backups()) - {first}
    assert before.endswith("-before") and before in done.text
    back = host.play("dokku_restore", backup=before, overwrite=APP)
    assert back.green and host.data() == changed, back.text


def test_the_present_is_put_back_where_the_app_is_not_well(host: Backed) -> None:
    host.change()
    before = host.data()
    sick = [
        {
            "name": "sick",
            "url": f"http://{APP}.dokku.example.com/nothing-here",
            "connect_to": "127.0.0.1:80",
            "contains": "never",
        }
    ]
    failed = host.play("dokku_restore", overwrite=APP, dokku_health=sick, dokku_health_deadline=2)
    assert not failed.green and host.data() == before, failed.text


@pytest.mark.parametrize(
    ("damage", "inputs", "code"),
    [
        ("truncate -s -40 {b}/database-mysql.restant-db.sql", {}, "backup_damaged"),
        ("sed -i s/zw/ZW/ {b}/database-mysql.restant-db.sql", {}, "backup_damaged"),
        ("rm {b}/config.json", {}, "backup_damaged"),
        ("truncate -s 100 {b}/manifest.json", {}, "backup_missing"),
        (f'sed -i \'s/"app": "{APP}"/"app": "other"/\' {{b}}/manifest.json', {}, "backup_missing"),
        ("true", {"backup": "20200101T000000Z-000000"}, "backup_missing"),
        ("true", {"parts": "image"}, "unknown_part"),
        ("true", {"overwrite": STAGING}, "not_confirmed"),
    ],
)
def test_an_impossible_restore_is_refused(host: Backed, damage: str, inputs: dict[str, object], code: str) -> None:
    before, (identity,) = host.data(), host.backups()
    host.root(damage.format(b=f"{KEEP}/{identity}"))
    refused = host.play("dokku_restore", **{"overwrite": APP, **inputs})
    assert not refused.green and f"({code})" in refused.text and host.data() == before, refused.text


def test_a_service_of_another_app_is_not_written_over(host: Backed) -> None:
    host.dokku("mysql:link", "restant-db", STAGING, "--no-restart")
    shared = host.play("dokku_restore", overwrite=APP)
    host.dokku("mysql:unlink", "restant-db", APP, "--no-restart")
    elsewhere = host.play("dokku_restore", overwrite=APP)
    host.dokku("mysql:unlink", "restant-db", STAGING, "--no-restart")
    assert "(not_confirmed)" in shared.text and STAGING in shared.text, shared.text
    assert "(service_elsewhere)" in elsewhere.text and STAGING in elsewhere.text, elsewhere.text


def test_another_key_is_refused(host: Backed, tmp_path: Path) -> None:
    good, public = key_pair(tmp_path, "good")
    other, _ = key_pair(tmp_path, "other")
    assert host.play("dokku_backup", parts="database", dokku_backup_public_key=public).green
    for given, code in (({}, "key_missing"), ({"backup_key_file": other}, "wrong_key")):
        refused = host.play("dokku_restore", verify_only=True, **given)
        assert f"({code})" in refused.text, refused.text
    opened = host.play("dokku_restore", "-vvv", verify_only=True, backup_key_file=good)
    assert opened.green and "BEGIN PRIVATE" not in opened.text, opened.text


@pytest.mark.parametrize("step", ["scratch:mysql.restant-db", "keep_seal", "import:mysql.restant-db", f"storage:{APP}"])
def test_one_that_was_killed_goes_back_or_on(host: Backed, step: str) -> None:
    wanted = host.data()
    host.change()
    before = host.data()
    killed = host.killed("dokku_restore", step, overwrite=APP)
    assert not killed.green, killed.text
    undone = host.play("dokku_restore", interrupted="undo")
    assert undone.green and host.data() == before, undone.text
    host.killed("dokku_restore", step, overwrite=APP, backup=next(name for name in host.backups() if len(name) == 23))
    resumed = host.play("dokku_restore", interrupted="resume")
    assert resumed.green and host.data() == wanted, resumed.text
