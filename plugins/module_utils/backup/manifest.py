# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a backup: what it is of, what is in it, and what proves each part."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

SCHEMA = 1
#: The longest text of a field, and the largest number: what SQLite, a file system and a screen can have.
_LONGEST = 4096
_LARGEST = 2**63 - 1
#: The facts that a restore reads.
_FACTS: dict[str, type] = {
    "rows": dict,
    "keys": dict,
    "image": str,
    "server": str,
    "variables": list,
    "links": list,
    "views": list,
    "routines": list,
    "events": list,
}
_TYPES: dict[type, str] = {dict: "an object", str: "a text", list: "a list"}
NAME = "manifest.json"
KINDS = ("database", "roles", "config", "settings", "properties", "storage", "repository", "image")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: A valid name of a service, an app or a database: it becomes a part of paths and commands.
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*:[A-Za-z0-9_][A-Za-z0-9._-]*")
#: A backup's folder: the id of the operation that made it.
SAFE_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}(-before)?")


class BadManifest(Exception):
    """A manifest that can't be trusted. The text says what is wrong with it."""


@dataclass(frozen=True)
class Part:
    """One file of a backup.

    kind: one of KINDS. name: of the database, the storage folder or the image; empty for what a service has once.
    size and sha256: of the file as it lies there, encrypted or not. key: the file with its seal, or with the wrapped
    key of an older backup; empty where it is not encrypted. facts: what was counted or read while it was made (rows,
    keys, alias, version of the server). key_sha256: of the key's file, empty in an older backup.
    """

    kind: str
    name: str
    file: str
    size: int
    sha256: str
    key: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    key_sha256: str = ""

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}".strip()

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "file": self.file,
            "size": self.size,
            "sha256": self.sha256,
            "key": self.key,
            "facts": self.facts,
            **({"key_sha256": self.key_sha256} if self.key_sha256 else {}),
        }


@dataclass(frozen=True)
class Manifest:
    """id: the folder's name. app: the service that it is of. made: UTC, RFC 3339. reason: requested, before_restore.
    recipient: fingerprint of the public key that it is encrypted to, empty where it is not. versions: of the programs
    that made it. release: what ran. left_out: what the service has and this backup has not, each with why. source: the
    system identifier of the cluster that it is of; empty where there is none.
    """

    id: str
    app: str
    host: str
    environment: str
    made: str
    reason: str
    recipient: str
    versions: dict[str, str]
    release: dict[str, str]
    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()
    source: str = ""

    def of(self, *kinds: str) -> list[Part]:
        return [part for part in self.parts if part.kind in kinds]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "id": self.id,
            "app": self.app,
            "host": self.host,
            "environment": self.environment,
            "made": self.made,
            "reason": self.reason,
            "recipient": self.recipient,
            "versions": self.versions,
            "release": self.release,
            "parts": [part.to_dict() for part in self.parts],
            "left_out": list(self.left_out),
            **({"source": self.source} if self.source else {}),
        }

    def to_bytes(self) -> bytes:
        """As it lies on the disk: a person reads it too."""
        return (json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parse(content: bytes) -> Manifest:
    """A manifest from its file. Raises BadManifest."""
    try:
        raw = foreign_json.loads(content)
    except ValueError as error:
        raise BadManifest(f"{NAME} is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadManifest(f"{NAME} is not a JSON object")
    if raw.get("schema") != SCHEMA:
        raise BadManifest(f"{NAME} has schema {_shown(raw.get('schema'))}; this version reads {SCHEMA}")
    texts = {
        key: _text(raw, key) for key in ("id", "app", "host", "environment", "made", "reason", "recipient", "source")
    }
    if not SAFE_ID.fullmatch(texts["id"]):
        raise BadManifest(f"{NAME}: invalid id of an operation: {texts['id']!r}")
    if not SAFE_NAME.fullmatch(texts["app"]):
        raise BadManifest(f"{NAME}: invalid name of a service: {texts['app']!r}")
    if clock.seconds(texts["made"]) is None:
        raise BadManifest(f"{NAME}: invalid time: {texts['made']!r}")
    if texts["recipient"] and not _SHA256.fullmatch(texts["recipient"]):
        raise BadManifest(f"{NAME}: invalid fingerprint of the recipient: {texts['recipient']!r}")
    listed = raw.get("parts")
    if not isinstance(listed, list) or not listed:
        raise BadManifest(f"{NAME} names no parts")
    parts = tuple(_part(item, number, bool(texts["recipient"])) for number, item in enumerate(listed))
    for what in ("file", "title"):
        seen = [getattr(part, what) for part in parts]
        double = next((item for item in seen if seen.count(item) > 1), None)
        if double is not None:
            raise BadManifest(f"{NAME} names {double} twice")
    return Manifest(
        **texts,
        versions=_texts(raw, "versions"),
        release=_texts(raw, "release"),
        parts=parts,
        left_out=_left_out(raw.get("left_out")),
    )


def _part(raw: Any, number: int, encrypted: bool) -> Part:
    where = f"{NAME}: part {number + 1}"
    if not isinstance(raw, dict):
        raise BadManifest(f"{where} is not an object")
    kind, name, file, key, sealed = (_text(raw, what, where) for what in ("kind", "name", "file", "key", "key_sha256"))
    if kind not in KINDS:
        raise BadManifest(f"{where} is of an unknown kind: {kind!r}")
    if name and not (_IMAGE if kind == "image" else SAFE_NAME).fullmatch(name):
        raise BadManifest(f"{where}: invalid name: {name!r}")
    for path in (file, key) if key else (file,):
        # A manifest must not lead out of its folder.
        if not _FILE.fullmatch(path) or path == NAME:
            raise BadManifest(f"{where}: invalid file name: {path!r}")
    if bool(key) != encrypted:
        raise BadManifest(
            f"{where} is {'' if key else 'not '}encrypted, and the backup is {'' if encrypted else 'not'}"
        )
    size, digest, facts = raw.get("size"), raw.get("sha256"), raw.get("facts", {})
    if not _is_count(size):
        raise BadManifest(f"{where}: invalid size: {_shown(size)}")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise BadManifest(f"{where}: invalid sha256: {_shown(digest)}")
    if sealed and not (key and _SHA256.fullmatch(sealed)):
        raise BadManifest(f"{where}: invalid key_sha256: {sealed!r}")
    if not isinstance(facts, dict):
        raise BadManifest(f"{where}: invalid facts: {_shown(facts)}")
    _must_be_facts(facts, where, kind)
    return Part(kind, name, file, int(size or 0), digest, key, facts, sealed)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _must_be_facts(facts: Mapping[str, Any], where: str, kind: str) -> None:
    """Raise BadManifest for facts that a restore could not compare."""
    if kind == "config":
        # The names of the variables; of a database they are numbers of keys, by database.
        names = facts.get("keys") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadManifest(f"{where}: facts.keys is not a list of texts: {_shown(names)}")
        facts = {what: value for what, value in facts.items() if what != "keys"}
    for what, wanted in _FACTS.items():
        if facts.get(what) is not None and not isinstance(facts[what], wanted):
            raise BadManifest(f"{where}: facts.{what} is not {_TYPES[wanted]}: {_shown(facts[what])}")
    for what in (name for name, wanted in _FACTS.items() if wanted is list):
        if not all(isinstance(item, str) for item in facts.get(what) or ()):
            raise BadManifest(f"{where}: facts.{what} is not a list of texts: {_shown(facts[what])}")
    for name, between in (facts.get("keys") or {}).items():
        if not isinstance(between, list) or len(between) != 2 or not all(_is_count(number) for number in between):
            raise BadManifest(f"{where} has an invalid number of keys for {_shown(name)}: {_shown(between)}")
    for table, count in (facts.get("rows") or {}).items():
        if not _is_count(count):
            raise BadManifest(f"{where} has an invalid number of rows for {_shown(table)}: {_shown(count)}")


def _left_out(raw: Any) -> tuple[str, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise BadManifest(f"{NAME}: left_out is not a list of texts: {_shown(raw)}")
    return tuple(raw)


def _shown(value: object) -> str:
    """A value of a manifest that may be anything, as a message can have it."""
    text = ascii(value) if not isinstance(value, int) or abs(value) <= _LARGEST else "a number of many digits"
    return text if len(text) <= 80 else text[:79] + "…"


def _text(raw: Mapping[str, Any], key: str, where: str = NAME) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str):
        raise BadManifest(f"{where}: {key} is not a text: {_shown(value)}")
    if len(value) > _LONGEST or not value.isprintable():
        raise BadManifest(f"{where}: {key} has letters that cannot be printed, or too many: {_shown(value)}")
    return value


def _texts(raw: Mapping[str, Any], key: str) -> dict[str, str]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise BadManifest(f"{NAME}: {key} is not an object")
    wrong = next((one for one in value.values() if not isinstance(one, str)), None)
    if wrong is not None:
        raise BadManifest(f"{NAME}: {key} has a value that is not a text: {_shown(wrong)}")
    return value
