# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the migrations of a database with those of the code that will run on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Position:
    """Migrations of both codes and of the database before a switch.

    applied: the database's migrations, in the order in which they ran; None when it can't be read.
    current and target: the migrations that the two codes bring. unsure: migrations that the target may or may not
    bring. unsure_here: the same of the present code. why: the question without an answer, and its error.
    """

    applied: Sequence[str] | None
    current: Iterable[str]
    target: Iterable[str]
    unsure: Iterable[str] = ()
    error: str = ""
    unsure_here: Iterable[str] = ()
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """The verdict.

    verdict: same, ahead (the database has migrations that the present code knows and the target does not), behind
    (the target expects migrations that the database lacks), diverged (both), unknown. ahead: newest
    first, the order in which they would be undone. behind: in the order in which they would run. foreign: migrations of
    the database that neither code knows; the present code runs with them, so they say nothing about the difference
    between the two. unsure: migrations that may or may not be part of that difference.
    """

    verdict: str
    ahead: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    error: str = ""
    unsure: tuple[str, ...] = ()


#: Answers of a code about a migration.
KNOWS, LACKS, UNTOLD = "knows", "lacks", "can't tell"


def place(applied: bool, current: str, target: str) -> str:
    """The place of one migration in the difference between two codes.

    current and target: KNOWS, LACKS or UNTOLD. Returns shared, ahead, behind, foreign, unsure, or nothing ("") for a
    migration that neither the database has nor the target wants. UNTOLD is never taken for KNOWS or for LACKS: it only
    goes without a word where both would mean the same.
    """
    if target == KNOWS:
        return "shared" if applied else "behind"
    if not applied:
        # Only the present code, or a package that both have, could bring it.
        return "unsure" if target == UNTOLD else ""
    if current == LACKS:
        return "foreign"
    return "ahead" if (current, target) == (KNOWS, LACKS) else "unsure"


def compare(position: Position) -> Comparison:
    """Compare the three schema positions."""
    if position.applied is None:
        return Comparison("unknown", error=position.error or "the database can't be read")
    here = _said(position.current, position.unsure_here)
    there = _said(position.target, position.unsure)
    found: dict[str, list[str]] = {}
    applied = list(position.applied)
    for name in reversed(applied):
        found.setdefault(place(True, here.get(name, LACKS), there.get(name, LACKS)), []).append(name)
    for name in sorted({*here, *there} - set(applied)):
        found.setdefault(place(False, here.get(name, LACKS), there.get(name, LACKS)), []).append(name)
    ahead, behind, foreign, unsure = (tuple(found.get(kind, ())) for kind in ("ahead", "behind", "foreign", "unsure"))
    if unsure:
        error = position.why or "it is not known which of the two releases has them"
        return Comparison("unknown", ahead, behind, foreign, f"{error}: {', '.join(sorted(unsure))}", unsure)
    verdict = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}.get(
        (bool(ahead), bool(behind)), "same"
    )
    return Comparison(verdict, ahead, behind, foreign)


def _said(knows: Iterable[str], untold: Iterable[str]) -> dict[str, str]:
    return {**dict.fromkeys(untold, UNTOLD), **dict.fromkeys(knows, KNOWS)}


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
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]{1,256}\]|[\w$#@]+|\S", re.S
)
_QUOTES = '`"['

#: Things that `alter table ... drop` drops without losing data, unless `column` says otherwise.
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
    """The parts between commas outside of parentheses."""
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
    """Says if a set of migrations can be undone, and at what cost.

    names: newest first. irreversible: name -> why. sql: name -> statements. losses: data that is destroyed.
    untried: name -> why its down() was not tried, so that nobody can say here what it destroys.
    """

    names: tuple[str, ...]
    irreversible: dict[str, str]
    sql: dict[str, tuple[str, ...]]
    losses: tuple[Loss, ...]
    untried: dict[str, str] = field(default_factory=dict)


def undoing(comparison: Comparison, downs: Mapping[str, Mapping[str, Any]]) -> Undoing:
    """Judge the way down.

    downs: what the current code says of each migration's down(): kind (ok, missing, empty, error, untried),
    sql (list of str), error.
    """
    irreversible: dict[str, str] = {}
    untried: dict[str, str] = {}
    sql: dict[str, tuple[str, ...]] = {}
    for name in comparison.ahead:
        down = downs.get(name)
        if down is None:
            irreversible[name] = "its file is not in the current code"
        elif down["kind"] == "missing":
            irreversible[name] = "it has no down()"
        elif down["kind"] == "empty":
            irreversible[name] = "its down() does nothing"
        elif down["kind"] == "error":
            irreversible[name] = f"its down() fails: {down.get('error', '')}"
        elif down["kind"] == "untried":
            untried[name] = str(down.get("error", ""))
        else:
            sql[name] = tuple(down.get("sql") or ())
    lost = losses(statement for statements in sql.values() for statement in statements)
    return Undoing(comparison.ahead, irreversible, sql, tuple(lost), untried)
