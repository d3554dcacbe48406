"""The rows of docs/proof/reliability.md: written by the tests that saw them, and only by a whole green run."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from histories import results

SECTIONS = {
    "module": "The module is killed",
    "controller": "The controller dies, or the connection",
    "host": "The host loses its power",
    "disk": "The disk is full, or can't be written",
    "clock": "The clock is moved",
    "operators": "Operators meet",
    "ledger": "The ledger is torn or edited",
    "service": "The service does not come back",
}


#: What the rows of a section can't show.
NOTES = {
    "host": [
        "The power-off in this table is a container that is killed: its kernel keeps running, and keeps data that is",
        "not yet on the disk. A real power cut loses that data. So two other tests show it. In a deploy, a rollback",
        "and a conversion under `strace`, the sync of the files comes before each mark, stamp, final name or",
        "journalled `done` that vouches for them. And `tests/unit/guard/test_power_cut.py` copies a mounted ext4 disk",
        "at the moment after a kept vendor tree, a release, a step and saved changes were called whole, and mounts the",
        "copy: every file has its content. Without the sync, the same test finds empty files behind the mark.",
        "Docker's own images are excluded: the engine writes them.",
        "",
    ],
}


@dataclass(frozen=True)
class Row:
    """One fault, seen. order: the place of its test among all tests, and its place in that test."""

    section: str
    order: tuple[int, int]
    fault: str
    when: str
    holds: str
    outcome: str
    command: str
    mutation: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def render(rows: list[Row]) -> str:
    """The page. Nothing in it depends on the moment or on the machine, so the same run writes the same bytes."""
    lines = [
        "# Reliability",
        "",
        "This page lists faults during an operation, the outcome of each, and the one command that brought the",
        "service back to a verified state. The test run writes it from its observations:",
        "",
        "    molecule test -s faults",
        "",
        "Each row was seen on a real host. Each test also asserts: the ledger's chain is whole, the next run says",
        "what happened before it changes anything, and after the command the site answers 200 on the release of the",
        "row, the checkout has no changed file, and neither lease nor journal is left.",
        "",
        "A command is typed after `ansible-playbook ops.runbook.`; the refusal prints `<id>` and the inputs. The last",
        "column is a change to the code that removes the protection. Each such mutation made at least one test of its",
        'rows fail; a row with "none" has no mutation yet.',
    ]
    for key, title in SECTIONS.items():
        chosen = sorted((row for row in rows if row.section == key), key=lambda row: row.order)
        if not chosen:
            continue
        lines += ["", f"## {title}", "", *NOTES.get(key, [])]
        lines += ["| fault | when | what must hold | outcome seen | the one command | mutation that is seen |"]
        lines += ["|---|---|---|---|---|---|"]
        for row in chosen:
            command = re.sub(r"^`(\w+)`((?: -e \S+?(?=[, ]|$))+)", r"`\1\2`", row.command)
            cells = (row.fault, row.when, row.holds, row.outcome, command, row.mutation)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def page(rows: list[Row]) -> str:
    """The rows, and behind them the results of all runs of histories."""
    return results.into_page(render(rows), results.read(results.PATH))


def write(path: Path, rows: list[Row]) -> None:
    content = page(rows)
    if not path.exists() or path.read_text() != content:
        path.write_text(content)
