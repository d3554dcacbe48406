# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an image is in its registry, asked over the registry's own API: no engine, nothing is downloaded.

Only "there" and "not there" are answers. A registry that refuses, or can't be reached, leaves it unknown: GHCR answers
"denied" for an image that does not exist as for one that the login may not see.
"""

from __future__ import annotations

import base64
import http.client
import re
import urllib.error
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.image_reference import DOCKER_HUB, parse
from ansible_collections.ops.runbook.plugins.module_utils.redact import Redactor

#: Manifests of one image and of an index, by Docker's and by OCI's names.
ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
PRESENT, MISSING, UNKNOWN = "present", "missing", "unknown"

#: Ansible's open_url. The rules know no Ansible, so it is handed in.
Open = Callable[..., Any]


@dataclass(frozen=True)
class Look:
    """What a registry says of an image. why: empty where it is there."""

    image: str
    state: str
    digest: str = ""
    why: str = ""


@dataclass(frozen=True)
class Registry:
    """How registries are asked.

    password: with username, the login of the registry `host`, and of where that registry sends for a token. Every other
    one is asked without a login.
    """

    open_url: Open
    username: str = ""
    password: str = field(default="", repr=False)
    plain_http: bool = False
    validate_certs: bool = True
    timeout: float = 30
    host: str = ""

    def look(self, image: str) -> Look:
        """Whether an image is there. Raises BadReference for a text that is none."""
        reference = parse(image)
        host, _slash, path = reference.canonical.partition("/")
        login = self._login() if same_registry(host, self.host) else ""
        if host == DOCKER_HUB:
            host = "registry-1.docker.io"
        scheme = "http" if self.plain_http else "https"
        url = f"{scheme}://{host}/v2/{path}/manifests/{reference.digest or reference.tag or 'latest'}"
        try:
            status, headers = self._head(url, "")
            if status == 401:
                authorization = self._authorization(headers.get("www-authenticate", ""), login)
                if not authorization:
                    return Look(image, UNKNOWN, why=f"{host} asks for a login that is not known here")
                status, headers = self._head(url, authorization)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = " ".join(str(getattr(error, "reason", None) or error).split())
            return Look(image, UNKNOWN, why=f"{host} can't be asked: {self.hide(reason)}")
        return judged(image, host, status, headers)

    def hide(self, text: str) -> str:
        return Redactor([self.password])(text) if self.password else text

    def _login(self) -> str:
        if not self.username and not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    def _head(self, url: str, authorization: str) -> tuple[int, Mapping[str, str]]:
        status, headers, _body = self._send("HEAD", url, {"Accept": ACCEPT}, authorization)
        return status, headers

    def _authorization(self, asked: str, login: str) -> str:
        """The header for a challenge; empty where it can't be met. Raises ValueError for an answer that is none."""
        scheme, values = challenge(asked)
        if scheme == "basic":
            return login
        realm = values.get("realm", "")
        wanted = "http" if self.plain_http else "https"
        if scheme != "bearer" or urlsplit(realm).scheme not in (wanted, "https"):
            # A login goes over an encrypted connection, unless the registry itself is asked without one.
            return ""
        query = urlencode([(key, values[key]) for key in ("service", "scope") if key in values])
        url = f"{realm}{'&' if '?' in realm else '?'}{query}"
        status, _headers, body = self._send("GET", url, {"Accept": "application/json"}, login)
        if status != 200:
            return ""
        answer = foreign_json.load_object(body)
        token = answer.get("token") or answer.get("access_token") or ""
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]*", token):
            raise ValueError("the answer of its token service has no token")
        return f"Bearer {token}" if token else ""

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], authorization: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            answer = self.open_url(
                url,
                method=method,
                headers={**headers, **({"Authorization": authorization} if authorization else {})},
                timeout=self.timeout,
                validate_certs=self.validate_certs,
                http_agent="ops.runbook",
                follow_redirects="none",
                unredirected_headers=["Authorization"],
                use_netrc=False,
            )
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            status = answer.code if isinstance(answer, urllib.error.HTTPError) else answer.status
            return int(status), found, answer.read(1 << 20)


class LoginOfSeveral(ValueError):
    """A login was given for images of several registries, and which one it is of was not."""


def same_registry(one: str, other: str) -> bool:
    """Whether two names are of one registry; Docker Hub has several."""
    hub = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
    return bool(other) and (one.lower() == other.lower() or (one in hub and other.lower() in hub))


def login_host(images: Iterable[str], given: str = "") -> str:
    """The registry that a login is of: the one that is given, or the only one of the images.

    Raises LoginOfSeveral, and BadReference for a text that is no image.
    """
    hosts = list(dict.fromkeys(parse(image).canonical.partition("/")[0] for image in images))
    if given or len(hosts) < 2:
        return given or "".join(hosts)
    raise LoginOfSeveral(
        f"the images are of the registries {', '.join(hosts)}, and a login is of one of them: name it with `registry` "
        "(github_registry_host in the inventory); the others are asked without a login"
    )


def challenge(text: str) -> tuple[str, dict[str, str]]:
    """Scheme and parameters of a WWW-Authenticate header. Pure."""
    scheme, _space, rest = text.strip().partition(" ")
    values = re.findall(r'\b(\w{1,40})="([^"]{0,2000})"', rest[:8192])
    return scheme.lower(), {key.lower(): value for key, value in values}


def judged(image: str, host: str, status: int, headers: Mapping[str, str]) -> Look:
    """What an answer says. Pure."""
    if status == 200:
        return Look(image, PRESENT, headers.get("docker-content-digest", ""))
    if status == 404:
        return Look(image, MISSING, why=f"{host} does not have it")
    if status in (401, 403):
        return Look(image, UNKNOWN, why=f"{host} answered {status}: it does not exist, or the login may not see it")
    return Look(image, UNKNOWN, why=f"{host} answered {status}")
