"""Images are looked for in their registry: a small one on a real socket that wants a login."""

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

from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import BadReference
from ansible_collections.ops.runbook.plugins.module_utils.docker.registry import Registry, challenge, judged, logins_for
from ansible_collections.ops.runbook.plugins.module_utils.docker.registry_login import (
    BadLogin,
    Login,
    belongs,
    listed,
    login_of,
    name_of,
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


def registry(
    host: str = "", username: str = "robot", password: str = PASSWORD, plain_http: bool = True, token_host: str = ""
) -> Registry:
    logins = (Login(host, username, password, token_host),) if host and username else ()
    return Registry(open_url, logins, plain_http, timeout=5)


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
    asked = registry(host="127.0.0.1:1", plain_http=False)
    assert asked._authorization('Bearer realm="http://127.0.0.1:1/token",service="reg"', "127.0.0.1:1") == ("", "")
    assert asked._authorization('Bearer realm="file:///etc/passwd"', "127.0.0.1:1") == ("", "")
    assert PASSWORD not in repr(asked)


def test_an_invalid_image_reference_is_refused() -> None:
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


ONE = {"registry": "ghcr.io", "username": "a", "password": "p"}
OTHER = {"registry": "registry.example.com:5000", "username": "b", "password": "q"}


@pytest.mark.parametrize(
    ("images", "given", "registry_host", "expected"),
    [
        (["ghcr.io/a/b:1", "ghcr.io/a/c:1"], [], "", ["ghcr.io"]),
        (["nginx:1.27"], [], "", ["docker.io"]),
        (["ghcr.io/a/b:1", "nginx:1.27"], [], "ghcr.io", ["ghcr.io"]),
        (["ghcr.io/a/b:1"], [], "https://GHCR.io/", ["ghcr.io"]),
        (["ghcr.io/a/b:1", "nginx:1.27"], [ONE], "", ["ghcr.io", "docker.io"]),
        (["ghcr.io/a/b:1", "registry.example.com:5000/a:1"], [ONE], "", ["ghcr.io", "registry.example.com:5000"]),
        ([], [], "", []),
    ],
)
def test_a_login_is_of_one_registry(
    images: list[str], given: list[dict[str, str]], registry_host: str, expected: list[str]
) -> None:
    found = logins_for(images, given, "robot", PASSWORD, registry_host)
    assert [one.registry for one in found] == expected
    assert logins_for(images, [ONE, OTHER]) == listed([ONE, OTHER])


@pytest.mark.parametrize(
    ("images", "given", "registry_host", "said"),
    [
        (["ghcr.io/a/b:1", "nginx:1.27"], [], "", "ghcr.io, docker.io"),
        (["ghcr.io/a/b:1", "nginx:1.27", "quay.io/a/b:1"], [ONE], "", "docker.io, quay.io"),
        (["ghcr.io/a/b:1"], [ONE], "ghcr.io", "ghcr.io has two logins"),
        (["ghcr.io/a/b:1"], [ONE, {**ONE, "registry": "GHCR.IO"}], "", "ghcr.io has two logins"),
        (["nginx:1"], [{**ONE, "registry": "index.docker.io"}, {**ONE, "registry": "docker.io"}], "", "two logins"),
        (["ghcr.io/a/b:1"], [{**ONE, "registry": ""}], "", "names no registry"),
        (["ghcr.io/a/b:1"], [{**ONE, "password": ""}], "", "lacks its username or its password"),
    ],
)
def test_a_login_whose_registry_is_not_known_is_refused(
    images: list[str], given: list[dict[str, str]], registry_host: str, said: str
) -> None:
    with pytest.raises(BadLogin, match=said):
        logins_for(images, given, "robot", PASSWORD, registry_host)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ghcr.io", "ghcr.io"),
        ("GHCR.io/", "ghcr.io"),
        ("https://registry.example.com:5000/v2/", "registry.example.com:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_the_name_of_a_registry(text: str, name: str) -> None:
    assert name_of(text) == name
    found = login_of([Login(name, "a", "p")], text)
    assert found is not None and found.username == "a"
    assert login_of([Login(name, "a", "p")], "other.example.com") is None


@pytest.mark.parametrize(
    ("host", "realm", "token_host", "own"),
    [
        ("ghcr.io", "https://ghcr.io/token", "", True),
        ("registry.example.com:5000", "https://registry.example.com:5001/auth", "", True),
        ("docker.io", "https://auth.docker.io/token", "", True),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", "", True),
        ("registry.example.com", "https://gitlab.example.com/jwt/auth", "", False),
        ("registry.example.com", "https://gitlab.example.com/jwt/auth", "gitlab.example.com", True),
        ("registry.example.com", "https://gitlab.example.com:8443/jwt/auth", "gitlab.example.com:8443", True),
        ("registry.example.com", "https://registry.example.com.evil.example/token", "", False),
        ("registry.example.com", "https://registry.example.com@evil.example/token", "", False),
        ("ghcr.io", "https://auth.docker.io/token", "", False),
        ("ghcr.io", "", "", False),
    ],
)
def test_a_token_service_belongs_to_its_registry(host: str, realm: str, token_host: str, own: bool) -> None:
    assert belongs(host, realm, token_host) is own


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Two registries with their token services, each on a name of its own."""
    servers = []
    for _number in range(2):
        kind = type("Bound", (Server,), {"seen": []})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), kind))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield servers
    for one in servers:
        one.shutdown()
        one.server_close()


def sent(server: Any) -> set[str]:
    """The logins that a server was sent."""
    found = set()
    for _method, _path, given in server.RequestHandlerClass.seen:
        if given.startswith("Basic "):
            found.add(base64.b64decode(given.partition(" ")[2]).decode())
    return found


@pytest.mark.parametrize("mode", ["basic", "bearer"])
def test_each_of_two_registries_gets_its_own_login(two: list[Any], mode: str) -> None:
    one, other = two
    names = [f"127.0.0.1:{one.server_address[1]}", f"localhost:{other.server_address[1]}"]
    for server in two:
        server.RequestHandlerClass.mode = mode
    logins = (Login(names[0], "robot", PASSWORD), Login(names[1], "someone", "another"))
    asked = Registry(open_url, logins, True, timeout=5)
    assert asked.look(f"{names[0]}/shop/app:1.0.0").state == "present"
    assert asked.look(f"{names[1]}/shop/app:1.0.0").state == "unknown"
    assert sent(one) == {f"robot:{PASSWORD}"} and sent(other) == {"someone:another"}


def test_a_realm_of_another_host_is_asked_without_the_login(two: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry sends for a token to another host: that does not prove that the host may have the login."""
    one, other = two
    elsewhere = f"localhost:{other.server_address[1]}"

    def astray(self: Server) -> None:
        realm = f'Bearer realm="http://{elsewhere}/token",service="reg",scope="repository:shop/app:pull"'
        self.give(401, WWW_Authenticate=realm)

    monkeypatch.setattr(one.RequestHandlerClass, "do_HEAD", astray)
    found = registry(host=address(one)).look(f"{address(one)}/shop/app:1.0.0")
    assert found.state == "unknown" and "localhost" in found.why and "token_host" in found.why
    assert [path.partition("?")[0] for _method, path, _given in other.RequestHandlerClass.seen] == ["/token"]
    assert sent(other) == set()
    registry(host=address(one), token_host="localhost").look(f"{address(one)}/shop/app:1.0.0")
    assert sent(other) == {f"robot:{PASSWORD}"}


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
