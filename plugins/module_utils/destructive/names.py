# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of a file: the values that a script assigned are put in where they are used."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.destructive.shell import Command

#: Values of one variable, values of one command, and letters of a value, beyond which no more are tried.
MOST_VALUES = 4
MOST_FORMS = 8
LONGEST = 400

Names = Mapping[str, Sequence[str]]

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)\Z", re.DOTALL)
_DECLARES = frozenset("export local declare readonly typeset set env setenv".split())
#: C($X), C(${X}), C(${X:-x}), C(${X[@]}), C($(X)) of make, C(%X%), C({{X}}) and C({{.X}}), C(${{ env.X }}).
_REFERENCE = re.compile(
    r"\$\{\{\s{0,4}(?:env|vars|inputs|variables|parameters)\.(?P<actions>\w{1,80})\s{0,4}\}\}"
    r"|\{\{\s{0,4}[.$]?(?P<template>\w{1,80})\s{0,4}\}\}"
    r"|\$\{(?P<braces>\w{1,80})(?:\[[@*0-9]\])?(?::?[-=](?P<default>[^{}\n]{0,200}))?\}"
    r"|\$\((?P<make>[A-Za-z_][\w.-]{0,80})\)"
    r"|\$(?P<plain>[A-Za-z_]\w{0,80})"
    r"|%(?P<batch>\w{1,80})%"
)


#: Before the name of a variable that is set for all that follows, and not for one command.
LASTING = "lasting "


def _lasts(words: Sequence[str]) -> bool:
    return bool(words) and words[0] in _DECLARES or all(ASSIGNMENT.match(word) for word in words)


def assigned(commands: Sequence[Command], outer: Names) -> Names:
    """The variables of a script with each value that it gives them, and those from outside."""
    found: dict[str, list[str]] = {}
    for position, command in enumerate(commands):
        lasts = _lasts(command.words)
        for name, value in _assignments(command.words):
            note(found, name, value, outer)
            if lasts:
                note(found, LASTING + name, value, outer)
        if command.opened and command.words and re.fullmatch(r"[A-Za-z_]\w*\+?=", command.words[-1]):
            array = " ".join(_array(commands[position + 1 : position + 40]))
            note(found, command.words[-1].rstrip("+="), array, outer)
    return ChainMap(found, outer) if found else outer  # type: ignore[arg-type]


def with_values(pairs: Iterable[tuple[str, str]]) -> Names:
    """Variables with all values that they are given."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        note(found, name, value)
    return found


def note(found: dict[str, list[str]], name: str, value: str, outer: Names | None = None) -> None:
    """Keep a value of a variable, beside those that it has already."""
    if name not in found:
        found[name] = list(outer.get(name, ())) if outer else []
    values = found[name]
    if value and len(value) <= LONGEST and value not in values and len(values) < MOST_VALUES:
        values.append(value)


def _assignments(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    start = next((at for at, word in enumerate(words) if word not in ("then", "do", "else", "{", "!")), len(words))
    rest = words[start:]
    if not rest:
        return
    if rest[0] in ("for", "foreach", "select") and len(rest) > 3 and rest[2] == "in":
        for value in rest[3:]:
            yield rest[1], value
        return
    declares = rest[0] in _DECLARES
    for word in rest[1:] if declares else rest:
        match = ASSIGNMENT.match(word)
        if match:
            yield match.group(1), match.group(2)
        elif not (declares and word.startswith(("-", "/"))):
            break
    if len(rest) > 2 and rest[1] == "=" and re.fullmatch(r"\$\w+", rest[0]):
        yield rest[0][1:], " ".join(rest[2:])
    if rest[0] == "set" and len(rest) > 2 and not rest[1].startswith("-") and "=" not in rest[1]:
        yield rest[1], " ".join(rest[2:])
    elif rest[0] == "set" and len(rest) > 2 and "=" in rest[1]:
        name, _equals, value = " ".join(rest[1:]).partition("=")
        yield name.strip('"'), value.strip('"')


def _array(commands: Sequence[Command]) -> list[str]:
    words: list[str] = []
    for command in commands:
        words += command.words
        if command.closed:
            break
    return words


def forms(words: Sequence[str], names: Names) -> list[list[str]]:
    """A command with each value that its variables may have; the command itself if it has no variables."""
    if not any(_may_refer(word) for word in words):
        return [list(words)]
    found: list[list[str]] = [[]]
    for word in words:
        choices = _values_of(word, names) if _may_refer(word) else [[word]]
        if len(choices) == 1 or len(found) >= MOST_FORMS:
            for form in found:
                form += choices[0]
        else:
            found = [[*before, *choice] for before in found for choice in choices][:MOST_FORMS]
    return found


def _may_refer(word: str) -> bool:
    return "$" in word or "{{" in word or word.count("%") > 1


def in_text(text: str, names: Names) -> str:
    """A text with the first value of each variable that has one."""
    if not _may_refer(text):
        return text
    return _REFERENCE.sub(lambda match: next(iter(_choices(match, names)), match.group(0)), text)


def _choices(match: re.Match[str], names: Names) -> list[str]:
    found = list(names.get(str(match.group(str(match.lastgroup if match.lastgroup != "default" else "braces"))), ()))
    default = match.group("default")
    return [*found, default] if default else found


def _values_of(word: str, names: Names) -> list[list[str]]:
    whole = _REFERENCE.fullmatch(word)
    if whole:
        return [value.split() for value in _choices(whole, names)] or [[word]]
    found = [""]
    at = 0
    for match in _REFERENCE.finditer(word):
        before = word[at : match.start()]
        values = _choices(match, names) or [match.group(0)]
        found = [text + before + value for text in found for value in values][:MOST_VALUES]
        at = match.end()
    return [[text + word[at:]] for text in found]
