# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is typed after `ops-runbook`."""

from __future__ import annotations

import difflib
import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ops_runbook import catalogue
from ops_runbook.catalogue import Input, Procedure
from ops_runbook.result import MEANINGS, Ending

LOG_WIDTH = 120

app = typer.Typer(
    name="ops-runbook",
    help="Run the procedures of the collection ops.runbook. Plain ansible-playbook does the same: --show-command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: " + "; ".join(f"{int(ending)} {meaning}" for ending, meaning in MEANINGS.items()),
)


def known() -> dict[str, Procedure]:
    return catalogue.procedures(catalogue.collection())


def console(stderr: bool = False) -> Console:
    """Colours on a terminal only, and a log that is as wide wherever it is written."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else LOG_WIDTH
    return Console(stderr=stderr, highlight=False, width=width, soft_wrap=False, no_color=not stream.isatty())


def show(out: Console, table: Table) -> None:
    """A table; in a log without the spaces that fill its last column."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as capture:
        out.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def usage(text: str) -> NoReturn:
    console(stderr=True).print(f"[red]ops-runbook: {escape(text)}[/red]", soft_wrap=True)
    raise typer.Exit(Ending.USAGE)


# -- completion ----------------------------------------------------------------------------------


def complete_procedure(incomplete: str) -> list[tuple[str, str]]:
    found = known().values()
    return [(procedure.name, procedure.title) for procedure in found if procedure.name.startswith(incomplete)]


def complete_input(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    procedure = known().get(str(ctx.params.get("procedure") or ""))
    name, given, value = incomplete.partition("=")
    found: list[tuple[str, str]] = []
    for one in procedure.inputs if procedure else ():
        if given and one.name == name:
            found += [(f"{name}={choice}", "") for choice in one.choices if choice.startswith(value)]
        elif not given and one.name.startswith(name):
            found.append((f"{one.name}=", one.description))
    return found


# -- arguments that several commands take ----------------------------------------------------------

Named = Annotated[str, typer.Argument(help="Name of a procedure.", autocompletion=complete_procedure)]
Given = Annotated[
    list[str] | None,
    typer.Argument(help="Inputs, as name=value.", autocompletion=complete_input, metavar="[INPUT=VALUE]..."),
]
Inventories = Annotated[
    list[str] | None, typer.Option("--inventory", "-i", help="Inventory; that of ansible.cfg where none is given.")
]
Limit = Annotated[str, typer.Option("--limit", "-l", help="Some of the hosts only.")]
Variables = Annotated[
    list[str] | None,
    typer.Option("--extra-vars", "-e", help="A variable that is no input, as ansible-playbook takes it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one document with the result, and nothing else.")]
Junit = Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report to this file.", dir_okay=False)]
Shown = Annotated[bool, typer.Option("--show-command", help="Print the same as a line of ansible-playbook, and end.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Show the tasks.")]


def named(name: str) -> Procedure:
    procedures = known()
    if name not in procedures:
        close = difflib.get_close_matches(name, procedures, n=3)
        meant = f"did you mean {' or '.join(close)}?" if close else "'ops-runbook list' shows which there are."
        usage(f"there is no procedure '{name}': {meant}")
    return procedures[name]


def parsed(procedure: Procedure, given: list[str] | None) -> dict[str, str]:
    """The inputs by name. What is no input, or no value of one, is refused here."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        one = procedure.input(name)
        if not equals:
            usage(f"'{text}' is no input: type name=value")
        if one is None:
            close = difflib.get_close_matches(name, [one.name for one in procedure.inputs], n=1)
            meant = f"; did you mean '{close[0]}'?" if close else f": 'ops-runbook describe {procedure.name}' has them."
            usage(f"'{name}' is no input of {procedure.name}{meant}")
        if one.choices and value and value not in one.choices:
            usage(f"{name} is '{value}'; it must be one of: {', '.join(one.choices)}")
        found[name] = value
    return found


# -- looking -------------------------------------------------------------------------------------


@app.command("list")
def list_procedures(as_json: AsJson = False) -> None:
    """List the procedures, with the runbook's section and what each may be given."""
    procedures = list(known().values())
    if as_json:
        typer.echo(json.dumps([_described(procedure) for procedure in procedures], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("procedure", no_wrap=True)
    table.add_column("runbook", ratio=3)
    table.add_column("inputs", ratio=2)
    for procedure in procedures:
        own = [one.name for one in procedure.inputs if not one.variable.startswith("operation_")]
        table.add_row(procedure.name, escape(procedure.sections), ", ".join(own))
    show(console(), table)
    console().print(
        "\nThose that change something also take reason, batch, lock_wait and others: ops-runbook describe NAME",
        soft_wrap=True,
    )


@app.command()
def describe(procedure: Named, as_json: AsJson = False) -> None:
    """Say what a procedure does, what it may be given, and how it is called."""
    found = named(procedure)
    if as_json:
        typer.echo(json.dumps(_described(found), indent=2))
        return
    out = console()
    out.print(f"[bold]{found.name}[/bold]: {escape(found.title)}")
    out.print(escape(found.sections))
    out.print(f"\n{escape(found.description)}")
    guarded = "It changes a service, through the guard." if found.changes else "It goes through no guard."
    out.print(f"{guarded} Its role is {found.role}, entry point {found.entry}.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("input", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("meaning", ratio=1)
    for one in found.inputs:
        choices = f" One of: {', '.join(one.choices)}." if one.choices else ""
        table.add_row(one.name, escape(one.default or "-"), escape(f"{one.description}{choices}"))
    out.print()
    show(out, table)
    if found.required:
        out.print(f"\nThe inventory has to say: {', '.join(found.required)}", soft_wrap=True)
    out.print(f"\nWhat its variables mean: ansible-doc -t role {found.role} -e {found.entry}\n", soft_wrap=True)
    for example in found.examples:
        out.print(f"  {escape(example)}", soft_wrap=True)


def _described(procedure: Procedure) -> dict[str, Any]:
    return {
        "name": procedure.name,
        "playbook": procedure.playbook,
        "title": procedure.title,
        "runbook": procedure.sections,
        "description": procedure.description,
        "changes": procedure.changes,
        "role": procedure.role,
        "entry_point": procedure.entry,
        "inputs": [_described_input(one) for one in procedure.inputs],
        "inventory": list(procedure.required),
        "examples": list(procedure.examples),
    }


def _described_input(one: Input) -> dict[str, Any]:
    return {
        "name": one.name,
        "variable": one.variable,
        "type": one.type,
        "choices": list(one.choices),
        "default": one.default,
        "secret": one.secret,
        "description": one.description,
    }


# -- running -------------------------------------------------------------------------------------


@app.command()
def plan(
    procedure: Named,
    inputs: Given = None,
    inventory: Inventories = None,
    limit: Limit = "",
    extra_vars: Variables = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change in files.")] = False,
    as_json: AsJson = False,
    junit: Junit = None,
    show_command: Shown = False,
    verbose: Verbose = 0,
) -> None:
    """Show what a procedure would do; nothing is changed."""
    _run(named(procedure), inputs, inventory, limit, extra_vars, True, diff, as_json, junit, show_command, verbose)


@app.command()
def run(
    procedure: Named,
    inputs: Given = None,
    inventory: Inventories = None,
    limit: Limit = "",
    extra_vars: Variables = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes in files.")] = False,
    as_json: AsJson = False,
    junit: Junit = None,
    show_command: Shown = False,
    verbose: Verbose = 0,
) -> None:
    """Run a procedure."""
    _run(named(procedure), inputs, inventory, limit, extra_vars, False, diff, as_json, junit, show_command, verbose)


@app.command()
def history(
    inputs: Given = None,
    inventory: Inventories = None,
    limit: Limit = "",
    extra_vars: Variables = None,
    as_json: AsJson = False,
    show_command: Shown = False,
    verbose: Verbose = 0,
) -> None:
    """Show what was done to a service, from its ledger; the inputs are those of operation_history."""
    _run(
        named("operation_history"),
        inputs,
        inventory,
        limit,
        extra_vars,
        False,
        False,
        as_json,
        None,
        show_command,
        verbose,
    )


def _run(
    procedure: Procedure,
    inputs: list[str] | None,
    inventory: list[str] | None,
    limit: str,
    extra_vars: list[str] | None,
    check: bool,
    diff: bool,
    as_json: bool,
    junit: Path | None,
    show_command: bool,
    verbose: int,
) -> None:
    # Loads Ansible and its runner, which a completion or a list has no use for.
    from ops_runbook import result
    from ops_runbook.run import Request, execute, left_open

    request = Request(
        procedure, parsed(procedure, inputs), inventory or (), limit, extra_vars or (), check, diff, verbose
    )
    if show_command:
        typer.echo(request.command())
        return
    out = console(stderr=as_json)
    with Screen(out, quiet=as_json) as screen:
        found = execute(request, screen.event, screen.say, out.width, out.is_terminal and not as_json)
    if junit is not None:
        junit.write_text(result.junit(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in left_open(found):
            out.print(line, markup=False, soft_wrap=True)
        if found["exit_code"]:
            out.print(
                f"[dim]{found['exit_code']}: {found['meaning']}. Kept in {escape(found['artifacts'])}[/dim]",
                soft_wrap=True,
            )
    raise typer.Exit(found["exit_code"])


class Screen:
    """What a person sees of a run: what the callback writes, and below it, on a terminal, what is under way."""

    def __init__(self, out: Console, quiet: bool) -> None:
        self._out, self._quiet = out, quiet
        self._status = out.status("connecting") if out.is_terminal else None
        self._phase, self._since = "", time.monotonic()

    def __enter__(self) -> Screen:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def event(self, event: Mapping[str, Any], events: Any) -> None:
        text = str(event.get("stdout") or "")
        if text and not self._quiet:
            # As it came: it has its colours, and was folded by whoever made it.
            self._out.print(Text.from_ansi(text.replace("\r\n", "\n").rstrip("\n")), soft_wrap=True)
        if self._status and events.phase != self._phase:
            self._phase, self._since = events.phase, time.monotonic()
            self._status.update(Elapsed(self._phase, ", ".join(events.hosts)))

    def say(self, text: str) -> None:
        console(stderr=True).print(text, markup=False, soft_wrap=True)


class Elapsed:
    """A text that is made anew whenever it is drawn."""

    def __init__(self, phase: str, hosts: str) -> None:
        self._phase, self._hosts, self._since = phase, hosts, time.monotonic()

    def __rich__(self) -> str:
        return f"{self._phase}  {self._hosts}  {time.monotonic() - self._since:.0f} s"


@app.command()
def doctor(
    inventory: Inventories = None,
    limit: Annotated[str, typer.Option("--limit", "-l", help="Some of the hosts only, separated by commas.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look whether this machine and the hosts have what the procedures need, and say what to do where not."""
    from ops_runbook import doctor as checks

    findings = list(checks.here(catalogue.collection()))
    hosts, found = checks.inventory(inventory or ())
    findings.append(found)
    if limit:
        hosts = [host for host in hosts if host in limit.split(",")]
        if not hosts:
            usage(f"no host of the inventory that describes a service is in '{limit}'")
    if hosts:
        out = console(stderr=True)
        if out.is_terminal:
            with out.status(f"asking {len(hosts)} hosts"):
                events = checks.ask(hosts, inventory or ())
        else:
            events = checks.ask(hosts, inventory or ())
        findings += checks.of_hosts(hosts, events)
    if as_json:
        typer.echo(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        _show(findings)
    lost = any(finding.what == "reachable" and not finding.ok for finding in findings)
    bad = any(not finding.ok for finding in findings)
    raise typer.Exit(Ending.UNREACHABLE if lost else Ending.FOUND if bad else Ending.VERIFIED)


def _show(findings: list[Any]) -> None:
    out = console()
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("mark", "where", "what"):
        table.add_column(column, no_wrap=True)
    table.add_column("seen", ratio=1)
    for finding in findings:
        mark = "[green]ok[/green]" if finding.ok else "[red]BAD[/red]"
        table.add_row(mark, finding.where, escape(finding.what), escape(finding.seen))
    show(out, table)
    bad = [finding for finding in findings if not finding.ok]
    for finding in bad:
        out.print(f"\n{finding.where}, {finding.what}: {finding.remedy}", markup=False, soft_wrap=True)
    if not bad:
        out.print("\nall is well")


@app.callback(invoke_without_command=False)
def options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version, and end.", is_eager=True)] = False,
) -> None:
    if show_version:
        try:
            typer.echo(f"ops-runbook {version('ops-runbook')}")
        except PackageNotFoundError:
            typer.echo("ops-runbook of a checkout")
        raise typer.Exit()


def main() -> None:
    app()
