# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of secrets: made, recognised without being kept, and how old they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

#: How a value is made where the inventory does not say.
DEFAULT_RECIPE = "urlsafe:48"

#: Only the service itself has to know these, so a value of our own is as good as any.
_OURS = re.compile(r"SECRET_KEY|APP_KEY|SIGNING|JWT|SESSION|COOKIE|CSRF|PEPPER", re.I)

#: Rounds of the hash: a value of a few letters must not be found by trying them all against the ledger.
_ROUNDS = 200_000
#: A ledger with more was not written by this code, now or later: it would take minutes to compare a value with it.
_MOST_ROUNDS = 2_000_000


class BadRecipe(ValueError):
    """There is no such way to make a value."""


def recipe_for(key: str, declared: str = "") -> str:
    """How a value for this key is made; empty where it has to be given, because somebody outside issues it."""
    return declared or (DEFAULT_RECIPE if _OURS.search(key) and "API" not in key.upper() else "")


def generate(recipe: str) -> str:
    """A new value. A recipe is hex, base64, urlsafe or alnum, and its number of random bytes (alnum: letters).

    Raises BadRecipe.
    """
    kind, _, number = recipe.partition(":")
    if not re.fullmatch(r"\d{1,4}", number or "32") or not 16 <= int(number or "32") <= 1024:
        raise BadRecipe(f"{recipe}: the number must be between 16 and 1024, as in hex:32")
    size = int(number or "32")
    if kind == "hex":
        return secrets.token_hex(size)
    if kind == "urlsafe":
        return secrets.token_urlsafe(size)
    if kind == "base64":
        return base64.b64encode(secrets.token_bytes(size)).decode()
    if kind == "alnum":
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(size))
    raise BadRecipe(f"{recipe}: a value is made as hex, base64, urlsafe or alnum, such as {DEFAULT_RECIPE}")


def fingerprint(value: str, salt: str = "") -> str:
    """The ledger's fingerprint of a value: a salted hash that is slow to guess at."""
    salt = salt or secrets.token_hex(16)
    found = hashlib.pbkdf2_hmac("sha256", value.encode(), bytes.fromhex(salt), _ROUNDS)
    return f"pbkdf2-sha256:{_ROUNDS}:{salt}:{found.hex()}"


def matches(value: str, known: str) -> bool:
    """True if this is the value of that fingerprint."""
    try:
        kind, rounds, salt, digest = known.split(":")
        if not rounds.isascii() or not rounds.isdigit() or len(rounds) > 7 or not 0 < int(rounds) <= _MOST_ROUNDS:
            return False
        found = hashlib.pbkdf2_hmac("sha256", value.encode(), bytes.fromhex(salt), int(rounds))
    except ValueError:
        return False
    return kind == "pbkdf2-sha256" and hmac.compare_digest(found.hex(), digest)


@dataclass(frozen=True)
class Age:
    """How old a key's value is. days: None where nobody recorded when it came. text: for a person."""

    key: str
    days: int | None
    overdue: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {"key": self.key, "days": self.days, "overdue": self.overdue, "text": self.text}


def rotations(records: Iterable[Mapping[str, Any]], step: str) -> dict[str, tuple[str, str, str]]:
    """The last good rotation of each key in a ledger: when, its fingerprint and its operation.

    step: the one whose note names the keys. A rotation that was taken back does not count.
    """
    found: dict[str, tuple[str, str, str]] = {}
    for record in records:
        note = (record.get("notes") or {}).get(step)
        if record.get("outcome") != "succeeded" or not isinstance(note, Mapping):
            continue
        keys = note.get("keys")
        for key, known in keys.items() if isinstance(keys, Mapping) else ():
            found[key] = (str(record.get("finished")), str(known), str(record.get("id")))
    return found


def age(key: str, value: str | None, last: tuple[str, str, str] | None, now: datetime, max_days: int) -> Age:
    """How old a value is by the ledger. What nobody recorded counts as overdue."""
    if last is None:
        return Age(key, None, True, "unknown: no rotation of it is recorded")
    moment, known, operation = last
    if value is None or not matches(value, known):
        return Age(key, None, True, f"unknown: it was changed by hand since {moment[:10]} ({operation})")
    try:
        since = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return Age(key, None, True, f"unknown: the ledger's record {operation} has no date")
    if since.tzinfo is None:
        since = since.replace(tzinfo=timezone.utc)
    days = max((now - since).days, 0)
    overdue = days > max_days
    late = f", {days - max_days} more than {max_days}" if overdue else ""
    return Age(key, days, overdue, f"{days} days, since {moment[:10]} ({operation}){late}")
