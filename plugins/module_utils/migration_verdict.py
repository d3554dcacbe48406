# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the database stands against the code that is to run on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Position:
    """What is known before a switch.

    applied: the database's migrations, in the order in which they ran; None when it can't be read.
    current and target: the migrations that the two codes bring. unsure: applied migrations of which it
    can't be told whether the target brings them (they come from a package).
    """

    applied: Sequence[str] | None
    current: Iterable[str]
    target: Iterable[str]
    unsure: Iterable[str] = ()
    error: str = ""


@dataclass(frozen=True)
class Comparison:
    """The verdict.

    verdict: same, ahead (the database has migrations that the target does not know), behind (the target
    expects migrations that the database lacks), diverged (both), unknown. ahead: newest first, the order
    in which they would be undone. behind: in the order in which they would run. foreign: those ahead which
    the current code does not know either, so that nobody here can undo them.
    """

    verdict: str
    ahead: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    error: str = ""


def compare(position: Position) -> Comparison:
    """Compare the three schema positions."""
    if position.applied is None:
        return Comparison("unknown", error=position.error or "the database can't be read")
    applied, current, target = list(position.applied), set(position.current), set(position.target)
    unsure = set(position.unsure)
    ahead = tuple(name for name in reversed(applied) if name not in target and name not in unsure)
    behind = tuple(sorted(target - set(applied)))
    foreign = tuple(name for name in ahead if name not in current)
    if unsure:
        names = ", ".join(sorted(unsure))
        return Comparison(
            "unknown",
            ahead,
            behind,
            foreign,
            f"these migrations come from a package, and it can't be told whether the target has them: {names}",
        )
    verdict = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}.get(
        (bool(ahead), bool(behind)), "same"
    )
    return Comparison(verdict, ahead, behind, foreign)


@dataclass(frozen=True)
class Loss:
    """Data that a statement destroys: a whole table (column empty) or one column of it."""

    table: str
    column: str = ""

    @property
    def text(self) -> str:
        return f"column {self.table}.{self.column}" if self.column else f"table {self.table}"


#: Comments, strings, quoted names (ANSI, MySQL, SQL Server), words, and single characters of SQL.
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]+\]|[\w$#@]+|\S", re.S
)
_QUOTES = '`"['

#: What `alter table ... drop` drops without losing data, unless `column` says otherwise.
_NO_COLUMN = frozenset(
    "index key constraint foreign primary unique check default not identity expression period".split()
)

#: Laravel changes a SQLite table by making it anew under this name.
_REBUILT = "__temp__"


def losses(statements: Iterable[str]) -> list[Loss]:
    """The tables and columns that SQL statements destroy, in their order, each once."""
    found: dict[Loss, None] = {}
    for statement in statements:
        tokens = [token for token in _TOKEN.findall(statement) if not token.startswith(("--", "/*"))]
        rest: list[str] = []
        for token in [*tokens, ";"]:
            if token != ";":
                rest.append(token)
                continue
            _statement_losses(rest, found)
            rest = []
    return list(found)


def _statement_losses(tokens: Sequence[str], found: dict[Loss, None]) -> None:
    words = [token.lower() for token in tokens]
    for place, word in enumerate(words):
        if word == "alter" and words[place + 1 : place + 2] == ["table"]:
            _alter_losses(tokens, words, place + 2, found)
            return
        names: list[str] = []
        if word == "drop":
            after = _skip(words, place + 1, "temporary")
            names = _names(tokens, after + 1) if words[after : after + 1] == ["table"] else []
        elif word == "truncate":
            names = _names(tokens, _skip(words, place + 1, "table"))
        elif word == "delete" and words[place + 1 : place + 2] == ["from"]:
            names = _names(tokens, place + 2)[:1]
        for name in names:
            found[Loss(name)] = None


def _alter_losses(tokens: Sequence[str], words: Sequence[str], place: int, found: dict[Loss, None]) -> None:
    place = _skip(words, place, "if", "exists", "only")
    table, place = _name(tokens, place)
    dropping = False
    for clause in _clauses(tokens[place:]):
        first = clause[0].lower()
        # SQL Server names several after one `drop column`.
        dropping = first == "drop" or (dropping and (first == "column" or len(clause) == 1))
        if first == "rename" and table.startswith(_REBUILT):
            found.pop(Loss(_name(clause, _skip([word.lower() for word in clause], 1, "to"))[0]), None)
        if (first, *[word.lower() for word in clause[1:2]]) in (("drop", "partition"), ("truncate", "partition")):
            found[Loss(table)] = None
            dropping = False
        if dropping:
            column = _dropped_column(clause)
            dropping = bool(column) or first == "drop"
            if column:
                found[Loss(table, column)] = None


def _dropped_column(clause: Sequence[str]) -> str:
    words = [word.lower() for word in clause]
    place = _skip(words, 0, "drop")
    named = words[place : place + 1] == ["column"]
    place = _skip(words, place, "column", "if", "exists")
    if place >= len(words) or (not named and words[place] in _NO_COLUMN):
        return ""
    return _name(clause, place)[0]


def _clauses(tokens: Sequence[str]) -> list[list[str]]:
    """The parts between commas that stand in no parentheses."""
    clauses: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and depth == 0:
            clauses.append([])
        else:
            clauses[-1].append(token)
    return [clause for clause in clauses if clause]


def _skip(words: Sequence[str], place: int, *optional: str) -> int:
    for word in optional:
        if words[place : place + 1] == [word]:
            place += 1
    return place


def _names(tokens: Sequence[str], place: int) -> list[str]:
    names: list[str] = []
    while True:
        place = _skip([token.lower() for token in tokens], place, "if", "exists", "only")
        name, place = _name(tokens, place)
        if not name:
            return names
        names.append(name)
        if tokens[place : place + 1] != [","]:
            return names
        place += 1


def _name(tokens: Sequence[str], place: int) -> tuple[str, int]:
    """A name, with the names of its schema and database, and the place after it."""
    parts: list[str] = []
    while place < len(tokens) and (tokens[place][0] in _QUOTES or re.match(r"[\w#@]", tokens[place])):
        token = tokens[place]
        quote = token[0]
        parts.append(token[1:-1].replace(quote * 2, quote) if quote in _QUOTES else token)
        if tokens[place + 1 : place + 2] != ["."]:
            return ".".join(parts), place + 1
        place += 2
    return ".".join(parts), place


@dataclass(frozen=True)
class Undoing:
    """Whether a set of migrations can be stepped down, and what that costs.

    names: newest first. irreversible: name -> why. sql: name -> statements. losses: what is destroyed.
    """

    names: tuple[str, ...]
    irreversible: dict[str, str]
    sql: dict[str, tuple[str, ...]]
    losses: tuple[Loss, ...]


def undoing(comparison: Comparison, downs: Mapping[str, Mapping[str, Any]]) -> Undoing:
    """Judge the way down.

    downs: what the current code says of each migration's down(): kind (ok, missing, empty, error),
    sql (list of str), error.
    """
    irreversible: dict[str, str] = {}
    sql: dict[str, tuple[str, ...]] = {}
    for name in comparison.ahead:
        down = downs.get(name)
        if name in comparison.foreign or down is None:
            irreversible[name] = "its file is not in the current code"
        elif down["kind"] == "missing":
            irreversible[name] = "it has no down()"
        elif down["kind"] == "empty":
            irreversible[name] = "its down() does nothing"
        elif down["kind"] == "error":
            irreversible[name] = f"its down() fails: {down.get('error', '')}"
        else:
            sql[name] = tuple(down.get("sql") or ())
    lost = losses(statement for statements in sql.values() for statement in statements)
    return Undoing(comparison.ahead, irreversible, sql, tuple(lost))
