# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands in JSON: scripts of Composer and npm, app.json, and the files of platforms and editors."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import script_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import is_prose
from ansible_collections.ops.runbook.plugins.module_utils.destructive.yaml_files import flow_rule
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

JSON_KINDS = ("composer", "package", "app", "json")


class NotJson(ValueError):
    """A text that is not valid JSON."""


class JsonFinding(NamedTuple):
    """A destructive command of a JSON text. where: the script, or the keys that lead to it."""

    line: int
    rule: str
    command: str
    waived: bool
    where: str


def json_object(text: str, lenient: bool = False) -> dict[str, Any]:
    """The object of a JSON text. lenient: comments are passed over. Raises NotJson."""
    text = text.lstrip("\ufeff")
    try:
        document = foreign_json.loads(text)
    except (ValueError, RecursionError) as error:
        if not lenient:
            raise NotJson(f"it is not valid JSON: {error}") from None
        try:
            document = foreign_json.loads(_without_comments(text))
        except (ValueError, RecursionError) as again:
            raise NotJson(f"it is not valid JSON: {again}") from None
    if not isinstance(document, dict):
        raise NotJson("it is not a JSON object")
    return document


_PART = re.compile(r"\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\\?(?:\"|\n|\Z)|//[^\n]*|,(?=\s{0,200}[\]}])")


def _without_comments(text: str) -> str:
    parts = []
    at = 0
    while at >= 0:
        start = text.find("/*", at)
        end = text.find("*/", start + 2) if start >= 0 else -1
        parts.append(text[at:] if end < 0 else text[at:start])
        at = end + 2 if end >= 0 else -1
    return _PART.sub(lambda match: match.group(0) if match.group(0)[0] == '"' else "", "".join(parts))


def json_findings(text: str, kind: str) -> Iterator[JsonFinding]:
    """The destructive commands of a JSON text of a kind of JSON_KINDS. Raises NotJson."""
    document = json_object(text, lenient=kind == "json")
    extra = document.get("extra") if kind == "composer" else document
    settings = extra.get("ops-runbook") if isinstance(extra, dict) else None
    disposable = settings.get("disposable", []) if isinstance(settings, dict) else []
    disposable = disposable if isinstance(disposable, list) else []
    places = _StringPlaces(text)
    for where, command in _commands(document, kind):
        line = places.take(command if isinstance(command, str) else command[0])
        if isinstance(command, str):
            rules = list(dict.fromkeys(rule for _line, rule in script_findings(command, 1, 0)))
        else:
            found = flow_rule(command, {})
            rules = [found] if found else []
        shown = command if isinstance(command, str) else " ".join(command)
        for rule in rules:
            yield JsonFinding(line, rule, shown, where in disposable, where)


def _commands(document: dict[str, Any], kind: str) -> Iterator[tuple[str, str | list[str]]]:
    if kind == "app":
        yield from _app_commands(document)
        return
    if kind == "json":
        yield from _named_commands(document)
        return
    scripts = document.get("scripts")
    if not isinstance(scripts, dict):
        return
    for name, value in scripts.items():
        for _path, command in strings(value, name):
            yield name, command


def _app_commands(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """app.json of Dokku and Heroku: all below `scripts`, the `command` of each cron entry."""
    if isinstance(node, dict):
        for key, value in node.items():
            below = f"{path}.{key}" if path else str(key)
            if key == "scripts":
                yield from strings(value, below)
            elif key in ("command", "args") and isinstance(value, str):
                yield below, value
            else:
                yield from _app_commands(value, below)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _app_commands(value, f"{path}.{index}")


_COMMAND_KEY = re.compile(
    r"(?i)(command|cmd|script|\brun|exec|task|hook|entry|lines|start|release|deploy|build|install|args|inline|shell)"
)


def _named_commands(node: Any, path: str = "", named: bool = False) -> Iterator[tuple[str, str | list[str]]]:
    """Any JSON: values below a key that names a command."""
    if isinstance(node, dict):
        for key, value in node.items():
            below = f"{path}.{key}" if path else str(key)
            text = re.search(r"(?i)descri|title|label|name|message|comment|detail", str(key)) is not None
            yield from _named_commands(value, below, not text and (named or _COMMAND_KEY.search(str(key)) is not None))
    elif isinstance(node, list):
        words = [item for item in node if isinstance(item, str)]
        if named and len(words) == len(node) > 1 and not any(re.search(r"\s", word) for word in words):
            yield path, words
            return
        for value in node:
            yield from _named_commands(value, path, named)
    elif isinstance(node, str) and named and not is_prose(node.split() or [""]):
        yield path, node


def strings(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """All texts of a value, with the keys that lead to them."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, path)


def reached(scripts: dict[str, Any], events: Sequence[str]) -> set[str]:
    """The scripts of Composer that some events run, directly or through C(@name)."""
    found: set[str] = set()
    waiting = [name for name in events if name in scripts]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for _path, command in strings(scripts[name], ""):
            match = re.match(r"@(?:composer\s+(?:run-script|run)\s+)?([\w:.-]+)", command.strip())
            if match and match.group(1) in scripts:
                waiting.append(match.group(1))
    return found


class _StringPlaces:
    """The line of each JSON string; each occurrence is given out once, in order."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, deque[int]] = {}
        line, at = 1, 0
        for match in re.finditer(r'(?s)("[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z))(\s*:)?', text):
            line += text.count("\n", at, match.start())
            at = match.start()
            if match.group(2):
                continue
            try:
                value = foreign_json.loads(match.group(1))
            except ValueError:
                continue
            self._lines.setdefault(value, deque()).append(line)

    def take(self, value: str) -> int:
        lines = self._lines.get(value)
        if not lines:
            return 1
        return lines.popleft() if len(lines) > 1 else lines[0]
