# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""authorized_keys: read as sshd reads it, and edited so that each line that was not meant stays byte for byte.

The rules are those of OpenSSH's auth2-pubkeyfile.c and sshkey.c: a line is a key, or options and a key; what is neither
is passed over, and so is a line whose options refuse. key_options.py has the options. A test holds both against a real
sshd.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.ops.runbook.plugins.module_utils.sshd import key_options
from ansible_collections.ops.runbook.plugins.module_utils.sshd.key_options import Option
from ansible_collections.ops.runbook.plugins.module_utils.text import screen_text

_ED25519 = "ssh-ed25519"
#: The name before a key, and what that key is called. The name in its blob may be another one of the same type.
_KINDS = {
    "ssh-rsa": "ssh-rsa",
    "rsa-sha2-256": "ssh-rsa",
    "rsa-sha2-512": "ssh-rsa",
    "ssh-dss": "ssh-dss",
    _ED25519: _ED25519,
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com": "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com": "sk-ecdsa-sha2-nistp256@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com": "sk-ecdsa-sha2-nistp256@openssh.com",
}
#: How many parts follow the name in a blob.
_PARTS = {"ssh-rsa": 2, "ssh-dss": 4, _ED25519: 1, "sk-ssh-ed25519@openssh.com": 2}
#: Bits, prime and b of the curves of FIPS 186-4; a is -3.
_CURVES = {
    "nistp256": (
        256,
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "nistp384": (
        384,
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "nistp521": (
        521,
        2**521 - 1,
        0x51953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}
#: The name of a type. OpenSSH may have got others since this was written: the blob of such a key says the same name.
_TYPE = re.compile(r"[a-z0-9][a-z0-9-]*(?:@[a-z0-9.-]+)?")

_BLANK = " \t"

#: OpenSSH refuses RSA keys shorter or longer than this, in every file.
_RSA_LEAST = 1024
_RSA_MOST = 16384


class NotEdited(Exception):
    """An edit is impossible without touching something else. The text holds no key."""


@dataclass(frozen=True)
class Key:
    """One key of a line. problem: why sshd takes it for none although it is one; empty where it takes it.

    bits: 0 for a type that is newer than this reader. expires: seconds since the epoch. since: the version of OpenSSH
    that knows all options of the line.
    """

    kind: str
    fingerprint: str
    bits: int
    options: tuple[Option, ...] = ()
    comment: str = ""
    expires: float | None = None
    problem: str = ""
    blob: bytes = field(default=b"", repr=False, compare=False)
    since: tuple[int, int] = (0, 0)

    @property
    def source(self) -> str | None:
        """From where the line lets somebody in, as its from= says; None where it says nothing."""
        return next((option.value for option in self.options if option.name == "from"), None)

    @property
    def command(self) -> str | None:
        """The command that the line forces; None if it forces none."""
        return next((option.value for option in self.options if option.name == "command"), None)

    @property
    def is_authority(self) -> bool:
        """True if this is a CA, whose certificates are let in, and not the key itself."""
        return any(option.name == "cert-authority" for option in self.options)

    def expired(self, now: float) -> bool:
        return self.expires is not None and self.expires < int(now)

    def lets_in(self, now: float, address: str = "") -> bool:
        """True if sshd would let somebody in who has the private half, as far as the line says.

        address: from where; from anywhere that the line allows where it is empty.
        """
        if self.problem or self.is_authority or self.expired(now):
            return False
        return not address or self.source is None or key_options.from_lets_in(self.source, address)


@dataclass(frozen=True)
class Line:
    """One line with its end, as it is on the disk. problem: why it is not a key; empty for keys, comments or blanks."""

    number: int
    raw: bytes = field(repr=False)
    key: Key | None = None
    problem: str = ""


def parse(content: bytes) -> list[Line]:
    """All lines. Put together, they are the content."""
    return [_line(number, raw) for number, raw in enumerate(_split(content), start=1)]


def keys(content: bytes) -> list[tuple[int, Key]]:
    """The keys with their line numbers."""
    return [(line.number, line.key) for line in parse(content) if line.key is not None]


def bare(content: bytes) -> set[str]:
    """The fingerprints of the lines that begin with their key: in a list of revoked keys there are no options."""
    found = set()
    for line in _split(content):
        key = _key(line.partition(b"\0")[0].decode("utf-8", "surrogateescape").lstrip(_BLANK))
        if key is not None:
            found.add(key.fingerprint)
    return found


def _split(content: bytes) -> Iterator[bytes]:
    """Lines as getline gives them: only a newline ends one, so a carriage return is a part of the line."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end + 1
        yield content[start:end]
        start = end


def _line(number: int, raw: bytes) -> Line:
    # sshd reads a string of C, which a null byte ends.
    text = raw.partition(b"\0")[0].decode("utf-8", "surrogateescape").lstrip(_BLANK)
    if text[:1] in ("", "\n", "#") or text == "\r\n":
        return Line(number, raw)
    key = _key(text)
    if key is not None:
        return Line(number, raw, key)
    end = key_options.end(text)
    if end is None:
        return Line(number, raw, problem="a quote in its options is never closed")
    rest = text[end:].lstrip(_BLANK)
    key = _key(rest)
    if key is None:
        return Line(number, raw, problem=_why_none(text, rest))
    options = key_options.read(text[:end])
    found = replace(
        key,
        options=options.items,
        expires=options.expires,
        problem=screen_text.shown(options.problem),
        since=options.since,
    )
    return Line(number, raw, found)


def _why_none(text: str, rest: str) -> str:
    for part in (text, rest):
        word = re.split(r"[ \t\r\n]", part)[0]
        if "-cert-v0" in word:
            return "a certificate, which sshd does not look for here"
        if word in _KINDS:
            return f"{word} is not followed by a key of that type"
    return "no key in it that sshd knows"


def _key(text: str) -> Key | None:
    """The key at the beginning of this text; None where it does not begin with one."""
    name, rest = _word(text)
    if not _TYPE.fullmatch(name) or "-cert-v0" in name:
        return None
    encoded, comment = _word(rest.lstrip(_BLANK))
    try:
        bare = re.sub(r"[\n\v\f\r]", "", encoded).encode("ascii")
        blob = base64.b64decode(bare)
        if base64.b64encode(blob) != bare:
            raise ValueError("other letters, or bits behind the last byte")
        kind, bits, blob = _read_blob(name, blob)
    except ValueError:
        return None
    return Key(kind=kind, fingerprint=fingerprint(blob), bits=bits, comment=comment.strip(" \t\r\n"), blob=blob)


def _word(text: str) -> tuple[str, str]:
    """Up to the first blank, and what is behind that blank."""
    match = re.search(r"[ \t]", text)
    return (text, "") if match is None else (text[: match.start()], text[match.end() :])


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen and sshd's log show it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _read_blob(name: str, blob: bytes) -> tuple[str, int, bytes]:
    """Type, bits, and the blob as sshd would write it. Raises ValueError if it is not a key of that type."""
    said, *parts = _fields(blob)
    inner = said.decode("ascii")
    if name not in _KINDS:
        if inner != name or not parts:
            raise ValueError("the blob is of another type")
        return name, 0, blob
    kind = _KINDS[name]
    if _KINDS.get(inner) != kind:
        raise ValueError("the blob is of another type")
    if len(parts) != _PARTS.get(kind, 3 if kind.startswith("sk-") else 2):
        raise ValueError(f"the blob has {len(parts)} parts")
    if kind in ("ssh-rsa", "ssh-dss"):
        parts = [_integer(part) for part in parts]
    return kind, _bits(kind, parts), b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), *parts))


def _integer(part: bytes) -> bytes:
    """An integer without the zeros before it that it does not need."""
    if part >= b"\x80":
        raise ValueError("a negative number")
    bare = part.lstrip(b"\0")
    return b"\0" + bare if bare >= b"\x80" else bare


def _bits(kind: str, parts: list[bytes]) -> int:
    """Length of a key. Raises ValueError if these are not the parts of a key."""
    if kind == "ssh-rsa":
        bits = int.from_bytes(parts[1], "big").bit_length()
        if not _RSA_LEAST <= bits <= _RSA_MOST:
            raise ValueError("too short or too long for OpenSSH")
        return bits
    if kind == "ssh-dss":
        return int.from_bytes(parts[0], "big").bit_length()
    if "ed25519" in kind:
        if len(parts[0]) != 32:
            raise ValueError("not 32 bytes")
        return 256
    curve = parts[0].decode("ascii")
    if curve not in _CURVES or f"ecdsa-sha2-{curve}" not in kind or not _is_on(curve, parts[1]):
        raise ValueError("no point of its curve")
    return _CURVES[curve][0]


def _is_on(curve: str, point: bytes) -> bool:
    """True if this is a point of the curve, in the only form that OpenSSH reads: not compressed."""
    bits, prime, b = _CURVES[curve]
    size = (bits + 7) // 8
    x, y = int.from_bytes(point[1 : 1 + size], "big"), int.from_bytes(point[1 + size :], "big")
    return (
        point[:1] == b"\x04"
        and len(point) == 1 + 2 * size
        and max(x, y) < prime
        and (y * y - (x * x * x - 3 * x + b)) % prime == 0
    )


def _fields(blob: bytes) -> list[bytes]:
    """The parts of a blob, each after its length; none of an empty one. Raises ValueError."""
    found, position = [], 0
    while position < len(blob):
        size = int.from_bytes(blob[position : position + 4], "big")
        end = position + 4 + size
        if end > len(blob):
            raise ValueError("the blob is cut short")
        found.append(blob[position + 4 : end])
        position = end
    return found


# -- edits ---------------------------------------------------------------------------------------


def add(content: bytes, *added: bytes) -> bytes:
    """The content with these lines of one key at its end, in this order; unchanged if it has all of them already.

    A last line without an end is given one: sshd would read the two as one. Raises NotEdited.
    """
    lines = [line.strip(b" \t\r\n") for line in added]
    new = [_to_add(line) for line in lines]
    there = [known for known in parse(content) if known.key is not None and known.key.fingerprint == new[0].fingerprint]
    if all(any(known.key is not None and _same(known.key, key) for known in there) for key in new):
        return content
    if there:
        # sshd takes the first line that lets in, so one behind it with other options might change nothing.
        raise NotEdited(
            f"{new[0].fingerprint} is in line {there[0].number} with other options: remove it first, or keep them"
        )
    return _appended(content, lines)


def _to_add(line: bytes) -> Key:
    """The key of a line that is to be added. Raises NotEdited."""
    read = parse(line)
    if len(read) != 1:
        why = "it is not one line"
    elif b"\0" in line or b"\r" in line:
        why = "it holds a control character"
    elif read[0].key is None:
        why = read[0].problem or "it is a comment"
    elif read[0].key.problem:
        why = read[0].key.problem
    else:
        return read[0].key
    raise NotEdited(f"the line to add is not a key that sshd takes: {why}")


def _appended(content: bytes, lines: Sequence[bytes]) -> bytes:
    ends = [known.raw[-2:] for known in parse(content) if known.raw.endswith(b"\n")]
    end = b"\r\n" if ends and ends[-1] == b"\r\n" else b"\n"
    joint = b"" if not content or content.endswith(b"\n") else end
    return content + joint + b"".join(line + end for line in lines)


def _same(one: Key, other: Key) -> bool:
    return not one.problem and sorted(one.options, key=repr) == sorted(other.options, key=repr)


def put_back(content: bytes, before: bytes, fingerprint: str) -> bytes:
    """The content with all lines of a key that it had before, to the letter.

    Unchanged where it has one of them, or had none before.
    """
    if any(key.fingerprint == fingerprint for _number, key in keys(content)):
        return content
    lines = [line.raw for line in parse(before) if line.key is not None and line.key.fingerprint == fingerprint]
    return _appended(content, [raw.rstrip(b"\r\n") for raw in lines]) if lines else content


def remove(content: bytes, wanted: str) -> bytes:
    """The content without each line that holds the key of this fingerprint; unchanged if no line does.

    A line that sshd refuses for its options goes too: another version of sshd may take it.
    """
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", wanted):
        raise NotEdited(f"invalid fingerprint: {wanted!r}; write SHA256:… and 43 characters, as ssh-keygen -lf does")
    return b"".join(line.raw for line in parse(content) if line.key is None or line.key.fingerprint != wanted)


def successor(line: Line, public: str, comment: str, expires: str = "") -> bytes:
    """The line that lets another key do what this one does: its options to the letter, with another key behind them.

    public: type and key. expires: an expiry-time for it; that of the old line is never taken over, its time is its own.
    """
    if line.key is None:
        raise NotEdited(f"line {line.number} holds no key")
    text = line.raw.partition(b"\0")[0].decode("utf-8", "surrogateescape").lstrip(_BLANK)
    end = 0 if _key(text) is not None else key_options.end(text) or 0
    options = [
        item for item in key_options.split(text[:end]) if item and item.partition("=")[0].lower() != "expiry-time"
    ]
    if expires:
        options.append(f'expiry-time="{expires}"')
    words = [",".join(options), public.strip(), " ".join(comment.split())]
    return " ".join(word for word in words if word).encode("utf-8", "surrogateescape")


# -- judgement -----------------------------------------------------------------------------------


def weakness(key: Key, rsa_minimum: int = 3072) -> str:
    """Why this type is weak today; empty where it is not."""
    if key.kind == "ssh-dss":
        return "DSA has 1024 bits and SHA-1; OpenSSH 10 has no more of it"
    if key.kind == "ssh-rsa" and key.bits < rsa_minimum:
        return f"RSA of {key.bits} bits; {rsa_minimum} are asked for"
    return ""


def shown_options(key: Key) -> str:
    """The options for a person: no value that a command or a variable may hold in secret."""
    return ",".join(option.name if option.value is None else _shown(option) for option in key.options)


def _shown(option: Option) -> str:
    value = option.value or ""
    if option.name == "command":
        # Its arguments may hold a token; which program it is says what the key is for.
        program, blank, _ = value.strip().partition(" ")
        value = program + (" …" if blank else "")
    elif option.name == "environment":
        value = f"{value.partition('=')[0]}=…"
    return f'{option.name}="{shown(value)}"'


def shown(text: str) -> str:
    """Text of the file for a terminal and for JSON: no control characters, no half bytes, nothing like a key."""
    return re.sub(r"AAAA[A-Za-z0-9+/=]{16,}|[A-Za-z0-9+/]{64,}={0,2}", "…", screen_text.shown(text))
