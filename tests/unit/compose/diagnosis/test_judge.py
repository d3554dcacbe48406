"""The verdict names the cause first, in words, and what follows from it after."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import bundle
from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis.judge import (
    Answer,
    DiskUse,
    Facts,
    Seen,
    diagnose,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.typed_line import Lines
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import Row
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact

LINES = Lines("cd /srv/shop && docker compose -f prod.yml", "docker")
SERVICES = {"proxy": (), "backend": ("db",), "worker": ("db",), "web": (), "db": ()}


def well(service: str, **other: object) -> Seen:
    return replace(Seen(f"shop-{service}-1", service, "running", "healthy", up=4000.0), **other)  # type: ignore[arg-type]


OUTSIDE = Answer("host", "health", 200, "", "proxy", 80)
PROXY = Answer("proxy", "http://localhost/api/v1/health", 200, "", "proxy", 80)
WEB = Answer("web", "http://localhost:3000/", 200, "", "web", 3000)
BACKEND = Answer("backend", "http://localhost:8000/health", 200, "", "backend", 8000)
#: The proxy's own page, behind which nothing is.
PING = Answer("proxy", "http://localhost/ping", 200, "", "proxy", 80)
#: Lines as nginx and Caddy write them.
REFUSED = (
    "2026/11/30 02:00:00 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, "
    'client: 10.0.0.9, server: , request: "GET /api/ HTTP/1.1", upstream: "http://172.20.0.3:9001/api/", host: "x"'
)
UNRESOLVED = (
    "2026/11/30 02:00:00 [error] 31#31: *7 backendd could not be resolved (3: Host not found), client: 10.0.0.9, "
    'server: , request: "GET /api/ HTTP/1.1", host: "x"'
)
DENIED = '2026-11-30 02:00:00.000 UTC [77] FATAL:  password authentication failed for user "shop"'
BAD_GATEWAY = replace(OUTSIDE, status=502, problem="expected status 200, got 502")
STACK = Facts(
    LINES,
    services=SERVICES,
    containers=tuple(well(name) for name in SERVICES),
    answers=(OUTSIDE, PROXY, WEB),
    disks=(DiskUse(("/srv",), 40.0, 10**10, 3.0),),
)


def with_state(facts: Facts, *changed: Seen, gone: tuple[str, ...] = (), **other: object) -> Facts:
    by_service = {seen.service: seen for seen in changed}
    containers = tuple(by_service.get(seen.service, seen) for seen in facts.containers if seen.service not in gone)
    return replace(facts, containers=containers, **other)  # type: ignore[arg-type]


TABLE = {
    "all is well": (STACK, "ok", "all is well"),
    "a crash loop behind the proxy": (
        with_state(
            STACK,
            well("backend", state="restarting", health="", exit_code=1, restarts=14, up=None),
            answers=(BAD_GATEWAY, PROXY, WEB),
        ),
        "bad",
        "health answers 502: backend is restarting again and again: exit code 1, 14 restarts",
    ),
    "the database is gone, and others with it": (
        with_state(
            STACK,
            well("db", state="exited", health="", exit_code=137, up=None),
            well("backend", health="unhealthy", checks=("exit 1: no database",)),
            well("worker", health="unhealthy"),
            answers=(replace(OUTSIDE, status=503, problem="got 503"), PROXY, WEB),
        ),
        "bad",
        "health answers 503: db is not running: exit code 137, it was killed (SIGKILL). "
        "backend and worker depend on that, and can't be well either",
    ),
    "out of memory": (
        with_state(STACK, well("web", state="exited", health="", exit_code=137, oom_killed=True, up=None)),
        "bad",
        "web is not running: it needed more memory than it may have, and was killed (OOM, exit code 137)",
    ),
    "between two deaths": (
        with_state(STACK, well("web", health="starting", restarts=4, up=2.0)),
        "bad",
        "web is restarting again and again: 4 restarts, the last one 2 s ago",
    ),
    "no container": (
        with_state(STACK, gone=("worker",)),
        "bad",
        "worker has no container: it was never started, or was removed",
    ),
    "a port that is taken": (
        with_state(STACK, well("proxy", state="created", health="", error="port is already allocated", up=None)),
        "bad",
        "proxy was never started: port is already allocated",
    ),
    "unhealthy, with what the check said": (
        with_state(STACK, well("web", health="unhealthy", checks=("exit 1: old", "exit 1: connection refused"))),
        "bad",
        "web runs, but its health check fails: exit 1: connection refused",
    ),
    "two causes": (
        with_state(
            STACK,
            well("web", state="paused", health="", up=None),
            well("proxy", state="exited", health="", exit_code=127, up=None),
        ),
        "bad",
        "proxy is not running: exit code 127, its command was not found in the image; web is paused",
    ),
    "it had one thing to do": (
        with_state(STACK, well("db", state="exited", health="", up=None), once=frozenset({"db"})),
        "ok",
        "all is well",
    ),
    "its one thing failed": (
        with_state(STACK, well("db", state="exited", health="", exit_code=2, up=None), once=frozenset({"db"})),
        "bad",
        "db failed at the one thing that it has to do: exit code 2",
    ),
    "a proxy with an old address": (
        replace(STACK, answers=(BAD_GATEWAY, replace(PROXY, status=502, problem="answers 502"), WEB)),
        "bad",
        "health, asked from the host: expected status 200, got 502. web answers inside, so proxy does not reach it, "
        "and its log does not say why: it may still have the address of a container that is gone. "
        "cd /srv/shop && docker compose -f prod.yml restart proxy",
    ),
    "a proxy that answers itself": (
        replace(STACK, answers=(BAD_GATEWAY, PING)),
        "bad",
        "health, asked from the host: expected status 200, got 502. nothing behind proxy was asked, and that proxy "
        "itself answers proves nothing of it. cd /srv/shop && docker compose -f prod.yml logs --tail 50 proxy; "
        "compose_inside_health with an address of the service behind proxy",
    ),
    "a proxy that asks for an unknown name": (
        with_state(STACK, well("proxy", recent=("fine", UNRESOLVED, "fine")), answers=(BAD_GATEWAY, PING)),
        "bad",
        "health, asked from the host: expected status 200, got 502. proxy finds no address for the name backendd; its "
        f"log says: {UNRESOLVED}. correct that name in the configuration of proxy, then "
        "cd /srv/shop && docker compose -f prod.yml restart proxy",
    ),
    "a proxy that asks for a service of another network": (
        with_state(
            STACK,
            well("proxy", recent=(UNRESOLVED.replace("backendd", "backend"),)),
            answers=(BAD_GATEWAY, PING, BACKEND),
        ),
        "bad",
        "health, asked from the host: expected status 200, got 502. proxy finds no address for the name backend, "
        "although the compose files have such a service: they share no network; its log says: "
        f"{UNRESOLVED.replace('backendd', 'backend')}. put proxy and backend into one network in the compose file, "
        "then cd /srv/shop && docker compose -f prod.yml up -d proxy",
    ),
    "a proxy that asks on a wrong port": (
        with_state(
            STACK,
            well("proxy", recent=(REFUSED,)),
            answers=(BAD_GATEWAY, PING, BACKEND),
            addresses={"172.20.0.3": "backend"},
        ),
        "bad",
        "health, asked from the host: expected status 200, got 502. proxy asks 172.20.0.3:9001, where backend does not "
        f"answer (Connection refused), and answers on 8000; its log says: {REFUSED}. compare the port in the "
        "configuration of proxy with the one on which backend listens",
    ),
    "a proxy that asks a container that is gone": (
        with_state(
            STACK,
            well("proxy", recent=(REFUSED.replace(":9001", ":8000"),)),
            answers=(BAD_GATEWAY, BACKEND),
            addresses={"172.20.0.5": "backend"},
        ),
        "bad",
        "health, asked from the host: expected status 200, got 502. proxy asks 172.20.0.3:8000, an address that no "
        f"container of this project has now: its container is gone; its log says: {REFUSED.replace(':9001', ':8000')}. "
        "cd /srv/shop && docker compose -f prod.yml restart proxy",
    ),
    "a proxy that asks another service at the old address": (
        with_state(
            STACK,
            well("proxy", recent=(REFUSED.replace(":9001", ":8000"),)),
            answers=(BAD_GATEWAY, BACKEND),
            addresses={"172.20.0.3": "worker", "172.20.0.5": "backend"},
        ),
        "bad",
        "health, asked from the host: expected status 200, got 502. proxy asks 172.20.0.3:8000, which is the address "
        "of worker now, and backend answers on that port: proxy still has the address of a container that is gone; its "
        f"log says: {REFUSED.replace(':9001', ':8000')}. cd /srv/shop && docker compose -f prod.yml restart proxy",
    ),
    "what is behind the proxy is not well itself": (
        replace(STACK, answers=(BAD_GATEWAY, replace(BACKEND, status=503, problem="answers 503"))),
        "bad",
        "health, asked from the host: expected status 200, got 502",
    ),
    "a wrong password of the database": (
        with_state(
            STACK,
            well("backend", health="unhealthy", checks=("exit 22: 503",)),
            well("db", recent=("LOG:  ready", DENIED, "LOG:  checkpoint")),
            answers=(replace(OUTSIDE, status=503, problem="got 503"), PROXY, WEB),
        ),
        "bad",
        f"health answers 503: db runs, and turns its clients away: {DENIED}. backend depends on that, and can't be "
        "well either",
    ),
    "a wrong password, and files that do not say who depends on what": (
        with_state(
            replace(STACK, services=dict.fromkeys(SERVICES, ())),
            well("backend", health="unhealthy", checks=("exit 22: 503",)),
            well("db", recent=(DENIED,)),
            well("web", state="exited", exit_code=1, up=None),
        ),
        "bad",
        f"db runs, and turns its clients away: {DENIED}; web is not running: exit code 1. backend depends on that, and "
        "can't be well either",
    ),
    "a wrong password, seen by an address alone": (
        with_state(
            STACK,
            well("db", recent=(DENIED,)),
            answers=(replace(OUTSIDE, status=503, problem="got 503"),),
        ),
        "bad",
        f"health answers 503: db runs, and turns its clients away: {DENIED}",
    ),
    "an old refusal while all is well": (with_state(STACK, well("db", recent=(DENIED,))), "ok", "all is well"),
    "a client that prints what it was told": (
        with_state(
            replace(STACK, services=dict.fromkeys(SERVICES, ())),
            well("backend", recent=(f"OperationalError: connection to server at db failed: {DENIED[30:]}",)),
            well("worker", state="exited", exit_code=1, up=None),
        ),
        "bad",
        "worker is not running: exit code 1",
    ),
    "a database that was stopped in order": (
        with_state(
            STACK,
            well("db", state="exited", health="unhealthy", exit_code=0, up=None),
            well("backend", health="unhealthy", checks=("exit 22: 503",)),
            answers=(replace(OUTSIDE, status=503, problem="got 503"),),
        ),
        "bad",
        "health answers 503: db is not running: exit code 0. backend depends on that, and can't be well either",
    ),
    "left behind by a release": (
        replace(STACK, builds={"web": "another build than backend, of the same repository"}),
        "warn",
        "it works; to look at: web is of another build than backend, of the same repository",
    ),
    "only the published port": (
        replace(STACK, answers=(replace(OUTSIDE, status=None, problem="connection refused"), PROXY, WEB)),
        "bad",
        "health, asked from the host: connection refused. inside all is well. look at the published port, the "
        "firewall, and what else listens there (ss -ltnp)",
    ),
    "the engine is down": (
        Facts(
            LINES,
            engine_problem="no such socket",
            services=SERVICES,
            answers=(replace(OUTSIDE, status=None, problem="x"),),
        ),
        "bad",
        "the Docker engine can't be asked: no such socket",
    ),
    "the compose file is broken, and all runs": (
        replace(STACK, files_problem="the compose files are not valid: line 3"),
        "bad",
        "the compose files are not valid: line 3",
    ),
    "a full disk and what it does": (
        with_state(
            STACK,
            well("db", state="restarting", health="", exit_code=1, restarts=3, up=None),
            disks=(DiskUse(("/var/lib/docker",), 99.6, 0, 3.0),),
        ),
        "bad",
        "the disk of /var/lib/docker is 100 % full. db is restarting again and again: exit code 1, 3 restarts",
    ),
    "inodes": (
        replace(STACK, disks=(DiskUse(("/srv",), 20.0, 10**9, 97.0),)),
        "bad",
        "the disk of /srv is 97 % out of inodes",
    ),
    "a disk that fills": (
        replace(STACK, disks=(DiskUse(("/srv",), 86.0, 10**9, None),)),
        "warn",
        "it works; to look at: the disk of /srv is 86 % full",
    ),
    "drift": (
        replace(STACK, drift={"web": "runs sha256:1, and the files pin web:2 (sha256:2)"}),
        "bad",
        "web runs sha256:1, and the files pin web:2 (sha256:2). "
        "compose_deploy or compose_rollback, which leave what they pinned running",
    ),
    "just started": (
        with_state(STACK, well("web", health="starting", up=4.0)),
        "warn",
        "it works; to look at: web runs for 4 s; its health check has not passed yet",
    ),
    "restarted lately": (
        with_state(STACK, well("web", restarts=2, up=90.0)),
        "warn",
        "it works; to look at: web runs for 90 s only, after 2 restarts",
    ),
    "somebody is at work": (
        replace(STACK, busy="operation 1 (deploy by anna) is at work on this service"),
        "warn",
        "it works; to look at: operation 1 (deploy by anna) is at work on this service: what is seen may be a moment "
        "in its midst",
    ),
    "a hotfix that is not merged": (
        replace(STACK, hotfixes=(Row("hotfix", "warn", "hotfix/x is not on main", ("gh pr create",)),)),
        "warn",
        "it works; to look at: hotfix/x is not on main",
    ),
    "records of another service": (
        replace(STACK, records=(Row("ledger", "warn", "the folder is of another", ways=("operation_state_dir=x",)),)),
        "warn",
        "it works; to look at: the folder is of another",
    ),
    "nothing is asked": (
        replace(STACK, answers=()),
        "warn",
        "it works; to look at: no address is asked: compose_health and compose_inside_health are empty",
    ),
}


@pytest.mark.parametrize(("facts", "level", "text"), TABLE.values(), ids=TABLE)
def test_a_verdict(facts: Facts, level: str, text: str) -> None:
    found = diagnose(facts)
    assert (found.level, found.text) == (level, text)


def test_the_cause_comes_first_and_says_what_to_type() -> None:
    facts, _, _ = TABLE["the database is gone, and others with it"]
    found = diagnose(facts).findings
    assert [one.subject for one in found] == ["db", "backend", "worker", "health"]
    assert found[0].next == "cd /srv/shop && docker compose -f prod.yml up -d db"


NEXT = {
    "the database is gone, and others with it": "cd /srv/shop && docker compose -f prod.yml up -d db",
    "a database that was stopped in order": "cd /srv/shop && docker compose -f prod.yml up -d db",
    "no container": "cd /srv/shop && docker compose -f prod.yml up -d worker",
    "out of memory": "give web more memory in the compose file, or find what fills it: docker stats",
    "a proxy with an old address": "cd /srv/shop && docker compose -f prod.yml restart proxy",
    "its one thing failed": "cd /srv/shop && docker compose -f prod.yml logs --tail 50 db: to start it again changes "
    "nothing before its cause is mended",
}


@pytest.mark.parametrize("name", NEXT)
def test_the_next_step_of_the_cause_can_help(name: str) -> None:
    assert diagnose(TABLE[name][0]).findings[0].next == NEXT[name]


def test_a_proxy_is_shown_by_its_own_log_although_a_service_has_the_name_of_the_address() -> None:
    answers = (replace(BAD_GATEWAY, name="backend"), PING)
    found = diagnose(with_state(STACK, answers=answers)).findings
    assert [one.services for one in found] == [("proxy",)]


def test_the_last_line_of_a_log_is_shown_with_the_cause() -> None:
    sick = well("backend", state="exited", health="", exit_code=1, up=None, log=("starting", "ImportError: no module"))
    assert diagnose(with_state(STACK, sick)).findings[0].text.endswith("its log ends with: ImportError: no module")


states = st.builds(
    Seen,
    name=st.just("x"),
    service=st.sampled_from(sorted(SERVICES)),
    state=st.sampled_from(["running", "exited", "restarting", "created", "paused", "dead", ""]),
    health=st.sampled_from(["", "healthy", "unhealthy", "starting"]),
    exit_code=st.sampled_from([0, 1, 137]),
    oom_killed=st.booleans(),
    restarts=st.integers(0, 3),
    up=st.one_of(st.none(), st.floats(0, 5000)),
)


@given(
    st.lists(states, max_size=6),
    st.dictionaries(st.sampled_from(sorted(SERVICES)), st.lists(st.sampled_from(sorted(SERVICES))).map(tuple)),
    st.lists(st.sampled_from([OUTSIDE, BAD_GATEWAY, PROXY, WEB]), max_size=3),
    st.sampled_from(["", "down"]),
)
def test_whatever_is_seen_there_is_a_verdict(
    containers: list[Seen], services: dict[str, tuple[str, ...]], answers: list[Answer], engine: str
) -> None:
    facts = Facts(LINES, engine_problem=engine, services=services, containers=tuple(containers), answers=tuple(answers))
    found = diagnose(facts)
    assert found.text
    assert (found.level == "ok") is (not found.findings)
    if engine or any(answer.problem for answer in answers):
        assert found.level == "bad"


@pytest.mark.parametrize(
    ("settings", "by_name", "masked"),
    [
        ({"SECRET_KEY": "abcdef123"}, True, ["abcdef123"]),
        ({"GREETING": 'Hello, "you" # 1'}, False, ['Hello, "you" # 1']),
        ({"GREETING": 'Hello, "you" # 1'}, True, []),
        ({"LOG_LEVEL": "information", "PORT": "8080", "HOME": "/var/www/app", "U": "https://example.com/x"}, False, []),
        ({"URL": "postgres://shop:pa55word@db/shop"}, True, ["pa55word"]),
        ({"NONSENSE": "x!y"}, False, []),
    ],
)
def test_secrets_of_a_diagnosis_are_masked(settings: dict[str, str], by_name: bool, masked: list[str]) -> None:
    assert redact.maskable(settings, by_name) == masked


def test_of_a_container_only_what_may_be_seen_is_in_the_bundle() -> None:
    raw = {
        "Name": "/shop-cache-1",
        "Args": ["redis-server", "--requirepass", "CANARY"],
        "Path": "CANARY",
        "State": {"Status": "running", "ExitCode": 0, "Error": "CANARY", "Health": {"Log": [{"Output": "CANARY"}]}},
        "Config": {
            "Env": ["A=CANARY", "B"],
            "Image": "redis:8.0",
            "Cmd": ["--requirepass", "CANARY"],
            "Entrypoint": ["CANARY"],
            "Healthcheck": {"Test": ["CMD", "redis-cli", "-a", "CANARY"], "Interval": 5},
            "Labels": {"traefik.basicauth.users": "a:CANARY", "com.docker.compose.service": "cache"},
        },
        "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "CANARY"}}, "Memory": 5},
        "NewInThisVersion": {"Secret": "CANARY"},
    }
    config = {
        "services": {
            "cache": {
                "image": "redis:8.0",
                "environment": {"A": "CANARY", "B": None},
                "build": {"args": {"A": "CANARY"}, "context": "/srv/shop"},
                "command": ["--requirepass", "CANARY"],
                "entrypoint": "CANARY",
                "healthcheck": {"test": ["CMD", "x", "-a", "CANARY"], "interval": "5s"},
                "labels": {"traefik.users": "CANARY"},
                "logging": {"driver": "splunk", "options": {"splunk-token": "CANARY"}},
                "ports": [{"target": 80, "published": "8080"}],
                "x-notes": "CANARY",
            }
        },
        "configs": {"proxy": {"content": "CANARY"}},
        "x-password": "CANARY",
    }
    shown = bundle.may_be_shown([raw, config])
    assert "CANARY" not in json.dumps(shown)
    container, files = shown
    assert container["State"]["Status"] == "running" and container["Config"]["Image"] == "redis:8.0"
    assert container["Config"]["Env"] == ["A=********", "B"]
    assert container["Config"]["Labels"]["com.docker.compose.service"] == "cache"
    cache = files["services"]["cache"]
    assert cache["image"] == "redis:8.0" and cache["environment"] == {"A": "********", "B": None}
    assert cache["ports"] == [{"target": 80, "published": "8080"}] and cache["healthcheck"]["interval"] == "5s"
    assert cache["logging"]["driver"] == "splunk" and list(cache["logging"]["options"]) == ["splunk-token"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("facts.json", True),
        ("logs/shop-web-1.log", True),
        ("../x", False),
        ("logs/../../x", False),
        ("/etc/passwd", False),
        ("logs/a\nb", False),
        ("a/b/c/d", False),
        ("logs/.ssh", False),
        ("", False),
    ],
)
def test_a_name_of_the_bundle_stays_in_it(name: str, safe: bool) -> None:
    assert bundle.is_safe_name(name) is safe
    assert bundle.folder_of("../web1") == "host" and bundle.folder_of("web1") == "web1"


@pytest.mark.parametrize("busy", ["operation 1 (deploy by anna) is at work", "somebody runs docker compose up"])
def test_a_change_that_goes_on_is_told_and_no_repair(busy: str) -> None:
    """Somebody on call reads this in the middle of a colleague's deploy."""
    half = with_state(
        STACK,
        well("backend", state="exited", health="", exit_code=0, up=None),
        gone=("worker",),
        drift={"web": "runs sha256:1, and the files pin sha256:2"},
        answers=(BAD_GATEWAY, PROXY, WEB),
    )
    assert any(one.next for one in diagnose(half).findings)
    found = diagnose(replace(half, busy=busy))
    assert any(busy in one.text for one in found.findings)
    assert not [one for one in found.findings if one.next]
    # A visitor who gets no answer gets none all the same.
    assert {one.subject for one in found.findings if one.level == "bad"} == {"health"}
    well_answered = diagnose(replace(half, busy=busy, answers=(OUTSIDE, PROXY, WEB)))
    assert well_answered.level == "warn" and well_answered.text.startswith("seen in its midst: ")


def test_records_that_are_not_read_come_with_what_to_type() -> None:
    facts, _, _ = TABLE["records of another service"]
    (found,) = diagnose(facts).findings
    assert (found.level, found.subject, found.next) == ("warn", "ledger", "operation_state_dir=x")
