# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status screen: what is called ok, worth a look and bad, and what of a log may be shown."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console import status_report
from ansible_collections.ops.runbook.plugins.module_utils.health import rows as status_rows
from ansible_collections.ops.runbook.plugins.module_utils.health.gate import Result
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Disk, Row
from ansible_collections.ops.runbook.plugins.module_utils.host.systemd_units import UnitState
from ansible_collections.ops.runbook.plugins.module_utils.laravel.caches import Caches
from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status import judge
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status import log as laravel_log
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status.reading import Log, Reading, Release
from ansible_collections.ops.runbook.plugins.module_utils.text import log_errors

HEAD, OTHER = "a" * 40, "b" * 40
LIMITS = Limits()
SERVICE = Description("vertex", "/srv/app", repository="git@example.com:app.git", queue_unit="worker", units=("nginx",))


def unit(name: str, active: str = "active", load: str = "loaded") -> UnitState:
    sub = {"active": "running", "failed": "failed"}.get(active, "dead")
    return UnitState(name, f"{name}.service", load, active, sub, "success", 0, "Sat 2026-11-21", 1, "simple")


def restarting(result: str) -> UnitState:
    return replace(unit("worker", "activating"), sub="auto-restart", result=result)


HISTORY: dict[str, Any] = {
    "chain": {"ok": True, "problems": []},
    "releases": [{"id": HEAD}],
    "records": [{"id": "op1", "procedure": "deploy", "outcome": "succeeded", "finished": "2026-11-21T03:00:00.000Z"}],
    "current": HEAD,
    "previous": {"id": OTHER, "name": "v1", "why_none": ""},
    "lease": None,
    "interrupted": None,
}
APP: dict[str, Any] = {
    "laravel": "10.48",
    "php": "8.4",
    "environment": "production",
    "database": {"driver": "sqlite", "applied": ["m1"], "files": {"m1": "database/migrations/m1.php"}},
    "queue": {"connection": "database", "size": 0},
    "failed_jobs": 0,
}
GOOD = Reading(
    release=Release(HEAD, ("v2",), "Greet", "2026-11-20T00:00:00Z", (), "git@example.com:app.git"),
    app=APP,
    working_tree=("m1",),
    units=(unit("nginx"), unit("worker")),
    cron=(unit("cron"), unit("crond", "inactive", "not-found")),
    health=(Result("api", "https://example.com", True, 200, 0.01, "r1", HEAD, "", 90),),
    disks=(Disk(("/srv/app",), 20.0, 2**35, 3.0),),
    history=HISTORY,
)


def seen(reading: Reading, description: Description = SERVICE, limits: Limits = LIMITS) -> list[Row]:
    return judge.judge(description, reading, limits)


def by_topic(rows: list[Row]) -> dict[str, str]:
    return {row.topic: row.level for row in rows if row.level != "ok"}


def app(**changes: Any) -> Reading:
    return replace(GOOD, app={**APP, **changes})


def past(**changes: Any) -> Reading:
    return replace(GOOD, history={**HISTORY, **changes})


def test_a_configuration_that_php_fpm_does_not_read_is_said_before_one_that_is_old() -> None:
    caches = Caches(True, "php-fpm reads the cached configuration from /x", "laravel_php: env A=/x php")
    [row] = [row for row in seen(replace(GOOD, caches=caches)) if row.topic == "application"]
    assert row.level == "warn" and row.details == (caches.apart,) and row.ways[0].startswith(caches.way)


def test_a_good_service_is_well() -> None:
    rows = seen(GOOD)
    assert by_topic(rows) == {}
    assert status_rows.verdict(rows) == {"level": "ok", "text": "all is well", "bad": [], "warn": []}


LEASE = {"standing": "running", "holder": "operation op2 (deploy by ana)", "expires": "2026-11-21T03:10:00Z"}
CUT = {"procedure": "deploy", "operation": "op2", "text": "it stopped", "ways": ["resume", "undo"]}
UNHEALTHY = Result("api", "https://example.com", False, 500, 0.01, "r1", None, "expected status 200, got 500", 90)


@pytest.mark.parametrize(
    ("reading", "levels"),
    [
        (replace(GOOD, health=()), {"health": "warn"}),
        (replace(GOOD, health=(UNHEALTHY,)), {"health api": "bad"}),
        (replace(GOOD, health=(replace(GOOD.health[0], tls_days=21),)), {"health api": "warn"}),
        (replace(GOOD, health=(replace(GOOD.health[0], tls_days=22),)), {}),
        (replace(GOOD, health=(replace(GOOD.health[0], tls_days=22, warnings=("x",)),)), {"health api": "warn"}),
        (app(debug=True), {"application": "warn"}),
        (app(debug=True, environment="local"), {}),
        (
            app(boot_error="ParseError", queue=None, failed_jobs=None),
            {"application": "bad", "migrations": "warn", "queue": "warn"},
        ),
        (
            app(unanswered="PHP gave no answer within 60 s", queue=None, failed_jobs=None),
            {"application": "bad", "migrations": "warn", "queue": "warn"},
        ),
        (
            replace(GOOD, app={"error": "PHP can't be asked"}),
            {"application": "bad", "migrations": "bad", "queue": "warn"},
        ),
        (app(database={"error": "no such host"}), {"migrations": "bad"}),
        (app(database={"applied": [], "files": {"m1": ""}}), {"migrations": "warn"}),
        (app(database={"applied": ["m1", "m2"], "files": {"m1": ""}}), {"migrations": "warn"}),
        (app(queue={"error": "refused"}), {"queue": "bad"}),
        (app(queue={"size": 99}), {}),
        (app(queue={"size": 100}), {"queue": "warn"}),
        (app(failed_jobs=1), {"failed jobs": "warn"}),
        (app(failed_jobs={"error": "no table"}), {"failed jobs": "warn"}),
        (replace(GOOD, down=True), {"maintenance": "warn"}),
        (replace(GOOD, units=(unit("nginx", "failed"), unit("worker"))), {"nginx": "bad"}),
        (replace(GOOD, units=(unit("nginx"), unit("worker", "inactive"))), {"queue worker worker": "bad"}),
        (replace(GOOD, units=(unit("nginx"), restarting("success"))), {"queue worker worker": "warn"}),
        (replace(GOOD, units=(unit("nginx"), restarting("exit-code"))), {"queue worker worker": "bad"}),
        (replace(GOOD, units=(), units_problem="no systemd"), {"units": "bad"}),
        (replace(GOOD, scheduler_problem="no line"), {"scheduler": "bad"}),
        (replace(GOOD, scheduler_problem="no line", stranger="deploy"), {"scheduler": "warn", "release": "warn"}),
        (replace(GOOD, cron=(unit("cron", "inactive"),)), {"scheduler": "bad"}),
        (replace(GOOD, cron=()), {}),
        (replace(GOOD, cron=(unit("cron", "inactive", "not-found"),)), {}),
        (replace(GOOD, release=Release(problem="no checkout")), {"release": "bad"}),
        (replace(GOOD, release=replace(GOOD.release, changes=(" M a.php",))), {"release": "warn"}),
        (replace(GOOD, release=replace(GOOD.release, repository="git@example.com:b.git")), {"release": "bad"}),
        (past(current=OTHER), {"release": "warn", "rollback": "warn"}),
        (past(current=OTHER, lease=LEASE), {"lease": "warn"}),
        (past(current=OTHER, interrupted=CUT), {"operation": "bad"}),
        (past(lease={**LEASE, "standing": "died"}), {}),
        (past(previous={"id": None, "why_none": "nothing before"}), {"rollback": "warn"}),
        (past(releases=[], records=[], current=None, previous={"id": None}), {"rollback": "warn"}),
        (past(chain={"ok": False, "problems": ["line 2"]}), {"ledger": "bad"}),
        (past(records=[{"outcome": "reverted", "error": "sick"}]), {"last operation": "warn"}),
        (past(records=[*HISTORY["records"], {"outcome": "refused"}]), {}),
        (replace(GOOD, history={}, history_problem="denied"), {"ledger": "bad", "rollback": "warn"}),
        (replace(GOOD, disks=(Disk(("/",), 84.9, 1),)), {}),
        (replace(GOOD, disks=(Disk(("/",), 85.0, 1),)), {"disk": "warn"}),
        (replace(GOOD, disks=(Disk(("/",), 95.0, 1),)), {"disk": "bad"}),
        (replace(GOOD, disks=(Disk(("/",), 1.0, 1, 99.0),)), {"disk": "bad"}),
        (replace(GOOD, log=Log(files=("laravel.log",), counts={"ERROR": 1}, minutes=60)), {"log": "warn"}),
        (replace(GOOD, log=Log(problem="denied")), {"log": "warn"}),
    ],
)
def test_levels(reading: Reading, levels: dict[str, str]) -> None:
    assert by_topic(seen(reading)) == levels


@pytest.mark.parametrize("whose", ["of this collection", "by hand"])
def test_a_change_that_goes_on_is_told_and_no_repair(whose: str) -> None:
    """Somebody on call reads this in the middle of a colleague's deploy."""
    half = replace(
        app(boot_error="ParseError", database={"error": "no such table"}, queue={"error": "refused"}),
        down=True,
        caches=Caches(outdated=True),
        release=replace(GOOD.release, changes=("app/x.php",)),
        units=(unit("nginx"), unit("worker", "failed")),
    )
    assert {"application", "maintenance", "release", "migrations", "queue"} <= set(by_topic(seen(half)))
    assert any(row.ways for row in seen(half)) and "bad" in by_topic(seen(half)).values()
    lease = {**LEASE, "procedure": "deploy", "since": "2026-11-21T03:00:00Z", "operation": "op2"}
    if whose == "by hand":
        rows, what = seen(replace(half, by_hand="artisan migrate")), "artisan migrate"
    else:
        rows, what = seen(replace(half, history={**HISTORY, "lease": lease})), "deploy since 2026-11-21 03:00 UTC (op2)"
    assert not [row for row in rows if row.level == "bad" or row.ways], rows
    assert any(f"while this is under way: {what}" in row.text for row in rows)


def test_a_package_migration_is_not_unknown_to_an_application_that_does_not_boot() -> None:
    reading = app(boot_error="x", database={"applied": ["m1", "package"], "files": {}})
    assert judge.facts(reading)["unknown_migrations"] == []
    assert judge.facts(replace(reading, working_tree=("m1", "m2")))["pending_migrations"] == ["m2"]


def test_a_timer_schedules() -> None:
    service = replace(SERVICE, scheduler="app.timer")
    timer = replace(unit("app.timer"), id="app.timer", sub="waiting", type="")
    assert by_topic(seen(replace(GOOD, units=(*GOOD.units, timer)), service)) == {}
    stopped = replace(timer, active="inactive", sub="dead")
    assert by_topic(seen(replace(GOOD, units=(*GOOD.units, stopped)), service))["scheduler"] == "bad"


def test_maintenance_names_who_asked_for_it() -> None:
    asked = {
        "procedure": "maintenance",
        "outcome": "succeeded",
        "facts": {"maintenance": "down"},
        "finished": "2026-11-21T03:00:00Z",
        "actor": {"user": "ana"},
        "reason": "INC-1",
    }
    rows = seen(replace(past(records=[asked]), down=True))
    row = next(row for row in rows if row.topic == "maintenance")
    assert row.text.startswith("DOWN since 2026-11-21 03:00 UTC by ana: INC-1")


# -- the log -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain", "plain"),
        ('gone {"userId":1,"exception":"[object] (X)"}', "gone"),
        ('{"userId":1}', "(no text)"),
        ("SQLSTATE[HY000]: no column (Connection: sqlite, SQL: insert (a@example.com))", "SQLSTATE[HY000]: no column"),
        ("SQLSTATE[HY000]: no column (SQL: insert (a@example.com))", "SQLSTATE[HY000]: no column"),
        ("refused token=abc123 for all", "refused token=******** for all"),
        ("Authorization: Bearer abc.def refused", "Authorization: Bearer ******** refused"),
        ("the password 'x' is not here", "the password 'x' is not here"),
        ("x" * 200, "x" * 104 + " … " + "x" * 53),
    ],
)
def test_a_message_is_shown_without_data(message: str, shown: str) -> None:
    assert log_errors.shorten(message) == shown


LOG = """\
cut off in the middle
[2026-11-21 05:00:00] production.CRITICAL: old
[2026-11-21 06:30:00] production.ERROR: twice {"a":1}
[stacktrace]
#0 /srv/app/x.php(1): f()
[2026-11-21 06:40:00] production.ERROR: twice {"a":2}
[2026-11-21T06:50:00.123456+03:00] production.WARNING: a warning
[2026-11-21 07:00:00] production.EMERGENCY: down
"""


def write_log(folder: Path, text: str = LOG, name: str = "laravel.log", age: float = 60.0, now: float = 1e9) -> None:
    path = folder / name
    path.write_text(text)
    os.utime(path, (now - age, now - age))


def test_errors_are_counted_whatever_the_time_zone_of_the_log(tmp_path: Path) -> None:
    write_log(tmp_path)
    log = laravel_log.read_log(str(tmp_path), LIMITS, 1e9)
    assert log.counts == {"ERROR": 2, "EMERGENCY": 1}
    assert log.last == ("ERROR: twice (2 times)", "EMERGENCY: down")
    assert (log.complete, log.minutes, log.files) == (True, 60.0, ("laravel.log",))


def test_an_old_log_says_nothing_about_now(tmp_path: Path) -> None:
    write_log(tmp_path, age=7200)
    log = laravel_log.read_log(str(tmp_path), LIMITS, 1e9)
    assert (log.counts, log.silent_minutes) == ({}, 120.0)


def test_a_log_that_was_read_in_part_says_how_far_back(tmp_path: Path) -> None:
    lines = [f"[2026-11-21 07:{minute:02d}:00] production.ERROR: {'x' * 100}\n" for minute in range(60)]
    write_log(tmp_path, "".join(lines), age=0)
    log = laravel_log.read_log(str(tmp_path), replace(LIMITS, log_kib=1), 1e9)
    assert not log.complete
    assert log.counts["ERROR"] == log.minutes + 1 < 10


def test_daily_files_are_read_together_and_other_files_are_not(tmp_path: Path) -> None:
    line = "[2026-11-21 07:00:00] production.ERROR: one\n"
    for name in ("laravel-2026-11-20.log", "laravel-2026-11-21.log", "worker.log"):
        write_log(tmp_path, line, name)
    assert laravel_log.read_log(str(tmp_path), LIMITS, 1e9).counts == {"ERROR": 2}


@pytest.mark.parametrize(("there", "problem"), [(True, ""), (False, "there is no folder")])
def test_no_log_is_told_from_no_folder(tmp_path: Path, there: bool, problem: str) -> None:
    folder = tmp_path if there else tmp_path / "logs"
    assert problem in laravel_log.read_log(str(folder), LIMITS, 1e9).problem
    assert bool(laravel_log.read_log(str(folder), LIMITS, 1e9).problem) is not there


@given(st.binary(max_size=400), st.integers(1, 200))
def test_a_tail_begins_at_the_beginning_of_a_line(tmp_path_factory: Any, content: bytes, size: int) -> None:
    path = tmp_path_factory.getbasetemp() / "tail"
    path.write_bytes(content)
    text, whole = laravel_log.tail_of(str(path), size)
    assert whole is (len(content) <= size)
    if whole:
        assert text == content.decode("utf-8", "replace")
    else:
        assert text in ("", *(b"\n".join(content.split(b"\n")[n:]).decode("utf-8", "replace") for n in range(1, 401)))


def test_disks_are_told_once(tmp_path: Path) -> None:
    inner, missing = tmp_path / "storage", tmp_path / "not" / "yet"
    inner.mkdir()
    found = status_rows.disks((str(tmp_path), str(inner), str(missing)))
    assert [disk.paths for disk in found] == [(str(tmp_path),)]
    assert 0 <= found[0].percent <= 100


# -- the screen ----------------------------------------------------------------------------------


def result(reading: Reading) -> dict[str, Any]:
    rows = seen(reading)
    plain = [{"topic": row.topic, "level": row.level, "text": row.text, "details": row.details} for row in rows]
    return {"verdict": status_rows.verdict(rows), "rows": plain, "facts": judge.facts(reading)}


SICK = replace(GOOD, health=(UNHEALTHY,), log=Log(files=("laravel.log",), counts={"ERROR": 1}, minutes=60))


def test_the_screen_of_one_host_opens_with_the_verdict_and_has_every_row() -> None:
    lines = status_report.status_lines({"web1": result(SICK)})
    assert lines[0] == "BAD: web1: bad: health api; to look at: log"
    assert sum(line.startswith("ok") for line in lines) == len(seen(SICK)) - 2
    assert any(line.endswith("expected status 200, got 500") for line in lines)
    assert len(lines) < 40


def test_the_screen_of_a_fleet_shows_only_what_is_not_well() -> None:
    lines = status_report.status_lines(
        {"web1": result(GOOD), "web2": result(SICK), "web3": {"unreachable": True, "msg": "no route"}}
    )
    assert [line.split()[:2] for line in lines[1:4]] == [["web1", "OK"], ["web2", "BAD"], ["web3", "BAD"]]
    assert "can't be reached: no route" in lines[3]
    assert "on web2:" in lines
    assert "on web1:" not in lines
    assert not any(line.startswith("ok ") for line in lines)


def test_a_host_that_was_not_read_is_bad() -> None:
    assert status_report.status_lines({"web1": {}}) == ["BAD   web1 was not read: it did not answer"]
