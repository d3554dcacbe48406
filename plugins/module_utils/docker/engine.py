# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker engine of this host, asked over its socket.

The socket and not the command line: an answer takes 2 ms and not 40, and the credentials of a registry travel in a
header, so that they are on no command line, in no environment and in no file.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text import bounded, foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

DEFAULT_HOST = "unix:///var/run/docker.sock"


class EngineUnreachable(Exception):
    """There is no answer from the engine. denied: it is there, and this user may not speak to it."""

    def __init__(self, text: str, denied: bool = False) -> None:
        super().__init__(text)
        self.denied = denied


class EngineError(Exception):
    """The engine answered that it can't. status: of HTTP; message: its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RegistryProblem(Exception):
    """A registry did not give what was asked for.

    kind: missing, denied, down, no_space or other. registry: its host. text: why, without any credentials.
    """

    def __init__(self, kind: str, registry: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.registry = registry
        self.text = text


#: The answer of a registry where the engine also tried without TLS, as it does on a loopback address.
_TRIED_WITHOUT_TLS = "HTTP request to an HTTPS server"

#: Words of the engine's errors about a registry, in the order in which they decide; it passes on those of many
#: programs.
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("no_space", ("no space left", "disk quota exceeded")),
    (
        "down",
        (
            "connection refused",
            "no such host",
            "timeout",
            "deadline exceeded",
            "no route to host",
            "network is unreachable",
            "connection reset",
            "server misbehaving",
            "temporary failure",
            "service unavailable",
            "bad gateway",
            "eof",
        ),
    ),
    ("denied", ("unauthorized", "denied", "no basic auth", "authentication required", "forbidden")),
    ("missing", ("manifest unknown", "not found", "unknown manifest", "name unknown", "repository name not known")),
)


def registry_problem(registry: str, status: int, message: str) -> RegistryProblem:
    """The engine's words about a registry, with their meaning."""
    words = message.lower()
    kind = next((kind for kind, signs in _KINDS if any(sign in words for sign in signs)), "")
    if not kind:
        kind = {401: "denied", 403: "denied", 404: "missing"}.get(status, "other")
    return RegistryProblem(kind, registry, cut(" ".join(message.split())))


class Engine:
    """One engine. host: as DOCKER_HOST has it. timeout: seconds for an answer that waits for nothing."""

    def __init__(self, host: str = DEFAULT_HOST, timeout: float = 30.0) -> None:
        self.host = host
        self.timeout = timeout

    # -- transport -------------------------------------------------------------------------------

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        scheme, _, place = self.host.partition("://")
        if scheme == "unix":
            return _UnixConnection(place, timeout)
        if scheme == "https":
            raise EngineUnreachable(
                f"the engine at {place} is to be asked over TLS (DOCKER_TLS_VERIFY or the context says so), and it is "
                "asked here over a socket alone; ssh -N -L /tmp/docker.sock:/var/run/docker.sock <host> "
                "brings its socket here, and DOCKER_HOST=unix:///tmp/docker.sock names it"
            )
        if scheme in ("tcp", "http"):
            return http.client.HTTPConnection(place, timeout=timeout)
        raise EngineUnreachable(f"{self.host} is neither a unix socket nor a tcp address")

    def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None, timeout: float, body: bytes | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._connection(timeout)
        try:
            connection.request(method, path, body, {"Host": "docker", **(headers or {})})
            return connection, connection.getresponse()
        except PermissionError as error:
            raise EngineUnreachable(f"this user may not use {self.host}", denied=True) from error
        except socket.timeout as error:
            raise EngineUnreachable(f"{self.host} did not answer within {timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnreachable(f"{self.host}: {getattr(error, 'strerror', None) or error}") from error

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        body: bytes | None = None,
    ) -> Any:
        """The engine's answer, as JSON. Raises EngineUnreachable or EngineError."""
        connection, response = self._send(method, path, headers, timeout or self.timeout, body)
        try:
            content = response.read(bounded.PARSED + 1)
        except socket.timeout as error:
            raise EngineUnreachable(f"{self.host} did not answer in time") from error
        finally:
            connection.close()
        if len(content) > bounded.PARSED:
            raise EngineError(0, f"{self.host} answered {path.partition('?')[0]} with more than 64 MiB")
        answer = _document(content)
        if response.status >= 300:
            raise EngineError(response.status, _message(answer, content))
        return answer

    def _object(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self.request(method, path, **options)
        if not isinstance(answer, dict):
            raise EngineError(0, f"{self.host} answered {path.partition('?')[0]} with something that is not an object")
        return answer

    def _objects(self, path: str) -> list[dict[str, Any]]:
        answer = self.request("GET", path)
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise EngineError(0, f"{self.host} answered {path.partition('?')[0]} with something that is not a list")
        return answer

    # -- containers ------------------------------------------------------------------------------

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """The containers that carry all of these labels, also those that do not run."""
        filters = urllib.parse.quote(json.dumps({"label": list(labels)}))
        return self._objects(f"/containers/json?all=true&filters={filters}")

    def container(self, identity: str) -> dict[str, Any]:
        return self._object("GET", f"/containers/{identity}/json")

    def wait(self, identity: str, timeout: float) -> None:
        """Wait until a container has ended, or is gone."""
        try:
            self.request("POST", f"/containers/{identity}/wait", timeout=timeout)
        except EngineError as error:
            if error.status != 404:
                raise

    def remove_container(self, identity: str) -> None:
        """Remove a container, running or not; one that is gone already is not an error."""
        try:
            self.request("DELETE", f"/containers/{identity}?force=true&v=true")
        except EngineError as error:
            if error.status not in (404, 409):
                raise

    # -- images ----------------------------------------------------------------------------------

    def image(self, reference: str) -> dict[str, Any] | None:
        """The engine's description of a local image; None if there is no such image."""
        try:
            return self._object("GET", f"/images/{urllib.parse.quote(reference, safe='/:@')}/json")
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def images(self) -> list[dict[str, Any]]:
        """All local images."""
        return self._objects("/images/json?digests=true")

    def remove_image(self, reference: str) -> None:
        """Remove an image, or one of its names; never by force."""
        self.request("DELETE", f"/images/{urllib.parse.quote(reference, safe='/:@')}", timeout=300.0)

    def machine(self) -> str:
        """The architecture of its host, as the kernel names it."""
        return str(self._object("GET", "/info").get("Architecture") or "")

    def root(self) -> str:
        """The folder in which the engine keeps its images."""
        return str(self._object("GET", "/info").get("DockerRootDir") or "/var/lib/docker")

    def digest_of(self, reference: str, registry: str, auth: str, timeout: float) -> str:
        """The digest that a registry has for a reference; nothing is downloaded. Raises RegistryProblem."""
        path = f"/distribution/{urllib.parse.quote(reference, safe='/:@')}/json"
        try:
            answer = self._object("GET", path, headers={"X-Registry-Auth": auth} if auth else None, timeout=timeout)
        except EngineError as error:
            if _TRIED_WITHOUT_TLS in error.message:
                raise self._lost_reason(reference, registry, auth, timeout) from error
            raise registry_problem(registry, error.status, error.message) from error
        except EngineUnreachable as error:
            if "did not answer" not in str(error):
                raise
            raise RegistryProblem("down", registry, f"no answer within {timeout:g} s") from error
        descriptor = answer.get("Descriptor")
        digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
        if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise RegistryProblem("other", registry, "it answered without a digest")
        return digest

    def _lost_reason(self, reference: str, registry: str, auth: str, timeout: float) -> RegistryProblem:
        """Why the registry did not answer, where the engine forgot it over a second attempt: login or image."""
        if not auth:
            return RegistryProblem("denied", registry, "nobody is logged in there on this host")
        try:
            headers = {"Content-Type": "application/json"}
            self.request("POST", "/auth", headers, timeout, base64.urlsafe_b64decode(auth))
        except EngineError:
            return RegistryProblem("denied", registry, "it does not accept this user and password")
        return RegistryProblem("missing", registry, f"it has no {reference}")

    def pull(
        self,
        repository: str,
        digest: str,
        registry: str,
        auth: str,
        timeout: float,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        """Download an image by its digest. Raises RegistryProblem.

        watch: called during the download; an exception from it stops the download, because the engine gives up with
        the connection.
        """
        query = urllib.parse.urlencode({"fromImage": repository, "tag": digest})
        headers = {"X-Registry-Auth": auth} if auth else None
        connection, response = self._send("POST", f"/images/create?{query}", headers, timeout)
        try:
            if response.status >= 300:
                content = response.read(bounded.SHOWN)
                raise registry_problem(registry, response.status, _message(_document(content), content))
            # The status line came before the download began: an error of the download is in the stream.
            for event in _events(response):
                watch()
                if event.get("error"):
                    raise registry_problem(registry, 0, str(event["error"]))
        except (OSError, http.client.HTTPException) as error:
            raise RegistryProblem("down", registry, f"the download stopped: {error}") from error
        finally:
            response.close()
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    while True:
        line = response.readline(bounded.SHOWN)
        if not line:
            return
        event = _document(line)
        if isinstance(event, dict):
            yield event


def _document(content: bytes) -> Any:
    try:
        return foreign_json.loads(content) if content.strip() else None
    except ValueError:
        return None


def _message(answer: Any, content: bytes) -> str:
    if isinstance(answer, dict) and answer.get("message"):
        return str(answer["message"])
    return cut(content.decode("utf-8", "replace").strip()) or "it gave no reason"


# -- the engine's address, and logins for a registry --------------------------------------


def _settings() -> dict[str, Any]:
    """The settings that `docker login` and `docker context use` left for this user."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    try:
        with open(os.path.join(folder, "config.json"), "rb") as handle:
            return foreign_json.load_object(handle.read(bounded.SHOWN))
    except (OSError, ValueError):
        return {}


def default_host(docker: str = "docker") -> str:
    """The engine that the command line would speak to."""
    tls = bool(os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_TLS"))
    if os.environ.get("DOCKER_HOST"):
        return _over_tls(os.environ["DOCKER_HOST"], tls)
    context = os.environ.get("DOCKER_CONTEXT") or str(_settings().get("currentContext") or "")
    if not context or context == "default":
        return DEFAULT_HOST
    argv = [docker, "context", "inspect", context, "--format", "{{.Endpoints.docker.Host}} {{json .TLSMaterial}}"]
    try:
        found = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return DEFAULT_HOST
    host, _, material = found.stdout.strip().partition(" ")
    return _over_tls(host or DEFAULT_HOST, tls or material.strip() not in ("", "{}", "null", '{"docker":null}'))


def _over_tls(host: str, tls: bool) -> str:
    """An address that says itself that it is asked over TLS: a login must not go there in clear."""
    scheme, _, place = host.partition("://")
    return f"https://{place}" if tls and scheme in ("tcp", "http", "https") else host


def credentials(registry: str, user: str, password: str) -> tuple[str, bool]:
    """The header that introduces this user to a registry, and whether there was anything to say in it.

    Without a user given, what `docker login` left on the host is taken, from a credential helper too.
    """
    if user:
        return _header({"username": user, "password": password, "serveraddress": registry}), True
    settings = _settings()
    names = [registry, f"https://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/"]
    if registry == "docker.io":
        names = ["https://index.docker.io/v1/", "index.docker.io", *names]
    helpers, stored = settings.get("credHelpers"), settings.get("auths")
    for name in names:
        helper = (helpers.get(name) if isinstance(helpers, dict) else None) or settings.get("credsStore")
        given = _ask_helper(str(helper), name) if helper else None
        given = given or _stored(stored.get(name) if isinstance(stored, dict) else None)
        if given:
            return _header({**given, "serveraddress": registry}), True
    return "", False


def _header(content: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(dict(content)).encode()).decode()


def _stored(entry: Any) -> dict[str, str] | None:
    if not isinstance(entry, Mapping):
        return None
    if entry.get("identitytoken"):
        return {"identitytoken": str(entry["identitytoken"])}
    try:
        user, _, password = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
    except ValueError:
        return None
    return {"username": user, "password": password} if user else None


def _ask_helper(helper: str, name: str) -> dict[str, str] | None:
    try:
        found = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=name,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        answer = foreign_json.load_object(found.stdout) if found.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if not answer.get("Secret"):
        return None
    if answer.get("Username") == "<token>":
        return {"identitytoken": str(answer["Secret"])}
    return {"username": str(answer.get("Username", "")), "password": str(answer["Secret"])}
