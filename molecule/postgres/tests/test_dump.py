"""A backup by dumps on a real server: made and proven, refused, and lied to by tools that say that all is well."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from controller import Controller
from lab import Run
from postgres_lab import Database, rows
from waiting import wait_for

BACKUPS = "/var/lib/ops-runbook/shop/backups"
ENGINE = ("-e", json.dumps({"postgres_engine": "dump", "postgres_databases": [{"name": "shop"}]}))
CODE = re.compile(r"REFUSED on \S+ \((\w+)\)")


@pytest.fixture
def dumped(database: Database) -> Database:
    """A server that `deploy` may read all of, with tables of strange names and values."""
    database.postgres("psql -XqAt -c 'GRANT pg_read_all_data TO deploy'")
    database.sql('CREATE SCHEMA "we ird"')
    database.sql("""CREATE TABLE "we ird"."a ""b" AS SELECT 1 AS id, E'x\\ny' AS t UNION SELECT 2, E'\\\\.'""")
    database.sql("CREATE TABLE nothing ()")
    database.sql("INSERT INTO nothing DEFAULT VALUES")
    database.sql('CREATE TABLE "order" (i int) PARTITION BY RANGE (i)')
    database.sql('CREATE TABLE order_1 PARTITION OF "order" FOR VALUES FROM (0) TO (10)')
    database.sql('INSERT INTO "order" VALUES (1), (2), (3)')
    return database


def backup(database: Database, *options: str, **inputs: Any) -> Run:
    return database.play("postgres_backup", *ENGINE, *options, **inputs)


def status(database: Database, **inputs: Any) -> Run:
    return database.status(*ENGINE, **inputs)


def kept(database: Database) -> list[str]:
    return database.root(f"ls -A {BACKUPS} 2>/dev/null || true").split()


def test_a_dump_is_made_proven_and_can_be_restored(dumped: Database) -> None:
    run = backup(dumped, "--check")
    assert run.green and "dump shop and prove it whole" in run.text and not kept(dumped), run.text
    run = backup(dumped)
    assert run.green, run.text
    (made,) = kept(dumped)
    found = json.loads(dumped.root(f"cat {BACKUPS}/{made}/manifest.json"))
    assert found["source"] == dumped.sql("SELECT system_identifier FROM pg_control_system()").strip()
    counted = found["parts"][0]["facts"]["rows"]
    orders = int(dumped.sql("SELECT count(*) FROM orders"))
    expected = {"public.orders": orders, "public.nothing": 1, "public.order_1": 3, '"we ird"."a ""b"': 2}
    assert {name: counted[name] for name in expected} == expected
    roles = dumped.root(f"cat {BACKUPS}/{made}/roles.sql")
    assert "CREATE ROLE deploy" in roles and "PASSWORD" not in roles
    assert dumped.root(f"stat -c '%a %U' {BACKUPS}/{made}").split() == ["700", "deploy"]

    back = "/srv/lab/back"
    dumped.root(f"mkdir {back}; tar -C {back} -xf {BACKUPS}/{made}/database-shop.tar; chmod -R a+rX {back}")
    dumped.postgres(f"createdb again; pg_restore -d again {back}")
    assert dumped.postgres("""psql -XqAt -d again -c 'SELECT count(*) FROM orders'""").strip() == str(orders)
    dumped.root(f"rm -r {back}")
    assert dumped.outcomes() == [("backup", "succeeded")] and not dumped.has_lease()
    green = status(dumped, verify="true")
    assert green.green and {level for level, _ in rows(green).values()} == {"ok"}, green.text


def instead(database: Database, program: str, script: str) -> str:
    """A folder of the programs, in which one is another one."""
    folder, begin = "/srv/lab/instead", "#!/bin/sh\nexport PATH=/usr/bin:/bin\n"
    text = f'{begin}[ "$1" = --version ] && exec pg_dump --version\n{script}\n'
    database.root(f"rm -rf {folder}; mkdir -p {folder}; cd {folder}; ln -s /usr/bin/pg_{{dump,restore,dumpall}} .")
    database.root(f"cd {folder}; rm {program}; cat > {program} <<'END'\n{text}END\nchmod a+rx . {program}")
    return folder


#: Programs that end well and lie, put in front of the real ones.
LIARS = {
    "pg_dump writes half a table": (
        'pg_dump "$@" || exit; d=$4; f=$(ls -S "$d" | grep -v toc | head -1); gunzip "$d/$f"; '
        'head -c 40 "$d/${f%.gz}" > "$d/x"; mv "$d/x" "$d/${f%.gz}"; pg_restore -l "$d" > /dev/null'
    ),
    "pg_dump leaves a table out": 'pg_dump -T orders "$@"',
    "pg_dump leaves all rows out": 'pg_dump -s "$@"',
    "pg_restore reads the contents alone": '[ "$1" = -f ] && exec pg_restore -l "$3"',
}


@pytest.mark.parametrize("name", LIARS)
def test_a_tool_that_lies_makes_no_backup(dumped: Database, name: str) -> None:
    run = backup(dumped, postgres_programs=instead(dumped, name.split()[0], LIARS[name]))
    assert not run.green and kept(dumped) == [], run.text
    assert "is not whole" in run.text or "is not what the database has" in run.text, run.text
    assert dumped.outcomes()[-1] == ("backup", "reverted") and not dumped.has_lease()


def test_a_table_that_may_not_be_read_is_refused_with_its_grant(database: Database) -> None:
    run = backup(database)
    assert not run.green and "(unreadable_tables)" in run.text and "GRANT pg_read_all_data" in run.text, run.text
    assert not database.has_lease()


def test_a_byte_that_was_flipped_is_seen_by_a_status_that_reads_everything(dumped: Database) -> None:
    assert backup(dumped).green
    (made,) = kept(dumped)
    dumped.root(f"printf '\\xff' | dd of={BACKUPS}/{made}/database-shop.tar bs=1 seek=2000 conv=notrunc status=none")
    assert status(dumped).green
    run = status(dumped, verify="true")
    assert not run.green and rows(run)["verify"][0] == "BAD", run.text


def test_a_dump_that_is_written_to_meanwhile_is_proven(dumped: Database) -> None:
    writer = "while :; do psql -XqAt -d shop -c 'INSERT INTO orders VALUES (1)'; done"
    dumped.root(f"systemd-run --quiet --unit=writer --uid=postgres bash -c {json.dumps(writer)}")
    run = backup(dumped)
    dumped.root("systemctl stop writer")
    assert run.green, run.text


@pytest.mark.parametrize(("way", "outcome", "left"), [("resume", "succeeded", 1), ("undo", "reverted", 0)])
def test_a_dump_that_is_killed_ends_as_a_person_says(dumped: Database, way: str, outcome: str, left: int) -> None:
    folder = instead(dumped, "pg_dump", 'mkdir "$4" && exec sleep 600')
    with Controller(dumped.name, "postgres_backup", *ENGINE, postgres_programs=folder) as run:
        under_way = f"ls -d {BACKUPS}/.making-*/.dump-shop 2>/dev/null | wc -l"
        wait_for("the dump is under way", lambda: dumped.root(under_way, check=False).strip(), "1")
        run.kill()
        dumped.root("pkill -KILL -u deploy -x python3; pkill -KILL -u deploy -x sleep")
    refused = backup(dumped)
    found = CODE.search(refused.text)
    assert found is not None and found[1] in ("interrupted", "lease_held"), refused.text
    ended = backup(dumped, interrupted=way)
    assert dumped.outcomes()[-1] == ("backup", outcome), ended.text
    assert len(kept(dumped)) == left and not dumped.has_lease(), ended.text
    assert dumped.root(f"find {BACKUPS} -name '.dump-*' 2>/dev/null | wc -l").strip() == "0"
