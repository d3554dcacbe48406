"""Reads the screen of a run as a person does: refusal, ways forward, outcomes, losses that were announced.

The checker uses it, so it has nothing of the product: it knows only what the pages of docs/reference say of a screen.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace

_REFUSED = re.compile(r"^REFUSED on (?P<hosts>[^:(]+?)(?: \((?P<code>\w+)\))?: (?P<text>.*)$", re.MULTILINE)
_WAY = re.compile(r"^    (?P<way>\S.*?)(?:  +(?P<effect>\S.*))?$")
_OUTCOMES = "succeeded|unchanged|reverted|failed|refused|interrupted|unreachable|untouched|skipped"
_ROW = re.compile(rf"^(?P<host>\S+) +(?P<from>.+?)  +(?P<to>.+?)  +(?P<outcome>{_OUTCOMES})\b", re.MULTILINE)
_RECORDED = re.compile(r"^recorded as operation (\S+)", re.MULTILINE)
_PLANNED = re.compile(r"^\w+, operation (\S+)$", re.MULTILINE)
_COMMAND = re.compile(r"ansible-playbook ops\.runbook\.\w+[^\n]*")
_INTERRUPTED = re.compile(r"-e (?:'?)interrupted=(\w+)")
#: The lines of a plan about the data that it loses. A refusal says what a way would lose, and that announces nothing.
_DESTROYS = re.compile(r"^(?:DESTROYS +|WARNING +migration \S+ destroys )([^:\n]*)", re.MULTILINE)
#: What a person is to fill in, and what stands for it.
_PLACEHOLDER = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Way:
    """One way forward. kind: `inputs` after the same line, `procedure`, `host` (typed there), or `words`.

    filled: a person has to name something in it, and a release stands for that.
    """

    kind: str
    words: tuple[str, ...]
    effect: str = ""
    filled: bool = False

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Said:
    """The words of a finished run. code and why: of its refusal. outcome: of its summary, empty if it showed none."""

    text: str
    green: bool
    refused: bool = False
    code: str = ""
    why: str = ""
    ways: tuple[Way, ...] = ()
    outcome: str = ""
    to: str = ""
    came_from: str = ""
    operation: str = ""
    commands: tuple[str, ...] = field(default=())

    @property
    def ended(self) -> bool:
        """True if the run came to its end: it refused, or it showed its summary."""
        return self.refused or bool(self.outcome)

    @property
    def names_a_way(self) -> bool:
        end = self.text.rpartition("Show what happened]")[2]
        return bool(self.ways or self.commands or "-e " in end or "he same command" in end)


def _way(text: str, effect: str, release: str) -> Way:
    given = _PLACEHOLDER.sub(release, text)
    try:
        words = tuple(shlex.split(given))
    except ValueError:
        return Way("words", (given,), effect)
    if words[0] == "ansible-playbook":
        return Way("procedure", words, effect, given != text)
    if words[0] in ("-e", "-l", "-u"):
        return Way("inputs", words, effect, given != text)
    if words[0].startswith("/") or words[0] in (
        "rm", "mv", "cp", "chown", "chmod", "sudo", "systemctl", "install", "mount", "git", "docker", "ln", "cd",
        "dokku",
    ):  # fmt: skip
        return Way("host", (given,), effect)
    return Way("words", (given,), effect)


def ways(text: str, release: str) -> tuple[Way, ...]:
    """The ways that a refusal prints. release: put in where a person has to name one."""
    found: list[Way] = []
    listing = False
    for line in text.splitlines():
        if re.match(r"^ +To go on, (give )?one of:|^ +To bring them together, one of:", line):
            listing = True
        elif listing:
            way = _WAY.match(line)
            if way is None and found and re.match(r"^ {6,}\S", line):
                # The screen prints the effect of a long way on the next line.
                found[-1] = replace(found[-1], effect=line.strip())
                continue
            if way is None:
                listing = False
                continue
            found.append(_way(way["way"], way["effect"] or "", release))
    return tuple(dict.fromkeys(found))


def read(text: str, code: int, release: str) -> Said:
    """Read a whole run. code: its exit code."""
    refused = _REFUSED.search(text)
    summary = text.rpartition("Show what happened]")[2] if "Show what happened]" in text else ""
    row = _ROW.search(summary)
    recorded = _RECORDED.search(text)
    planned = _PLANNED.search(text)
    operation = (recorded or planned or [None, ""])[1]
    return Said(
        text=text,
        green=code == 0,
        refused=refused is not None,
        code=(refused["code"] or "unreachable") if refused else "",
        why=refused["text"] if refused else "",
        ways=ways(text, release),
        outcome=row["outcome"] if row else "",
        to=row["to"] if row else "",
        came_from=row["from"] if row else "",
        operation=operation if recorded else "",
        commands=tuple(_COMMAND.findall(text)) if not refused else (),
    )


def announced(text: str, table: str) -> int:
    """The rows of a table, or of `table.column`, that the plans of a screen say are destroyed; 0 where none does."""
    return sum(
        int(rows) if rows.isdigit() else 10**9
        for line in _DESTROYS.findall(text)
        for rows in re.findall(rf"\b(?:table|column) {re.escape(table)}(?: \((more than \d+|\d+) rows\))?(?:,|$)", line)
    )
