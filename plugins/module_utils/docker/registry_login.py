# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins of registries: each belongs to one registry, and goes to that one and to its token service alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import DOCKER_HUB

#: Docker Hub has several names.
_HUB = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com")
#: Token services on another host than their registry, as those registries name them.
TOKEN_HOSTS: dict[str, tuple[str, ...]] = {
    DOCKER_HUB: ("auth.docker.io",),
    "registry.gitlab.com": ("gitlab.com",),
    "registry.digitalocean.com": ("api.digitalocean.com",),
}
#: The arguments of a module that takes logins, for each of them.
OPTIONS: dict[str, dict[str, Any]] = {
    "registry": {"type": "str", "required": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
}


class BadLogin(ValueError):
    """A login whose registry is not known, or of which a registry has two."""


@dataclass(frozen=True)
class Login:
    """A login of one registry. token_host: where that registry sends for a token, if it is neither its own host nor a
    known one."""

    registry: str
    username: str
    password: str = field(repr=False)
    token_host: str = ""


def name_of(text: str) -> str:
    """The registry that a text names: `https://GHCR.io/` and `ghcr.io` are one, and so are the names of Docker Hub."""
    host = (urlsplit(text).netloc if "://" in text else text.partition("/")[0]).strip().lower()
    return DOCKER_HUB if host in _HUB else host


def login_of(logins: Iterable[Login], registry: str) -> Login | None:
    """The login of a registry; None if it has none, and is asked without one."""
    wanted = name_of(registry)
    return next((one for one in logins if one.registry == wanted), None)


def listed(given: Iterable[Mapping[str, Any]]) -> tuple[Login, ...]:
    """The logins of a list, each with the keys registry, username, password and token_host. Raises BadLogin."""
    found: list[Login] = []
    for one in given:
        registry = name_of(str(one.get("registry") or ""))
        if not registry:
            raise BadLogin("a login of the list names no registry: give each its host, such as ghcr.io")
        if login_of(found, registry):
            raise BadLogin(f"the registry {registry} has two logins in the list: leave one of them out")
        username, password = str(one.get("username") or ""), str(one.get("password") or "")
        if not username or not password:
            raise BadLogin(f"the login of the registry {registry} lacks its username or its password")
        found.append(Login(registry, username, password, str(one.get("token_host") or "").lower()))
    return tuple(found)


def owners(registries: Iterable[str], logins: Sequence[Login]) -> tuple[str, ...]:
    """The registries that a login without a name may belong to: those without a login of their own."""
    names = dict.fromkeys(name_of(one) for one in registries)
    return tuple(name for name in names if login_of(logins, name) is None)


def placed(
    user: str,
    password: str,
    host: str,
    registries: Iterable[str],
    logins: Sequence[Login],
    options: tuple[str, str],
) -> tuple[tuple[Login, ...], str]:
    """The logins with the one that is given beside the list, and a warning where that one goes to no registry.

    Without a name it belongs to the only registry that has no login in the list; Docker Hub counts only where it is
    alone, since most of its images need none. options: the variables that name its registry, and that have the list.
    """
    found = tuple(logins)
    if not user:
        return found, ""
    names = owners(registries, found)
    owner = (name_of(host),) if host else tuple(one for one in names if one != DOCKER_HUB) or names
    if len(owner) == 1 and login_of(found, owner[0]) is None:
        unknown = host and owner[0] not in {name_of(one) for one in registries}
        said = f"the login of {user} is for {owner[0]}, and no image of the service is there" if unknown else ""
        return (*found, Login(owner[0], user, password)), said
    if len(owner) > 1:
        return found, (
            f"the login of {user} is sent to none of {', '.join(owner)}: which one it belongs to is not said. Name it "
            f"with {options[0]}, or give a login for each with {options[1]}"
        )
    return found, f"the login of {user} is sent to no registry: each has a login in {options[1]}"


def belongs(registry: str, realm: str, token_host: str = "") -> bool:
    """True if a token service, by its address, is the registry's: on its host, a known one, or one that is named."""
    host = (urlsplit(realm).hostname or "").lower()
    own = (urlsplit(f"//{name_of(registry)}").hostname or "").lower()
    named = (urlsplit(f"//{token_host}").hostname or "").lower() if token_host else ""
    return bool(host) and host in {own, named, *TOKEN_HOSTS.get(name_of(registry), ())} - {""}
