# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a Docker engine over its socket, and the meaning of its answers."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import (
    Engine,
    EngineError,
    EngineUnreachable,
    RegistryProblem,
    credentials,
    default_host,
    registry_problem,
)

DIGEST = "sha256:" + "a" * 64


class Served:
    """An engine that answers what it is told to, on a socket of its own."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str, str]] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                place = self.path.partition("?")[0]
                served.asked.append((self.command, self.path, self.headers.get("X-Registry-Auth", "")))
                status, body = served.answers.get(f"{self.command} {place}", (404, b'{"message": "no such thing"}'))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _answer

            def address_string(self) -> str:
                return "test"

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.engine = Engine(f"unix://{path}", timeout=5)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path / "s")
    yield found
    found.close()


def test_containers_by_their_labels(served: Served) -> None:
    served.answers["GET /containers/json"] = (200, b'[{"Id": "1"}]')
    assert served.engine.containers(["a=b"]) == [{"Id": "1"}]
    assert "all=true" in served.asked[0][1]


def test_an_image_that_is_not_here(served: Served) -> None:
    assert served.engine.image("registry.example.com:5000/acme/shop:1") is None
    assert served.asked[0][1] == "/images/registry.example.com:5000/acme/shop:1/json"


def test_an_error_is_in_the_engines_words(served: Served) -> None:
    served.answers["GET /images/json"] = (500, b'{"message": "the disk is gone"}')
    with pytest.raises(EngineError, match="the disk is gone") as raised:
        served.engine.images()
    assert raised.value.status == 500


def test_a_digest_is_asked_for_with_the_credentials_in_a_header(served: Served) -> None:
    served.answers["GET /distribution/acme/shop:1/json"] = (
        200,
        json.dumps({"Descriptor": {"digest": DIGEST}}).encode(),
    )
    auth, _ = credentials("registry.example.com", "ops", "secret")
    assert served.engine.digest_of("acme/shop:1", "registry.example.com", auth, 5) == DIGEST
    assert json.loads(base64.urlsafe_b64decode(served.asked[0][2])) == {
        "username": "ops",
        "password": "secret",
        "serveraddress": "registry.example.com",
    }
    assert "secret" not in served.asked[0][1]


def test_a_download_that_fails_says_so_in_its_stream(served: Served) -> None:
    events = b'{"status": "Pulling"}\n{"error": "write /x: no space left on device", "errorDetail": {}}\n'
    served.answers["POST /images/create"] = (200, events)
    with pytest.raises(RegistryProblem) as raised:
        served.engine.pull("acme/shop", DIGEST, "registry.example.com", "", 5)
    assert raised.value.kind == "no_space"
    assert served.asked[0][1] == f"/images/create?fromImage=acme%2Fshop&tag={DIGEST.replace(':', '%3A')}"


def test_a_download_is_stopped_by_who_watches_it(served: Served) -> None:
    served.answers["POST /images/create"] = (200, b'{"status": "Pulling"}\n' * 3)
    seen = []

    def watch() -> None:
        seen.append(1)
        raise RegistryProblem("no_space", "registry.example.com", "the disk fills up")

    with pytest.raises(RegistryProblem, match="fills up"):
        served.engine.pull("acme/shop", DIGEST, "registry.example.com", "", 5, watch)
    assert seen == [1]


def test_a_container_that_is_gone_already(served: Served) -> None:
    served.engine.remove_container("1")
    served.engine.wait("1", 5)


def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="No such file"):
        Engine(f"unix://{tmp_path}/none").request("GET", "/_ping")
    with pytest.raises(EngineUnreachable, match="neither"):
        Engine("ssh://host").request("GET", "/_ping")


WORDS = {
    "down": [
        'Get "https://r/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
        "dial tcp: lookup r: no such host",
        "net/http: TLS handshake timeout",
        "context deadline exceeded",
        "received unexpected HTTP status: 503 Service Unavailable",
    ],
    "denied": ["no basic auth credentials", "unauthorized: authentication required", "denied: requested access"],
    "missing": ["manifest for a:b not found: manifest unknown", "name unknown: repository name not known to registry"],
    "no_space": ["failed to register layer: write /a: no space left on device"],
    "other": ["something else"],
}


@pytest.mark.parametrize(("kind", "words"), [(kind, words) for kind, every in WORDS.items() for words in every])
def test_errors_about_a_registry_have_their_kind(kind: str, words: str) -> None:
    assert registry_problem("r", 500, words).kind == kind


@pytest.mark.parametrize(("status", "kind"), [(401, "denied"), (403, "denied"), (404, "missing"), (500, "other")])
def test_without_known_words_the_status_counts(status: int, kind: str) -> None:
    assert registry_problem("r", status, "?").kind == kind


# -- what docker login left ----------------------------------------------------------------------


def auth_of(registry: str, user: str = "", password: str = "") -> Any:
    text, there = credentials(registry, user, password)
    return json.loads(base64.urlsafe_b64decode(text)) if there else None


def basic(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path / "config.json"


def test_nobody_is_logged_in(config: Path) -> None:
    assert auth_of("ghcr.io") is None
    config.write_text("no json")
    assert auth_of("ghcr.io") is None


def test_the_stored_login_of_a_registry_is_read(config: Path) -> None:
    config.write_text(
        json.dumps({"auths": {"ghcr.io": basic("u", "p:q"), "https://index.docker.io/v1/": basic("h", "x")}})
    )
    assert auth_of("ghcr.io") == {"username": "u", "password": "p:q", "serveraddress": "ghcr.io"}
    assert auth_of("docker.io")["username"] == "h"
    assert auth_of("quay.io") is None
    assert auth_of("ghcr.io", "given", "password")["username"] == "given"


def test_a_token_is_stored(config: Path) -> None:
    config.write_text(json.dumps({"auths": {"ghcr.io": {"identitytoken": "t"}}}))
    assert auth_of("ghcr.io") == {"identitytoken": "t", "serveraddress": "ghcr.io"}


@pytest.mark.parametrize("setting", [{"credsStore": "lab"}, {"credHelpers": {"ghcr.io": "lab"}}])
def test_a_helper_is_asked(config: Path, setting: dict[str, Any]) -> None:
    helper = config.parent / "docker-credential-lab"
    helper.write_text('#!/bin/sh\nread name\nprintf \'{"Username": "u", "Secret": "s-%s"}\' "$name"\n')
    helper.chmod(0o755)
    config.write_text(json.dumps(setting))
    assert auth_of("ghcr.io")["password"] == "s-ghcr.io"


def test_a_helper_that_knows_nothing_leaves_what_is_stored(config: Path) -> None:
    helper = config.parent / "docker-credential-lab"
    helper.write_text("#!/bin/sh\nexit 1\n")
    helper.chmod(0o755)
    config.write_text(json.dumps({"credsStore": "lab", "auths": {"ghcr.io": basic("u", "p")}}))
    assert auth_of("ghcr.io")["username"] == "u"


def test_the_address_of_the_engine_is_found(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_host() == "unix:///var/run/docker.sock"
    docker = config.parent / "docker"
    docker.write_text("#!/bin/sh\necho unix:///run/user/1000/docker.sock\n")
    docker.chmod(0o755)
    config.write_text(json.dumps({"currentContext": "rootless"}))
    assert default_host(str(docker)) == "unix:///run/user/1000/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    assert default_host() == "tcp://127.0.0.1:2375"


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_TLS"])
def test_an_engine_that_is_asked_over_tls_is_not_asked_in_clear(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2376")
    monkeypatch.setenv(name, "1")
    with pytest.raises(EngineUnreachable, match=r"127.0.0.1:2376 is to be asked over TLS"):
        Engine(default_host()).request("GET", "/_ping")
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert default_host() == "unix:///var/run/docker.sock"


def test_a_context_with_certificates_is_asked_over_tls(config: Path) -> None:
    docker = config.parent / "docker"
    docker.write_text('#!/bin/sh\necho \'tcp://engine:2376 {"docker":["ca.pem"]}\'\n')
    docker.chmod(0o755)
    config.write_text('{"currentContext": "far"}')
    assert default_host(str(docker)) == "https://engine:2376"


@pytest.mark.parametrize("body", [b"null", b"5", b"[5]", b"{", b"[" * 90000, b'"x"', b"\xff"])
def test_an_engine_that_answers_anything_gives_one_error(served: Served, body: bytes) -> None:
    for path in ("containers/json", "containers/a/json", "images/json", "info", "images/a/json", "distribution/a/json"):
        served.answers[f"GET /{path}"] = (200, body)
    asked: list[Callable[[], object]] = [
        lambda: served.engine.containers(["a=b"]),
        lambda: served.engine.container("a"),
        served.engine.images,
        served.engine.root,
        lambda: served.engine.image("a"),
        lambda: served.engine.digest_of("a", "r", "", 5),
    ]
    for ask in asked:
        with pytest.raises((EngineError, RegistryProblem)):
            ask()


def test_a_settings_file_of_any_kind_is_no_login(config: Path) -> None:
    for text in ('{"auths": [], "credHelpers": 5}', "[]", '{"auths": {"a": 5}}', "[" * 90000):
        config.write_text(text)
        assert credentials("a", "", "") == ("", False)
