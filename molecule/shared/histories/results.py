"""The results of all runs of histories: a file of the repository, and the section of docs/proof/reliability.md."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from histories import draw
from histories.played import Played

PATH = Path(__file__).parent / "results.yml"
TITLE = "Histories"
COVERED = 20


def read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    found: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    return found


def added(results: Mapping[str, Any], system: str, played: Iterable[Played]) -> dict[str, Any]:
    """The results with those of one more run. A history that was played before counts once, as it ended last."""
    found = {name: dict(entry) for name, entry in results.items()}
    entry = found.setdefault(system, {"histories": {}, "found": []})
    told = dict(entry["histories"])
    for one in played:
        line = str(one.history)
        # A line that is replayed does not say from which seed it was drawn.
        seed = told[line]["seed"] if one.history.seed < 0 and line in told else one.history.seed
        told[line] = {
            "seed": seed,
            "checked": one.checked,
            "struck": dict(sorted(one.struck.items())),
            "red": bool(one.problems),
        }
    entry["histories"] = dict(sorted(told.items(), key=lambda pair: (pair[1]["seed"], pair[0])))
    return found


def green(results: Mapping[str, Any], system: str) -> set[str]:
    """The lines of the histories that were green when they were played last."""
    told = (results.get(system) or {}).get("histories", {})
    return {line for line, one in told.items() if not one["red"]}


def table(kinds: Iterable[str], drawn: Counter[str], struck: Counter[str]) -> list[str]:
    """The table of draws: how often each kind was drawn, and how often a fault struck."""
    lines = ["| kind | drawn | struck |", "|---|---|---|"]
    for kind in kinds:
        hit = str(struck[kind.partition(" ")[2]]) if kind.startswith("fault ") else "-"
        lines.append(f"| {kind} | {drawn[kind]} | {hit} |")
    return lines


def ranges(seeds: Iterable[int]) -> str:
    """Seeds as a person writes them: `1-60, 75`."""
    parts: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if parts and seed == parts[-1][1] + 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in parts)


def section(results: Mapping[str, Any]) -> list[str]:
    """The section of the page: numbers, kinds and seeds of each system, and the faults that were found."""
    if not results:
        return []
    lines = [f"## {TITLE}", ""]
    lines += [
        "`make histories` draws random histories of operations, faults and changes by hand, plays them on real hosts,",
        "and checks the host after each typed line with a program that shares no code with the product:",
        "[Histories](../develop/histories.md) has its questions. A seed gives the same histories again.",
        "",
        "| system | histories | seeds | states checked | faults struck | red at the last run |",
        "|---|---|---|---|---|---|",
    ]
    for system, entry in sorted(results.items()):
        told = list(entry["histories"].values())
        struck = sum(sum(one["struck"].values()) for one in told)
        red = sum(one["red"] for one in told)
        seeds = ranges(one["seed"] for one in told)
        lines.append(f"| {system} | {len(told)} | {seeds} | {sum(one['checked'] for one in told)} | {struck} | {red} |")
    for system, entry in sorted(results.items()):
        lines += ["", f"### {system}", "", *table(*_counts(entry))]
    found = [(system, one) for system, entry in sorted(results.items()) for one in entry.get("found", [])]
    if found:
        lines += [
            "",
            "Faults of the product that histories found, each fixed, with the history that is replayed since:",
            "",
        ]
        lines += ["| system | found | fixed by | history |", "|---|---|---|---|"]
        lines += [f"| {system} | {one['fault']} | {one['fixed']} | `{one['history']}` |" for system, one in found]
    proven = [(system, one) for system, entry in sorted(results.items()) for one in entry.get("defects", [])]
    if proven:
        lines += ["", "Defects that were planted into a copy of the product, and how soon a history was red:", ""]
        lines += ["| system | defect | histories until it was found | how |", "|---|---|---|---|"]
        lines += [f"| {system} | {one['name']} | {one['after']} | {one['how']} |" for system, one in proven]
    return lines


def _counts(entry: Mapping[str, Any]) -> tuple[list[str], Counter[str], Counter[str]]:
    drawn: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    for line, one in entry["histories"].items():
        for step in draw.parse(line).steps:
            drawn.update(step.kinds)
        struck.update(one["struck"])
    kinds = sorted(drawn, key=lambda kind: (("operation", "fault", "change").index(kind.partition(" ")[0]), kind))
    return kinds, drawn, struck


def into_page(page: str, results: Mapping[str, Any]) -> str:
    """The page with its section of histories replaced, or added at its end."""
    before, title, rest = page.partition(f"\n## {TITLE}\n")
    following = rest.find("\n## ") if title else -1
    after = rest[following:] if following >= 0 else ""
    lines = section(results)
    return before.rstrip("\n") + "\n" + ("\n" + "\n".join(lines) + "\n" if lines else "") + after


def write(path: Path, page: Path, system: str, played: Iterable[Played]) -> None:
    """Add a run to the results, and write the section of the page anew. Another run may do so at the same time."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        found = added(read(path), system, played)
        path.write_text(
            "# Written by `make histories`: each history that was played last, and how it ended.\n"
            "# yamllint disable rule:line-length\n" + dump(found)
        )
        page.write_text(into_page(page.read_text(), found))
    finally:
        os.close(folder)


class _Indented(yaml.SafeDumper):
    """Indents the entries of a list below its key, as all files here do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def dump(results: Mapping[str, Any]) -> str:
    return yaml.dump(dict(results), Dumper=_Indented, sort_keys=False, width=1000, allow_unicode=True)
