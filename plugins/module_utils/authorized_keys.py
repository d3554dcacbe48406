# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""authorized_keys: read as sshd reads it, and edited so that each line that was not meant stays byte for byte.

The rules are those of OpenSSH's auth2-pubkeyfile.c, sshkey.c and auth-options.c: a line is a key, or options and a key;
options end at the first space outside of quotes, and `\\"` is a quote that ends none; what is neither is passed over.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils import screen_text

#: Names of plain keys. Each may stand before a blob that says the same; RSA's have three.
_RSA = frozenset({"ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"})
_CURVES = {"nistp256": 256, "nistp384": 384, "nistp521": 521}
_ED25519 = "ssh-ed25519"
_KINDS = frozenset(
    {
        *_RSA,
        "ssh-dss",
        _ED25519,
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        *(f"ecdsa-sha2-{curve}" for curve in _CURVES),
    }
)

_FLAGS = frozenset({"restrict", "cert-authority"})
_SWITCHES = frozenset(
    {
        "port-forwarding",
        "agent-forwarding",
        "x11-forwarding",
        "touch-required",
        "verify-required",
        "pty",
        "user-rc",
    }
)
_ONCE = frozenset({"command", "principals", "from"})
_MANY = frozenset({"expiry-time", "environment", "permitopen", "permitlisten", "tunnel"})

_BLANK = " \t"

#: OpenSSH refuses RSA keys below this, wherever they stand.
_RSA_LEAST = 1024


class NotEdited(Exception):
    """What was asked for can't be done without touching something else. The text holds no key."""


@dataclass(frozen=True)
class Option:
    """One option. value: None for a flag. The name is in lower case, as sshd compares it."""

    name: str
    value: str | None = None


@dataclass(frozen=True)
class Key:
    """One key of a line. problem: why sshd takes it for none although it is one; empty where it takes it.

    bits: None where the type says it all and has no length. expires: seconds since the epoch.
    """

    kind: str
    fingerprint: str
    bits: int
    options: tuple[Option, ...] = ()
    comment: str = ""
    expires: float | None = None
    problem: str = ""
    blob: bytes = field(default=b"", repr=False, compare=False)

    @property
    def is_authority(self) -> bool:
        """Whether this is a CA, whose certificates are let in, and not the key itself."""
        return any(option.name == "cert-authority" for option in self.options)

    def expired(self, now: float) -> bool:
        return self.expires is not None and self.expires < now

    def lets_in(self, now: float) -> bool:
        """Whether sshd would let somebody in who has the private half, as far as the line says."""
        return not self.problem and not self.is_authority and not self.expired(now)


@dataclass(frozen=True)
class Line:
    """One line with its end, as it is on the disk. problem: why it is no key; empty for keys, comments, blank lines."""

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
    end = _options_end(text)
    if end is None:
        return Line(number, raw, problem="a quote in its options is never closed")
    rest = text[end:].lstrip(_BLANK)
    key = _key(rest)
    if key is None:
        return Line(number, raw, problem=_why_none(text, rest))
    said = text[:end]
    options, problem = _options(said)
    expires, wrong = _expiry(options)
    return Line(
        number,
        raw,
        Key(key.kind, key.fingerprint, key.bits, options, key.comment, expires, problem or wrong, key.blob),
    )


def _why_none(text: str, rest: str) -> str:
    for part in (text, rest):
        word = re.split(r"[ \t\r\n]", part, maxsplit=1)[0]
        if "-cert-v0" in word:
            return "a certificate, which sshd does not look for here"
        if word in _KINDS:
            return f"{word} is not followed by a key of that type"
    return "no key in it that sshd knows"


def _key(text: str) -> Key | None:
    """The key at the beginning of this text; None where it does not begin with one."""
    kind, blank, rest = _word(text)
    if not blank or kind not in _KINDS:
        return None
    encoded, _, comment = _word(rest.lstrip(_BLANK))
    try:
        bare = re.sub(r"[\n\v\f\r]", "", encoded).encode("ascii")
        blob = base64.b64decode(bare, validate=True)
        if base64.b64encode(blob) != bare:
            raise ValueError("bits behind the last byte")
        bits = _bits("ssh-rsa" if kind in _RSA else kind, blob)
    except (ValueError, binascii.Error):
        return None
    return Key(
        kind="ssh-rsa" if kind in _RSA else kind,
        fingerprint=fingerprint(blob),
        bits=bits,
        comment=comment.strip(" \t\r\n"),
        blob=blob,
    )


def _word(text: str) -> tuple[str, str, str]:
    """Up to the first blank, that blank, and the rest."""
    match = re.search(r"[ \t]", text)
    return (text, "", "") if match is None else (text[: match.start()], match.group(), text[match.end() :])


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen and sshd's log show it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _bits(kind: str, blob: bytes) -> int:
    """Length of the key in this blob. Raises ValueError where the blob is no key of that type."""
    fields = _fields(blob)
    if fields[0].decode("ascii", "replace") != kind:
        raise ValueError("the blob is of another type")
    numbers = fields[1:]
    shape = {"ssh-rsa": 2, "ssh-dss": 4, _ED25519: 1, "sk-ssh-ed25519@openssh.com": 2}.get(kind)
    shape = shape or (3 if kind.startswith("sk-") else 2)
    if len(numbers) != shape:
        raise ValueError(f"{len(numbers)} parts")
    if kind in ("ssh-rsa", "ssh-dss"):
        if any(number[:1] >= b"\x80" for number in numbers):
            raise ValueError("a negative number")
        bits = int.from_bytes(numbers[1 if kind == "ssh-rsa" else 0], "big").bit_length()
        if kind == "ssh-rsa" and bits < _RSA_LEAST:
            raise ValueError("too short for OpenSSH")
        return bits
    if "ed25519" in kind:
        if len(numbers[0]) != 32:
            raise ValueError("not 32 bytes")
        return 256
    curve = numbers[0].decode("ascii", "replace")
    bits = _CURVES.get(curve, 0)
    if f"ecdsa-sha2-{curve}" not in kind or numbers[1][:1] != b"\x04" or len(numbers[1]) != 1 + 2 * ((bits + 7) // 8):
        raise ValueError("no point of its curve")
    return bits


def _fields(blob: bytes) -> list[bytes]:
    """The parts of a blob, each after its length. Raises ValueError."""
    found, position = [], 0
    while position < len(blob):
        size = int.from_bytes(blob[position : position + 4], "big")
        end = position + 4 + size
        if position + 4 > len(blob) or end > len(blob):
            raise ValueError("cut short")
        found.append(blob[position + 4 : end])
        position = end
    if not found:
        raise ValueError("empty")
    return found


# -- options -------------------------------------------------------------------------------------


def _options_end(text: str) -> int | None:
    """Where the options end: at the first blank outside of quotes. None where a quote is never closed."""
    position, quoted = 0, False
    while position < len(text) and (quoted or text[position] not in _BLANK):
        if text.startswith('\\"', position):
            position += 1
        elif text[position] == '"':
            quoted = not quoted
        position += 1
    return None if quoted else min(position, len(text))


def _options(text: str) -> tuple[tuple[Option, ...], str]:
    """The options, and why sshd refuses the line for them; empty where it does not."""
    found: list[Option] = []
    problem = ""
    for item in _split_options(text):
        name, equals, value = item.partition("=")
        option = Option(name.lower(), _unquoted(value) if equals else None)
        problem = problem or _option_problem(option, bool(equals), value, found)
        found.append(option)
    if text.endswith(","):
        problem = problem or "its options end with a comma"
    return tuple(found), problem


def _split_options(text: str) -> Iterator[str]:
    start, position, quoted = 0, 0, False
    while position < len(text):
        if text.startswith('\\"', position):
            position += 1
        elif text[position] == '"':
            quoted = not quoted
        elif text[position] == "," and not quoted:
            yield text[start:position]
            start = position + 1
        position += 1
    if start < len(text):
        yield text[start:]


def _unquoted(value: str) -> str:
    inner = value[1:-1] if len(value) > 1 and value[0] == '"' == value[-1] else value
    return inner.replace('\\"', '"')


def _option_problem(option: Option, has_value: bool, value: str, before: list[Option]) -> str:
    name = option.name
    bare = name[3:] if name.startswith("no-") else name
    if not has_value:
        if name in _FLAGS or bare in _SWITCHES:
            return ""
        if name in _ONCE | _MANY:
            return f"its option {name} has no value"
        return f"it has the option {shown(name) or '(empty)'}, which sshd refuses"
    if name not in _ONCE | _MANY:
        return f"it has the option {shown(name)}, which sshd refuses"
    if not re.fullmatch(r'"(?:\\"|[^"])*"', value):
        return f"the value of its option {name} does not stand in quotes"
    if name in _ONCE and any(other.name == name for other in before):
        return f"it has the option {name} twice"
    return ""


def _expiry(options: tuple[Option, ...]) -> tuple[float | None, str]:
    """When the key ends, the earliest where there are several, and what is wrong with such an option."""
    found: list[float] = []
    for option in options:
        if option.name == "expiry-time" and option.value is not None:
            moment = expiry(option.value)
            if moment is None:
                return None, "its expiry-time is no time that sshd knows"
            found.append(moment)
    return (min(found) if found else None), ""


def expiry(text: str) -> float | None:
    """Seconds since the epoch of an expiry-time; without a Z it is the host's own time. None where it is no time."""
    match = re.fullmatch(r"(\d{8})(?:(\d{4})(\d\d)?)?(Z?)", text)
    if match is None:
        return None
    day, minute, second, utc = match.groups()
    try:
        parts = time.strptime(f"{day}{minute or '0000'}{second or '00'}", "%Y%m%d%H%M%S")
        return float(calendar.timegm(parts) if utc else time.mktime(parts))
    except (ValueError, OverflowError):
        return None


# -- edits ---------------------------------------------------------------------------------------


def add(content: bytes, line: bytes) -> bytes:
    """The content with this key at its end; unchanged where it stands there with the same options already.

    Where the last line has no end, it is given one: sshd would take the two for one. Raises NotEdited.
    """
    line = line.strip(b" \t\r\n")
    read = parse(line)
    new = read[0].key if len(read) == 1 else None
    if new is None or new.problem or b"\0" in line or b"\r" in line:
        why = new.problem if new is not None else read[0].problem if len(read) == 1 else "it is not one line"
        raise NotEdited(f"the line to add is no key that sshd takes: {why or 'it holds a control character'}")
    lines = parse(content)
    there = [known for known in lines if known.key is not None and known.key.fingerprint == new.fingerprint]
    if any(known.key is not None and _same(known.key, new) for known in there):
        return content
    if there:
        # sshd takes the first line that fits, so a second one with other options would change nothing.
        raise NotEdited(
            f"{new.fingerprint} stands in line {there[0].number} with other options: remove it first, or keep them"
        )
    ends = [known.raw[-2:] for known in lines if known.raw.endswith(b"\n")]
    end = b"\r\n" if ends and ends[-1] == b"\r\n" else b"\n"
    joint = b"" if not content or content.endswith(b"\n") else end
    return content + joint + line + end


def _same(one: Key, other: Key) -> bool:
    return not one.problem and sorted(one.options, key=repr) == sorted(other.options, key=repr)


def remove(content: bytes, wanted: str) -> bytes:
    """The content without each line that holds the key of this fingerprint; unchanged where there is none.

    A line that sshd refuses for its options goes too: another version of sshd may take it.
    """
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", wanted):
        raise NotEdited(f"{wanted!r} is no fingerprint like SHA256:… of 43 characters, as ssh-keygen -lf shows it")
    return b"".join(line.raw for line in parse(content) if line.key is None or line.key.fingerprint != wanted)


def successor(line: Line, public: str, comment: str, expires: str = "") -> bytes:
    """The line that lets another key do what this one does: its options to the letter, with another key behind them.

    public: type and key. expires: an expiry-time for it; that of the old line is never taken over, its time is its own.
    """
    if line.key is None:
        raise NotEdited(f"line {line.number} holds no key")
    text = line.raw.partition(b"\0")[0].decode("utf-8", "surrogateescape").lstrip(_BLANK)
    end = 0 if _key(text) is not None else _options_end(text) or 0
    options = [item for item in _split_options(text[:end]) if item.partition("=")[0].lower() != "expiry-time"]
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
