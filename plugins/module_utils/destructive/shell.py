# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Splits a shell script into simple commands, with their lines and the scripts inside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Command:
    """A simple command of a script, with the scripts inside its words.

    targets are the files that its output goes to. opened: a parenthesis follows it. closed: a parenthesis ends it.
    pattern: it is not a command but a pattern of C(case).
    """

    line: int
    words: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    nested: list[tuple[int, str]] = field(default_factory=list)
    documents: list[tuple[int, str]] = field(default_factory=list)
    piped: bool = False
    redirected: bool = False
    targets: list[str] = field(default_factory=list)
    opened: bool = False
    closed: bool = False
    pattern: bool = False


class ShellReader:
    """Splits a script into simple commands.

    Lenient, because a file may hold templates (C({{ }}), C(${{ }})) or not be strict
    shell: a quote that is never closed is an ordinary character, or it would hide the rest of the file.
    """

    def __init__(self, text: str, line: int) -> None:
        self._text = text
        self._line = line
        self._at = 0
        self._commands: list[Command] = []
        self._command = Command(line)
        self._word: list[str] | None = None
        self._word_line = line
        self._drop_next = False
        self._writes = False
        self._open = 0
        self._waiting: list[tuple[Command, str, bool]] = []
        self._parentheses = _Parentheses(text)
        # For each mark that ends a template: it does not occur before this place, and is not searched again until then.
        self._none_before: dict[str, int] = {}

    def read(self) -> list[Command]:
        text = self._text
        while self._at < len(text):
            self._step(text[self._at])
        self._end_command()
        return self._commands

    def _step(self, char: str) -> None:
        text, at = self._text, self._at
        if char == "\\":
            if text[at + 1 : at + 2] == "\n":
                self._line += 1
            else:
                self._add(text[at + 1 : at + 2])
            self._at += 2
        elif char == "'":
            self._quoted_single()
        elif char == '"':
            self._quoted_double()
        elif char == "`" or text.startswith("$(", at) or text.startswith(("<(", ">("), at):
            self._substitution()
        elif text.startswith("${{", at) or text.startswith("{{", at):
            self._raw_until("}}")
        elif text.startswith("${", at):
            self._raw_until("}")
        elif char == "#" and self._word is None:
            end = text.find("\n", at)
            self._at = len(text) if end < 0 else end
        elif char == "\n":
            self._end_command()
            self._line += 1
            self._at += 1
            self._read_documents()
        elif char.isspace():
            self._end_word()
            self._at += 1
        elif char in "<>" or text.startswith("&>", at):
            self._redirect()
        elif char in ";&|()":
            self._operator(char)
        else:
            self._add(char)
            self._at += 1

    def _add(self, piece: str) -> None:
        if self._word is None:
            self._word = []
            self._word_line = self._line
        self._word.append(piece)

    def _take(self, end: int) -> str:
        piece = self._text[self._at : end]
        self._line += piece.count("\n")
        self._at = end
        return piece

    def _quoted_single(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._add("'")
            self._at += 1
            return
        self._add("")
        self._add(self._take(end + 1)[1:-1])

    def _quoted_double(self) -> None:
        end = _closing_quote(self._text, self._at, self._parentheses)
        if end < 0:
            self._add('"')
            self._at += 1
            return
        self._add("")
        line = self._line
        inner = self._take(end + 1)[1:-1]
        self._command.nested += [(line + inner.count("\n", 0, at), script) for at, script in _substitutions(inner)]
        self._add(re.sub(r'\\(["\\$`])', r"\1", inner.replace("\\\n", "")))

    def _substitution(self) -> None:
        start = self._at
        if self._text[start] == "`":
            end, opening = self._text.find("`", start + 1), 1
        else:
            end, opening = self._parentheses.closing(start + 1), 2
        if end < 0:
            self._add(self._text[start])
            self._at += 1
            return
        self._add("")
        line = self._line
        raw = self._take(end + 1)
        if not raw.startswith("$(("):
            self._command.nested.append((line, raw[opening:-1]))
        self._add(raw)

    def _raw_until(self, closing: str) -> None:
        end = -1
        if self._at >= self._none_before.get(closing, 0):
            newline = self._text.find("\n", self._at)
            line_end = len(self._text) if newline < 0 else newline
            end = self._text.find(closing, self._at, line_end)
            if end < 0:
                self._none_before[closing] = line_end
        if end < 0:
            self._add(self._text[self._at])
            self._at += 1
            return
        self._add(self._take(end + len(closing)))

    def _redirect(self) -> None:
        text = self._text
        document = re.compile(r"<<(-?)[ \t]*(['\"]?)([\w.-]+)\2").match(text, self._at)
        if document and not text.startswith("<<<", self._at):
            self._end_word()
            self._waiting.append((self._command, document.group(3), bool(document.group(1))))
            self._at = document.end()
            return
        if self._word is not None and "".join(self._word).isdigit():
            self._word = None
        self._end_word()
        if text.startswith("<<<", self._at):
            self._at += 3
            return
        match = re.compile(r"&?[<>]{1,2}[|&]?").match(text, self._at)
        self._at = match.end() if match else self._at + 1
        self._writes = text[self._at - 1] != "<"
        self._command.redirected = self._command.redirected or self._writes
        self._drop_next = True

    def _operator(self, char: str) -> None:
        self._end_word()
        pipe = char == "|" and not self._text.startswith("||", self._at)
        self._command.piped = pipe
        start = self._at
        while self._at < len(self._text) and self._text[self._at] == char:
            self._at += 1
        if char == "(":
            self._command.opened = True
            self._open += self._at - start
        elif char == ")":
            self._command.closed = self._open > 0
            self._command.pattern = not self._open
            self._open = max(0, self._open - (self._at - start))
        self._end_command()

    def _end_word(self) -> None:
        if self._word is None:
            return
        if self._drop_next:
            self._drop_next = False
            if self._writes:
                self._command.targets.append("".join(self._word))
        else:
            if not self._command.words:
                self._command.line = self._word_line
            self._command.words.append("".join(self._word))
            self._command.lines.append(self._word_line)
        self._word = None

    def _end_command(self) -> None:
        self._end_word()
        self._drop_next = False
        if self._command.words or self._command.nested:
            self._commands.append(self._command)
        waiting = {id(command) for command, _mark, _tabs in self._waiting}
        if id(self._command) in waiting and not (self._commands and self._commands[-1] is self._command):
            self._commands.append(self._command)
        self._command = Command(self._line)

    def _read_documents(self) -> None:
        for command, mark, tabs in self._waiting:
            body: list[str] = []
            line = self._line
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                text = self._text[self._at : end]
                self._at = min(end + 1, len(self._text))
                self._line += 1
                if (text.lstrip("\t") if tabs else text).rstrip("\r") == mark:
                    break
                body.append(text)
            command.documents.append((line, "\n".join(body)))
        self._waiting = []
        self._command = Command(self._line)


def _closing_quote(text: str, start: int, parentheses: _Parentheses) -> int:
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == '"':
            return at
        elif text.startswith("$(", at):
            end = parentheses.closing(at + 1)
            at = end + 1 if end >= 0 else at + 2
        else:
            at += 1
    return -1


class _Parentheses:
    """The place where each parenthesis of a text is closed; each place is read once, however many are never closed.

    The text after a place is read the same way wherever the reading began, so one reading finds the end of every
    parenthesis that it passes.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._closed: dict[int, int] = {}

    def closing(self, start: int) -> int:
        """The place of the parenthesis that closes the one at a place; -1 where it is never closed."""
        if start not in self._closed:
            self._read(start)
        return self._closed.get(start, -1)

    def _read(self, start: int) -> None:
        text, at, opened = self._text, start, list[int]()
        while at < len(text):
            char = text[at]
            if char == "\\":
                at += 1
            elif char == "'":
                end = text.find("'", at + 1)
                at = end if end >= 0 else at
            elif char == '"':
                end = _simple_quote(text, at)
                at = end if end >= 0 else at
            elif char == "(":
                if at in self._closed and self._closed[at] < 0:
                    break
                opened.append(at)
            elif char == ")":
                if opened:
                    self._closed[opened.pop()] = at
                if not opened:
                    return
            at += 1
        self._closed.update(dict.fromkeys(opened, -1))


def _simple_quote(text: str, start: int) -> int:
    match = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(text, start)
    return match.end() - 1 if match else -1


def _substitutions(text: str) -> Iterator[tuple[int, str]]:
    """The C($( )) and back-quoted scripts inside a double-quoted text."""
    parentheses = _Parentheses(text)
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        end = -1
        opening = 2
        if text.startswith("$(", at) and not text.startswith("$((", at):
            end = parentheses.closing(at + 1)
        elif text[at] == "`":
            end, opening = text.find("`", at + 1), 1
        if end >= 0:
            yield at, text[at + opening : end]
            at = end
        at += 1
