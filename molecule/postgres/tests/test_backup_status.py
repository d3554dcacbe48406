"""A status is green for what a restore can use, and names each fault that pgBackRest does not see."""

from __future__ import annotations

import pytest
from lab import OPERATOR, play
from postgres_lab import ARCHIVE, REPOSITORY, Database, rows

METRICS = "/var/lib/ops-runbook/shop.prom"


def segment(path: str) -> str:
    """The name of a WAL file, from its path in the archive."""
    return path.rpartition("/")[2].partition("-")[0]


@pytest.mark.core("plan")
def test_a_repository_that_is_well_is_green_and_stays_as_it_is(database: Database) -> None:
    before = database.repository()
    run = database.status("--check", postgres_backup_status_metrics_file=METRICS)
    assert run.green, run.text
    # No drill was made since the host was reset, and no file of the repository was read.
    assert {topic for topic, (level, _text) in rows(run).items() if level != "ok"} == {"last drill", "timers"}, run.text
    assert {"repository", "backup", "archive", "own WAL", "window", "archiver"} <= {*rows(run)}
    assert database.repository() == before


@pytest.mark.core("screen")
def test_the_screen_of_a_person_has_the_verdict_first(database: Database) -> None:
    assert database.status(verify="true").green
    run = play("postgres_backup_status", "-l", database.name, screen=OPERATOR)
    assert run.green, run.text
    lines = [line for line in run.text.splitlines() if line.strip()]
    assert any(f"{database.name}: to look at: last drill" in line for line in lines)
    assert not [line for line in lines if "TASK [" in line or "Traceback" in line], run.text


@pytest.mark.core("refusal", "callback")
def test_a_wal_file_that_is_missing_is_named_though_pgbackrest_is_content(database: Database) -> None:
    lost = database.archived()[4]
    database.root(f"rm {lost}")
    assert database.info()["status"]["code"] == 0
    database.postgres("pgbackrest --stanza shop check")
    assert "status: error" not in database.postgres("pgbackrest --stanza shop --output text --verbose verify")
    run = database.status()
    assert not run.green
    assert rows(run)["archive"] == ("BAD", "1 WAL file is missing") and segment(lost) in run.text, run.text
    assert rows(run)["window"][0] == "BAD" and "and no further" in rows(run)["window"][1]


def test_a_backup_without_its_own_wal_can_t_be_restored(database: Database) -> None:
    own = database.info()["backup"][0]["archive"]["stop"]
    database.root(f"rm {ARCHIVE}/{own[:16]}/{own}-*")
    run = database.status()
    assert not run.green and database.info()["status"]["code"] == 0
    assert rows(run)["own WAL"][0] == "BAD" and f"{own} is missing" in run.text, run.text


def test_an_archiver_that_fails_is_bad(database: Database) -> None:
    database.set("archive_command", "false")
    database.write("nowait")
    database.until("[ $(runuser -u postgres -- psql -XqAt -c 'SELECT failed_count FROM pg_stat_archiver') -gt 0 ]")
    run = database.status()
    assert not run.green
    level, text = rows(run)["archiver"]
    assert level == "BAD" and "failed 0 min ago" in text, run.text


def test_an_archiver_that_hangs_is_bad(database: Database) -> None:
    database.set("archive_command", "sleep 3600")
    database.write("nowait")
    database.until("ls /var/lib/postgresql/17/main/pg_wal/archive_status | grep -q ready")
    run = database.status(postgres_backup_status_archive_minutes=0)
    assert not run.green
    assert "finished WAL files wait" in rows(run)["archiver"][1], run.text
    database.root("pkill -x sleep")


def test_an_archiver_that_stores_nothing_is_seen_in_the_repository(database: Database) -> None:
    database.set("archive_command", "/bin/true")
    database.write()
    run = database.status()
    assert not run.green
    level, text = rows(run)["archiver"]
    assert level == "BAD" and "archive_command stores it elsewhere" in text, run.text
    database.set("archive_command", "pgbackrest --stanza=shop archive-push %p")
    database.write()
    run = database.status()
    assert not run.green and rows(run)["archive"][0] == "BAD", run.text


def test_a_backup_that_is_overdue_is_bad(database: Database) -> None:
    database.until(f"[ $(( $(date +%s) - {database.info()['backup'][-1]['timestamp']['stop']} )) -gt 1 ]")
    run = database.status(postgres_backup_max_age=0)
    assert not run.green and "overdue, more than 0 h" in rows(run)["backup"][1], run.text


def test_a_stanza_that_is_another_one_is_refused_by_sudo_and_by_pgbackrest(database: Database) -> None:
    run = database.status(postgres_stanza="store")
    assert not run.green and rows(run)["repository"][0] == "BAD"
    rule = "deploy ALL=(postgres) NOPASSWD: /usr/bin/timeout 60 /usr/bin/pgbackrest --stanza store --output json info"
    assert f"echo '{rule}' | sudo tee -a /etc/sudoers.d/ops-runbook" in run.text, run.text
    database.root(f"echo '{rule}' >> /etc/sudoers.d/ops-runbook; visudo -c")
    run = database.status(postgres_stanza="store")
    assert not run.green and "missing stanza path (status 1 of stanza store)" in run.text, run.text


def test_a_flipped_byte_is_seen_by_a_status_that_reads_everything(database: Database) -> None:
    path = database.archived()[5]
    database.root(f"printf '\\xff' | dd of={path} bs=1 seek=2000 conv=notrunc status=none")
    assert database.info()["status"]["code"] == 0
    database.postgres("pgbackrest --stanza shop --output text verify")
    assert database.status().green
    run = database.status(verify="true")
    assert not run.green and rows(run)["verify"][0] == "BAD", run.text
    run = database.status()
    assert not run.green and "damaged 0 min ago" in rows(run)["verify"][1], run.text


def test_a_timer_that_stopped_is_bad_in_the_next_status(database: Database) -> None:
    assert database.status(verify="true").green
    assert rows(database.status())["timers"][0] == "ok"
    record = f"{database.state}/verified.json"
    assert database.root(f"stat -c '%a %U' {database.state} {record}").split() == ["700", "deploy", "600", "deploy"]
    finished = int(database.root("date +%s")) - 15 * 86400
    database.root(f'sed -Ei \'s/"finished":[0-9.]+/"finished":{finished}/\' {record}')
    run = database.status()
    level, text = rows(run)["timers"]
    assert (run.green, level) == (False, "BAD") and "overdue: verify 15 days ago, due each 7 days" in text, run.text
    assert database.status(verify="true").green


def test_a_drill_that_archives_is_seen(database: Database) -> None:
    """A copy of the cluster that is promoted, on a host whose configuration names the copy: production's files stay."""
    drill = "/var/lib/postgresql/17/drill"
    database.root(f"sed 's,^pg1-path=.*,pg1-path={drill},' /etc/pgbackrest.conf > /srv/lab/drill.conf")
    push = "pgbackrest --config=/srv/lab/drill.conf --stanza=shop"
    database.postgres(f"rm -rf {drill}; {push} restore; touch {drill}/postgresql.conf")
    database.postgres(
        f"/usr/lib/postgresql/17/bin/pg_ctl -w -t 600 -D {drill} -l /tmp/drill.log -o "
        f"\"-c port=5499 -c archive_mode=on -c archive_command='{push} archive-push %p' "
        "-c hba_file=/etc/postgresql/17/main/pg_hba.conf -c ident_file=/etc/postgresql/17/main/pg_ident.conf "
        '-c unix_socket_directories=/tmp -c shared_buffers=32MB -c listen_addresses=" start'
    )
    ask = "runuser -u postgres -- psql -XqAt -h /tmp -p 5499 -d shop -c"
    database.until(f"[ \"$({ask} 'SELECT pg_is_in_recovery()')\" = f ]")
    database.root(f"cd /; {ask} 'CREATE TABLE drilled ()' -c 'SELECT pg_switch_wal()'")
    database.until(f"ls {ARCHIVE}/0000000200000000 2>/dev/null | grep -q .")
    run = database.status()
    database.postgres(f"/usr/lib/postgresql/17/bin/pg_ctl -w -m immediate -D {drill} stop; rm -rf {drill}")
    assert not run.green and database.info()["status"]["code"] == 0
    level, text = rows(run)["fork"]
    assert level == "BAD" and "it has timeline 2, and the server is on 1" in text, run.text


def test_a_server_that_was_promoted_is_green_again(database: Database) -> None:
    data, configuration = "/var/lib/postgresql/17/main", "/etc/postgresql/17/main/conf.d/restore.conf"
    database.root("systemctl stop postgresql@17-main")
    database.postgres(f"touch {data}/recovery.signal")
    database.postgres(f"""echo "restore_command = 'pgbackrest --stanza=shop archive-get %f %p'" > {configuration}""")
    database.root("systemctl start postgresql@17-main")
    database.until("[ \"$(runuser -u postgres -- psql -XqAt -c 'SELECT pg_is_in_recovery()')\" = f ]")
    database.write()
    run = database.status(verify="true")
    assert run.green and {level for level, _text in rows(run).values()} == {"ok"}, run.text
    assert any("partial" in path for path in database.archived())


def test_a_server_that_is_down_is_bad_and_its_backups_are_shown(database: Database) -> None:
    database.root("systemctl stop postgresql@17-main")
    run = database.status()
    assert not run.green
    found = rows(run)
    assert found["archiver"][0] == "BAD" and found["backup"][0] == "ok" and found["archive"][0] == "ok", run.text
    assert "read as files of 16 MiB" in found["archive"][1]


def test_a_right_that_is_missing_in_the_database_is_no_green(database: Database) -> None:
    database.sql("REVOKE pg_monitor FROM deploy")
    run = database.status()
    level, text = rows(run)["archiver"]
    assert level == "WARN" and "permission denied" in text and "GRANT pg_monitor" in run.text, run.text


def test_the_metrics_are_there_for_node_exporter(database: Database) -> None:
    assert database.status(verify="true", postgres_backup_status_metrics_file=METRICS).green
    text = database.root(f"cat {METRICS}")
    assert 'ops_runbook_postgres_backup_status{service="shop"} 0' in text.splitlines()
    stop = database.info()["backup"][0]["timestamp"]["stop"]
    assert f'ops_runbook_postgres_backup_last_time_seconds{{service="shop",type="full"}} {stop}' in text.splitlines()
    assert database.root(f"stat -c %a {METRICS}") == "644"
    database.root(f"rm -rf {REPOSITORY}/archive")
    assert not database.status(postgres_backup_status_metrics_file=METRICS).green
    assert 'ops_runbook_postgres_backup_status{service="shop"} 2' in database.root(f"cat {METRICS}").splitlines()


@pytest.mark.core("canary")
def test_a_password_in_the_inventory_is_refused_and_shown_nowhere(database: Database) -> None:
    canary = "canary-7d1f0a"
    run = database.status("-vvv", postgres_connection=f"host=/var/run/postgresql dbname=postgres password={canary}")
    assert not run.green and "write that into ~/.pgpass on the host" in run.text, run.text
    assert canary not in run.text.replace(f'password={canary}"', "")
    assert canary not in database.root("grep -rl canary-7d1f0a /var/log /var/lib/ops-runbook 2>/dev/null || true")
