"""Whether images are in their registry, asked of a small one on a real socket that wants a login."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.image_reference import BadReference
from ansible_collections.ops.runbook.plugins.module_utils.image_registry import (
    LoginOfSeveral,
    Registry,
    challenge,
    judged,
    login_host,
    same_registry,
)

PASSWORD = "p4ss-w0rd-canary"
DIGEST = "sha256:" + "a" * 64


class Server(BaseHTTPRequestHandler):
    """A registry and the host that gives its tokens. mode: none, basic or bearer."""

    mode = "bearer"
    seen: list[tuple[str, str, str]]

    def do_HEAD(self) -> None:
        given = self.headers.get("Authorization", "")
        self.seen.append((self.command, self.path, given))
        host = self.headers["Host"]
        wanted = {"none": given, "basic": f"Basic {basic()}", "bearer": "Bearer one-token"}[self.mode]
        if given != wanted:
            scheme = f'Bearer realm="http://{host}/token",service="reg",scope="repository:shop/app:pull"'
            return self.give(401, WWW_Authenticate='Basic realm="reg"' if self.mode == "basic" else scheme)
        if "application/vnd.oci.image.index.v1+json" not in self.headers.get("Accept", ""):
            return self.give(404)
        status = {"1.0.0": 200, DIGEST: 200, "broken": 500, "denied": 403}.get(self.path.rpartition("/")[2], 404)
        return self.give(status, Docker_Content_Digest=DIGEST)

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.seen.append((self.command, self.path, given))
        assert parse_qs(urlsplit(self.path).query) == {"service": ["reg"], "scope": ["repository:shop/app:pull"]}
        self.give(200 if given == f"Basic {basic()}" else 401, json.dumps({"token": "one-token"}).encode())

    def give(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


def basic() -> str:
    return base64.b64encode(f"robot:{PASSWORD}".encode()).decode()


@pytest.fixture
def server() -> Iterator[Any]:
    kind = type("Bound", (Server,), {"seen": []})
    found = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def address(server: Any) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


def registry(**changes: Any) -> Registry:
    return Registry(
        open_url, **{"username": "robot", "password": PASSWORD, "plain_http": True, "timeout": 5, **changes}
    )


@pytest.mark.parametrize("mode", ["none", "basic", "bearer"])
@pytest.mark.parametrize(
    ("tag", "state", "digest"),
    [
        (":1.0.0", "present", DIGEST),
        (f"@{DIGEST}", "present", DIGEST),
        (":2.0.0", "missing", ""),
        ("", "missing", ""),
        (":broken", "unknown", ""),
        (":denied", "unknown", ""),
    ],
)
def test_an_image_is_there_or_not(server: Any, mode: str, tag: str, state: str, digest: str) -> None:
    server.RequestHandlerClass.mode = mode
    found = registry(host=address(server)).look(f"{address(server)}/shop/app{tag}")
    assert (found.state, found.digest) == (state, digest) and bool(found.why) is (state != "present")


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "", "password": ""}])
@pytest.mark.parametrize("mode", ["basic", "bearer"])
def test_without_its_login_an_image_is_unknown_and_not_missing(server: Any, mode: str, changes: dict[str, str]) -> None:
    server.RequestHandlerClass.mode = mode
    found = registry(host=address(server), **changes).look(f"{address(server)}/shop/app:1.0.0")
    assert found.state == "unknown" and "login" in found.why


def test_a_registry_that_is_not_there_leaves_it_unknown(server: Any) -> None:
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    found = registry().look(f"127.0.0.1:{port}/shop/app:1.0.0")
    assert found.state == "unknown" and "can't be asked" in found.why


def test_a_login_goes_to_no_realm_without_encryption(server: Any) -> None:
    """The registry is asked over https, and names a realm with http: nothing is sent there."""
    asked = registry(plain_http=False)
    assert asked._authorization('Bearer realm="http://127.0.0.1:1/token",service="reg"', "Basic x") == ""
    assert asked._authorization('Bearer realm="file:///etc/passwd"', "Basic x") == ""
    assert PASSWORD not in repr(asked)


def test_what_is_no_reference_is_refused() -> None:
    with pytest.raises(BadReference):
        registry().look("not an image")


@pytest.mark.parametrize(
    ("text", "scheme", "values"),
    [
        ('Bearer realm="https://x/t",scope="a:b:pull"', "bearer", {"realm": "https://x/t", "scope": "a:b:pull"}),
        ("Basic", "basic", {}),
        ("", "", {}),
    ],
)
def test_a_challenge(text: str, scheme: str, values: dict[str, str]) -> None:
    assert challenge(text) == (scheme, values)


@pytest.mark.parametrize("status", [200, 404, 401, 429, 302])
def test_only_there_and_not_there_are_answers(status: int) -> None:
    assert judged("x", "host", status, {}).state == {200: "present", 404: "missing"}.get(status, "unknown")


@pytest.mark.parametrize("mode", ["basic", "bearer"])
def test_a_login_goes_to_its_own_registry_alone(server: Any, mode: str) -> None:
    server.RequestHandlerClass.mode = mode
    found = registry(host="ghcr.io").look(f"{address(server)}/shop/app:1.0.0")
    assert found.state == "unknown"
    sent = [given for _method, _path, given in server.RequestHandlerClass.seen]
    assert sent and not any("Basic" in given for given in sent)


@pytest.mark.parametrize(
    ("images", "given", "host"),
    [
        (["ghcr.io/a/b:1", "ghcr.io/a/c:1"], "", "ghcr.io"),
        (["nginx:1.27"], "", "docker.io"),
        (["ghcr.io/a/b:1", "nginx:1.27"], "ghcr.io", "ghcr.io"),
        ([], "", ""),
    ],
)
def test_a_login_is_of_one_registry(images: list[str], given: str, host: str) -> None:
    assert login_host(images, given) == host
    assert same_registry("registry-1.docker.io", "docker.io") and not same_registry("ghcr.io", "")


def test_a_login_of_several_registries_has_to_be_named() -> None:
    with pytest.raises(LoginOfSeveral, match="ghcr.io, docker.io"):
        login_host(["ghcr.io/a/b:1", "nginx:1.27"])


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"5", b"{", b'{"token": [1]}', b'{"token": "a\\nb: c"}', b"[" * 90000]
)
def test_a_token_service_that_answers_anything_leaves_it_unknown(
    server: Any, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    def do_get(self: Server) -> None:
        self.give(200, body)

    monkeypatch.setattr(server.RequestHandlerClass, "do_GET", do_get)
    found = registry(host=address(server)).look(f"{address(server)}/shop/app:1.0.0")
    assert found.state == "unknown" and found.why
