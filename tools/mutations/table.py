"""Judges what mutmut found: the table of `make mutations`, and the survivors that nobody has named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.mutations.workspace import Mutant, Result


@dataclass(frozen=True)
class Named:
    """A survivor that no test can or should notice, with the reason."""

    file: str
    function: str
    was: str
    now: str
    reason: str


@dataclass(frozen=True)
class Row:
    file: str
    mutants: int
    killed: int
    named: int
    unnamed: tuple[Mutant, ...]
    stale: tuple[Named, ...]
    untried: int

    @property
    def percent(self) -> float:
        return 100 * self.killed / self.mutants if self.mutants else 0.0


#: Instead of a file: the mutants are parts of lines, wherever they are.
ANYWHERE = "anywhere"


def read_named(path: Path) -> list[Named]:
    """The file of survivors: a mapping of product file -> list of {function, reason, mutants: [[was, now], ...]}.

    The rules of `anywhere` name no function: they give the parts of a line that differ, as `was` and `now`.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    return [
        Named(file, entry.get("function", ""), was, now, entry["reason"])
        for file, entries in (content or {}).items()
        for entry in entries
        for was, now in entry["mutants"]
    ]


def names(one: Named, file: str, mutant: Mutant) -> bool:
    """True if a name is that of a mutant of a file."""
    if one.file == ANYWHERE:
        return any(f"{before}{one.now}{after}" == mutant.now for before, after in split_at_each(mutant.was, one.was))
    return (one.file, one.function, one.was, one.now) == (file, mutant.function, mutant.was, mutant.now)


def split_at_each(text: str, part: str) -> list[tuple[str, str]]:
    """List the text before and after each place of a part."""
    pieces = text.split(part)
    return [(part.join(pieces[:at]), part.join(pieces[at:])) for at in range(1, len(pieces))]


def row(result: Result, named: list[Named]) -> Row:
    """Counts the mutants of one file. A name of a mutant that a test killed, or that is gone, is stale."""
    survived = [one for one in result.mutants if one.killed is False]
    alive = [one for one in result.mutants if not one.killed]
    unnamed = [mutant for mutant in survived if not any(names(one, result.file, mutant) for one in named)]
    return Row(
        file=result.file,
        mutants=len(result.mutants),
        killed=sum(one.killed is True for one in result.mutants),
        named=len(survived) - len(unnamed),
        unnamed=tuple(unnamed),
        stale=tuple(
            one
            for one in named
            if one.file == result.file and result.mutants and not any(names(one, result.file, it) for it in alive)
        ),
        untried=len(alive) - len(survived),
    )


def report(results: list[Result], named: list[Named], floor: float) -> int:
    """Prints the survivors, the mutants that took too long, and the table.

    Returns 0 if each file has the floor, and each survivor a name; else 1.
    """
    rows = [row(result, named) for result in results]
    for result in results:
        for mutant in result.mutants:
            if mutant.endless:
                print(
                    f"\n{result.file}: {mutant.function}: killed by time alone: see that it has no end\n{shown(mutant)}"
                )
    for one in rows:
        for mutant in one.unnamed:
            print(f"\n{one.file}: {mutant.function}\n" + shown(mutant))
        for entry in one.stale:
            print(f"\n{one.file}: {entry.function}: survivors.yml names it, and it is killed or gone: take it out")
            print(f"- {entry.was}\n+ {entry.now}")
    width = max(len(one.file) for one in rows)
    print(f"\n{'file':<{width}}  mutants  killed  survived (named)  percent")
    for one in [*rows, total(rows)] if len(rows) > 1 else rows:
        survived = f"{one.named + len(one.unnamed)} ({one.named})"
        note = f"  {one.untried} not tried" if one.untried else ""
        print(f"{one.file:<{width}}  {one.mutants:>7}  {one.killed:>6}  {survived:>16}  {one.percent:>7.1f}{note}")
    red = [one for one in rows if one.percent < floor or one.unnamed or one.stale or one.untried]
    for one in red:
        print(f"{one.file}: {cause(one, floor)}")
    return 1 if red else 0


def total(rows: list[Row]) -> Row:
    return Row(
        "all",
        sum(one.mutants for one in rows),
        sum(one.killed for one in rows),
        sum(one.named for one in rows),
        tuple(mutant for one in rows for mutant in one.unnamed),
        (),
        sum(one.untried for one in rows),
    )


def shown(mutant: Mutant) -> str:
    before = "".join(f"- {line}\n" for line in mutant.was.splitlines())
    return before + "\n".join(f"+ {line}" for line in mutant.now.splitlines())


def cause(one: Row, floor: float) -> str:
    if not one.mutants:
        return "no run has tried it"
    causes = [
        f"{one.percent:.1f} percent killed, and {floor} are needed" if one.percent < floor else "",
        f"{len(one.unnamed)} survivors are not named" if one.unnamed else "",
        f"{len(one.stale)} are named and do not survive" if one.stale else "",
        f"{one.untried} were not tried" if one.untried else "",
    ]
    return "; ".join(filter(None, causes))
