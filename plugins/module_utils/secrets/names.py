# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one list of names and shapes of secrets: by its name, or by its letters, a value is a secret or is not."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

#: Names of settings (of a .env file, of a container) whose values are secrets.
_SETTING_NAME = re.compile(r"KEY|SECRET|PASS|PWD|TOKEN|CREDENTIAL|PRIVATE|SALT|DSN|DATABASE_URL", re.I)

#: Parts of a name, joined without hyphens: the value is a secret whatever it is.
_CERTAIN = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "accountkey",
    "authkey",
    "authorization",
    "signature",
    "requirepass",
    "masterauth",
    "connectionstring",
)
#: Words of a name with the same meaning.
_CERTAIN_WORDS = frozenset(("pwd", "pass", "passin", "passout", "pswd", "psk", "sig"))
#: Words of a name whose value may be a secret: it is one where it does not look like a word or a number.
_UNCERTAIN_WORDS = frozenset(
    "key auth jwt webhook hook sign hash session sess cookie cert salt dsn private otp pin nonce bearer pat".split()
)
#: A name that ends in one of these words says something about a secret.
_ABOUT = frozenset(
    "file path dir stdin name names id type length ttl lifetime driver timeout expires expiry expire algorithm algo"
    " checks policy reset resets field fields count tokens prompt broker guard prefix url uri endpoint host"
    " version enabled required min max env authority headers".split()
)

#: Expression that finds possible names before anything is decided; it matches more than the words above.
HINTS = (
    "passw|passp|passc|passi|passo|pass\\b|pass_|pass-|_pass|pwd|pswd|secret|token|credential|key|auth|signature|"
    "\\bsig\\b|_sig\\b|psk|jwt|hook|session|cookie|salt|dsn|private|connection[_-]?string|bearer|hash|cert"
)

#: Values that say that a secret is set, or that none is.
_SAYS_NOTHING = re.compile(
    r"(?i)(?:yes|no|true|false|null|none|nil|undefined|empty|array|object|\(empty\)|\[?redacted\]?|\*+|x{3,}|required|"
    r"missing|invalid|incorrect|expired|unset|set|on|off)?"
)
#: The name of a variable in place of its value.
REFERENCE = re.compile(
    r"\$\{[A-Za-z_]\w{0,60}\}|\$[A-Z_]{3,60}|\$\{\{[^{}]{1,100}\}\}|\{\{[^{}]{1,100}\}\}|<[\w -]{1,40}>"
)

#: Beginnings that only tokens have.
_TOKEN = re.compile(
    r"eyJ[\w-]{6,}\.[\w-]{4,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|gl(?:pat|dt|rt|ft)-[\w-]{12,}|xox[a-z]-[\w-]{8,}|"
    r"xapp-[\w-]{8,}|[sr]k_(?:live|test)_\w{8,}|whsec_[\w+/=-]{8,}|sk-[\w-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|"
    r"AIza[\w-]{20,}|ya29\.[\w-]{8,}|npm_\w{16,}|dckr_[a-z]{2,5}_[\w-]{12,}|hf_\w{16,}|SG\.[\w-]{8,}\.[\w-]{8,}|"
    r"shp(?:at|ss|ca|pa)_\w{16,}|do[opr]_v1_\w{16,}|pypi-[\w-]{16,}|hv[sb]\.[\w-]{16,}|AGE-SECRET-KEY-\w{16,}|"
    r"glsa_\w{16,}|key-[0-9a-f]{32}|EAA[A-Za-z0-9]{40,}"
)
_SHORTEST_TOKEN = 16

_IMAGE = re.compile(r"[a-z0-9][\w.-]{0,100}(?::\d{1,5})?(?:/[a-z0-9][\w.-]{0,100}){0,8}(?::[\w][\w.-]{0,127})?@?")
_DIGEST = re.compile(r"(?:sha256|sha512|sha1|md5):[0-9a-f]{32,128}\Z")
_VERSION = re.compile(r"[v=^~<> ]{0,3}\d{1,6}(?:\.\d{1,6}){1,4}(?:[-+.][A-Za-z0-9.+-]{1,40})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_MAIL = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9.-]{1,255}")
_SEPARATORS = re.compile(r"[-_.:/@,\\+ ]")
#: A part of a name, a path, or an address: a word, a number, a word with a number.
_PART = re.compile(
    r"[a-z]{0,23}\d{0,4}|[A-Z]{0,23}\d{0,4}|\d{1,10}[a-zA-Z]{0,3}|[A-Z]?[a-z]{1,20}\d{0,4}|(?:[A-Z][a-z]{2,15}){1,5}|"
    r"[a-z]{2,15}(?:[A-Z][a-z]{2,15}){1,4}|[a-z]{1,3}\d{1,3}[a-z]{1,3}|[A-Z]{2,4}(?:[A-Z][a-z]{2,15}){1,3}|"
    r"(?:[A-Z][a-z]{2,15}){1,3}[A-Z]{2,4}"
)


class Level(IntEnum):
    """How a name rates its value."""

    PLAIN = 0
    MAYBE = 1
    SECRET = 2


def is_secret_name(name: str) -> bool:
    """True if the name of a setting says that its value is a secret."""
    return bool(_SETTING_NAME.search(name)) or level(name) is Level.SECRET


@lru_cache(maxsize=4096)
def level(name: str) -> Level:
    """How secret a value is by its name, wherever a program shows the two together."""
    # Long names come from whoever writes to a log; their ends are enough.
    name = name[-120:]
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    joined = "".join(words)
    setting = name.isupper() and "_" in name and bool(_SETTING_NAME.search(name))
    if setting or any(word in joined for word in _CERTAIN) or _CERTAIN_WORDS.intersection(words):
        return Level.MAYBE if words and words[-1] in _ABOUT else Level.SECRET
    return Level.MAYBE if _UNCERTAIN_WORDS.intersection(words) else Level.PLAIN


def says_nothing(value: str) -> bool:
    """True if a value beside a secret's name is a word of a program and not the secret."""
    return bool(_SAYS_NOTHING.fullmatch(value) or REFERENCE.fullmatch(value))


def is_token(value: str) -> bool:
    """True if a value begins as only tokens do."""
    return bool(_TOKEN.match(value))


def looks_secret(value: str, shortest: int = _SHORTEST_TOKEN) -> bool:
    """True if the letters of a value say that it is a secret, whatever its name.

    Letters of several classes, and neither words, an address, a version, an image, a date nor a path.
    """
    value = value.strip().strip("\"'")
    if is_token(value):
        return True
    if len(value) < shortest or len(value) > 8192 or any(letter.isspace() for letter in value):
        return False
    if says_nothing(value) or _classes(value) < 2:
        return False
    return not is_harmless(value)


def is_harmless(value: str) -> bool:
    """True if a value is made of words and numbers, as names, versions, paths and addresses are."""
    if any(form.fullmatch(value) for form in (_VERSION, _DATE, _MAIL)):
        return True
    digest = _DIGEST.search(value[-160:])
    if digest and _IMAGE.fullmatch(value[: len(value) - len(digest[0])]):
        return True
    address, _, query = value.partition("?")
    if query:
        return False
    if "://" in address:
        scheme, _, address = address.partition("://")
        if not scheme.isalnum() or "@" in address:
            return False
    parts = _SEPARATORS.split(address)
    return all(_PART.fullmatch(part) and len(part) <= 60 for part in parts)


def is_secret_by(name: str, value: str) -> bool:
    """True if a value is a secret where its name alone leaves it open (MAIL_AUTH, SESSION_DRIVER)."""
    if level(name) is not Level.MAYBE:
        return False
    mixed = any(letter.isdigit() for letter in value) and any(letter.isalpha() for letter in value)
    return not is_harmless(value) or (mixed and name.lower().endswith(("auth", "jwt", "otp", "bearer")))


def _classes(value: str) -> int:
    return sum(
        (
            any(letter.islower() for letter in value),
            any(letter.isupper() for letter in value),
            any(letter.isdigit() for letter in value),
            any(not letter.isalnum() for letter in value),
        )
    )
