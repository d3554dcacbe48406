"""A backup is planned, made and proven on a host; it is refused where it would fail; and a kill of it ends well."""

from __future__ import annotations

import re

import pytest
from controller import Controller
from lab import OPERATOR, play
from postgres_lab import Database, rows
from waiting import wait_for

CODE = re.compile(r"REFUSED on \S+ \((\w+)\)")


def labels(database: Database) -> list[str]:
    return [backup["label"] for backup in database.info()["backup"]]


def test_a_plan_of_a_backup_changes_nothing(database: Database) -> None:
    before = database.repository()
    run = database.play("postgres_backup", "--check")
    assert run.green and "make a full backup" in run.text and labels(database)[0] in run.text, run.text
    assert database.repository() == before and not database.has_lease()


@pytest.mark.core("alone")
@pytest.mark.parametrize("kind", ["full", "diff", "incr"])
def test_a_backup_is_made_and_proven(database: Database, kind: str) -> None:
    run = database.play("postgres_backup", type=kind)
    assert run.green, run.text
    newest = database.info()["backup"][-1]
    assert newest["type"] == kind and newest["label"] in run.text
    assert database.outcomes() == [("backup", "succeeded")] and not database.has_lease()
    assert database.status().green


def test_the_screen_of_a_backup_says_what_was_made(database: Database) -> None:
    run = play("postgres_backup", "-l", database.name, screen=OPERATOR)
    assert run.green and f"backup {labels(database)[-1]} (full), " in run.text, run.text


def test_a_backup_that_would_wait_for_ever_is_refused(database: Database) -> None:
    database.set("archive_command", "false")
    database.write("nowait")
    database.until("[ $(runuser -u postgres -- psql -XqAt -c 'SELECT failed_count FROM pg_stat_archiver') -gt 0 ]")
    before = labels(database)
    run = database.play("postgres_backup")
    assert not run.green and "(archiver)" in run.text, run.text
    assert labels(database) == before and not database.has_lease()


def test_a_new_full_backup_behind_a_gap_begins_a_new_window(database: Database) -> None:
    database.root(f"rm {database.archived()[4]}")
    run = database.play("postgres_backup")
    assert run.green and "1 WAL file is missing" in run.text, run.text
    status = database.status()
    assert rows(status)["archive"][0] == "BAD" and rows(status)["window"][0] == "ok", status.text


def test_a_right_that_is_missing_is_refused_with_its_rule(database: Database) -> None:
    database.root("sed -i /info/d /etc/sudoers.d/ops-runbook")
    run = database.play("postgres_backup")
    assert not run.green and "(repository_unreadable)" in run.text, run.text
    assert "NOPASSWD: /usr/bin/timeout 60 /usr/bin/pgbackrest --stanza shop --output json info" in run.text


def killed(database: Database) -> None:
    """Kill a backup in its step, on both machines, and let pgBackRest go on."""
    with Controller(database.name, "postgres_backup") as run:
        # Its own processes, which wait for it to copy: none of them is another backup.
        stopped = "pkill -STOP -f '^/usr/bin/pgbackrest .*--type full backup' && echo stopped"
        wait_for("pgBackRest makes the backup", lambda: database.root(stopped, check=False), "stopped")
        run.kill()
        database.root("pkill -KILL -u deploy -x python3")
    database.root("pkill -CONT -x pgbackrest")


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        pytest.param("resume", "succeeded", marks=pytest.mark.core("resume")),
        pytest.param("undo", "reverted", marks=pytest.mark.core("undo")),
    ],
)
def test_a_backup_that_is_killed_ends_as_a_person_says(database: Database, way: str, outcome: str) -> None:
    killed(database)
    refused = database.play("postgres_backup")
    assert not refused.green
    found = CODE.search(refused.text)
    assert found is not None and found[1] in ("interrupted", "lease_held"), refused.text
    assert f"interrupted={way}" in refused.text
    wait_for("that backup ended", lambda: database.info()["status"]["lock"]["backup"]["held"], False)
    seen = database.status()
    assert not seen.green and "was interrupted" in rows(seen)["operation"][1], seen.text
    run = database.play("postgres_backup", interrupted=way)
    assert database.outcomes()[-1] == ("backup", outcome), run.text
    assert not database.has_lease() and database.status().green
    made = labels(database)
    assert len(made) == 2 and (made[-1] in run.text), run.text
