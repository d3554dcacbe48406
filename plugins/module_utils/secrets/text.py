# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds secrets in a text whose values nobody knows: beside a name, in an address, as an option, or by their beginning.

A text may come from a visitor of a web page. Each expression here is bounded, and the text is gone through once for
each kind, so that the time grows with the length of the text and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.ops.runbook.plugins.module_utils.secrets.names import (
    HINTS,
    REFERENCE,
    Level,
    is_token,
    level,
    looks_secret,
    says_nothing,
)

MASK = "********"

Span = tuple[int, int]

_HINT = re.compile(HINTS, re.IGNORECASE)
_RUN = re.compile(r"[\w-]+")
#: How far a name is followed to its beginning.
_LONGEST_NAME = 120
#: How much of a value shows whether it is a secret.
_ENOUGH = 400

#: A quotation mark as programs print it: plain, escaped in another text, in HTML, in an address.
_MARK = r"""(?:\\{0,7}["'`]|&(?:quot|apos|\#0?39|\#x27|\#34);|%2[27])"""
_OPENING = re.compile(_MARK)
_BEFORE = re.compile(_MARK + r"\Z")
#: Separators between a name and its value. PHP prints the class of an object's property behind the name.
_SEPARATOR = re.compile(
    rf"""(?:{_MARK})?(?::(?:protected|private|[\w\\]{{1,100}}:private))?\]?(?:{_MARK}\])?"""
    rf"""[ \t]{{0,40}}(?P<sign>=>|=&gt;|:=|={{1,2}}|:(?!:)|%3[aAdD])[ \t]{{0,40}}"""
)
#: The types of var_dump, and the marks of a text in Python.
_TYPE = re.compile(r"\s{0,40}(?:string|str)\(\d{1,9}\)[ \t]{1,4}|[bBuUrRfF]{1,2}(?=[\"'])|@(?=\")")
#: After an option, a value is the next word, also of a list.
_OPTION_GAP = re.compile(rf"{_MARK}[ \t]{{0,8}},?[ \t]{{0,8}}(?={_MARK})|[ \t]{{1,8}}(?!-)")
_BEFORE_QUOTE = re.compile(r"[ \t]{1,8}(?=[\"'][^\"'\n]{4,200}[\"'])")
_PLAIN_VALUE = re.compile(r"""[^\s"'`,;&<>()\[\]{}|\\%]+|%(?!2[26]|20|3[bB])|\\(?!["'`n])""")
_SCHEME = re.compile(
    r"(?i)(bearer|basic|token|apikey|negotiate|digest|ntlm|hawk|signature|aws4-hmac-sha256|key)[ \t]{1,8}"
)
_ONE_WORD_SCHEMES = ("bearer", "basic", "token", "apikey", "negotiate", "ntlm", "key")
_COMMENT = re.compile(r"[ \t]#")
_GAP = re.compile(r"[ \t]")
_INDENT = re.compile(r"[ \t]{0,40}(?:- |export )?")
_CLOSING = {"[": "]", "{": "}", "(": ")"}

_PORT = re.compile(r"[^:@/?#]*:\d{1,5}\Z")
_WEBHOOK = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/|"
    r"webhook\.office\.com/webhookb2/|outlook\.office\.com/webhook/|api\.telegram\.org/bot|hooks\.zapier\.com/hooks/|"
    r"chat\.googleapis\.com/v1/spaces/|maker\.ifttt\.com/trigger/|events\.pagerduty\.com/integration/)"
    r"[^\s\"'`<>\\]+"
)
_TOKEN_RUN = re.compile(r"[\w.+=-]+")

#: Programs and the options that give them a password. What follows the option is its value.
_PROGRAMS = re.compile(
    r"\b(?:(?P<glued>mysql\w{0,10}|mariadb[\w-]{0,10}|7z[ar]?|mydumper|myloader)|(?P<p>sshpass|mongo\w{0,10}|"
    r"docker[ \t]{1,4}login|podman[ \t]{1,4}login|buildah[ \t]{1,4}login|helm[ \t]{1,4}registry[ \t]{1,4}login|"
    r"unzip|ipmitool)|(?P<a>redis-cli|redis-benchmark)|(?P<u>curl|lftp|smbclient)|(?P<w>ldap\w{3,8})|"
    r"(?P<k>openssl[ \t]{1,4}enc)|(?P<cap>zip|ncftp\w{0,4}|tsql))\b"
)
_GLUED_OPTION = {
    "glued": re.compile(r"(?<=[\s\"'\[(,])-p(?=[^\s,\]-])"),
    "p": re.compile(r"(?<=[\s\"'\[(,])-p(?:(?=[^\s,\]\"'])|[\s\"',]{1,4}|(?=[\"'][^,\s]))"),
    "a": re.compile(r"(?<=[\s\"'\[(,])-a(?:(?=[^\s,\]\"'])|[\s\"',]{1,4}|(?=[\"'][^,\s]))"),
    "u": re.compile(r"(?<=[\s\"'\[(,])(?:-[uU]|--(?:proxy-)?user)(?:=|(?=[^\s,\]\"'])|[\s\"',]{1,4}|(?=[\"'][^,\s]))"),
    "w": re.compile(r"(?<=[\s\"'\[(,])-w(?:(?=[^\s,\]\"'])|[\s\"',]{1,4}|(?=[\"'][^,\s]))"),
    "k": re.compile(r"(?<=[\s\"'\[(,])-[kK](?:(?=[^\s,\]\"'])|[\s\"',]{1,4}|(?=[\"'][^,\s]))"),
    "cap": re.compile(r"(?<=[\s\"'\[(,])-P(?:(?=[^\s,\]\"'])|[\s\"',]{1,4}|(?=[\"'][^,\s]))"),
}
_COMMAND_END = re.compile(r"[\n|;]|&&")
_WORD = re.compile(r"""(?:[^\s"'\\,;|&)\]]|\\.|"[^"\n]{0,4000}"|'[^'\n]{0,4000}'|,(?!\s))+""")
_IDENTIFIED = re.compile(
    r"(?i)\bidentified[ \t]{1,8}(?:with[ \t]{1,8}\S{1,60}[ \t]{1,8})?(?:by|as)[ \t]{1,8}(?:password[ \t]{1,8})?"
    r"(?=[\"'])"
)
#: A line of a configuration of Redis.
_DIRECTIVE = re.compile(r"(?m)^[ \t]{0,40}(?:requirepass|masterauth|AUTH)[ \t]{1,8}(?=[^\s=:])")

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY|OPENSSH KEY)(?: BLOCK)?-----")


def mask_text(text: str) -> str:
    """A text without values beside the name of a secret, and without texts that look like one."""
    for find in (_private_keys, _webhooks, _addresses, _named, _options, _tokens):
        text = _without(text, find(text))
    return text


def _without(text: str, spans: Iterator[Span]) -> str:
    parts, at = [], 0
    for start, end in spans:
        if start < at or end <= start:
            continue
        parts += [text[at:start], MASK]
        at = end
    return "".join([*parts, text[at:]]) if parts else text


def _private_keys(text: str) -> Iterator[Span]:
    at = text.find("-----BEGIN ")
    while at >= 0:
        found = _KEY_BEGINS.match(text, at)
        if not found:
            at = text.find("-----BEGIN ", at + 1)
            continue
        end = text.find("-----END", found.end())
        end = len(text) if end < 0 else end
        yield found.end(), end
        at = text.find("-----BEGIN ", end)


def _webhooks(text: str) -> Iterator[Span]:
    for found in _WEBHOOK.finditer(text):
        yield found.end(1), found.end()


def _addresses(text: str) -> Iterator[Span]:
    """The password of each address, also one with a slash or an at sign in it."""
    at = text.find("://")
    escaped = text.find(":\\/\\/")
    while at >= 0 or escaped >= 0:
        start = min(place for place in (at, escaped) if place >= 0)
        rest = start + (3 if start == at else 5)
        end = _address_end(text, rest)
        span = _password_in(text, start, rest, end)
        if span:
            yield span
        past = max(end, rest)
        at = text.find("://", past) if 0 <= at < past else at
        escaped = text.find(":\\/\\/", past) if 0 <= escaped < past else escaped


def passwords_in_addresses(text: str) -> list[str]:
    """The passwords of the addresses of a text."""
    return [text[start:end] for start, end in _addresses(text)]


_ADDRESS_END = re.compile(r"""[\s"'`<>]|\\(?!/)|,(?=[A-Za-z][\w+.-]{0,20}:\\?/)|://""")


def _address_end(text: str, start: int) -> int:
    found = _ADDRESS_END.search(text, start)
    return found.start() if found else len(text)


def _scheme(text: str, colon: int) -> str:
    found = re.search(r"[A-Za-z][\w+.-]{0,20}\Z", text[max(0, colon - 21) : colon])
    return found[0].lower() if found else ""


def _password_in(text: str, colon_at: int, start: int, end: int) -> Span | None:
    last = text.rfind("@", start, end) - start
    if last < 0:
        return None
    address = text[start:end]
    slash = min((place for place in map(address.find, "/?#") if place >= 0), default=len(address))
    first = address[:slash]
    if "@" not in first:
        # Without a name and a password before it, an at sign belongs to the path; so it does after a port.
        web = _scheme(text, colon_at) in ("http", "https", "ws", "wss")
        if ":" not in first or (web and _PORT.match(first)):
            return None
    user, colon, _password = address[:last].partition(":")
    if colon and "/" not in user:
        return start + len(user) + 1, start + last
    if "@" in first and len(first.rpartition("@")[0]) >= 16 and "." not in user:
        return start, start + first.rfind("@")
    return None


def _named(text: str) -> Iterator[Span]:
    """The values beside the names of secrets."""
    at = 0
    while True:
        hint = _HINT.search(text, at)
        if not hint:
            return
        run = _RUN.match(text, hint.start())
        name_end = run.end() if run else hint.end()
        name_start = _name_start(text, hint.start(), at)
        at = name_end
        name = text[name_start:name_end]
        said = level(name)
        if said is Level.PLAIN:
            continue
        if said is Level.MAYBE:
            # Most of these are not secrets and are read again: the beginning of the value has to be enough.
            window = text[name_start : name_end + _ENOUGH]
            if not _value_of(window, name, 0, name_end - name_start, said):
                continue
            said = Level.SECRET
        span = _value_of(text, name, name_start, name_end, said)
        if span:
            yield span
            at = max(at, span[1])


def _name_start(text: str, place: int, least: int) -> int:
    least = max(least, place - _LONGEST_NAME)
    while place > least and (text[place - 1].isalnum() or text[place - 1] in "_-"):
        place -= 1
    return place


def _value_of(text: str, name: str, name_start: int, name_end: int, said: Level) -> Span | None:
    found = _SEPARATOR.match(text, name_end)
    if not found:
        gap = None
        if said is Level.SECRET:
            gap = _OPTION_GAP.match(text, name_end) if name.startswith("-") else _BEFORE_QUOTE.match(text, name_end)
        if not gap:
            return None
        return _judged(text, _read(text, gap.end(), "", ""), said)
    at, sign = found.end(), found["sign"]
    if sign == ":" and text[at : at + 2] == "//":
        return None
    typed = _TYPE.match(text, at)
    if typed:
        at = typed.end()
    if text.startswith(MASK, _past_mark(text, at)):
        return None
    before = _BEFORE.search(text, max(0, name_start - 9), name_start)
    # The name and the value in one pair of marks: "NAME=value", 'Header: value'.
    around = before[0] if before and not found[0].startswith(before[0]) else ""
    bare = name.strip("-").lower()
    rest_of_line = ""
    if bare in ("authorization", "proxy-authorization", "x-authorization"):
        scheme = _SCHEME.match(text, _past_mark(text, at))
        if scheme:
            one_word = scheme[1].lower() in _ONE_WORD_SCHEMES
            opened = text[at : _past_mark(text, at)]
            span = _read(text, scheme.end(), opened or around, "" if one_word else "line")
            return _judged(text, span, said)
        rest_of_line = "line" if sign == ":" else ""
    elif bare in ("cookie", "set-cookie", "http_cookie"):
        rest_of_line, said = ("line" if sign in (":", "=") and bare != "cookie" or sign == ":" else ""), Level.SECRET
    elif said is Level.SECRET and _begins_line(text, name_start):
        rest_of_line = "word" if sign == "=" and name.isupper() else "setting" if sign == ":" and not around else ""
    return _judged(text, _read(text, at, around, rest_of_line), said)


def _past_mark(text: str, at: int) -> int:
    found = _OPENING.match(text, at)
    return found.end() if found else at


def _begins_line(text: str, at: int) -> bool:
    start = text.rfind("\n", max(0, at - 40), at) + 1
    return (start > 0 or at <= 40) and re.fullmatch(
        r"[ \t]{0,40}(?:- |export )?", text[start if start else 0 : at]
    ) is not None


def _judged(text: str, span: Span | None, said: Level) -> Span | None:
    if span is None:
        return None
    value = text[span[0] : span[1]]
    if says_nothing(value):
        return None
    if said is Level.MAYBE and (MASK in value or not looks_secret(value)):
        return None
    return span


def _read(text: str, at: int, around: str, rest_of_line: str) -> Span | None:
    """The span of the value that begins at a place. around: the mark that encloses it together with its name."""
    opening = _OPENING.match(text, at)
    if opening and not (around and opening[0] == around):
        start = opening.end()
        return start, _closing(text, start, opening[0])
    if around:
        return at, _closing(text, at, around)
    if text[at : at + 1] in _CLOSING and text[at : at + 1]:
        return _bracketed(text, at)
    if rest_of_line:
        end = _line_end(text, at)
        if rest_of_line != "line":
            # A password without marks may have any sign in it; on a line of a shell, a command follows.
            stop = (_COMMENT if rest_of_line == "setting" else _GAP).search(text, at, end)
            end = stop.start() if stop else end
        while end > at and text[end - 1] in " \t\r":
            end -= 1
        return (at, end) if end > at else None
    reference = REFERENCE.match(text, at)
    end = reference.end() if reference else at
    while True:
        found = _PLAIN_VALUE.match(text, end)
        if found:
            end = found.end()
            continue
        opening = _OPENING.match(text, end) if end > at else None
        if opening and text[end - 1] in "=(":
            end = _closing(text, opening.end(), opening[0])
            continue
        if end > at and text[end : end + 1] == "(" and _OPENING.match(text, end + 1):
            end += 1
            continue
        break
    return (at, end) if end > at else None


def _closing(text: str, at: int, mark: str) -> int:
    """The end of the text that a mark opened; the end of the line if nothing closes it."""
    place = at
    while True:
        found = text.find(mark, place)
        if found < 0:
            return _line_end(text, at)
        slashes = 0
        while found - slashes > at and text[found - slashes - 1] == "\\":
            slashes += 1
        if len(mark) > 1 or slashes % 2 == 0:
            return found if len(mark) == 1 or not slashes else found - slashes
        place = found + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _bracketed(text: str, at: int) -> Span | None:
    """The span of a list or a map in one line; one over several lines has names of its own."""
    line_end = min(_line_end(text, at), at + 4096)
    opening, depth = text[at], 0
    for found in re.finditer(r"[\[\]{}()]", text[at:line_end]):
        if found[0] == opening:
            depth += 1
        elif found[0] == _CLOSING[opening]:
            depth -= 1
            if not depth:
                inner = text[at + 1 : at + found.start()]
                return (at + 1, at + found.start()) if inner.strip() else None
    return (at + 1, line_end) if text[at + 1 : line_end].strip() else None


def _options(text: str) -> Iterator[Span]:
    """Passwords that are given to a program, in the order of the text."""
    found = sorted([*_program_options(text), *_after(_IDENTIFIED, text), *_after(_DIRECTIVE, text)])
    return iter(found)


def _after(expression: re.Pattern[str], text: str) -> Iterator[Span]:
    for found in expression.finditer(text):
        span = _read(text, found.end(), "", "")
        if span and _judged(text, span, Level.SECRET):
            yield span


def _program_options(text: str) -> Iterator[Span]:
    end = -1
    programs = list(_PROGRAMS.finditer(text))
    for program, following in zip(programs, [*programs[1:], None]):
        if end < program.end():
            stop = _COMMAND_END.search(text, program.end())
            end = stop.start() if stop else len(text)
        until = min(end, following.start()) if following else end
        kind = str(program.lastgroup)
        for option in _GLUED_OPTION[kind].finditer(text, program.end(), until):
            span = _option_value(text, option.end(), kind)
            if span:
                yield span


def _option_value(text: str, at: int, kind: str) -> Span | None:
    if text[at : at + 1] in ("-", ""):
        return None
    if text[at] in "\"'":
        span: Span | None = (at + 1, _closing(text, at + 1, text[at]))
    else:
        # An option in a list of words is glued to its value inside of one pair of marks.
        word = _WORD.match(text, at)
        if not word:
            return None
        end = word.end()
        span = (at, end)
    if span and kind == "u":
        value = text[span[0] : span[1]]
        sign = ":" if ":" in value else "%" if "%" in value else ","
        if sign not in value:
            return None
        span = (span[0] + value.index(sign) + 1, span[1])
    return _judged(text, span, Level.SECRET) if span and span[1] > span[0] else None


def _tokens(text: str) -> Iterator[Span]:
    for found in _TOKEN_RUN.finditer(text):
        start, run = found.start(), found[0]
        if len(run) < 12:
            continue
        skipped = len(run) - len(run.lstrip(".-+="))
        places = [skipped, *(place + 1 for place in (run.find("="),) if place >= 0)]
        for place in places:
            if is_token(run[place : place + 64] if len(run) > 8192 else run[place:]):
                yield start + place, found.end()
                break
