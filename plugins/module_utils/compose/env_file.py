# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compose's .env file: read as `docker compose` reads it, and edited so that each byte but the values stays.

The rules are those of compose-go 1.20 and newer. They differ from a shell's and from other libraries': `#` begins a
comment only behind a space, a value in double quotes may have several lines, and `$` means a variable outside of
single quotes.

A value is written so that python-dotenv, a shell and dotenv of Node read it as Compose does, as far as one spelling can
serve them all. Where none can, Compose is right: `other_readers` says what the others have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Space as Compose has it around keys and values: no line end.
_SPACE = "\t\v\f\r \x85\xa0"

#: Text that people mean as a comment behind a key without a value. To Compose it is the value.
_MEANT_AS_COMMENT = re.compile(r"=([ \t]+)# ")

_KEY = re.compile(r"(?:export[ \t]+)?([\w.\-\[\]]+)[\t\v\f\r \x85\xa0]*([=:\n])")

#: A value of these needs no quotes, whoever reads the file.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=^~-]+")

_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0\d{0,3})')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


class NotRead(Exception):
    """Compose would not read the file, or read something else than it seems to say. The text has no value in it."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


@dataclass(frozen=True)
class Setting:
    """One key. start, end: the span of its value with the quotes.

    literal: the value; None if it is made of other variables. quote: its quotation mark.
    inherited: it names a variable of the caller, and has no value here. looks_empty: a person takes its value for a
    comment; the span is then empty, and before it.
    """

    key: str
    line: int
    start: int
    end: int
    quote: str = ""
    literal: str | None = None
    inherited: bool = False
    looks_empty: bool = False


def parse(text: str) -> list[Setting]:
    """The settings, in their order. Raises NotRead."""
    found: list[Setting] = []
    position = 1 if text.startswith("\ufeff") else 0
    while True:
        position = _statement(text, position)
        if position >= len(text):
            return found
        setting, position = _setting(text, position)
        found.append(setting)


def _statement(text: str, position: int) -> int:
    """The start of the next setting: behind blank lines and comments."""
    while position < len(text):
        if text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif text[position].isspace():
            position += 1
        else:
            break
    return position


def _setting(text: str, position: int) -> tuple[Setting, int]:
    """The setting that begins here, and the place after it."""
    line = text.count("\n", 0, position) + 1
    key = _KEY.match(text, position)
    if not key:
        raise NotRead(line, "not a key with its value")
    name, start = key.group(1), key.end()
    if key.group(2) == "\n":
        return Setting(name, line, start - 1, start - 1, inherited=True), start
    sign = start - 1
    stop = text.find("\n", start)
    stop = len(text) if stop < 0 else stop
    # The carriage return before a line end belongs to it, and no value comes behind that.
    end_of_line = start + len(text[start:stop].rstrip("\r"))
    while start < end_of_line and text[start] in _SPACE:
        start += 1
    quote = text[start : start + 1]
    if quote not in ("'", '"'):
        said = text[start:stop].partition(" #")[0].rstrip()
        if _MEANT_AS_COMMENT.match(text, sign):
            return Setting(name, line, sign + 1, sign + 1, "", _without_variables(said), looks_empty=True), stop
        return Setting(name, line, start, start + len(said), "", _without_variables(said)), stop
    end, said = _quoted(text, start, line)
    rest = text[end:].partition("\n")[0].strip()
    if rest and not rest.startswith("#"):
        # Compose takes what follows for the next key.
        raise NotRead(line, f"something follows the value of {name} on its line")
    literal = said if quote == "'" else _without_variables(_ESCAPE.sub(_unescape, said))
    return Setting(name, line, start, end, quote, literal), end


def _quoted(text: str, start: int, line: int) -> tuple[int, str]:
    """The end of the quoted value that begins here, and its text; a quote behind a backslash is text."""
    quote, position = text[start], start + 1
    said: list[str] = []
    while position < len(text):
        char = text[position]
        if char == quote:
            return position + 1, "".join(said)
        if char == "\\" and position + 1 < len(text):
            following = text[position + 1]
            said.append(following if following == quote else char + following)
            position += 2
        else:
            said.append(char)
            position += 1
    raise NotRead(line, "a quote that is never closed")


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code == "$":
        return "$$"
    if code[0] != "0":
        # `\c` is not an escape that Go knows.
        return _ESCAPED.get(code, match.group())
    return chr(int(code[1:], 8)) if len(code) == 4 and "8" not in code and "9" not in code else match.group()


def _without_variables(said: str) -> str | None:
    """The value where it is made of no variable; None otherwise."""
    return None if "$" in said.replace("$$", "") else said.replace("$$", "$")


def duplicates(settings: list[Setting]) -> list[str]:
    """The keys that are set more than once; Compose takes the last."""
    keys = [setting.key for setting in settings]
    return sorted({key for key in keys if keys.count(key) > 1})


def written(value: str, quote: str = "") -> str:
    """The value as Compose reads it back, byte for byte. quote: what to use where every reader agrees on it.

    Raises ValueError for what no environment variable can hold.
    """
    if "\0" in value:
        raise ValueError("a value with a null byte")
    if not quote and _PLAIN.fullmatch(value):
        return value
    if quote == '"' and not re.search(r'[\\"$\r\n]', value):
        return f'"{value}"'
    # Single quotes keep everything, in other programs too; only these they can't hold.
    if not re.search(rf"['\r\n]|{_UNSURE_BACKSLASH}", value):
        return f"'{value}'"
    if "$" in value and not _only_double(value):
        # A dollar behind a backslash is a dollar to Compose and to a shell alone.
        return "'" + value.replace("'", "\\'") + "'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


#: A backslash that some reader takes for the beginning of an escape, in single quotes too.
_UNSURE_BACKSLASH = r"\\(?=[\\']|\Z)"


def _only_double(value: str) -> bool:
    """True if single quotes can't hold a value, be it with an escaped quote and over several lines."""
    return bool(re.search(rf"\r|{_UNSURE_BACKSLASH}", value))


def other_readers(value: str) -> str:
    """The value that other readers of the file get instead; empty if they get the same.

    A container that gets its variables from Compose is not concerned: only who reads the file itself.
    """
    if "${" in value:
        return "python-dotenv takes `${` for a variable in any quotes"
    if "$" in value and _only_double(value):
        return "python-dotenv and Node keep the backslash before the dollar"
    return ""


def change(text: str, values: Mapping[str, str]) -> str:
    """The text with other values for these keys, each of which is set there once. Raises NotRead or KeyError."""
    settings = parse(text)
    spans = {setting.key: setting for setting in settings if setting.key in values and not setting.inherited}
    missing = sorted(set(values) - set(spans))
    if missing or set(duplicates(settings)) & set(values):
        raise KeyError(", ".join(missing or sorted(set(duplicates(settings)) & set(values))))
    for setting in sorted(spans.values(), key=lambda item: item.start, reverse=True):
        text = text[: setting.start] + written(values[setting.key], setting.quote) + text[setting.end :]
    wanted = [(item.key, values.get(item.key, item.literal), item.inherited) for item in settings]
    if [(item.key, item.literal, item.inherited) for item in parse(text)] != wanted:
        raise NotRead(0, "what was written was not read back")
    return text
