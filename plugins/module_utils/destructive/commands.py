# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges whether one command or one shell script destroys data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Callable

from ansible_collections.ops.runbook.plugins.module_utils.destructive import data
from ansible_collections.ops.runbook.plugins.module_utils.destructive.laravel import artisan_problem
from ansible_collections.ops.runbook.plugins.module_utils.destructive.names import (
    ASSIGNMENT,
    Names,
    assigned,
    forms,
    in_text,
)
from ansible_collections.ops.runbook.plugins.module_utils.destructive.rules import RULES, Rule
from ansible_collections.ops.runbook.plugins.module_utils.destructive.shell import Command, ShellReader
from ansible_collections.ops.runbook.plugins.module_utils.destructive.tools import (
    TOOLS,
    UNMISTAKABLE,
    any_name_problem,
    tool_problem,
)
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import (
    CARRIERS,
    EVALUATORS,
    INLINE_CODE,
    ORDINARY,
    PRINTERS,
    READERS,
    RESERVED,
    SCRIPT_RUNNERS,
    SHELLS,
    SQL_CLIENTS,
    SQL_OPTIONS,
    is_prose,
    is_quiet,
    is_reference,
    is_script_name,
    program_of,
)

DEPTH = 8


def argv_problem(argv: Sequence[str]) -> Rule | None:
    """The rule that this command breaks. Sees through sudo, env, sh -c, docker exec, ssh and the like."""
    rule = judge(list(argv), 0)
    return RULES[rule] if rule else None


def judge(words: Sequence[str], depth: int) -> str | None:
    """The id of the rule that a command breaks."""
    if depth > DEPTH:
        return None
    start = 0
    for word in words:
        assignment = ASSIGNMENT.match(word)
        if assignment:
            found = judge_text(assignment.group(2), depth)
            if found:
                return found
        elif word not in RESERVED:
            break
        start += 1
    rest = words[start : start + _MOST_WORDS]
    if not rest or depth and is_prose(rest):
        return None
    name, arguments = program_of(rest[0]), rest[1:]
    if name == "trap":
        return judge_text(arguments[0], depth) if arguments else None
    if name == "alias":
        return next(filter(None, (judge_text(word.partition("=")[2], depth) for word in arguments)), None)
    if name == "function":
        return judge(arguments[1:], depth)
    if is_quiet(name):
        return None
    if name in SHELLS:
        return _judge_shell(name, arguments, depth)
    return _judge_program(name, arguments, depth)


def _judge_program(name: str, arguments: Sequence[str], depth: int) -> str | None:
    matcher = _PROGRAMS.get(name) or _PROGRAMS.get(name.lower() if name.isupper() else "")
    found = (matcher(arguments) if matcher else None) or tool_problem(
        name, [word for word in arguments if word != "--"]
    )
    found = found or _inline_problem(name, arguments, depth)
    if found or (name not in CARRIERS and (matcher or name in TOOLS or name in ORDINARY)):
        return found
    return _judge_carried(name, arguments, depth)


_STRING = re.compile(r"'([^'\n]{1,4000})'|\"([^\"\n]{1,4000})\"")


def _inline_problem(name: str, arguments: Sequence[str], depth: int) -> str | None:
    """The rule that code in an argument breaks: itself, or by a text in it."""
    before = INLINE_CODE.get(name, ())
    for option, code in zip(arguments[:40], arguments[1:41]):
        if option not in before:
            continue
        texts = [one or two for one, two in _STRING.findall(code)]
        found = data.sql_in(code) or next(filter(None, (judge_text(text, depth) for text in texts)), None)
        found = found or next((UNMISTAKABLE[text] for text in texts if text in UNMISTAKABLE), None)
        if found:
            return found
    return None


def _judge_shell(name: str, arguments: Sequence[str], depth: int) -> str | None:
    if name in EVALUATORS:
        return judge_script(" ".join(arguments), depth)
    if name in ("cmd", "powershell", "pwsh"):
        start = next((at for at, word in enumerate(arguments) if re.match(r"(?i)/c\Z|-c(ommand)?\Z", word)), -1)
        return judge_script(" ".join(arguments[start + 1 :]), depth) if start >= 0 else None
    for position, word in enumerate(arguments):
        if re.match(r"-[a-z]*c[a-z]*\Z", word) and position + 1 < len(arguments):
            return judge_script(arguments[position + 1], depth)
        option_value = position > 0 and re.match(r"[-+][a-z]*[oO]\Z", arguments[position - 1])
        if not option_value and not word.startswith(("-", "+")):
            break
    return None


#: Words of one command that are looked at.
_MOST_WORDS = 4000
#: Of the words of one command, as many may be a command of their own.
_MOST_INNER = 400


def _judge_carried(name: str, arguments: Sequence[str], depth: int) -> str | None:
    """The rule that a command breaks which a program is given to run, as words or as a text."""
    known_carrier = name in CARRIERS or is_reference(name)
    for position, word in enumerate(arguments[:_MOST_INNER]):
        before = arguments[position - 1] if position else ""
        found = judge_text(word, depth) or _statement_in(before, word)
        if not found and name == "ssh" and word.startswith("dokku@"):
            found = _dokku(" ".join(arguments[position + 1 :]).split())
        if found:
            return found
        inner = program_of(word)
        message = inner == "git" and arguments[position + 1 : position + 2] in (["commit"], ["tag"], ["log"])
        if inner in PRINTERS or inner in READERS or message or (inner in ORDINARY and not position and word != "."):
            return None
        if _may_begin(inner, word, arguments[position + 1 : position + 2], known_carrier):
            found = judge(arguments[position:], depth + 1)
            # A carrier has been looked through to its end.
            if found or inner in CARRIERS or is_reference(word):
                return found
    return _behind_any_name(name, arguments, depth)


def _may_begin(inner: str, word: str, following: Sequence[str], known_carrier: bool) -> bool:
    """True if a command may begin at a word among the arguments of another."""
    if inner in SHELLS:
        return True
    if is_reference(word):
        return known_carrier
    if inner == "rm" and following and re.match(r"-[a-zA-Z]*[rR]", following[0]):
        return True
    # Words such as `rm` and `git` are also arguments; only behind a known carrier are they commands.
    return (inner in _PROGRAMS or inner in TOOLS) and (known_carrier or inner not in _COMMON_WORDS)


def _behind_any_name(name: str, arguments: Sequence[str], depth: int) -> str | None:
    """Words that say enough whatever the program is called."""
    if {"--help", "-h", "help", "--dump-sql", "--dry-run", "--pretend", "-T", "--tasks"} & {*arguments}:
        return None
    if name in UNMISTAKABLE and (depth or arguments[:1] and arguments[0].startswith("-")):
        return UNMISTAKABLE[name]
    for position, word in enumerate(arguments[:_MOST_INNER]):
        if name in SCRIPT_RUNNERS and is_script_name(arguments, position):
            continue
        rule = unmistakable_in(word)
        if rule:
            return rule
    if name in ORDINARY:
        return None
    return any_name_problem(arguments) if name not in CARRIERS or is_reference(name) else None


_QUOTED = re.compile(r"""["'\[,=]\s{0,4}["']?((?:artisan:)?[a-z_-]{2,12}[:/.][a-z_:/-]{3,24})["']?\s{0,4}[\]"',]""")
#: Capistrano and others put the name of a tool before the name of its task.
_OF_TASK = re.compile(r"\A(?:rails:|rake:|invoke:){1,2}")
_OPTION_VALUE = re.compile(r"--(?:command|cmd|execute|exec|args?)=(.*)\Z", re.DOTALL)


def unmistakable_in(word: str) -> str | None:
    """The rule of a word that says what it destroys: alone, as the value of an option, or quoted in a list."""
    word = _OF_TASK.sub("", word).rstrip(",;")
    if word in UNMISTAKABLE:
        return UNMISTAKABLE[word]
    option = _OPTION_VALUE.match(word)
    if option and option.group(1) in UNMISTAKABLE:
        return UNMISTAKABLE[option.group(1)]
    if '"' in word or "'" in word:
        return next((UNMISTAKABLE[one] for one in _QUOTED.findall(word) if one in UNMISTAKABLE), None)
    return None


def _statement_in(before: str, word: str) -> str | None:
    if before in SQL_OPTIONS:
        return data.sql_in(word)
    name, equals, value = word.partition("=")
    return data.sql_in(value) if equals and name in SQL_OPTIONS else None


def judge_text(word: str, depth: int) -> str | None:
    return judge_script(word, depth) if re.search(r"\s", word.strip()) else None


def judge_script(text: str, depth: int) -> str | None:
    for _line, rule in script_findings(text, 1, depth + 1):
        return rule
    return None


def _sql_client(arguments: Sequence[str]) -> str | None:
    return next(filter(None, (data.sql_in(word) for word in arguments)), None)


def _sql_statement(verb: str) -> Callable[[Sequence[str]], str | None]:
    def judged(arguments: Sequence[str]) -> str | None:
        return data.sql_in(" ".join((verb, *arguments)) + ";")

    return judged


def _drop_database(arguments: Sequence[str]) -> str | None:
    if not arguments or {"--help", "--version", "-?", "-V"} & {*arguments}:
        return None
    return "drop-database"


_COMPOSE_VALUES = (
    "-f --file -p --project-name --profile --env-file --project-directory --ansi --progress "
    "--parallel -H --host -c --context -l --log-level --config"
).split()


def _compose(arguments: Sequence[str]) -> str | None:
    words = data.positional(arguments, _COMPOSE_VALUES)
    if words[:1] not in (["down"], ["rm"]):
        return None
    after = arguments[list(arguments).index(words[0]) + 1 :]
    volumes = data.flag(after, "v", "--volumes", "--volumes=true", "-v=true")
    return "compose-down-volumes" if volumes and "--dry-run" not in arguments else None


#: Volumes that a build fills again.
_BUILT_VOLUME = re.compile(r"(\A|[-_])(cache|node[-_]?modules|vendor|tmp|build)([-_]|\Z)")


def _docker(arguments: Sequence[str]) -> str | None:
    if "--help" in arguments:
        return None
    words = data.positional(arguments, ("-H", "--host", "-c", "--context", "-l", "--log-level", "--config"))
    if words[:1] == ["compose"]:
        return _compose(arguments[list(arguments).index("compose") + 1 :])
    if words[:1] == ["volume"] and words[1:2] in (["rm"], ["remove"], ["prune"]):
        built = len(words) > 2 and all(map(_BUILT_VOLUME.search, words[2:]))
        return None if built else "docker-volume-remove"
    if words[:2] == ["system", "prune"] and {"--volumes", "--volumes=true"} & {*arguments}:
        return "docker-volume-remove"
    return "docker-volume-remove" if words[:2] == ["system", "reset"] else None


def _dokku(arguments: Sequence[str]) -> str | None:
    for word in data.positional(arguments, ("--app",))[:1]:
        if re.match(r"[a-z][a-z0-9-]*:destroy\Z", word) and word not in ("network:destroy", "nginx:destroy"):
            return "dokku-destroy"
    return None


Matcher = Callable[[Sequence[str]], "str | None"]
_PROGRAMS: dict[str, Matcher] = {
    "artisan": artisan_problem,
    "sail": artisan_problem,
    "please": artisan_problem,
    "testbench": artisan_problem,
    "dropdb": _drop_database,
    "pg_dropcluster": _drop_database,
    "docker": _docker,
    "podman": _docker,
    "nerdctl": _docker,
    "finch": _docker,
    "docker-compose": _compose,
    "podman-compose": _compose,
    "redis-cli": data.redis,
    "valkey-cli": data.redis,
    "keydb-cli": data.redis,
    "rm": data.rm,
    "unlink": data.rm,
    "shred": data.rm,
    "find": data.find,
    "rsync": data.rsync,
    "curl": data.curl,
    "git": data.git,
    "dokku": _dokku,
    "drop": _sql_statement("DROP"),
    "truncate": data.truncate,
    "delete": _sql_statement("DELETE"),
    **dict.fromkeys(SQL_CLIENTS, _sql_client),
}
_COMMON_WORDS = frozenset(
    "rm git docker flask drop truncate delete rake rails mongo find unlink please curl migrate manage platform render "
    "k ace console clean cake think spark wp sam vault convex django reset base soda tern gh fly copilot az b2 mc si "
    "payload keystone dd oc influx nats neon cdk mix".split()
)


class _Depth(int):
    """The nesting depth of a script, and how much may still be read for all nested scripts.

    The words of a command are read as scripts, and so are those in them: without a bound, a text made for it would
    be read over and over.
    """

    _left: list[int]

    def of(self, text: str) -> _Depth:
        """The depth of a first script."""
        self._left = [20 * len(text) + 100_000]
        return self

    def may_read(self, text: str) -> bool:
        """Count one more text; False if it may not be read any more."""
        self._left[0] -= len(text)
        return self._left[0] >= 0

    def __add__(self, other: int) -> _Depth:
        deeper = _Depth(int(self) + other)
        deeper._left = self._left
        return deeper


def script_findings(text: str, line: int, depth: int, names: Names | None = None) -> Iterator[tuple[int, str]]:
    """Line and rule of every destructive command of a shell script. names: variables that have values already."""
    depth = depth if isinstance(depth, _Depth) else _Depth(depth).of(text)
    if depth > DEPTH or not depth.may_read(text):
        return
    commands = ShellReader(text, line).read()
    known = assigned(commands, names or {})
    receivers = _receivers(commands)
    patterns = _patterns(commands)
    for position, command in enumerate(commands):
        for start, script in command.nested:
            yield from script_findings(script, start, depth + 1, known)
            if depth < 2:
                yield from _printed_findings(command, script, start, depth + 1, known)
        if not patterns[position]:
            yield from _command_findings(command, receivers[position], depth, known)


def _receivers(commands: Sequence[Command]) -> list[Command | None]:
    """The command that each command is piped into, by itself or with the group C({ ... }) around it."""
    found: list[Command | None] = []
    groups: list[int] = []
    for position, command in enumerate(commands):
        following = commands[position + 1] if position + 1 < len(commands) else None
        found.append(following if command.piped else None)
        if command.words[:1] == ["{"]:
            groups.append(position)
        elif command.words[:1] == ["}"] and groups:
            start = groups.pop()
            if command.piped and not groups:
                found[start:] = [receiver or following for receiver in found[start:]]
    return found


def _printed_findings(receiver: Command, script: str, line: int, depth: int, names: Names) -> Iterator[tuple[int, str]]:
    """A script or a statement that another prints: C(sh -c "$(printf ...)"), C(mysql < <(echo ...))."""
    if depth > DEPTH:
        return
    for command in ShellReader(script, line).read():
        if command.words and program_of(command.words[0]) in PRINTERS:
            yield from _fed(receiver, " ".join(command.words[1:]), command.line, depth, names)


def _patterns(commands: Sequence[Command]) -> list[bool]:
    """For each command, True if it is only a pattern of C(case), also with another behind it: C(a|b)."""
    found = [command.pattern for command in commands]
    for position in range(len(commands) - 2, -1, -1):
        if commands[position].piped and len(commands[position].words) == 1 and found[position + 1]:
            found[position] = True
    return found


def _command_findings(
    command: Command, receiver: Command | None, depth: int, names: Names
) -> Iterator[tuple[int, str]]:
    own = judge(command.words, depth)
    for words in forms(command.words, names):
        rule = own or judge(words, depth) or _open_choice(words)
        if rule:
            if not (data.of_tests(words) or data.in_tests(names)):
                yield command.lines[0] + _line_inside(command, rule, depth), rule
            return
    words = [word for word in command.words if word != "{"]
    head = program_of(words[0]) if words else ""
    printed = " ".join(words[1:])
    if receiver is not None and head in PRINTERS | {"cat"}:
        yield from _fed(receiver, printed, command.line, depth, names)
    elif receiver is not None and "sqlflush" in command.words and program_of(receiver.words[0]) in SQL_CLIENTS:
        yield command.lines[0], "django-flush"
    elif head in PRINTERS and any(_is_script(target) for target in command.targets):
        for _line, rule in script_findings(printed.replace("\\n", "\n"), 1, depth + 1, names):
            yield command.line, rule
    yield from _document_findings(command, receiver, head, depth, names)


def _document_findings(
    command: Command, receiver: Command | None, head: str, depth: int, names: Names
) -> Iterator[tuple[int, str]]:
    for start, body in command.documents:
        reader = receiver if receiver is not None else command
        if head in ("cat", "tee", "") and receiver is None and not (command.redirected or head == "tee"):
            continue
        if head in ("cat", "tee") and receiver is None:
            if all(_is_script(target) for target in command.targets):
                yield from script_findings(body, start, depth + 1, names)
        else:
            yield from _fed(reader, body, start, depth, names)


_NO_SCRIPT = re.compile(r"/dev/|&?\d?\Z|.*\.(md|txt|log|json|html?|rst|sql|csv|xml)\Z|\$\{?GITHUB_", re.I)


def _is_script(target: str) -> bool:
    return _NO_SCRIPT.match(target) is None


def _open_choice(words: Sequence[str]) -> str | None:
    """C(php artisan migrate:$MODE): any of them, also the one that drops every table."""
    position = next((at for at, word in enumerate(words) if program_of(word) == "artisan"), None)
    if position is None or is_quiet(program_of(words[0])):
        return None
    for word in words[position + 1 :]:
        if re.match(r"(migrate|db):[$%{]", word):
            return "laravel-migrate-fresh" if word[0] == "m" else "laravel-db-wipe"
    return None


def _line_inside(command: Command, rule: str, depth: int) -> int:
    """How far below the command's first line a script in quotes breaks the rule."""
    for word, line in zip(command.words, command.lines):
        if "\n" in word:
            for found_line, found in script_findings(word, line, depth + 1):
                if found == rule:
                    return found_line - command.lines[0]
    return 0


def _fed(receiver: Command, text: str, line: int, depth: int, names: Names) -> Iterator[tuple[int, str]]:
    """Line and rule of what a program receives on its standard input."""
    programs = {program_of(word) for word in receiver.words}
    if programs & set(SQL_CLIENTS):
        for offset, part in enumerate(text.split("\n")):
            rule = data.sql_in(in_text(part, names))
            if rule and not data.of_tests([part]):
                yield line + offset, rule
    elif programs & {"redis-cli", "valkey-cli"}:
        for offset, part in enumerate(text.split("\n")):
            if data.redis([part]):
                yield line + offset, "redis-flush"
    elif programs & {"php", "artisan"} and "tinker" in receiver.words:
        if data.sql_in(text):
            yield line, "sql-drop"
    elif programs & (SHELLS | EVALUATORS | {"ssh", "at", "batch", "docker", "kubectl", "sudo", "su", "crontab"}):
        yield from script_findings(text, line, depth + 1, names)
    elif programs & {"xargs"}:
        for words in text.split("\n"):
            rule = judge([*receiver.words, *words.split()], depth + 1)
            if rule:
                yield line, rule
