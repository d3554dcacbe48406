# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known secret values never leave the host: they are replaced wherever a command may have printed them."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping

MASK = "********"

#: Names of settings whose values are secrets.
_SECRET_NAME = re.compile(r"KEY|SECRET|PASS|PWD|TOKEN|CREDENTIAL|PRIVATE|SALT|DSN|DATABASE_URL", re.I)

#: One setting; a quoted value may have several lines (a private key).
_SETTING = re.compile(
    r"""^[ \t]*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[^\n]*)""", re.M | re.S
)

#: The password in an address.
_IN_ADDRESS = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")

#: A secret that a program shows with its name; the word of an authorization stays.
_NAMED_SECRET = re.compile(
    r"""(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key|authorization)[\w-]*["']?\s*(?:=|:|=>)\s*["']?)"""
    r"""(?:(?:bearer|basic)\s+)?[^\s"',;&)]+"""
)

#: Shorter values ("null", "root", "true") would mask half of every sentence.
_SHORTEST = 6

#: A setting that is no secret by its name is masked too, unless it is a word, a number, a path or a plain address.
_HARMLESS = re.compile(r"[A-Za-z]+([-_. ][A-Za-z]+)*|[\d.:]*|(?:https?://)?[\w.-]+(?::\d+)?(?:/[\w./-]*)?|/[\w./-]*")
_SHORTEST_ODD = 8


def parse_dotenv(text: str) -> dict[str, str]:
    """The settings of a .env file; quotes removed, comments left out."""
    settings: dict[str, str] = {}
    for match in _SETTING.finditer(text):
        name, value = match.groups()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1] if value[0] == "'" else re.sub(r'\\(["\\$])', r"\1", value[1:-1])
        else:
            value = re.split(r"\s+#", value)[0].strip()
        settings[name] = value
    return settings


def is_secret_name(name: str) -> bool:
    """Whether the name of a setting says that its value is a secret."""
    return bool(_SECRET_NAME.search(name))


def secret_values(settings: dict[str, str]) -> list[str]:
    """The values of the settings whose names say that they are secret, and passwords in addresses.

    A value of several lines is also given line by line: a program may show one of them.
    """
    values: list[str] = []
    for name, value in settings.items():
        values += _IN_ADDRESS.findall(value)
        if is_secret_name(name):
            values += [value, *(line.strip() for line in value.splitlines())]
    return [value for value in dict.fromkeys(values) if len(value) >= _SHORTEST]


def plain_words(settings: Mapping[str, object], longest: int = 16) -> set[str]:
    """Short values of settings that are not secret by their names: to mask `staging` would spoil every text."""
    secret = {str(value) for name, value in settings.items() if is_secret_name(name)}
    return {str(value) for value in settings.values() if len(str(value)) < longest} - secret


def maskable(settings: Mapping[str, str], by_name: bool = False) -> list[str]:
    """The values that are taken out of every text.

    by_name: only where the name says that it is a secret, and passwords in addresses; an image's own environment
    is full of versions and paths.
    """
    values = secret_values(dict(settings))
    if not by_name:
        values += [
            value for value in settings.values() if len(value) >= _SHORTEST_ODD and not _HARMLESS.fullmatch(value)
        ]
    return list(dict.fromkeys(values))


def mask_named(text: str) -> str:
    """Values that stand beside a name that says that they are secret, whatever they are."""
    return _NAMED_SECRET.sub(rf"\1{MASK}", text)


class Redactor:
    """Replaces known values in text, in each form in which programs print them."""

    def __init__(self, values: Iterable[str]) -> None:
        forms: set[str] = set()
        for value in values:
            plain = value.split("base64:", 1)[-1]
            # Keys in base64 are often printed without their padding.
            for form in (value, plain, plain.rstrip("=")):
                if len(form) < _SHORTEST:
                    continue
                forms.update(
                    (
                        form,
                        urllib.parse.quote(form, safe=""),
                        urllib.parse.quote_plus(form),
                        json.dumps(form)[1:-1],
                        form.replace("'", "'\\''"),
                        form.replace("'", "'\"'\"'"),
                        base64.b64encode(form.encode()).decode(),
                    )
                )
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text
