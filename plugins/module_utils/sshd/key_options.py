# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options in front of a key in authorized_keys: which of them sshd takes, from when to when, and from where.

The rules are those of OpenSSH's auth-options.c, misc.c, addrmatch.c and match.c. A test holds them against a real sshd.
"""

from __future__ import annotations

import calendar
import functools
import ipaddress
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

#: Each with the version of OpenSSH that brought it: an older one refuses the line. Versions before 7.7 are treated
#: alike.
_ALWAYS = (0, 0)
_FLAGS = {"restrict": _ALWAYS, "cert-authority": _ALWAYS}
_SWITCHES = {
    "port-forwarding": _ALWAYS,
    "agent-forwarding": _ALWAYS,
    "x11-forwarding": _ALWAYS,
    "touch-required": (8, 2),
    "verify-required": (8, 4),
    "pty": _ALWAYS,
    "user-rc": _ALWAYS,
}
_ONCE = {"command": _ALWAYS, "principals": _ALWAYS, "from": _ALWAYS}
_MANY = {
    "expiry-time": (7, 7),
    "environment": _ALWAYS,
    "permitopen": _ALWAYS,
    "permitlisten": (7, 8),
    "tunnel": _ALWAYS,
}
_ALL = {**_FLAGS, **_SWITCHES, **_ONCE, **_MANY}
#: An expiry-time in UTC, with a Z.
_UTC_SINCE = (9, 1)
#: From this version on, a time before 1970 never comes; older versions refuse it.
_BEFORE_1970_SINCE = (10, 4)

#: sshd counts before it adds, so one more than these numbers passes.
_MOST_VARIABLES = 1024
_MOST_PERMITS = 4096
_LONGEST_HOST = 1024
_HIGHEST_TUNNEL = 0x7FFFFFFF - 2
#: A longer text is neither an address nor a pattern to sshd.
_LONGEST_ADDRESS = 63
_LONGEST_PATTERN = 1022

_QUOTED = re.compile(r'"(?:\\"|\\(?!")|[^"\\])*"')
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")


@dataclass(frozen=True)
class Option:
    """One option. value: None for a flag. The name is in lower case, as sshd compares it."""

    name: str
    value: str | None = None


@dataclass(frozen=True)
class Options:
    """All options of a line.

    problem: why sshd refuses the line for them; empty where it does not. expires: seconds since the epoch. since: the
    version of OpenSSH that knows all of them.
    """

    items: tuple[Option, ...] = ()
    problem: str = ""
    expires: float | None = None
    since: tuple[int, int] = _ALWAYS


def end(text: str) -> int | None:
    """The end of the options: the first blank outside of quotes. None if a quote is never closed."""
    position, quoted = 0, False
    while position < len(text) and (quoted or text[position] not in " \t"):
        if text.startswith('\\"', position):
            position += 1
        elif text[position] == '"':
            quoted = not quoted
        position += 1
    return None if quoted else min(position, len(text))


def split(text: str) -> Iterator[str]:
    """The options as written. Between two commas there may be nothing; sshd skips that."""
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
    yield text[start:]


def read(text: str) -> Options:
    """The options of a line, in one text."""
    found: list[Option] = []
    before = _Before()
    problem, since = "", _ALWAYS
    for item in split(text):
        if not item:
            continue
        name, equals, value = item.partition("=")
        option = Option(name.lower(), _unquoted(value) if equals else None)
        problem = problem or _problem(option, value, before)
        since = max(since, _since(option))
        found.append(option)
        before.add(option)
    authority = any(option.name == "cert-authority" for option in found)
    if not problem and not authority and any(option.name == "principals" for option in found):
        problem = "it has the option principals without cert-authority"
    return Options(tuple(found), problem, _expires(found), since)


class _Before:
    """The options before one: how many of each name, and the variables that they set."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.variables: set[str] = set()

    def add(self, option: Option) -> None:
        self.counts[option.name] = self.counts.get(option.name, 0) + 1
        if option.name == "environment":
            self.variables.add((option.value or "").partition("=")[0])


def _unquoted(value: str) -> str:
    inner = value[1:-1] if len(value) > 1 and value[0] == '"' == value[-1] else value
    return inner.replace('\\"', '"')


def _since(option: Option) -> tuple[int, int]:
    bare = option.name[3:] if option.name.startswith("no-") else option.name
    since = _ALL.get(bare, _ALWAYS)
    if option.name != "expiry-time" or option.value is None:
        return since
    if option.value.upper().endswith(("Z", "UTC")):
        since = max(since, _UTC_SINCE)
    return max(since, _BEFORE_1970_SINCE) if (_moment(option.value) or 0) < 0 else since


def _problem(option: Option, said: str, before: _Before) -> str:
    """The reason why sshd refuses this option. said: the value as written."""
    name, value = option.name, option.value
    bare = name[3:] if name.startswith("no-") else name
    valued = name in _ONCE or name in _MANY
    if value is None and (name in _FLAGS or bare in _SWITCHES):
        return ""
    if value is None and valued:
        return f"its option {name} has no value"
    if value is None or not valued:
        return f"it has the option {name}, which sshd refuses"
    if not _QUOTED.fullmatch(said):
        return f"the value of its option {name} is not in quotes"
    if name in _ONCE and name in before.counts:
        return f"it has the option {name} twice"
    return _value_problem(name, value, before)


def _value_problem(name: str, value: str, before: _Before) -> str:
    if name == "expiry-time":
        return "" if _known(value) else "its expiry-time is not a time that sshd knows"
    if name == "environment":
        if len(before.variables) > _MOST_VARIABLES:
            return f"it has more than {_MOST_VARIABLES} variables"
        variable, equals, _value = value.partition("=")
        return "" if equals and re.fullmatch(r"[A-Za-z0-9_]+", variable) else "its option environment sets no variable"
    if name in ("permitopen", "permitlisten"):
        if before.counts.get(name, 0) > _MOST_PERMITS:
            return f"it has the option {name} more than {_MOST_PERMITS} times"
        wanted = f"*:{value}" if name == "permitlisten" and ":" not in value else value
        return "" if _is_host_and_port(wanted) else f"its option {name} names no host and port"
    if name == "tunnel":
        known = value.lower() == "any" or _number(value, 0, _HIGHEST_TUNNEL) is not None
        return "" if known else "its option tunnel names no device"
    if name == "from":
        return _from_problem(value)
    return ""


def _is_host_and_port(text: str) -> bool:
    match = re.match(r"(?s)(\[[^\]]*\]|[^:/\[][^:/]*|)[:/]", text)
    if match is None or len(match[1].encode("utf-8", "surrogateescape")) > _LONGEST_HOST:
        return False
    port = text[match.end() :]
    return port == "*" or (_port(port) or 0) > 0


def _port(text: str) -> int | None:
    number = _number(text, 0, 65535)
    if number is not None:
        return number
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, ValueError):
        return None


def _number(text: str, least: int, most: int) -> int | None:
    """An integer as OpenBSD's strtonum reads it: blanks and a sign may precede it, nothing may follow."""
    if not _INTEGER.fullmatch(text) or len(text) > 1000:
        return None
    number = int(text)
    return number if least <= number <= most else None


# -- until when ----------------------------------------------------------------------------------


def _expires(options: list[Option]) -> float | None:
    """When the key ends, the earliest where there are several."""
    moments = [expiry(option.value or "") for option in options if option.name == "expiry-time"]
    return min((moment for moment in moments if moment is not None), default=None)


def _known(text: str) -> bool:
    moment = _moment(text)
    return moment is not None and moment != 0


def expiry(text: str) -> float | None:
    """Seconds since the epoch of an expiry-time; without a Z it is the host's own time, without its summer time.

    None if it is not a time to sshd, or is before 1970: OpenSSH 10.4 takes that for a time that never comes.
    """
    moment = _moment(text)
    return moment if moment is not None and moment > 0 else None


@functools.lru_cache(maxsize=16)
def _moment(text: str) -> float | None:
    """As parse_absolute_time of misc.c reads it: 8, 12 or 14 letters, cut into pairs for strptime."""
    upper = text.upper()
    utc = next((word for word in ("Z", "UTC") if len(text) > len(word) and upper.endswith(word)), "")
    bare = text[: len(text) - len(utc)]
    if len(bare.encode("utf-8", "surrogateescape")) != len(bare) or len(bare) not in (8, 12, 14):
        return None
    pairs = [bare[:4], *(bare[start : start + 2] for start in range(4, len(bare), 2))]
    bounds = ((0, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 61))
    # strptime passes over blanks before a number.
    numbers = [int(pair) if re.fullmatch(r" *[0-9]+", pair) else -1 for pair in pairs]
    if any(not least <= number <= most for number, (least, most) in zip(numbers, bounds)):
        return None
    year, month, day, hour, minute, second = [*numbers, 0, 0, 0][:6]
    if year < 1:
        return -1.0
    try:
        # The 31st of a month of 30 days is the first of the next one.
        if utc:
            return float(calendar.timegm((year, month, day, hour, minute, second)))
        return time.mktime((year, month, day, hour, minute, second, 0, 0, 0))
    except (ValueError, OverflowError):
        return -1.0


# -- from where ----------------------------------------------------------------------------------


def _from_problem(patterns: str) -> str:
    """Why a list of from= lets nobody in, wherever they are; empty where it lets somebody in."""
    entries = patterns.split(",")
    for entry in entries:
        bare = entry[1:] if entry.startswith("!") else entry
        if not bare:
            return "its option from has an empty entry, and sshd refuses the whole list"
        try:
            _network(bare)
        except _WrongBits:
            return f"its option from has {bare}: the bits do not fit the address, and sshd refuses the whole list"
    if all(entry.startswith("!") for entry in entries):
        return "its option from only says from where not"
    return ""


def from_lets_in(patterns: str, address: str, host: str = "") -> bool:
    """True if a list of from= lets in who comes from there. host: the name that sshd knows; the address where UseDNS is
    off."""
    if _from_problem(patterns):
        return False
    where = ipaddress.ip_address(address)
    found = False
    for entry in patterns.split(","):
        negated = entry.startswith("!")
        bare = entry[1:] if negated else entry
        network = _network(bare)
        if where in network if network else _matches(address, bare):
            if negated:
                return False
            found = True
    named = _name_matches((host or address).lower(), patterns)
    return False if named is None else found or named


def _name_matches(host: str, patterns: str) -> bool | None:
    """None where a negated pattern matches."""
    found = False
    for entry in patterns.lower().split(","):
        bare = entry[1:] if entry.startswith("!") else entry
        if len(bare.encode("utf-8", "surrogateescape")) > _LONGEST_PATTERN:
            return False
        if _matches(host, bare):
            if bare != entry:
                return None
            found = True
    return found


def _matches(text: str, pattern: str) -> bool:
    """Stars and question marks; in a time that grows with both lengths, whatever the pattern."""
    first, *others = pattern.split("*")
    if not others:
        return _alike(text, first)
    *middle, last = others
    position, end = len(first), len(text) - len(last)
    if position > end or not _alike(text[:position], first) or not _alike(text[end:], last):
        return False
    for part in middle:
        while position + len(part) <= end and not _alike(text[position : position + len(part)], part):
            position += 1
        position += len(part)
    return position <= end


def _alike(text: str, pattern: str) -> bool:
    return len(text) == len(pattern) and all(wanted in ("?", letter) for letter, wanted in zip(text, pattern))


class _WrongBits(ValueError):
    """More bits than the address has, or too few for it."""


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address with or without bits; None if it is not an address at all. Raises _WrongBits."""
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST_ADDRESS:
        return None
    bare, slash, said = text.partition("/")
    bits = _number(said, 0, 0x7FFFFFFF) if slash else None
    if slash and bits is None:
        return None
    try:
        # The one that sshd asks; it takes 127.1 too.
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST) if bare else []
    except (OSError, UnicodeError):
        return None
    if not found:
        return None
    address = ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
    try:
        return ipaddress.ip_network(f"{address}/{address.max_prefixlen if bits is None else bits}")
    except ValueError as error:
        raise _WrongBits(text) from error
