"""Lines of logs of other programs, read for what is behind a proxy and for who is let into a database."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis.signs import (
    Upstream,
    refusal,
    upstream_error,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.typed_line import Lines

LINES = Lines("cd /srv/shop && docker compose", "sudo docker")
NGINX = '2026/11/30 02:00:00 [error] 31#31: *7 {}, client: 10.0.0.9, server: , request: "GET / HTTP/1.1", {}host: "x"'

UPSTREAM = {
    "nginx, refused": (
        NGINX.format(
            "connect() failed (111: Connection refused) while connecting to upstream",
            'upstream: "http://10.1.0.3:81/", ',
        ),
        ("", "10.1.0.3", 81, "Connection refused"),
    ),
    "nginx, no route": (
        NGINX.format(
            "connect() failed (113: Host is unreachable) while connecting to upstream",
            'upstream: "http://10.1.0.3:81/", ',
        ),
        ("", "10.1.0.3", 81, "Host is unreachable"),
    ),
    "nginx, in time": (
        NGINX.format(
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            'upstream: "fastcgi://10.1.0.3:9000", ',
        ),
        ("", "10.1.0.3", 9000, "Connection timed out"),
    ),
    "nginx, a name": (NGINX.format("apii could not be resolved (3: Host not found)", ""), ("apii", "", 0, "")),
    "nginx, a name at its start": (
        '2026/11/30 [emerg] 1#1: host not found in upstream "apii" in /etc/nginx/nginx.conf:9',
        ("apii", "", 0, ""),
    ),
    "nginx, an answer that was cut off": (
        NGINX.format("upstream prematurely closed connection while reading response header from upstream", ""),
        ("", "", 0, ""),
    ),
    "caddy, refused": (
        '{"level":"error","logger":"http.log.error","msg":"dial tcp 10.1.0.3:9001: connect: connection refused"}',
        ("", "10.1.0.3", 9001, "connect"),
    ),
    "caddy, a name": (
        '{"level":"error","msg":"dial tcp: lookup apii on 127.0.0.11:53: no such host"}',
        ("apii", "", 0, ""),
    ),
    "traefik": (
        '2026-11-30T02:00:00Z DBG 502 Bad Gateway error="dial tcp 10.1.0.3:9001: connect: connection refused"',
        ("", "10.1.0.3", 9001, "connect"),
    ),
    "apache, refused": (
        "[proxy:error] [pid 9] (111)Connection refused: AH00957: http: attempt to connect to 10.1.0.3:9001 (api:9001) "
        "failed",
        ("", "10.1.0.3", 9001, "Connection refused"),
    ),
    "apache, a name": (
        "[proxy:error] [pid 9] (EAI 2)Name or service not known: AH00898: DNS lookup failure for: apii returned by /",
        ("apii", "", 0, ""),
    ),
    "node": ("Error: connect ECONNREFUSED 10.1.0.3:9001", ("", "10.1.0.3", 9001, "")),
    "node, a name": ("Error: getaddrinfo ENOTFOUND apii", ("apii", "", 0, "")),
}


@pytest.mark.parametrize(("line", "parts"), UPSTREAM.values(), ids=UPSTREAM)
def test_the_upstream_that_a_proxy_missed_is_read(line: str, parts: tuple[str, str, int, str]) -> None:
    name, address, port, why = parts
    found = upstream_error(["earlier", line, 'GET / "upstream" 200'])
    assert found is not None
    assert (found.name, found.address, found.port) == (name, address, port)
    assert found.why.startswith(why)


def test_the_last_line_that_names_something_counts() -> None:
    lines = [UPSTREAM["node"][0], UPSTREAM["nginx, a name"][0], "no live upstreams while connecting to upstream"]
    found = upstream_error(lines)
    assert found == Upstream(lines[1], name="apii")
    assert upstream_error(["GET / 200", ""]) is None


REFUSALS = {
    "postgres": '2026-11-30 02:00:00.000 UTC [77] FATAL:  password authentication failed for user "shop"',
    "postgres, who may come": 'FATAL:  no pg_hba.conf entry for host "10.1.0.4", user "shop", database "shop"',
    "postgres, too many": "2026-11-30 UTC [77] FATAL:  sorry, too many clients already",
    "postgres, a full disk": 'PANIC:  could not write to file "pg_wal/x": No space left on device',
    "mysql": "2026-11-30T02:00:00Z 9 [Note] [MY-010926] [Server] Access denied for user 'shop'@'10.1.0.4' (using YES)",
    "mongo": '{"t":{"$date":"2026"},"s":"I","c":"ACCESS","id":5286307,"ctx":"conn7","msg":"Authentication failed"}',
    "rabbitmq": "2026-11-30 02:00:00 [error] <0.9.0> PLAIN login refused: user 'shop' - invalid credentials",
}


@pytest.mark.parametrize("line", REFUSALS.values(), ids=REFUSALS)
def test_a_database_that_lets_nobody_in_is_read(line: str) -> None:
    found, step = refusal(["ready", line, "checkpoint"], "", LINES)
    assert found == line and step
    assert "{" not in step
    assert ("sudo docker system df; df -h" in step) is ("left on device" in line)


CLIENTS = [
    'OperationalError: connection to server at "db" failed: FATAL:  password authentication failed for user "shop"',
    'org.postgresql.util.PSQLException: FATAL:  password authentication failed for user "shop"',
    'connection failed: FATAL:  no pg_hba.conf entry for host "10.1.0.4"',
    "ERROR 1045 (28000): Access denied for user 'shop'@'10.1.0.4'",
    "user anna: authentication failed",
]


@pytest.mark.parametrize("line", CLIENTS)
def test_a_client_is_no_database(line: str) -> None:
    assert refusal([line], "", LINES) == ("", "")


def test_a_name_that_only_its_own_check_asks_for_is_no_refusal() -> None:
    line = '2026-11-30 UTC [77] FATAL:  role "root" does not exist'
    assert refusal([line], "", LINES) == ("", "")
    assert refusal([line], 'connection failed: FATAL:  role "root" does not exist', LINES)[0] == line
