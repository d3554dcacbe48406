# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands in programs: the strings they hand to artisan, a shell or a database."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import (
    judge,
    judge_script,
    script_findings,
)
from ansible_collections.ops.runbook.plugins.module_utils.destructive.data import of_tests, sql_in
from ansible_collections.ops.runbook.plugins.module_utils.destructive.laravel import ARTISAN, artisan_problem
from ansible_collections.ops.runbook.plugins.module_utils.destructive.tools import UNMISTAKABLE
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import HINT, is_prose

LANGUAGES = ("php", "javascript", "python", "ruby", "groovy")


class _Literal(NamedTuple):
    """A string of a program, and the code between it and the string before."""

    line: int
    value: str
    before: str
    after: str


#: The beginning of a comment or a string.
_OPENS = {
    "php": re.compile(r"//|#(?!\[)|/\*|[\"'`]"),
    "javascript": re.compile(r"//|/\*|[\"'`]"),
    "groovy": re.compile(r"//|/\*|\"\"\"|'''|[\"']"),
    "python": re.compile(r"#|\"\"\"|'''|[\"']"),
    "ruby": re.compile(r"#(?!\{)|(?m:^)=begin|[\"'`]"),
}
_REST = {
    '"': re.compile(r"[^\"\\]*(?:\\.[^\"\\]*)*", re.DOTALL),
    "'": re.compile(r"[^'\\]*(?:\\.[^'\\]*)*", re.DOTALL),
    "`": re.compile(r"[^`\\]*(?:\\.[^`\\]*)*", re.DOTALL),
}
_LINE_REST = {
    '"': re.compile(r"[^\"\\\n]*(?:\\.[^\"\\\n]*)*", re.DOTALL),
    "'": re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*)*", re.DOTALL),
}
_CLOSES = {"/*": "*/", "=begin": "=end", '"""': '"""', "'''": "'''"}
_CALLEE = re.compile(r"([A-Za-z_][\w\\]*(?:(?:::|->|\?->|\.)[A-Za-z_]\w*)*)[ \t]*\(?\s*[\[(]?\s*\Z")
_RUBY_CALLEE = re.compile(r"\b([a-z_]\w*)[ (]{1,8}:\w{1,40},[ ]{0,8}\Z")
#: C(passthru(PHP_BINARY . ' artisan')): a string that is joined to what stands before it.
_JOINED_CALLEE = re.compile(r"([A-Za-z_]\w{0,60})\([\w$\\>-]{1,60}[ ]{0,4}[.+][ ]{0,4}\Z")
#: Functions of an application whose name says that they run what they are given, and variables that keep commands.
_RUNS = re.compile(r"(?:\A|_)(?:run|exec|process|shell|ssh|remote|cmd|spawn)(?:_|\Z)|(?:process|command|shell|ssh)\Z")
_KEEPS_COMMANDS = re.compile(r"\$?(?:commands?|cmds?|scripts?)(?:\[\])?\s{0,4}\.?=\s{0,4}\Z", re.I)
_ARTISAN_CALLS = frozenset(("call", "callsilent", "callsilently", "queue", "command", "artisan", "runcommand"))
_SPEAKING_CALLS = frozenset(
    "echo print printf sprintf println puts info line comment warn warning error alert debug notice writeln write log "
    "description describe purpose name desc title note abort exception raise throw die exit critical success prohibit "
    "systemexit runtimeexception logicexception confirm question ask it test expect assert".split()
)
#: Functions that run a command: of an application, only what is handed to these counts.
_RUNNING_CALLS = _ARTISAN_CALLS | frozenset(
    "exec shell_exec system passthru popen proc_open process fromshellcommandline run runinbackground start pipe "
    "execsync spawn spawnsync execfile execfilesync execa execacommand execasync sh bat powershell check_call "
    "check_output getoutput getstatusoutput call_command invoke execute sudo capture rake statement unprepared "
    "create_subprocess_shell create_subprocess_exec handle local connection runlocally schedule exec_command".split()
)
_CLASSES = {
    "FreshCommand": "laravel-migrate-fresh",
    "RefreshCommand": "laravel-migrate-refresh",
    "ResetCommand": "laravel-migrate-reset",
    "WipeCommand": "laravel-db-wipe",
}
#: In lower-case letters, a text that the program must contain; the expression; the rule.
_CODE_RULES = (
    (
        "schema::",
        re.compile(r"\bSchema::(?:\w{1,60}\([^()\n]{0,80}\)->)?(?:dropAllTables|dropDatabaseIfExists)\s*\("),
        "sql-drop",
    ),
    ("drop", re.compile(r"->(?:dropAllTables|dropDatabase)\s*\("), "sql-drop"),
    ("redis::flush", re.compile(r"\bRedis::(?:flushall|flushdb)\s*\(", re.I), "redis-flush"),
    (
        "redis::connection",
        re.compile(r"\bRedis::connection\([^()\n]{0,80}\)->flush(?:all|db)\s*\(", re.I),
        "redis-flush",
    ),
    (
        "flush",
        re.compile(
            r"(?:redis|valkey|cache|client|rdb|kv)\w{0,20}(?:\(\))?(?:\.|->)flush_?(?:all|db)\s*\(",
            re.I,
        ),
        "redis-flush",
    ),
    ("drop_all", re.compile(r"\.metadata\.drop_all\s*\(|\bdb\.drop_all\s*\("), "sql-drop"),
    ("drop", re.compile(r"\.(?:dropDatabase|dropAllSchemas)\s*\("), "sql-drop"),
    ("force:", re.compile(r"\.sync\(\s{0,20}\{[^{}]{0,120}\bforce:\s{0,8}true"), "node-orm-drop"),
    ("dropschema", re.compile(r"\bdropSchema:\s{0,8}true"), "node-orm-drop"),
    ("downgrade(", re.compile(r"\bdowngrade\([^()\n]{0,80}[\"']base[\"']"), "alembic-downgrade-base"),
    ("call_command", re.compile(r"\bcall_command\(\s{0,20}[\"'](?:flush|reset_db)[\"']"), "django-flush"),
    (
        "rake::task",
        re.compile(r"\bRake::Task\[\s{0,8}[\"']db:(?:drop|reset|purge|schema:load|truncate_all)"),
        "rails-db-drop",
    ),
)
#: The code between two words of a command, which may be the result of a function: C('php', base_path('artisan'), ...).
_CONTINUES = re.compile(r"\s*(?:\)\s*)?,\s*(?:\[\s*)?(?:[\w\\]{1,40}\(\s*)?\Z")
#: Code before a name that only compares the name with others.
_COMPARES = re.compile(
    r"(?:(?:in_array|array_search|contains|starts_?with|ends_?with|str_contains|includes|indexof|is|preg_match)\s{0,8}\("
    r"[^();]{0,100}|[=!]==?\s{0,8}|\bcase\s{1,8})\Z",
    re.I,
)
#: Strings of one statement that are looked at.
_MOST_STRINGS = 40


def code_findings(text: str, language: str, application: bool = False) -> Iterator[tuple[int, str]]:
    """Line and rule of every destructive command of a program.

    application: the program is not a script of a deployment. Only strings that it hands to a function that runs
    commands count, and only those SQL statements that drop a whole database.
    """
    literals, code, starts = _literals(text, language)
    near = -1
    suspicious = []
    for position in range(len(literals) - 1, -1, -1):
        near = position if HINT.search(literals[position].value) else near
        if near >= 0 and near - position < _MOST_STRINGS // 2:
            suspicious.append(position)
    for position in reversed(suspicious):
        rule = _literal_problem(literals, position, language, application)
        if rule:
            yield _line_inside(literals[position], rule), rule
    if language == "php":
        for match in re.finditer(r"\b([A-Z]\w{1,40}Command)::class\b", code):
            if match.group(1) in _CLASSES:
                yield _line_of(starts, match.start()), _CLASSES[match.group(1)]
    lower = text.lower()
    for hint, pattern, rule_id in _CODE_RULES:
        for match in pattern.finditer(text) if hint in lower else ():
            # Inside a comment or a string, the code is blank.
            if not code[match.start()].isspace():
                yield _line_of(starts, match.start()), rule_id


def _line_inside(literal: _Literal, rule: str) -> int:
    """The line of a command in a string of several lines."""
    if "\n" in literal.value:
        for line, found in script_findings(literal.value, literal.line, 0):
            if found == rule:
                return line
    return literal.line


def _literal_problem(literals: Sequence[_Literal], position: int, language: str, application: bool) -> str | None:
    literal = literals[position]
    callee = _callee(literal.before) or _callee(literals[_first_of(literals, position)].before)
    last = re.split(r"::|\?->|->|\.|\\", callee)[-1].lower()
    if last in _SPEAKING_CALLS or callee == "Artisan::command" or _is_docstring(literal, language):
        return None
    words = literal.value.split()
    following = literals[position + 1 : position + _MOST_STRINGS]
    if last in _ARTISAN_CALLS:
        rule = artisan_problem(words + _options_after(following)) or _open_name(literal)
        if rule:
            return rule
    runs = last in _RUNNING_CALLS or _RUNS.search(last) or _KEEPS_COMMANDS.search(literal.before[-80:])
    if not words or application and not runs or is_prose(words):
        return None
    if len(words) > 1:
        rule = judge_script(literal.value, 0) or _sql_call(callee, literal.value)
        if rule is None and last in ("execute", "rake", "invoke", "run") and words[0] in UNMISTAKABLE:
            rule = UNMISTAKABLE[words[0]]
        return None if rule in ("sql-truncate", "sql-delete-all") and application or of_tests(words) else rule
    if _is_compared(literals, position):
        return None
    statement = _statement(literals[position : position + _MOST_STRINGS])
    if len(statement) > 1 and of_tests(statement):
        return None
    begins = position == 0 or not _CONTINUES.match(literals[position - 1].after)
    rule = judge(statement, 0) if begins and len(statement) > 1 else None
    return rule or _bare_word(literal, words[0], following, application, last)


def _is_compared(literals: Sequence[_Literal], position: int) -> bool:
    """True if a word, or the list that it is in, is only compared with something."""
    return _COMPARES.search(literals[_first_of(literals, position)].before[-120:]) is not None


def _first_of(literals: Sequence[_Literal], position: int) -> int:
    """The first string of the call or of the list that a string is in."""
    least = max(0, position - _MOST_STRINGS)
    while position > least and _CONTINUES.match(literals[position - 1].after):
        position -= 1
    return position


def _bare_word(literal: _Literal, word: str, following: Sequence[_Literal], application: bool, last: str) -> str | None:
    if _is_key(literal):
        return None
    bare = re.sub(r"\Aartisan:", "", word)
    if bare in ARTISAN and bare != "key:generate" and not (application and last not in _ARTISAN_CALLS):
        return artisan_problem([bare, *_options_after(following)])
    return UNMISTAKABLE.get(word) if last in ("execute", "rake", "invoke", "sh", "task") else None


def _open_name(literal: _Literal) -> str | None:
    """C(Artisan::call('migrate:' . $name)): any of them."""
    if literal.value in ("migrate:", "db:") and re.match(r"\s*[.+]", literal.after):
        return "laravel-migrate-fresh" if literal.value == "migrate:" else "laravel-db-wipe"
    return None


def _tokens(text: str, language: str) -> Iterator[tuple[int, int, int]]:
    """Start and end of each comment and string, and the length of the string's quote mark (0 for a comment)."""
    opens = _OPENS[language]
    one_line = language in ("python", "javascript", "groovy")
    never: dict[str, int] = {}
    at = 0
    while True:
        match = opens.search(text, at)
        if not match:
            return
        start, mark = match.start(), match.group(0)
        at = match.end()
        if start < never.get(mark, 0):
            continue
        if mark in ("//", "#"):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
        elif mark in _CLOSES:
            close = _CLOSES[mark]
            end = text.find(close, at)
            end = end + len(close) if end >= 0 else -1
            never[mark] = len(text) if end < 0 else 0
        else:
            end = _string_end(text, at, mark, one_line and mark != "`", never)
        if end < 0:
            continue
        yield start, end, len(mark) if mark[0] in "\"'`" else 0
        at = end


def _string_end(text: str, at: int, mark: str, one_line: bool, never: dict[str, int]) -> int:
    """The end of a string; -1 if it is never closed. C(never): the place before which its mark does not occur again."""
    rest = _LINE_REST[mark] if one_line else _REST[mark]
    match = rest.match(text, at)
    end = match.end() if match else at
    if text[end : end + 1] == mark:
        return end + 1
    never[mark] = max(end, at)
    return -1


def _literals(text: str, language: str) -> tuple[list[_Literal], str, list[int]]:
    """All strings, the code with comments and strings blanked (line breaks kept), and where lines begin."""
    starts = [0]
    at = text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    found: list[tuple[int, int, str]] = []
    parts: list[str] = []
    at = 0
    for start, end, size in _tokens(text, language):
        if size:
            found.append((start, end, _unescaped(text[start + size : end - size])))
        parts += [text[at:start], _blank(text[start:end])]
        at = end
    code = "".join([*parts, text[at:]])
    literals: list[_Literal] = []
    previous = 0
    for position, (start, end, value) in enumerate(found):
        until = found[position + 1][0] if position + 1 < len(found) else min(end + 200, len(code))
        literals.append(_Literal(_line_of(starts, start), value, code[previous:start], code[end:until]))
        previous = end
    return literals, code, starts


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def _blank(text: str) -> str:
    return "\n".join(" " * len(line) for line in text.split("\n")) if "\n" in text else " " * len(text)


def _line_of(starts: Sequence[int], place: int) -> int:
    return bisect_right(starts, place)


def _callee(before: str) -> str:
    end = before[-160:]
    match = _CALLEE.search(end) or _RUBY_CALLEE.search(end) or _JOINED_CALLEE.search(end)
    return match.group(1) if match else ""


def _begins_statement(before: str) -> bool:
    """True if only spaces are between a text and the line, or the colon, before it."""
    spaces = len(before) - len(before.rstrip())
    rest = before[: len(before) - spaces]
    return not rest or rest.endswith(":") or "\n" in before[len(rest) :]


def _is_docstring(literal: _Literal, language: str) -> bool:
    return language == "python" and _begins_statement(literal.before) and "(" not in (literal.before[-1:])


def _is_key(literal: _Literal) -> bool:
    return re.match(r"\s*(=>|:(?!:)|\])", literal.after) is not None


def _statement(literals: Sequence[_Literal]) -> list[str]:
    """A list of words written as an array: ['php', 'artisan', 'migrate:fresh'], or a program and an array."""
    words: list[str] = []
    for literal in literals:
        words.append(literal.value)
        if not _CONTINUES.match(literal.after):
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
