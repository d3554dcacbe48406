# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands in programs: the strings they hand to artisan, a shell or a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ansible_collections.ops.runbook.plugins.module_utils.destructive_commands import (
    ARTISAN,
    artisan_problem,
    judge,
    judge_script,
    sql_in,
)


class _Literal(NamedTuple):
    """A string of a program, and the code between it and the string before."""

    line: int
    value: str
    before: str
    after: str


_COMMENTS = {
    "php": r"//[^\n]*|\#(?!\[)[^\n]*|/\*.*?\*/",
    "javascript": r"//[^\n]*|/\*.*?\*/",
    "python": r"\#[^\n]*",
    "ruby": r"\#[^\n]*|^=begin.*?^=end",
}
_STRINGS = (
    r"\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`"
)
_CALLEE = re.compile(r"([A-Za-z_][\w\\]*(?:(?:::|->|\?->|\.)[A-Za-z_]\w*)*)[ \t]*\(?\s*[\[(]?\s*\Z")
_ARTISAN_CALLS = frozenset(("call", "callsilent", "callsilently", "queue", "command", "artisan", "runcommand"))
_SPEAKING_CALLS = frozenset(
    (
        "echo print printf sprintf println puts info line comment warn warning error alert debug "
        "notice writeln write log "
        "description describe purpose name desc title note abort exception raise throw die exit "
        "critical success "
        "prohibit"
    ).split()
)
_CLASSES = {
    "FreshCommand": "laravel-migrate-fresh",
    "RefreshCommand": "laravel-migrate-refresh",
    "ResetCommand": "laravel-migrate-reset",
    "WipeCommand": "laravel-db-wipe",
}
_CODE_RULES = (
    (re.compile(r"\bSchema::(?:\w+\([^)]*\)->)?(?:dropAllTables|dropDatabaseIfExists)\s*\("), "sql-drop"),
    (re.compile(r"\bRedis::(?:\w+\([^)]*\)->)?(?:flushall|flushdb)\s*\(", re.I), "redis-flush"),
)


def code_findings(text: str, language: str) -> Iterator[tuple[int, str]]:
    literals, code = _literals(text, language)
    for position, literal in enumerate(literals):
        callee = _callee(literal.before)
        last = re.split(r"::|\?->|->|\.|\\", callee)[-1].lower()
        if last in _SPEAKING_CALLS or callee == "Artisan::command" or _is_docstring(literal, language):
            continue
        words = literal.value.split()
        rule: str | None = None
        if last in _ARTISAN_CALLS:
            rule = artisan_problem(words + _options_after(literals[position + 1 :]))
        if rule is None and len(words) > 1:
            rule = judge_script(literal.value, 0) or _sql_call(callee, literal.value)
        elif rule is None and words:
            following = _statement(literals[position:])
            rule = judge(following, 0) if len(following) > 1 else None
            bare = re.sub(r"\Aartisan:", "", words[0])
            if rule is None and bare in ARTISAN and bare != "key:generate" and not _is_key(literal):
                rule = artisan_problem([bare, *_options_after(literals[position + 1 :])])
        if rule:
            yield literal.line, rule
    if language == "php":
        for match in re.finditer(r"\b(\w+Command)::class\b", code):
            if match.group(1) in _CLASSES:
                yield code.count("\n", 0, match.start()) + 1, _CLASSES[match.group(1)]
    for pattern, rule_id in _CODE_RULES:
        for match in pattern.finditer(code):
            yield code.count("\n", 0, match.start()) + 1, rule_id


def _literals(text: str, language: str) -> tuple[list[_Literal], str]:
    """All strings, and the code with comments and strings blanked (line breaks kept)."""
    found: list[tuple[int, int, str]] = []
    blank = list(text)
    for match in re.finditer(f"({_COMMENTS[language]})|({_STRINGS})", text, re.DOTALL | re.MULTILINE):
        if match.group(2) is not None:
            found.append((match.start(), match.end(), _unquoted(match.group(2))))
        blank[match.start() : match.end()] = [char if char == "\n" else " " for char in match.group(0)]
    code = "".join(blank)
    literals: list[_Literal] = []
    previous = 0
    for position, (start, end, value) in enumerate(found):
        until = found[position + 1][0] if position + 1 < len(found) else min(end + 200, len(code))
        line = text.count("\n", 0, start) + 1
        literals.append(_Literal(line, value, code[previous:start], code[end:until]))
        previous = end
    return literals, code


def _unquoted(raw: str) -> str:
    size = 3 if raw[:3] in ('"""', "'''") and len(raw) >= 6 else 1
    return re.sub(r"\\(.)", r"\1", raw[size:-size], flags=re.DOTALL)


def _callee(before: str) -> str:
    match = _CALLEE.search(before[-160:])
    return match.group(1) if match else ""


def _begins_statement(before: str) -> bool:
    """Whether nothing but spaces is between a text and the line, or the colon, before it."""
    spaces = len(before) - len(before.rstrip())
    rest = before[: len(before) - spaces]
    return not rest or rest.endswith(":") or "\n" in before[len(rest) :]


def _is_docstring(literal: _Literal, language: str) -> bool:
    return language == "python" and _begins_statement(literal.before) and "(" not in (literal.before[-1:])


def _is_key(literal: _Literal) -> bool:
    return re.match(r"\s*(=>|:(?!:)|\])", literal.after) is not None


def _statement(literals: Sequence[_Literal]) -> list[str]:
    """A list of words written as an array: ['php', 'artisan', 'migrate:fresh']."""
    words: list[str] = []
    for literal in literals:
        words.append(literal.value)
        if not re.match(r"\s*,\s*\Z", literal.after):
            break
    return words


def _options_after(literals: Sequence[_Literal]) -> list[str]:
    """Artisan::call('migrate:rollback', ['--step' => 1]): the options of the same statement."""
    options: list[str] = []
    for literal in literals:
        if (
            ";" in literal.before
            or ";" in literal.after.partition("=>")[0]
            and not options
            and literal.value[:2] != "--"
        ):
            break
        if literal.value.startswith("--"):
            number = re.match(r"\s*=>\s*(\w+)", literal.after)
            off = number is not None and number.group(1).lower() in ("false", "null")
            if not off:
                options.append(literal.value + (f"={number.group(1)}" if number else ""))
    return options


def _sql_call(callee: str, text: str) -> str | None:
    verbs = (
        "statement",
        "unprepared",
        "execute",
        "query",
        "exec",
        "raw",
        "delete",
        "executerawunsafe",
        "queryraw",
    )
    return sql_in(text) if re.split(r"::|->|\.", callee)[-1].lower().lstrip("$") in verbs else None
