# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets never leave the host: known values, and texts that look like a secret, are replaced by a mask.

This is the one masker: no other module has an expression for passwords of its own.
"""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from ansible_collections.ops.runbook.plugins.module_utils.secrets.names import (
    is_harmless,
    is_secret_by,
    is_secret_name,
    looks_secret,
)
from ansible_collections.ops.runbook.plugins.module_utils.secrets.text import MASK, mask_text, passwords_in_addresses

__all__ = [
    "MASK",
    "Redactor",
    "is_secret_name",
    "is_secret_value",
    "looks_secret",
    "mask_named",
    "maskable",
    "parse_dotenv",
    "passwords_in_addresses",
    "plain_words",
    "secret_values",
    "spellings",
    "without_login",
]

#: One setting; a quoted value may have several lines (a private key).
_SETTING = re.compile(
    r"""^[ \t]*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*("[^"\\]*(?:\\.[^"\\]*)*"|'[^']*'|[^\n]*)""",
    re.M | re.S,
)
_COMMENT = re.compile(r"(?<!\s)\s+#|\A\s+#")

#: Shorter values ("null", "root", "true") would mask half of every sentence.
_SHORTEST = 6

#: A setting whose name is not secret is masked too, unless it is a word, a number, a path or a plain address.
_SHORTEST_ODD = 8
#: Of a base64 text of more than a secret, this much of the secret's own part has to be there.
_SHORTEST_PART = 8


def parse_dotenv(text: str) -> dict[str, str]:
    """The settings of a .env file; quotes removed, comments left out."""
    settings: dict[str, str] = {}
    for match in _SETTING.finditer(text):
        name, value = match.groups()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1] if value[0] == "'" else re.sub(r'\\(["\\$])', r"\1", value[1:-1])
        else:
            value = _COMMENT.split(value, maxsplit=1)[0].strip()
        settings[name] = value
    return settings


def secret_values(settings: Mapping[str, str], by_name: bool = False) -> list[str]:
    """The values of settings that are secrets by their names or by their letters, and passwords in addresses.

    A value of several lines is also given line by line: a program may show one of them.
    by_name: their letters say nothing; an image's own environment is full of checksums.
    """
    values: list[str] = []
    for name, value in settings.items():
        passwords = passwords_in_addresses(value)
        for password in passwords:
            values += [password, unquote(password)]
        if is_secret_name(name):
            values += [value, *(line.strip() for line in value.splitlines())]
        elif not by_name:
            values += _secret_by_letters(name, value, passwords)
    return [value for value in dict.fromkeys(values) if len(value) >= _SHORTEST]


def is_secret_value(name: str, value: str) -> bool:
    """True if one setting is a secret, by its name or by its letters, or has one in it."""
    return is_secret_name(name) or bool(value and secret_values({name: value}))


def _secret_by_letters(name: str, value: str, passwords: Iterable[str]) -> Iterator[str]:
    _, is_address, rest = value.partition("://")
    if is_address:
        # A program may show the path of an address alone.
        parts = [part for part in re.split(r"[/?&=#@:]", rest) if part not in passwords and looks_secret(part)]
        yield from [value, *parts] if parts else []
    elif looks_secret(value) or is_secret_by(name, value):
        yield value


def plain_words(settings: Mapping[str, object], longest: int = 16) -> set[str]:
    """Short values of settings that are not secret by their names: to mask `staging` would spoil every text."""
    secret = {str(value) for name, value in settings.items() if is_secret_name(name)}
    return {str(value) for value in settings.values() if len(str(value)) < longest} - secret


def maskable(settings: Mapping[str, str], by_name: bool = False) -> list[str]:
    """The values that are taken out of every text.

    by_name: only where the name says that it is a secret, and passwords in addresses; an image's own environment
    is full of versions and paths.
    """
    values = secret_values(settings, by_name)
    if not by_name:
        values += [value for value in settings.values() if len(value) >= _SHORTEST_ODD and not is_harmless(value)]
    return list(dict.fromkeys(values))


#: A text without values beside the name of a secret, and without texts that look like one.
mask_named = mask_text


def without_login(address: str) -> str:
    """An address for people: without its user and password, and without any other secret in it.

    A password may have a slash or a hash, at which a parser ends the host; so it is masked before it is cut out.
    """
    scheme, sign, rest = mask_text(address).partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if sign else mask_text(address)


def spellings(value: str) -> set[str]:
    """Each form in which programs print a value."""
    plain = value.split("base64:", 1)[-1]
    forms: set[str] = set()
    # Keys in base64 are often printed without their padding.
    for form in (value, plain, plain.rstrip("=")):
        quoted = urllib.parse.quote(form, safe="")
        in_json = json.dumps(form)[1:-1]
        in_text = json.dumps(form, ensure_ascii=False)[1:-1]
        forms |= {
            form,
            quoted,
            re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted),
            urllib.parse.quote(form),
            urllib.parse.quote_plus(form),
            in_json,
            in_text,
            # PHP and some others write a slash as \/, and JSON in JSON has each backslash twice.
            in_json.replace("/", "\\/"),
            in_text.replace("/", "\\/"),
            json.dumps(in_json)[1:-1],
            form.replace("/", "\\/"),
            form.replace("\\", "\\\\").replace("'", "\\'"),
            form.replace("'", "'\\''"),
            form.replace("'", "'\"'\"'"),
            form.replace("'", "''"),
            html.escape(form),
            html.escape(form).replace("&#x27;", "&#039;"),
            html.escape(form, quote=False),
        }
    return forms


def _in_base64(value: str) -> Iterator[str]:
    """A value in base64, alone and behind something else: `user:password` of a login."""
    raw = value.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode()
        for before in range(3):
            whole = encode(b"\0" * before + raw).decode().rstrip("=")
            # The first and the last letter are partly of what is beside the value.
            part = whole[(0, 2, 3)[before] : len(whole) - (1 if (before + len(raw)) % 3 else 0)]
            if len(part) >= _SHORTEST_PART:
                yield part


class Redactor:
    """Replaces known values in text, in each form in which programs print them, and what a text itself gives away."""

    def __init__(self, values: Iterable[str], shortest: int = _SHORTEST, mask: str = MASK) -> None:
        forms: set[str] = set()
        for value in values:
            if len(value) < shortest or not value.strip("*"):
                continue
            forms |= spellings(value)
            forms.update(_in_base64(value))
        # The longest first, or a part would be replaced and the rest left visible.
        self._forms = sorted((form for form in forms if len(form) >= shortest), key=len, reverse=True)
        self._mask = mask

    def __call__(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, self._mask)
        return mask_text(text)
