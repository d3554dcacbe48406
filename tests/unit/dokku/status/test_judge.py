"""The morning's look at an app of Dokku: what is judged how, and what a person reads of it."""

from __future__ import annotations

import json
import os
import pwd
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.docker import container_usage
from ansible_collections.ops.runbook.plugins.module_utils.docker.container_usage import Sample
from ansible_collections.ops.runbook.plugins.module_utils.dokku import holds as dokku_holds
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, StillRuns
from ansible_collections.ops.runbook.plugins.module_utils.dokku.nginx_check import Broken
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import judge, outside
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import look as dokku_look
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import screen as dokku_screen
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status.reading import (
    PRODUCTION,
    STAGING,
    App,
    Certificate,
    Reading,
    Service,
    Usage,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.health import gate
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Disk
from ansible_collections.ops.runbook.plugins.module_utils.text import log_errors
from ansible_collections.ops.runbook.plugins.module_utils.text.log_errors import Found

NOW = 1_795_000_000.0


def release(number: int, state: str = "held", image: str = "") -> dict[str, Any]:
    return {
        "number": number,
        "state": state,
        "image_id": image or f"sha256:{number:064x}",
        "recorded_at": f"2026-11-{number:02d}T08:00:00Z",
        "by": "deploy",
        "source": "git-hook",
        "revision": "3f2a9c1b" * 5,
        "source_image": "",
        "rollback_to": None,
    }


RELEASES = [release(14, "live"), release(13), release(12), release(11)]
REPORT = {
    "live": "14",
    "live-image": RELEASES[0]["image_id"],
    "latest-image": RELEASES[0]["image_id"],
    "latest-is-live": "true",
    "previous": "13",
    "held": "4",
    "pinned": "",
    "keep-images": "5",
    "pending-rollback": "",
    "config-drift": "",
}
APP = App(
    name="restant-main",
    running="true",
    processes={"web.1": "running", "worker.1": "running"},
    limits={"_default_.limit.memory": "512m", "_default_.limit.cpu": "2"},
    usage={"web.1": Usage(100 * 2**20, 512 * 2**20, 0.1)},
    certificate=Certificate(60, True, True),
    releases=RELEASES,
    report=REPORT,
    log=Found(500, {}, ()),
)
GOOD = Reading(
    apps=(APP, replace(APP, name="restant-staging", role=STAGING)),
    services=(Service("mysql", "restant-db", "running", True, 12.0),),
    endpoints=(gate.Result("health", "https://restant.example.com/health", True, 200, 0.1, tls_days=60),),
    disks=(Disk(("/",), 20.0, 2**35, 3.0),),
    history={"records": [], "lease": None},
    now=NOW,
)


def with_app(**changes: Any) -> Reading:
    return replace(GOOD, apps=(replace(APP, **changes), GOOD.apps[1]))


def levels(reading: Reading) -> dict[str, str]:
    """Levels other than ok, by topic."""
    return {row.topic: row.level for row in judge.judge(reading, Limits()) if row.level != "ok"}


def test_a_host_whose_nginx_refuses_a_file_is_bad_though_every_app_answers() -> None:
    broken = Broken(
        "[emerg] invalid value in /home/dokku/other/nginx.conf:3", "/home/dokku/other/nginx.conf", ("other",)
    )
    (row,) = [row for row in judge.judge(replace(GOOD, nginx=broken), Limits()) if row.level != "ok"]
    assert (row.topic, row.level) == ("nginx", "bad") and "the file of other" in row.text and "[emerg]" in row.text
    assert any("nginx:validate-config" in line for line in row.ways)


def test_an_app_that_is_well_has_nothing_to_say() -> None:
    rows = judge.judge(GOOD, Limits())
    assert levels(GOOD) == {}
    assert judge.verdict(rows)["text"] == "all is well"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"missing": True}, {"restant-main processes": "bad"}),
        ({"deployed": False}, {"restant-main processes": "bad"}),
        ({"processes": {"web.1": "running", "worker.1": "exited"}}, {"restant-main processes": "bad"}),
        ({"running": "false", "processes": {}}, {"restant-main processes": "bad"}),
        ({"problems": {"ps": "dokku ps:report ended with 1"}}, {"restant-main processes": "bad"}),
        ({"releases": None, "report": {}}, {"restant-main release": "warn"}),
        ({"releases": [], "report": {**REPORT, "live": ""}}, {"restant-main release": "warn"}),
        ({"report": {**REPORT, "live": ""}}, {"restant-main release": "warn"}),
        ({"report": {**REPORT, "previous": ""}}, {"restant-main release": "warn"}),
        ({"report": {**REPORT, "latest-is-live": "false"}}, {"restant-main image": "bad"}),
        ({"report": {**REPORT, "latest-is-live": "false", "latest-image": ""}}, {"restant-main image": "bad"}),
        ({"report": {**REPORT, "pending-rollback": "12"}}, {"restant-main rollback": "bad"}),
        ({"report": {**REPORT, "strays": "restant-main.web.1.upcoming-7"}}, {"restant-main containers": "bad"}),
        (
            {"report": {**REPORT, "strays-stopped": "restant-main.web.1.upcoming-7"}},
            {"restant-main containers": "warn"},
        ),
        # A half-done operation is not damage.
        (
            {
                "report": {
                    **REPORT,
                    "under-way": "git:sync since 2026-11-29T20:56:25Z",
                    "pending-rollback": "3",
                    "latest-is-live": "false",
                    "live": "",
                },
                "locked": True,
            },
            {},
        ),
        ({"report": {**REPORT, "config-drift": "APP_KEY"}}, {"restant-main config": "warn"}),
        ({"report": {**REPORT, "config-drift": "GIT_REV"}}, {}),
        ({"releases": [RELEASES[0], release(13, "unheld")]}, {"restant-main holds": "warn"}),
        ({"releases": [RELEASES[0], release(13, "gone")]}, {"restant-main holds": "warn"}),
        ({"locked": True}, {"restant-main lock": "warn"}),
        ({"certificate": Certificate(15, True, True)}, {}),
        ({"certificate": Certificate(14, True, True)}, {"restant-main certificate": "warn"}),
        ({"certificate": Certificate(7, True, True)}, {"restant-main certificate": "bad"}),
        ({"certificate": Certificate(-3, False)}, {"restant-main certificate": "bad"}),
        ({"certificate": Certificate(60, True, False)}, {"restant-main certificate": "warn"}),
        ({"certificate": Certificate()}, {"restant-main certificate": "warn"}),
        ({"certificate": None}, {"restant-main certificate": "warn"}),
        ({"usage": {"web.1": Usage(450 * 2**20, 512 * 2**20)}}, {"restant-main resources": "warn"}),
        ({"usage": {"web.1": Usage(2**20, 512 * 2**20, 0.1, 2)}}, {"restant-main resources": "warn"}),
        ({"usage": {"web.1": Usage(2**20, None)}}, {"restant-main resources": "warn"}),
        ({"limits": {"_default_.limit.cpu": "2000m"}}, {"restant-main resources": "warn"}),
        ({"limits": {}, "usage": {}}, {}),
        ({"log": Found(500, {"error": 2}, ("x",))}, {"restant-main log": "warn"}),
        ({"log": Found(500, {"5xx": 1}, ("x",))}, {"restant-main log": "warn"}),
        ({"log": Found(500, {"warning": 9}, ())}, {}),
        ({"log": None}, {"restant-main log": "warn"}),
    ],
)
def test_faults_of_an_app_are_named(changes: dict[str, Any], found: dict[str, str]) -> None:
    assert levels(with_app(**changes)) == found


@pytest.mark.parametrize(
    ("reading", "found"),
    [
        (replace(GOOD, endpoints=()), {"endpoints": "warn"}),
        (replace(GOOD, endpoints=(replace(GOOD.endpoints[0], ok=False, status=502),)), {"endpoint health": "bad"}),
        (replace(GOOD, endpoints=(replace(GOOD.endpoints[0], tls_days=10),)), {"endpoint health": "warn"}),
        (replace(GOOD, services=(Service("mysql", "db", "missing"),)), {"mysql db": "bad"}),
        (replace(GOOD, services=(Service("mysql", "db", "running", False, 1.0),)), {"mysql db": "warn"}),
        (replace(GOOD, services=(Service("mysql", "db", "running", True, None, "denied"),)), {"mysql db": "bad"}),
        (replace(GOOD, services=(Service("mysql", "db", problem="no plugin"),)), {"mysql db": "bad"}),
        (replace(GOOD, disks=(Disk(("/",), 96.0, 1),)), {"disk": "bad"}),
        (replace(GOOD, history_problem="denied"), {"ledger": "bad"}),
    ],
)
def test_faults_around_an_app_are_named(reading: Reading, found: dict[str, str]) -> None:
    assert levels(reading) == found


def test_staging_that_is_down_is_no_alarm() -> None:
    down = replace(GOOD, apps=(APP, App("restant-staging", STAGING, missing=True)))
    assert levels(down) == {"restant-staging processes": "warn"}


def test_a_host_on_which_dokku_cannot_be_called_still_has_a_screen() -> None:
    reading = replace(GOOD, apps=(), services=(), call_problem="ops may not call dokku", way="echo rule")
    rows = judge.judge(reading, Limits())
    assert (rows[0].level, rows[0].details) == ("bad", ("echo rule",))
    assert {"disk", "endpoint health", "lease"} <= {row.topic for row in rows}


def test_a_lock_during_an_operation_of_ours_is_no_news() -> None:
    lease = {"standing": "running", "holder": "ops", "expires": "2026-11-21T03:00:00Z"}
    reading = replace(with_app(locked=True), history={"records": [], "lease": lease})
    assert "restant-main lock" not in levels(reading)


@pytest.mark.parametrize(
    ("days", "outcome", "level"), [(3, "succeeded", "ok"), (9, "succeeded", "warn"), (1, "failed", "warn")]
)
def test_maintenance_that_is_late_or_failed_is_said(days: int, outcome: str, level: str) -> None:
    finished = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW - days * 86400 - 60))
    record = {"procedure": "maintenance", "outcome": outcome, "finished": finished, "facts": {"cadence": "weekly"}}
    rows = judge.judge(replace(GOOD, history={"records": [record]}), Limits())
    assert next(row.level for row in rows if row.topic == "maintenance") == level


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [("512m", 2**29), ("1g", 2**30), ("2048M", 2**31), ("512", 2**29), ("1.5g", 3 * 2**29), ("lots", None), ("", None)],
)
def test_a_memory_limit_is_read_as_docker_has_it(text: str, found: int | None) -> None:
    assert judge.memory_bytes(text) == found


@pytest.mark.parametrize(
    ("key", "value", "refused"),
    [
        ("_default_.limit.cpu", "2000m", True),
        ("_default_.limit.cpu", "2", False),
        ("web.limit.cpu", "0.5", False),
        ("web.limit.memory", "lots", True),
        ("web.reserve.memory", "lots", False),
        ("web.limit.cpu", "", False),
    ],
)
def test_an_invalid_limit_is_named_before_the_next_deploy(key: str, value: str, refused: bool) -> None:
    assert bool(judge.refused_limits({key: value})) == refused


# -- holds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("releases", "report", "missing", "gone", "doubtful"),
    [
        (RELEASES, REPORT, (), (), ()),
        ([RELEASES[0], release(13, "unheld"), release(12)], REPORT, (13,), (), ()),
        ([RELEASES[0], release(13, "gone")], {**REPORT, "held": "1"}, (), (13,), ()),
        # One hold less than there has to be, and the list shows none that is missing: it is that of the live one.
        (RELEASES, {**REPORT, "held": "3"}, (), (), (14,)),
        # Beyond the limit nothing has to be held.
        ([RELEASES[0], release(13), release(12, "unheld")], {**REPORT, "keep-images": "2", "held": "2"}, (), (), ()),
        # Pinned ones are kept whatever comes.
        ([RELEASES[0], release(3, "unheld")], {**REPORT, "keep-images": "1", "pinned": "3", "held": "1"}, (3,), (), ()),
    ],
)
def test_holds(
    releases: list[dict[str, Any]],
    report: dict[str, str],
    missing: tuple[int, ...],
    gone: tuple[int, ...],
    doubtful: tuple[int, ...],
) -> None:
    holds = dokku_holds.judge("app", releases, report)
    assert (holds.missing, holds.gone, holds.doubtful) == (missing, gone, doubtful)


@given(st.lists(st.sampled_from(["held", "unheld", "gone", "live"]), min_size=1, max_size=9), st.integers(1, 6))
def test_a_repair_names_only_what_is_kept_and_there(states: list[str], keep: int) -> None:
    releases = [release(20 - at, state) for at, state in enumerate(states)]
    holds = dokku_holds.judge("app", releases, {"keep-images": str(keep), "held": "0"})
    assert set(dokku_holds.to_hold(holds)) <= {20 - at for at in range(keep)}
    assert not set(dokku_holds.to_hold(holds)) & set(holds.gone)


# -- log -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("[2026-11-21 03:00:00] production.ERROR: SQLSTATE[HY000] [2002]", "error"),
        ("[2026-11-21 03:00:00] production.INFO: error page was shown", ""),
        ("level=error msg=boom", "error"),
        ('{"level":"info","msg":"no error at all"}', ""),
        ("2026/11/21 03:00:00 [error] 7#7: upstream timed out", "error"),
        ("ERROR: relation does not exist", "error"),
        ("Traceback (most recent call last):", "error"),
        ("java.lang.NullPointerException: null", "error"),
        ("PHP Fatal error:  Uncaught Exception", "error"),
        ("warn: demo line on stderr", "warning"),
        ("PHP Warning:  Undefined variable", "warning"),
        ('172.17.0.1 - - [21/Nov/2026] "GET /a HTTP/1.1" 502 157 "-"', "5xx"),
        ('172.17.0.1 - - [21/Nov/2026] "GET /error HTTP/1.1" 200 157 "-"', ""),
        ("GET /a 500", "5xx"),
        ("GET /a 200", ""),
        ("build finished with 0 errors", ""),
        ("terror is not an err", ""),
    ],
)
def test_a_line_is_what_it_says_itself(line: str, kind: str) -> None:
    assert log_errors.kind(line) == kind


def test_the_last_errors_are_distinct_and_without_secrets() -> None:
    text = "\n".join(
        ["ok", "ERROR one", "ERROR one", "\x1b[31mERROR\x1b[0m login password=hunter22", "ERROR s3cr3tvalue"]
    )
    found = log_errors.search(text, lambda line: line.replace("s3cr3tvalue", "********"), 3)
    assert found.counts == {"error": 4}
    assert found.last == ("ERROR one (2 times)", "ERROR login password=********", "ERROR ********")


# -- usage ---------------------------------------------------------------------------------------


def test_the_kernels_files_are_read_in_both_versions(tmp_path: Path) -> None:
    one, other = "a" * 64, "b" * 64
    new = tmp_path / "system.slice" / f"docker-{one}.scope"
    old = tmp_path / "memory" / "docker" / other
    for folder, files in {
        new: {
            "memory.current": "104857600",
            "memory.stat": "anon 1\ninactive_file 4857600",
            "memory.max": "max",
            "cpu.stat": "usage_usec 2500000",
            "memory.events": "oom_kill 3",
        },
        old: {
            "memory.usage_in_bytes": "1000",
            "memory.stat": "inactive_file 1\ntotal_inactive_file 400",
            "memory.limit_in_bytes": "5000",
            "cpuacct.usage": "1500000000",
        },
    }.items():
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_text(content + "\n")
    found = container_usage.folders([one[:11], other[:12]], [str(tmp_path), str(tmp_path / "memory")])
    first, second = (container_usage.sample(found[identity]) for identity in (one[:11], other[:12]))
    assert (first.memory, first.limit, first.cpu_seconds, first.oom_kills) == (100000000, None, 2.5, 3)
    assert (second.memory, second.limit, second.cpu_seconds) == (600, 5000, 1.5)


def test_cores_are_what_was_used_between_two_looks() -> None:
    assert container_usage.cores(Sample(1.0, cpu_seconds=2.0), Sample(3.0, cpu_seconds=3.0)) == 0.5
    assert container_usage.cores(Sample(1.0), Sample(3.0, cpu_seconds=3.0)) is None


# -- reading -------------------------------------------------------------------------------------

CANARY = "k9Q!canary-7f3a/zz"
ANSWERS = {
    "version": "dokku version 0.38.27",
    "ps:report app --format json": json.dumps(
        {"deployed": "true", "running": "mixed", "status-web.1": "running (CID: 0123456789a)", "status-web.2": "exited"}
    ),
    "resource:report app --format json": "{}",
    "letsencrypt:report app --format json": json.dumps({"active": "true", "autorenew": "true", "expiration": "0"}),
    "config:export --merged app --format json": json.dumps({"APP_KEY": CANARY, "APP_ENV": "production"}),
    "logs app -n 500 -q": f"ERROR the key is {CANARY}\nGET / 200",
    "mysql:info db --status": "running",
    "mysql:linked db app": "",
    "mysql:connect db": "1",
}


def fake(folder: Path, answers: dict[str, str]) -> Dokku:
    """A dokku that answers these calls, and to all others that it does not know them."""
    script = folder / "dokku"
    cases = "".join(f"{json.dumps(call)}) cat {folder}/{at} ;;\n" for at, call in enumerate(answers))
    for at, answer in enumerate(answers.values()):
        (folder / str(at)).write_text(answer + "\n")
    unknown = '*) echo " !     \\`$*\\` is not a dokku command." >&2; exit 1'
    script.write_text(f'#!/bin/sh\necho "$*" >>{folder}/calls\ncase "$*" in\n{cases}{unknown}\nesac\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return Dokku(str(script), pwd.getpwuid(os.geteuid()).pw_name)


def look(folder: Path, answers: dict[str, str]) -> dict[str, Any]:
    scope = dokku_look.Scope("app", services=(("mysql", "db"), ("redis", "cache")))
    return dokku_look.status(fake(folder, answers), scope, Guard(str(folder / "state")), [], Limits())


@pytest.mark.parametrize("shown", [1, 2])
def test_as_many_errors_of_the_log_are_shown_as_the_inventory_says(tmp_path: Path, shown: int) -> None:
    log = "\n".join(f"ERROR {word} is missing" for word in ("alpha", "beta", "gamma"))
    dokku = fake(tmp_path, {**ANSWERS, "logs app -n 500 -q": log})
    found, _shown = dokku_look.read_log(dokku, "app", Limits(log_shown=shown))
    assert found is not None and len(found.last) == shown and "gamma" in found.last[-1]


def test_a_host_of_which_half_is_down_gives_a_screen(tmp_path: Path) -> None:
    found = look(tmp_path, ANSWERS)
    rows = {row["topic"]: row for row in found["rows"]}
    assert rows["app processes"]["text"] == "web.2 is exited; 1 of 2 run"
    assert "the plugin `releases` is missing" in rows["app release"]["text"]
    assert rows["app certificate"]["level"] == "bad"
    assert rows["redis cache"]["text"] == "the plugin redis is not installed on this host"
    assert rows["mysql db"]["text"].startswith("runs, answered in")
    assert found["verdict"]["level"] == "bad"


STATE = {
    "releases:state app --format json": json.dumps(
        {"releases": RELEASES, "report": {**REPORT, "under-way": ""}, "ps": {"deployed": "true", "running": "true"}}
    )
}


def test_a_status_asks_dokku_for_the_state_of_an_app_once(tmp_path: Path) -> None:
    """A call of dokku is the dear thing on a host in trouble, and the status is what is called there."""
    found = look(tmp_path, {**ANSWERS, **STATE})
    assert next(row for row in found["rows"] if row["topic"] == "app release")["text"].startswith("14 since")
    calls = sorted(line.partition(" ")[0] for line in (tmp_path / "calls").read_text().splitlines())
    services = ["mysql:connect", "mysql:info", "mysql:linked", "redis:info"]
    own = "apps:locked certs:report config:export letsencrypt:report logs nginx:validate-config releases:state"
    assert calls in (
        sorted([*own.split(), "resource:report", "version", *services]),
        sorted([*own.replace("certs:report ", "").split(), "resource:report", "version", *services]),
    )


class LateWithTheState(Dokku):
    """A host that is too busy to tell the state of an app in time."""

    def json(self, *args: str, timeout: float | None = None) -> Any:
        if args[0] == "releases:state":
            raise StillRuns("dokku releases:state did not end within 30 s, and keeps running")
        return super().json(*args, timeout=timeout)


def test_a_slow_answer_of_a_busy_host_is_not_asked_for_in_a_dearer_way(tmp_path: Path) -> None:
    """The call goes on, and those that it stands for cost three times as much."""
    known = fake(tmp_path, ANSWERS)
    app = dokku_look.read_app(LateWithTheState(known.command, known.user), "app", PRODUCTION, Limits())
    asked = {line.partition(" ")[0] for line in (tmp_path / "calls").read_text().splitlines()}
    assert asked.isdisjoint({"releases", "releases:report", "ps:report", "builds:list"})
    rows = {row.topic: row.text for row in judge.judge(Reading(apps=(app,), now=NOW), Limits())}
    assert "did not end within 30 s" in rows["app release"] and "did not end within 30 s" in rows["app processes"]


#: What a status could take for damage in the midst of a change.
HALF_DONE: dict[str, Any] = {
    "running": "mixed",
    "processes": {"web.1": "missing", "worker.1": "created"},
    "locked": True,
    "report": {
        **REPORT,
        "live": "",
        "latest-is-live": "false",
        "pending-rollback": "3",
        "config-drift": "GREETING",
        "strays": "web.1.upcoming-7",
        "strays-stopped": "web.1.old",
    },
}
LEASE = {
    "standing": "running",
    "holder": "operation 20261121T031500Z-c2af44 (rollback by anna from bastion since 2026-11-21T03:15:00Z)",
    "procedure": "rollback",
    "since": "2026-11-21T03:15:00Z",
    "operation": "20261121T031500Z-c2af44",
    "expires": "2026-11-21T03:30:00Z",
}


@pytest.mark.parametrize("whose", ["of Dokku", "of this collection"])
def test_a_change_that_goes_on_is_told_and_no_repair(whose: str) -> None:
    """Somebody on call reads this in the middle of a colleague's deploy."""
    half = {**HALF_DONE, "report": dict(HALF_DONE["report"])}
    reading = with_app(**half)
    assert any(row.ways for row in judge.judge(reading, Limits()) if row.topic.startswith("restant-main"))
    if whose == "of Dokku":
        half["report"]["under-way"] = "a rollback to release 3 since 2026-11-21T03:15:00Z"
        reading = with_app(**half)
    else:
        reading = replace(reading, history={"records": [], "lease": LEASE})
    rows = [row for row in judge.judge(reading, Limits()) if row.topic.startswith("restant-main")]
    (told,) = [row for row in rows if row.topic == "restant-main release"]
    assert told.text.startswith("under way: ") and "rollback" in told.text and "2026-11-21" in told.text
    assert not any(row.level == "bad" or row.ways or "dokku " in row.text for row in rows), rows


NGINX = {
    "no nginx.conf, as after a reboot": (
        {"nginx-config": "missing"},
        "true",
        "it has no nginx.conf",
        "proxy:build-config",
    ),
    "another app's container, as after a rename that failed": (
        {"nginx-config": "stale 172.17.0.5 shop.web.1"},
        "true",
        "leads its visitors to 172.17.0.5, which is the container shop.web.1",
        "proxy:build-config",
    ),
    "the same of an app without a container": (
        {"nginx-config": "stale 172.17.0.5 shop.web.1"},
        "false",
        "and none of its own",
        "ps:rebuild",
    ),
}


@pytest.mark.parametrize("case", NGINX.values(), ids=NGINX)
def test_a_fault_of_nginx_is_named_with_its_remedy(case: tuple[dict[str, str], str, str, str]) -> None:
    """The endpoint may answer well all the same: it is another app that answers."""
    report, running, text, way = case
    rows = judge.judge(with_app(report={**REPORT, **report}, running=running), Limits())
    (row,) = [row for row in rows if row.topic == "restant-main nginx"]
    assert row.level == "bad" and text in row.text and row.ways[0].startswith(f"dokku {way} restant-main ")
    under_way = {**REPORT, **report, "under-way": "git-hook since 2026-11-21T03:15:00Z"}
    rows = judge.judge(with_app(report=under_way), Limits())
    assert not [row for row in rows if row.topic == "restant-main nginx"]


def test_an_app_without_a_proxy_needs_no_nginx_conf(tmp_path: Path) -> None:
    state = json.loads(next(iter(STATE.values())))
    state["report"]["nginx-config"] = "missing"
    answers = {**ANSWERS, next(iter(STATE)): json.dumps(state)}
    topics = {row["topic"]: row for row in look(tmp_path, answers)["rows"]}
    assert topics["app nginx"]["level"] == "bad"
    off = json.dumps({"enabled": "false", "computed-type": "nginx"})
    topics = {row["topic"]: row for row in look(tmp_path, {**answers, "proxy:report app --format json": off})["rows"]}
    assert "app nginx" not in topics


def test_an_operation_that_was_cut_off_has_one_advice() -> None:
    """By hand the rollback ends too, and the journal still calls it interrupted."""
    cut = {"procedure": "rollback", "operation": "1", "text": "cut off in a step", "ways": ["resume"]}
    reading = replace(with_app(report={**REPORT, "pending-rollback": "3"}), history={"records": [], "interrupted": cut})
    lines = [line for row in judge.judge(reading, Limits()) for line in (*row.details, *row.ways)]
    assert [line for line in lines if "rollback" in line] == ["dokku_rollback with -e interrupted=resume"]
    alone = with_app(report={**REPORT, "pending-rollback": "3"})
    assert any("finishes it" in line for row in judge.judge(alone, Limits()) for line in row.ways)


def test_no_value_of_the_configuration_leaves_the_host(tmp_path: Path) -> None:
    assert CANARY not in json.dumps(look(tmp_path, ANSWERS))


def test_no_line_is_shown_while_the_secrets_are_not_known(tmp_path: Path) -> None:
    answers = {call: answer for call, answer in ANSWERS.items() if not call.startswith("config:export")}
    found = look(tmp_path, answers)
    log = next(row for row in found["rows"] if row["topic"] == "app log")
    assert log["text"].startswith("1 error ")
    assert CANARY not in json.dumps(found)


def test_without_dokku_there_is_one_row_about_that(tmp_path: Path) -> None:
    dokku = Dokku(str(tmp_path / "none"), "dokku")
    found = dokku_look.status(dokku, dokku_look.Scope("app"), Guard(str(tmp_path / "state")), [], Limits())
    assert [row["topic"] for row in found["rows"] if row["level"] == "bad"] == ["dokku"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1795000000", 1795000000.0),
        ("Nov 18 14:26:40 2026 GMT", 1795012000.0),
        ("Nov  8 14:26:40 2026 GMT", 1794148000.0),
        ("", None),
        ("never", None),
    ],
)
def test_the_end_of_a_certificate(text: str, found: float | None) -> None:
    assert dokku_look.certificate_end(text) == found


# -- from outside --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "asked"),
    [
        ({"url": "https://restant.example.com/health"}, True),
        ({"url": "http://localhost/health"}, False),
        ({"url": "http://127.0.0.1:5000/health"}, False),
        ({"url": "https://restant.example.com/health", "connect_to": "127.0.0.1:443"}, False),
        ({"url": "http://[::1]/health"}, False),
        ({"url": "http://10.0.0.5/health"}, True),
    ],
)
def test_an_address_of_the_host_itself_is_not_asked_from_elsewhere(check: dict[str, str], asked: bool) -> None:
    assert bool(outside.checks([{"name": "health", **check}], True)) == asked
    assert not outside.checks([{"name": "health", **check}], "false")


def test_answers_seen_from_the_controller_count_too() -> None:
    rows = [row.document() for row in judge.judge(GOOD, Limits())]
    found = {"rows": rows, "facts": judge.facts(GOOD), "verdict": {"level": "ok"}}
    seen = [gate.Result("health", "https://restant.example.com/health", False, None, reason="refused")]
    joined = outside.joined(found, seen, {})
    assert joined["verdict"]["bad"] == ["endpoint health"]
    assert joined["facts"]["endpoints"]["controller"][0]["reason"] == "refused"


# -- the screen ----------------------------------------------------------------------------------


def screen(reading: Reading) -> list[str]:
    rows = judge.judge(reading, Limits())
    result = {
        "verdict": judge.verdict(rows),
        "rows": [row.document() for row in rows],
        "facts": judge.facts(reading),
    }
    return dokku_screen.status_lines({"dokku1": result})


def test_a_good_morning_fits_one_screen() -> None:
    lines = screen(GOOD)
    assert lines[0] == "OK: dokku1: all is well"
    assert len(lines) <= 34
    assert max(map(len, lines)) <= 80


@given(st.text(min_size=1, max_size=400))
def test_no_line_is_wider_than_the_screen(text: str) -> None:
    reading = with_app(problems={"ps": text}, log=Found(1, {"error": 1}, (text,)))
    assert max(map(len, screen(reading))) <= 80


def test_a_host_that_was_not_reached_is_bad() -> None:
    lines = dokku_screen.status_lines({"dokku1": {"unreachable": True, "msg": "no route to host"}})
    assert lines == ["BAD: dokku1 can't be reached: no route to host"]
