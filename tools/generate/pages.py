"""Writes the tables of procedures and their inputs, from playbooks and argument specs.

README.md                       between marks, each procedure and what it does
docs/reference/operations.md    between marks, the procedures that only look
docs/reference/procedures.md    each procedure with its inputs, and a line to type
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Input, Procedure
from ops_runbook import known
from ops_runbook.command_line import grouped, shown_choices, shown_default
from tools.generate import service_options
from tools.generate.marks import between
from tools.generate.service_options import ROOT

PROCEDURES = ROOT / "docs/reference/procedures.md"
EVERY = "Inputs of every change"
HEAD = f"""\
# Procedures

Each procedure with its inputs, by its playbook and the argument specs of its role. `make generate` writes this page;
`ops-runbook describe NAME` shows the same for one procedure. An input is given as `-e NAME=VALUE`. The variables
that describe a service are in [the inventory](inventory.md); [operations](operations.md) has the guard around a change.

## {EVERY}

A procedure that changes a service through the guard takes these, too:
"""


def marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: written by `make generate` -->", f"<!-- the end of {name} -->"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    *first, last = sorted(f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)


def only_looking() -> list[str]:
    return [name for name, one in known.procedures().items() if not one.changes]


def purpose(procedure: Procedure) -> str:
    """The purpose of a procedure, by its entry point."""
    return str(service_options.specs_of(procedure.role)[procedure.entry]["short_description"])


def catalogue() -> Iterator[str]:
    """The table of the README."""
    yield from ["", "| system | procedure | what it does |", "|---|---|---|"]
    for system, procedures in grouped(known.procedures()).items():
        for place, one in enumerate(procedures):
            link = f"[`{one.name}`]({PROCEDURES.relative_to(ROOT)}#{one.name})"
            yield f"| {system if not place else ''} | {link} | {cell(purpose(one))} |"
    yield from ["", *wrapped(f"{listed(only_looking())} change nothing.")]


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def of_every_change() -> list[Input]:
    """The inputs that all procedures have that go through the guard."""
    first, *others = [one.inputs for one in known.procedures().values() if one.guarded]
    return [one for one in first if one.name != "target" and all(one in inputs for inputs in others)]


def reference() -> str:
    """The page of all procedures."""
    lines = [HEAD, *table(of_every_change())]
    for system, procedures in grouped(known.procedures()).items():
        lines += ["", f"## {system}", *(line for one in procedures for line in entry(one))]
    return "\n".join([*lines, ""])


def entry(one: Procedure) -> Iterator[str]:
    """A procedure on the page."""
    every = of_every_change() if one.guarded else []
    yield from ["", f"### {one.name}", "", f"{purpose(one)}.", "", f"*{one.section}*", ""]
    yield from (f"    {example}" for example in one.examples)
    yield from ["", *table([given for given in one.inputs if given not in every])]
    if one.guarded:
        yield from ["", f"And the [inputs of every change](#{EVERY.lower().replace(' ', '-')})."]
    if one.inventory:
        yield from ["", f"The inventory has to say {listed(one.inventory)}."]


def table(inputs: Iterable[Input]) -> list[str]:
    rows = [row(one) for one in inputs]
    return ["| input | default | meaning |", "|---|---|---|", *rows] if rows else ["It takes no input."]


def row(one: Input) -> str:
    choices = f" One of {', '.join(f'`{choice}`' for choice in shown_choices(one))}." if one.choices else ""
    default = "required" if one.required else "" if (found := shown_default(one)) == "-" else f"`{cell(found)}`"
    return f"| `{one.name}` | {default} | {cell(one.description + choices)} |"


def files() -> Iterator[tuple[Path, str]]:
    """Each page that is written, with its text."""
    readme, operations = ROOT / "README.md", ROOT / "docs/reference/operations.md"
    yield readme, between(*marks("the procedures"), catalogue(), readme.read_text(encoding="utf-8"))
    looks = wrapped(f"{listed(only_looking())}.")
    yield operations, between(*marks("the procedures that only look"), looks, operations.read_text(encoding="utf-8"))
    yield PROCEDURES, reference()
