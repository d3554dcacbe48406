# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that use a key of .env, and their places, read from the resolved configuration.

Compose is asked twice: as things are, and with a mark in the place of each key. The key is filled
in where the second answer differs. A value from `env_file:` does not differ; it is there under the key's own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Variables that a database's image reads only when it makes its volume: afterwards the password is in the database.
_INITIAL = frozenset(
    "POSTGRES_PASSWORD MYSQL_PASSWORD MYSQL_ROOT_PASSWORD MARIADB_PASSWORD MARIADB_ROOT_PASSWORD "
    "MONGO_INITDB_ROOT_PASSWORD RABBITMQ_DEFAULT_PASS".split()
)

#: Whoever serves these addresses keeps the password himself.
_KEPT_BY = "postgres|postgresql|mysql|mariadb|mongodb|amqp|amqps"

ENV_FILE, MOUNTED = "env_file", "mounted"


@dataclass(frozen=True)
class Use:
    """One place where a service uses a key.

    place: `environment.NAME`, another path of the service's configuration, `env_file` (then name is the key),
    `secret` (then name is the secret's target in the container) or `mounted`, where the file itself is.
    name: the variable in the container, or the file.
    """

    service: str
    place: str
    name: str = ""

    @property
    def by_hand(self) -> bool:
        """True if Compose does not see that this changed, and needs an order to make the container anew."""
        return self.place in (MOUNTED, "secret")


def marks(keys: Sequence[str], token: str) -> dict[str, str]:
    """A unique value in the place of each key. token: letters that occur nowhere."""
    return {key: f"{token}x{number}x" for number, key in enumerate(keys)}


def undoubled(value: str) -> str:
    """A value of `docker compose config` as the container gets it: a dollar is doubled there."""
    return value.replace("$$", "$")


def uses(
    before: Mapping[str, Any],
    marked: Mapping[str, Any],
    marks_of: Mapping[str, str],
    values: Mapping[str, str],
    env_path: str,
) -> dict[str, list[Use]]:
    """Places of each key. values: the present ones. env_path: the full path of the .env file."""
    found: dict[str, list[Use]] = {key: [] for key in marks_of}
    for name, service in (before.get("services") or {}).items():
        other = (marked.get("services") or {}).get(name) or {}
        environment = service.get("environment") or {}
        changed = _changes(service, other)
        for path, value in changed.items():
            named = [key for key, mark in marks_of.items() if mark in value]
            # `${KEY:+text}` changes without showing whose mark it was.
            for key in named or marks_of:
                place = ".".join(path)
                inside = path[1] if path[0] == "environment" and len(path) == 2 else ""
                found[key].append(Use(name, place, inside))
        for key in marks_of:
            given = environment.get(key)
            if given is not None and ("environment", key) not in changed and undoubled(str(given)) == values.get(key):
                found[key].append(Use(name, ENV_FILE, key))
            found[key] += _files(name, service, before.get("secrets") or {}, key, env_path)
    return found


def _files(name: str, service: Mapping[str, Any], secrets: Mapping[str, Any], key: str, env_path: str) -> Iterator[Use]:
    """The files in the container that hold a key."""
    for volume in service.get("volumes") or ():
        if volume.get("type") == "bind" and volume.get("source") == env_path:
            yield Use(name, MOUNTED, str(volume.get("target") or ""))
    for used in service.get("secrets") or ():
        defined = secrets.get(used.get("source")) or {}
        if defined.get("environment") == key:
            target = str(used.get("target") or used.get("source"))
            yield Use(name, "secret", target if target.startswith("/") else f"/run/secrets/{target}")
        elif defined.get("file") == env_path:
            yield Use(name, MOUNTED, f"/run/secrets/{used.get('target') or used.get('source')}")


def _changes(before: Any, after: Any) -> dict[tuple[str, ...], str]:
    """The values that differ, by their path."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return {path: new.get(path, "") for path in {**old, **new} if old.get(path) != new.get(path)}


def _flat(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _flat(value, (*path, str(key)))
    elif isinstance(node, (list, tuple)):
        for number, value in enumerate(node):
            yield from _flat(value, (*path, str(number)))
    else:
        yield path, str(node)


def kept_elsewhere(key: str, found: Sequence[Use], marked: Mapping[str, Any], mark: str) -> list[str]:
    """The places that show that a database keeps this value too: there it has to be changed as well."""
    address = re.compile(rf"\b(?:{_KEPT_BY})[+\w]*://[^\s@]*:{re.escape(mark)}@")
    places: list[str] = []
    for use in found:
        environment = ((marked.get("services") or {}).get(use.service) or {}).get("environment") or {}
        if use.name in _INITIAL or (use.name and address.search(str(environment.get(use.name, "")))):
            places.append(f"{use.service}: {use.name}")
    return places
