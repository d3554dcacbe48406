# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health probe against real servers on this machine: what it accepts, refuses, and how it says so."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import parse_check
from ansible_collections.ops.runbook.plugins.module_utils.health.gate import Result, gate, probe

SHA = "4f2a9c1d5e6b7a8c9d0e1f2a3b4c5d6e7f8a9b0c"
GOOD = {"status": "ok", "release": SHA, "checks": [{"db": True}], "request_id": "req-from-body"}


#: The endpoints of a gate that asks them all together.
TOGETHER = threading.Barrier(5)


class Site(BaseHTTPRequestHandler):
    """Each path is one way to answer."""

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        good = json.dumps(GOOD).encode()
        path = self.path.partition("?")[0]
        if path == "/up":
            self.send(200, good, X_Request_Id="req-from-header")
        elif path == "/plain":
            self.send(200, good)
        elif path == "/old":
            self.send(200, json.dumps({"release": "def5678"}).encode(), X_Release="def5678")
        elif path == "/down":
            self.send(503, b'{"status": "error", "message": "no database"}', X_Correlation_Id="corr-1")
        elif path == "/html":
            self.send(200, b"<html><title>Sign in &amp; go</title><body>x</body></html>", "text/html")
        elif path == "/login-redirect":
            self.send(302, b"", Location="/login?token=sesame-open")
        elif path == "/elsewhere":
            self.send(307, b"", Location="https://u:sesame@cdn.example.com/realm?code=sesame#sesame")
        elif path == "/moved":
            self.send(301, b"", Location=f"https://{self.headers['Host']}/up")
        elif path == "/echo":
            self.send(500, json.dumps(dict(self.headers)).encode())
        elif path == "/host":
            self.send(200, json.dumps({"host": self.headers["Host"]}).encode())
        elif path == "/huge":
            self.send(200, b'{"status": "ok", "x": "' + b"x" * 3_000_000 + b'"}')
        elif path == "/deep":
            self.send(200, b"[" * 200_000)
        elif path == "/empty":
            self.send(200, b"")
        elif path == "/binary":
            self.send(500, b"\x00\x1b[31m", "application/octet-stream")
        elif path == "/escape":
            self.send(500, b"\x1b[31mred\r\n\x07", "text/plain")
        elif path == "/slow":
            threading.Event().wait(0.3)
            self.send(200, good)
        elif path == "/together":
            # Answers once as many ask as the gate has endpoints: a gate that asks one after the other has no answer.
            with contextlib.suppress(threading.BrokenBarrierError):
                TOGETHER.wait(60)
                self.send(200, good)
                return
            self.send(503, b"asked alone")
        elif path == "/nan":
            self.send(200, b'{"status": NaN}')

    def do_HEAD(self) -> None:
        self.send(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        good = body == b'{"email": "probe@example.com", "password": "correct horse"}'
        self.send(200 if good else 401, b"no: " + body, "text/plain")


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as number:
        yield number


def ask(port: int, path: str, expected_release: str | None = None, **fields: Any) -> Result:
    return probe(parse_check({"url": f"http://127.0.0.1:{port}{path}", "timeout": 60, **fields}), expected_release)


# --- answers --------------------------------------------------------------------------------------------


def test_a_good_answer_is_healthy_and_its_request_id_is_kept(port: int) -> None:
    result = ask(port, "/up", SHA, json={"status": "ok", "checks.0.db": True}, release="release")
    assert result.ok and result.reason == "" and result.status == 200
    assert result.request_id == "req-from-header" and result.release == SHA
    assert 0 < result.seconds < 2 and result.tls_days is None


PROBLEMS: dict[str, tuple[str, dict[str, Any], str]] = {
    "wrong status": ("/down", {}, 'expected status 200, got 503: {"status": "error", "message": "no database"}'),
    "one of several": ("/down", {"status": [200, 204]}, "expected status 200 or 204, got 503"),
    "wrong json": ("/up", {"json": {"status": "fine"}}, 'JSON status: expected "fine", got "ok"'),
    "true is not 1": ("/up", {"json": {"checks.0.db": 1}}, "JSON checks.0.db: expected 1, got true"),
    "no field": ("/up", {"json": {"checks.1.db": True}}, "JSON checks.1.db: expected true, but the answer has no such"),
    "no json": ("/html", {"json": {"status": "ok"}}, "the body is not JSON (text/html): Sign in & go"),
    "no constant": ("/nan", {"json": {"status": "ok"}}, "the body is not JSON"),
    "empty": ("/empty", {"json": {"status": "ok"}}, "the body is empty"),
    "huge": ("/huge", {"json": {"status": "ok"}}, "the body is larger than 1 MiB"),
    "deep": ("/deep", {"json": {"status": "ok"}}, "the body is not JSON"),
    "text": ("/html", {"contains": "Dashboard"}, "the body does not contain 'Dashboard': Sign in & go"),
    "login": ("/login-redirect", {}, "answers 302 to /login: a login page, not the health endpoint"),
    "elsewhere": ("/elsewhere", {}, "answers 307 to https://cdn.example.com/realm: a redirect, expected 200"),
    "https": ("/moved", {}, "a redirect, expected 200; write the url with https"),
    "slow": ("/slow", {"max_seconds": 0.1}, "the limit is 0.1 s"),
    "release": ("/old", {"release": "release"}, "wrong release: expected 4f2a9c1d5e6b, reports def5678 (is old code"),
    "header": ("/old", {"release": "header:x-release"}, "wrong release: expected 4f2a9c1d5e6b, reports def5678"),
    "no release": ("/up", {"release": "version"}, "reports no release at version, expected 4f2a9c1d5e6b"),
    "binary": ("/binary", {}, "expected status 200, got 500"),
    "escape": ("/escape", {}, "expected status 200, got 500: red"),
    "not found": ("/nowhere", {}, "the server closes the connection without an answer"),
}


@pytest.mark.parametrize(("path", "fields", "reason"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_bad_answer_says_what_was_expected_and_what_came(
    port: int, path: str, fields: dict[str, Any], reason: str
) -> None:
    result = ask(port, path, SHA, **fields)
    assert not result.ok
    assert reason in result.reason
    assert "\x1b" not in result.reason and "\x00" not in result.reason and "sesame" not in str(result)


def test_several_problems_are_all_said(port: int) -> None:
    reason = ask(port, "/old", SHA, json={"status": "ok"}, release="release").reason
    assert "JSON status" in reason and "wrong release" in reason


@pytest.mark.parametrize(
    ("path", "fields", "request_id"),
    [
        ("/up", {}, "req-from-header"),
        ("/plain", {}, "req-from-body"),
        ("/down", {}, "corr-1"),
        ("/up", {"request_id": ["json:request_id", "X-Request-Id"]}, "req-from-body"),
        ("/up", {"request_id": ["X-Other"]}, None),
        ("/html", {}, None),
    ],
)
def test_the_request_id_is_looked_for_in_order(
    port: int, path: str, fields: dict[str, Any], request_id: str | None
) -> None:
    assert ask(port, path, **fields).request_id == request_id


def test_a_login_probe_sends_its_body_and_never_shows_it(port: int) -> None:
    body = {"email": "probe@example.com", "password": "correct horse"}
    assert ask(port, "/login", method="POST", body=body).ok
    refused = ask(port, "/login", method="POST", body={**body, "password": "wrong horse"})
    assert refused.status == 401 and "no: " in refused.reason
    assert "horse" not in str(refused) and "probe@" not in str(refused)


def test_an_echoing_server_does_not_reveal_what_was_sent(port: int) -> None:
    headers = {"Authorization": "Basic cHJvYmU6Y29ycmVjdC1ob3JzZQ==", "X-Api-Key": 'a"canary/1'}
    result = ask(port, "/echo?signature=canary-2", headers=headers)
    assert not result.ok and "Authorization" in result.reason
    for secret in ("cHJvYmU6", "correct-horse", "canary", 'a"c'):
        assert secret not in str(result.to_dict()) + repr(result)


def test_extra_headers_are_sent_and_hidden(port: int) -> None:
    check = parse_check({"url": f"http://127.0.0.1:{port}/echo"})
    result = probe(check, extra_headers={"X-Bypass": "canary-3"})
    assert "X-Bypass" in result.reason and "canary" not in result.reason


def test_a_proxy_of_the_environment_is_ignored(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(port, "/up").ok


def test_connect_to_dials_elsewhere_and_keeps_the_name(port: int) -> None:
    check = {"url": "http://api.example.com:8080/host", "connect_to": f"127.0.0.1:{port}"}
    assert probe(parse_check({**check, "json": {"host": "api.example.com:8080"}})).ok
    named = {**check, "headers": {"Host": "other.example.com"}, "json": {"host": "other.example.com"}}
    assert probe(parse_check(named)).ok


def test_a_huge_body_is_not_read_whole_where_only_the_status_counts(port: int) -> None:
    assert ask(port, "/huge").ok


def test_head_needs_no_body(port: int) -> None:
    assert ask(port, "/up", method="HEAD").ok


# --- servers that are not HTTP servers ------------------------------------------------------------------


Script = Callable[[socket.socket], None]
#: Seconds that a server of a test waits for its client at most.
PATIENCE = 600.0


@contextmanager
def raw_server(script: Script) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            try:
                client, _address = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.settimeout(PATIENCE)
                    script(client)
                except OSError:
                    pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        done.set()
        listener.close()


def drip(head: bytes, piece: bytes) -> Script:
    """A server that never comes to an end; what is sent to a probe that has left fails."""
    left = threading.Event()

    def script(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(head)
        # Until the probe is gone.
        while not left.wait(0.02):
            client.sendall(piece)

    return script


def silent(client: socket.socket) -> None:
    client.recv(65536)
    client.recv(65536)


def say(data: bytes) -> Script:
    def script(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(data)

    return script


RAW: dict[str, tuple[Script, str]] = {
    "never answers": (silent, "no answer within 0.3 s"),
    "drips its head": (drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "no answer within 0.3 s"),
    "drips its status": (drip(b"HTTP/1.1 2", b"0"), "no answer within 0.3 s"),
    "drips 100 Continue": (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "no answer within 0.3 s"),
    "drips its body": (
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        "answers 200, but its body is not complete within 0.3 s",
    ),
    "drips chunks": (
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        "answers 200, but its body is not complete within 0.3 s",
    ),
    "closes": (lambda client: None, "the connection"),
    "breaks off": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"), "breaks off after 5 bytes"),
    "is not HTTP": (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP"),
}


@pytest.mark.parametrize(("script", "reason"), RAW.values(), ids=RAW.keys())
def test_a_server_that_does_not_answer_rightly_is_left_in_time(script: Script, reason: str) -> None:
    with raw_server(script) as port:
        result = ask(port, "/up", timeout=0.3)
    assert not result.ok and reason in result.reason


def test_a_kept_alive_answer_is_not_waited_on() -> None:
    def keep(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        client.recv(65536)

    with raw_server(keep) as port:
        result = ask(port, "/up", contains="ok", timeout=PATIENCE)
    # Its time would be over if it waited for the end of the connection.
    assert result.ok


def test_a_closed_port_is_said_to_be_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert ask(port, "/up").reason == f"connection refused by 127.0.0.1:{port}: nothing listens there"


def test_a_name_that_does_not_resolve_is_said() -> None:
    result = probe(parse_check({"url": "http://no-such-host.invalid/up", "timeout": 60}))
    assert "no-such-host.invalid" in result.reason and "resolve" in result.reason


def test_a_resolver_that_hangs_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(PATIENCE) and [])
    result = probe(parse_check({"url": "http://slow.example.com/up", "timeout": 0.2}))
    release.set()
    assert result.reason == "the name slow.example.com is not resolved within 0.2 s"


# --- certificates ---------------------------------------------------------------------------------------


class Certificates(NamedTuple):
    folder: Path

    def context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / "key.pem")
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def issue(name: str, host: str, start: int, end: int) -> None:
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
        openssl("req", "-new", "-key", "key.pem", "-subj", f"/CN={host}", "-out", "request.pem")
        stamp = [
            time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400 + 21600)) for days in (start, end)
        ]
        dates = ["-startdate", stamp[0], "-enddate", stamp[1]]
        files = ["-config", "ca.cnf", "-in", "request.pem", "-extfile", f"{name}.ext", "-out", f"{name}.pem"]
        openssl("ca", "-batch", "-notext", *files, *dates)

    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        "certificate=ca.pem\nprivate_key=key.pem\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n"
    )
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
    # A CA certificate must be older than what it signed, or its own dates are refused first.
    for name, subject in (("ca", "/CN=Test CA"), ("other", "/CN=api.example.com")):
        openssl("req", "-x509", "-key", "key.pem", "-days", "90", "-subj", subject, "-out", f"{name}.pem")
    issue("good", "api.example.com", -1, 61)
    issue("expired", "api.example.com", -30, -2)
    issue("wronghost", "old.example.com", -1, 61)
    return Certificates(folder)


def ask_tls(certificates: Certificates, name: str, **fields: Any) -> tuple[int, Result]:
    with serving(certificates.context(name)) as port:
        check = {
            "url": "https://api.example.com/up",
            "connect_to": f"127.0.0.1:{port}",
            "ca_file": str(certificates.folder / "ca.pem"),
            "timeout": 60,
            **fields,
        }
        return port, probe(parse_check(check))


def test_a_good_certificate_reports_its_days(certificates: Certificates) -> None:
    _port, result = ask_tls(certificates, "good", tls_min_days=61)
    assert result.ok and result.tls_days == 61 and result.request_id == "req-from-header"


def test_a_certificate_that_ends_soon_is_a_warning_and_no_fault_of_what_answers(certificates: Certificates) -> None:
    _port, result = ask_tls(certificates, "good", tls_min_days=62)
    assert result.ok and result.reason == ""
    assert result.warnings == ("the certificate ends in 61 days, at least 62 are asked for",)


@pytest.mark.parametrize(
    ("name", "fields", "why", "whose"),
    [
        ("expired", {}, "certificate has expired", "it is for api.example.com, issued by Test CA, valid from 20"),
        ("wronghost", {}, "Hostname mismatch", "it is for old.example.com, issued by Test CA"),
        ("other", {}, "self", "it is for api.example.com, issued by itself"),
        ("good", {"ca_file": None}, "unable to get local issuer certificate", "issued by Test CA"),
    ],
)
def test_a_bad_certificate_is_refused_and_named(
    certificates: Certificates, name: str, fields: dict[str, Any], why: str, whose: str
) -> None:
    port, result = ask_tls(certificates, name, **fields)
    assert not result.ok and result.status is None
    assert result.reason.startswith(f"the certificate that 127.0.0.1:{port} shows for api.example.com is refused: ")
    assert why in result.reason and whose in result.reason


def test_plain_http_on_a_tls_url_is_said(port: int) -> None:
    result = probe(parse_check({"url": f"https://127.0.0.1:{port}/up", "timeout": 60}))
    assert "is this port plain HTTP?" in result.reason


def test_a_ca_file_that_is_missing_is_said(certificates: Certificates) -> None:
    _port, result = ask_tls(certificates, "good", ca_file="/nonexistent/ca.pem")
    assert result.reason == "the CA file /nonexistent/ca.pem cannot be used: no such file"


def test_a_handshake_that_never_comes_is_left_in_time() -> None:
    with raw_server(silent) as port:
        result = probe(parse_check({"url": f"https://127.0.0.1:{port}/up", "timeout": 0.3}))
    assert "no TLS handshake" in result.reason and "within 0.3 s" in result.reason


# --- the gate on a real server --------------------------------------------------------------------------


def test_the_gate_asks_all_endpoints_together(port: int) -> None:
    checks = [
        parse_check({"name": str(n), "url": f"http://127.0.0.1:{port}/together", "timeout": 90}) for n in range(5)
    ]
    results = gate(checks, deadline=0, interval=0.01, successes=1)
    assert all(result.ok for result in results), results
    assert [result.name for result in results] == ["0", "1", "2", "3", "4"]
