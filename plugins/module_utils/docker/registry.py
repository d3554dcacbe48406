# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that an image is in its registry, over the registry's own API: no engine, nothing is downloaded.

Only "there" and "not there" are answers. A registry that refuses, or can't be reached, leaves it unknown: GHCR answers
"denied" for an image that does not exist as for one that the login may not see.
"""

from __future__ import annotations

import base64
import http.client
import re
import urllib.error
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import DOCKER_HUB, parse
from ansible_collections.ops.runbook.plugins.module_utils.docker.registry_login import (
    BadLogin,
    Login,
    belongs,
    listed,
    login_of,
    name_of,
    owners,
)
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

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
    """A registry's answer about an image. why: empty if the image is there."""

    image: str
    state: str
    digest: str = ""
    why: str = ""


@dataclass(frozen=True)
class Registry:
    """How registries are asked. A registry without a login among `logins` is asked without one."""

    open_url: Open
    logins: tuple[Login, ...] = ()
    plain_http: bool = False
    validate_certs: bool = True
    timeout: float = 30

    def look(self, image: str) -> Look:
        """Ask the registry if an image is there. Raises BadReference for a text that is not an image reference."""
        reference = parse(image)
        registry, _slash, path = reference.canonical.partition("/")
        host = "registry-1.docker.io" if registry == DOCKER_HUB else registry
        scheme = "http" if self.plain_http else "https"
        url = f"{scheme}://{host}/v2/{path}/manifests/{reference.digest or reference.tag or 'latest'}"
        note = ""
        try:
            status, headers = self._head(url, "")
            if status == 401:
                authorization, note = self._authorization(headers.get("www-authenticate", ""), registry)
                if not authorization:
                    why = note or f"{host} asks for a login that is not known here"
                    return Look(image, UNKNOWN, why=why)
                status, headers = self._head(url, authorization)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = " ".join(str(getattr(error, "reason", None) or error).split())
            return Look(image, UNKNOWN, why=f"{host} can't be asked: {self.hide(reason)}")
        found = judged(image, host, status, headers)
        return replace(found, why=f"{found.why}; {note}") if note and found.state == UNKNOWN else found

    def hide(self, text: str) -> str:
        return Redactor([one.password for one in self.logins])(text)

    def _head(self, url: str, authorization: str) -> tuple[int, Mapping[str, str]]:
        status, headers, _body = self._send("HEAD", url, {"Accept": ACCEPT}, authorization)
        return status, headers

    def _authorization(self, asked: str, registry: str) -> tuple[str, str]:
        """The header for a challenge of a registry, and a note for people.

        The header is empty where the challenge can't be met. Raises ValueError for an invalid answer.
        """
        login = login_of(self.logins, registry)
        scheme, values = challenge(asked)
        if scheme == "basic":
            return basic(login), ""
        realm = values.get("realm", "")
        wanted = "http" if self.plain_http else "https"
        if scheme != "bearer" or urlsplit(realm).scheme not in (wanted, "https"):
            # A login goes over an encrypted connection, unless the registry itself is asked without one.
            return "", ""
        note = ""
        if login and not belongs(registry, realm, login.token_host):
            note = (
                f"{registry} sends for a token to {urlsplit(realm).hostname}, which is not known to be its own, so the "
                "login was not sent there: name that host with token_host in the registry's login if it may have it"
            )
            login = None
        query = urlencode([(key, values[key]) for key in ("service", "scope") if key in values])
        url = f"{realm}{'&' if '?' in realm else '?'}{query}"
        status, _headers, body = self._send("GET", url, {"Accept": "application/json"}, basic(login))
        if status != 200:
            return "", note
        answer = foreign_json.load_object(body)
        token = answer.get("token") or answer.get("access_token") or ""
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]*", token):
            raise ValueError("the answer of its token service has no token")
        return f"Bearer {token}" if token else "", note

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


def basic(login: Login | None) -> str:
    """The header of a login; empty without one."""
    if login is None:
        return ""
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode("ascii")


def logins_for(
    images: Iterable[str],
    given: Iterable[Mapping[str, Any]],
    username: str = "",
    password: str = "",
    registry: str = "",
) -> tuple[Login, ...]:
    """The logins of a list, and the one given beside it. Pure.

    That one belongs to `registry`, or without a name to the only registry of the images that has no login in the list.
    Raises BadLogin if its registry is not known, and BadReference for a text that is not an image reference.
    """
    found = listed(given)
    hosts = [parse(image).canonical.partition("/")[0] for image in images]
    if not username and not password:
        return found
    owner = (name_of(registry),) if registry else owners(hosts, found)
    if len(owner) > 1:
        raise BadLogin(
            f"the images are of the registries {', '.join(owner)}, and a login is of one of them: name it with "
            "`registry` (github_registry_host in the inventory), or give one login for each with `logins` "
            "(github_registry_logins). A registry without a login is asked without one"
        )
    if owner and login_of(found, owner[0]):
        raise BadLogin(f"the registry {owner[0]} has two logins, one in the list and one beside it: leave one out")
    return (*found, *(Login(name, username, password) for name in owner))


def challenge(text: str) -> tuple[str, dict[str, str]]:
    """Scheme and parameters of a WWW-Authenticate header. Pure."""
    scheme, _space, rest = text.strip().partition(" ")
    values = re.findall(r'\b(\w{1,40})="([^"]{0,2000})"', rest[:8192])
    return scheme.lower(), {key.lower(): value for key, value in values}


def judged(image: str, host: str, status: int, headers: Mapping[str, str]) -> Look:
    """The meaning of a registry's answer. Pure."""
    if status == 200:
        return Look(image, PRESENT, headers.get("docker-content-digest", ""))
    if status == 404:
        return Look(image, MISSING, why=f"{host} does not have it")
    if status in (401, 403):
        return Look(image, UNKNOWN, why=f"{host} answered {status}: it does not exist, or the login may not see it")
    return Look(image, UNKNOWN, why=f"{host} answered {status}")
