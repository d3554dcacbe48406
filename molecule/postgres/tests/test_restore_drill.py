"""A drill restores the newest backup to the end of the archive, proves it rung by rung, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest
from controller import Controller
from postgres_drill_lab import FOLDER, STATE, Drilled, one_host
from postgres_lab import ARCHIVE, rows
from waiting import wait_for

CODE = re.compile(r"REFUSED on \S+ \((\w+)\)")


@pytest.fixture
def host() -> Drilled:
    found = one_host()
    found.reset()
    return found


def code(text: str) -> str:
    found = CODE.search(text)
    return found[1] if found else ""


@pytest.mark.core("plan")
def test_a_plan_of_a_drill_changes_nothing(host: Drilled) -> None:
    before = host.repository()
    run = host.drill("--check")
    assert run.green and "replayed to the end of the archive" in run.text, run.text
    assert host.repository() == before and host.left() == ""


def test_a_drill_proves_the_newest_backup_and_writes_nothing_into_the_repository(host: Drilled) -> None:
    host.beat()
    before = host.stored()
    run = host.drill()
    assert run.green, run.text
    rungs = host.rungs()
    bad = {name: rung for name, rung in rungs.items() if rung[0] == "bad"}
    assert not bad and rungs["amcheck"][0] == rungs["checksums"][0] == rungs["probe"][0] == "good", rungs
    assert rungs["application"][0] == "not climbed" and "application" in run.text
    assert host.left() == "" and not host.has_lease()
    # Production archives on; a drill that archived would have begun a timeline there.
    new = {*host.stored()} - {*before}
    assert {*before} <= {*host.stored()} and not [one for one in new if "archive/shop/17-1/00000001" not in one], new
    assert host.outcomes() == [("restore_drill", "succeeded")]
    seen = host.status()
    assert seen.green and rows(seen)["last drill"][0] == "ok", seen.text


def test_the_last_writes_of_production_are_restored_and_lost_time_is_measured(host: Drilled) -> None:
    host.sql("INSERT INTO orders SELECT generate_series(5001, 5007)")
    host.beat()
    databases = [
        {"name": "shop", "expect": {"public.orders": int(host.sql("SELECT count(*) FROM orders"))}},
        {"name": "nothing", "empty": True},
    ]
    run = host.drill(postgres_databases=databases)
    assert run.green, run.text
    report = json.loads(host.root(f"cat {STATE}/last_drill.json"))
    newest = float(host.sql("SELECT extract(epoch FROM max(at)) FROM heartbeat"))
    started = run.text and json.loads(host.root(f"tail -1 {STATE}/ledger.jsonl"))["started"]
    begun = float(host.root(f"date -d {started} +%s.%N"))
    assert abs(report["rpo"] - (begun - newest)) < 60, report


RED = {
    "an empty table": ("TRUNCATE customers", {}, "rows", "public.customers has 0 rows"),
    "a table that is gone": ("DROP TABLE customers", {}, "rows", "does not exist"),
    "a database that is not empty": (
        "SELECT 1",
        {"postgres_databases": [{"name": "shop", "empty": True}]},
        "rows",
        "is declared empty, and",
    ),
    "a database that is missing": (
        "SELECT 1",
        {"postgres_databases": [{"name": "gone", "expect": {"a": 1}}, {"name": "shop", "expect": {"orders": 1}}]},
        "databases",
        "database gone is missing",
    ),
    "yesterday's data": (
        "UPDATE heartbeat SET at = now() - interval '1 day'",
        {"postgres_drill_rpo_goal": 3600},
        "heartbeat",
        "the goal is 3600 s",
    ),
    "a sequence that is behind": ("SELECT setval('customers_id_seq', 50)", {}, "sequences", "customers_id_seq"),
    "a recovery that takes too long": ("SELECT 1", {"postgres_drill_rto_goal": 1}, "ready", "the goal is 1 s"),
}


@pytest.mark.parametrize(("change", "inputs", "rung", "said"), RED.values(), ids=RED)
def test_a_restore_that_lacks_something_is_red_and_is_removed(
    host: Drilled, change: str, inputs: dict[str, object], rung: str, said: str
) -> None:
    host.sql(change)
    host.write()
    run = host.drill(**inputs)
    assert not run.green and said in run.text, run.text
    assert host.rungs()[rung][0] == "bad", host.rungs()
    assert host.outcomes() == [("restore_drill", "failed")] and host.left() == "" and not host.has_lease()
    seen = host.status()
    assert not seen.green and rows(seen)["last drill"][0] == "BAD", seen.text
    # A red drill was brought to its end: the next one begins without a question.
    assert host.drill("--check").green


def test_a_replay_that_ends_at_a_gap_is_red(host: Drilled) -> None:
    host.root(f"rm {host.archived()[4]}")
    run = host.drill()
    assert not run.green and host.rungs()["gap"][0] == "bad", run.text
    assert host.left() == ""


def test_a_backup_without_its_own_wal_is_red_and_the_cause_is_named(host: Drilled) -> None:
    own = host.info()["backup"][0]["archive"]["stop"]
    host.root(f"rm {ARCHIVE}/{own[:16]}/{own}-*")
    run = host.drill()
    assert not run.green and f"lacks its own WAL {own}" in run.text, run.text
    assert host.rungs()["recover"][0] == "bad" and host.rungs()["rows"][0] == "not climbed"
    assert host.left() == ""


def test_a_drill_works_while_production_is_down(host: Drilled) -> None:
    host.beat()
    host.root("systemctl stop postgresql@17-main.service")
    run = host.drill()
    assert run.green, run.text


def test_a_drill_goes_to_a_time_and_not_beyond_the_last_commit(host: Drilled) -> None:
    host.sql("INSERT INTO orders SELECT generate_series(6001, 6100)")
    host.beat()
    moment = host.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    host.sql("DELETE FROM orders WHERE id > 500")
    host.beat()
    run = host.drill(to_time=moment)
    assert run.green, run.text


REFUSALS = {
    "a time without a zone": ({"to_time": "2026-01-01T00:00:00"}, "to_time_without_zone"),
    "a time in the future": ({"to_time": "2999-01-01T00:00:00Z"}, "to_time_in_future"),
    "a time before the window": ({"to_time": "2020-01-01T00:00:00Z"}, "to_time_before_window"),
    "a label that is not there": ({"backup": "20200101-000000F"}, "no_backup"),
    "no database that is expected": ({"postgres_databases": []}, "drill_databases"),
    "a disk that is too full": ({"postgres_drill_disk_reserve": 999999}, "drill_disk"),
    "a program that is missing": ({"postgres_drill_program": "/usr/local/sbin/none"}, "drill_missing"),
}


@pytest.mark.parametrize(
    ("inputs", "refused"),
    [
        pytest.param(*given, id=name, marks=[pytest.mark.core("refusal")] if name == "a time without a zone" else [])
        for name, given in REFUSALS.items()
    ],
)
def test_a_drill_that_can_t_be_meant_is_refused(host: Drilled, inputs: dict[str, object], refused: str) -> None:
    run = host.drill("--check", **inputs)
    assert not run.green and code(run.text) == refused, run.text
    assert host.left() == ""


#: In the setup of the host, between two tests that change it.
SETUP = "/etc/ops-runbook/postgres-drill/shop.json"


@pytest.fixture
def setup_again(host: Drilled) -> Iterator[None]:
    host.root(f"cp {SETUP} /root/setup.json")
    yield
    host.root(f"cp /root/setup.json {SETUP}")


@pytest.mark.usefixtures("setup_again")
def test_a_key_that_can_write_into_the_repository_is_refused(host: Drilled) -> None:
    # Stands for a key with too many rights: a folder is shown to the drill as one that can't be written.
    script = '#!/bin/sh\ncase "$*" in *repo-put*|*repo-rm*) exit 0;; esac\nexec /usr/bin/pgbackrest "$@"\n'
    host.root(f"printf %s {shlex.quote(script)} > /usr/local/bin/writes; chmod 755 /usr/local/bin/writes")
    host.root(f"sed -i 's#/usr/bin/pgbackrest#/usr/local/bin/writes#' {SETUP}")
    assert host.drill("--check").green, "a plan alone tries nothing"
    run = host.drill()
    assert not run.green and code(run.text) == "repository_writable" and host.left() == "", run.text


def test_rests_of_an_unknown_drill_are_named_with_the_command_that_removes_them(host: Drilled) -> None:
    rest = "20260101T000000Z-aaaaaa"
    host.root(f"mkdir {FOLDER}/{rest}")
    run = host.drill("--check")
    assert code(run.text) == "drill_rests" and f"postgres-drill destroy shop {rest}" in run.text, run.text
    host.deploy(f"sudo -n postgres-drill destroy shop {rest}")
    assert host.drill("--check").green


@pytest.mark.parametrize("near", ["/var/lib/postgresql/17/main/drill", "/var/lib/postgresql"])
@pytest.mark.usefixtures("setup_again")
def test_a_folder_at_production_s_is_refused(host: Drilled, near: str) -> None:
    host.root(f"sed -i 's#{FOLDER}#{near}#' {SETUP}")
    run = host.drill("--check")
    assert code(run.text) == "drill_is_production", run.text


#: The report is written too quickly for a kill from outside.
STEPS = ["restore", "recover", "start", "rows", "amcheck", "checksums", "destroy"]


def killed(host: Drilled, step: str) -> None:
    """Kill a drill in one of its steps, on both machines."""
    begun = f'grep -q \'"event": *"begin".*"step": *"{step}"\' {STATE}/journal.jsonl && echo begun'
    with Controller(host.name, "postgres_restore_drill") as run:
        wait_for(f"the step {step} began", lambda: host.root(begun, check=False), "begun")
        run.kill()
        host.root("pkill -KILL -u deploy -x python3", check=False)


@pytest.mark.parametrize(
    ("step", "way", "outcome"),
    [
        pytest.param("recover", "resume", "succeeded", marks=pytest.mark.core("resume")),
        pytest.param("recover", "undo", "reverted", marks=pytest.mark.core("undo")),
        *[
            (step, way, end)
            for step in STEPS
            if step != "recover"
            for way, end in (("resume", "succeeded"), ("undo", "reverted"))
        ],
    ],
)
def test_a_drill_that_is_killed_ends_as_a_person_says(host: Drilled, step: str, way: str, outcome: str) -> None:
    killed(host, step)
    refused = host.drill()
    assert not refused.green and f"interrupted={way}" in refused.text, refused.text
    run = host.drill(interrupted=way)
    assert host.outcomes()[-1] == ("restore_drill", outcome), run.text
    assert host.left() == "" and not host.has_lease()
    assert host.drill("--check").green


def test_a_cluster_that_is_kept_is_refused_to_the_next_drill(host: Drilled) -> None:
    run = host.drill(keep_restored="true")
    assert run.green and "server.service" in host.left(), run.text
    again = host.drill("--check")
    assert code(again.text) == "drill_rests", again.text


@pytest.mark.core("canary")
def test_a_restored_cluster_sees_nothing_of_production(host: Drilled) -> None:
    run = host.drill("-vvv", keep_restored="true")
    assert run.green, run.text
    # No data of the restored tables is in an answer, a log or a record.
    assert "customer 7" not in run.text
    assert "customer 7" not in host.root("cat /var/lib/ops-runbook/*/*", check=False)
    pid = host.root("systemctl show --property MainPID --value postgres-drill-shop-server.service")
    inside = f"nsenter --target {pid} --mount --net --"
    seen = host.root(
        f"{inside} ls -d /etc/pgbackrest.conf /var/lib/pgbackrest /var/lib/postgresql /run/postgresql /root /home",
        check=False,
    )
    assert seen == ""
    assert host.root(f"grep -c : /proc/{pid}/net/dev") == "1", "only its own loopback"
    asked = f"runuser -u postgres-drill -- psql -XqAt -h {FOLDER}/*/socket -U postgres -c"
    assert host.root(f"{asked} 'SHOW archive_mode'") == "off"
    assert (
        host.root("runuser -u postgres-drill -- touch /var/lib/pgbackrest/archive/x && echo wrote", check=False) == ""
    )
