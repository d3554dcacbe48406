# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of `ops-runbook`."""

from __future__ import annotations

import difflib
import enum
import json
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape
from rich.table import Table

from ansible_collections.ops.runbook.plugins.module_utils.console import own_procedures
from ansible_collections.ops.runbook.plugins.module_utils.console.inputs import unknown
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import COLLECTION, Input, Procedure
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from ops_runbook import known
from ops_runbook.result import MEANINGS, Ending
from ops_runbook.terminal import Screen, console, show, uncoloured

if TYPE_CHECKING:
    from ops_runbook.run import Request


class Scope(enum.StrEnum):
    """The owner of the systemd or cron that a schedule is for."""

    SYSTEM = "system"
    USER = "user"


#: Over the procedures of roles that change nothing.
LOOKS = "Looks"

app = typer.Typer(
    name="ops-runbook",
    help="Run the procedures of the collection ops.runbook. Plain ansible-playbook does the same: --show-command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: " + "; ".join(f"{int(ending)} {meaning}" for ending, meaning in MEANINGS.items()),
)


def usage(text: str) -> NoReturn:
    console(stderr=True).print(f"[red]ops-runbook: {escape(text)}[/red]", soft_wrap=True)
    raise typer.Exit(Ending.USAGE)


# -- completion ----------------------------------------------------------------------------------


def complete_procedure(incomplete: str) -> list[tuple[str, str]]:
    found = known.procedures().values()
    return [(procedure.name, procedure.title) for procedure in found if procedure.name.startswith(incomplete)]


def complete_input(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    procedure = known.procedures().get(str(ctx.params.get("procedure") or ""))
    name, given, value = incomplete.partition("=")
    found: list[tuple[str, str]] = []
    for one in procedure.inputs if procedure else ():
        if given and one.name == name:
            found += [(f"{name}={choice}", "") for choice in shown_choices(one) if choice.startswith(value)]
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
    typer.Option("--extra-vars", "-e", help="A variable that is not an input, as ansible-playbook takes it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one document with the result, and nothing else.")]
Junit = Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report to this file.", dir_okay=False)]
Shown = Annotated[bool, typer.Option("--show-command", help="Print the same as a line of ansible-playbook, and end.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Show the tasks.")]


def grouped(procedures: Mapping[str, Procedure]) -> dict[str, list[Procedure]]:
    """The procedures by the title of their system. Those of roles that change nothing are together, at the end."""
    changing = {one.role for one in procedures.values() if one.changes}
    found: dict[str, list[Procedure]] = {}
    for one in procedures.values():
        found.setdefault(known.systems()[one.role].title if one.role in changing else LOOKS, []).append(one)
    return {name: found[name] for name in sorted(found, key=lambda name: (name == LOOKS, name.lower()))}


def named(name: str) -> Procedure:
    procedures = known.procedures()
    if name not in procedures:
        close = difflib.get_close_matches(name, procedures, n=3)
        meant = f"did you mean {' or '.join(close)}?" if close else "'ops-runbook list' shows which there are."
        usage(f"there is no procedure '{name}': {meant}")
    return procedures[name]


def parsed(procedure: Procedure, given: list[str] | None) -> tuple[dict[str, str], list[str]]:
    """The inputs by name, and the variables of the inventory among them, each as it is typed after -e.

    A refusal names either kind as a way forward. Refuses a name that is neither, and an invalid value.
    """
    found: dict[str, str] = {}
    variables: list[str] = []
    for text in given or ():
        name, equals, value = text.partition("=")
        one = procedure.input(name)
        if not equals:
            usage(f"'{text}' is not an input: type name=value")
        if one is None and takes(procedure, name):
            variables.append(text if shlex.quote(value) == value else json.dumps({name: value}))
            continue
        if one is None:
            close = difflib.get_close_matches(name, [one.name for one in procedure.inputs], n=1)
            there = ", ".join(one.name for one in procedure.inputs)
            meant = f"; did you mean '{close[0]}'?" if close else f". Its inputs: {there}"
            usage(f"'{name}' is not an input of {procedure.name}{meant}")
        if value and (choices := shown_choices(one)) and value not in choices:
            usage(f"{name} is '{value}'; it must be one of: {', '.join(choices)}")
        found[name] = value
    return found, variables


def takes(procedure: Procedure, name: str) -> bool:
    """True if a procedure takes a variable of the inventory with this name."""
    return not unknown([name], own_procedures.taken(procedure.name, plain_yaml.load))


def shown_choices(one: Input) -> list[str]:
    """Values that may be typed; an empty value is the same as none."""
    return [str(choice) for choice in one.choices if choice not in ("", None)]


def shown_default(one: Input) -> str:
    if one.default in ("", None, []):
        return "-"
    if isinstance(one.default, list):
        return ",".join(map(str, one.default))
    return str(one.default).lower() if isinstance(one.default, bool) else str(one.default)


# -- looking -------------------------------------------------------------------------------------


@app.command("list", short_help="List the procedures by system.")
def list_procedures(
    word: Annotated[str, typer.Argument(help="Only those whose name, title or system has this word.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the procedures by system. A star marks those that change something."""
    groups = grouped(known.procedures())
    found = {
        group: matching
        for group, procedures in groups.items()
        if (matching := [one for one in procedures if word.lower() in f"{group} {one.name} {one.title}".lower()])
    }
    if not found:
        usage(f"no procedure has '{word}' in its name, title or system. There are: {', '.join(groups)}")
    if as_json:
        chosen = [procedure for procedures in found.values() for procedure in procedures]
        typer.echo(json.dumps([_described(one) for one in sorted(chosen, key=lambda one: one.name)], indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("procedure", no_wrap=True)
    table.add_column("title", ratio=1)
    for place, (group, procedures) in enumerate(found.items()):
        if place:
            table.add_row("", "")
        table.add_row(f"[bold]{group}[/bold]", "")
        for procedure in procedures:
            table.add_row(f"  {procedure.name}{' *' if procedure.changes else ''}", escape(procedure.title))
    show(console(), table)
    console().print(
        "\n* changes something: try it with ops-runbook plan NAME. Inputs: ops-runbook describe NAME", soft_wrap=True
    )


@app.command(short_help="Say what a procedure does and takes.")
def describe(procedure: Named, as_json: AsJson = False) -> None:
    """Say what a procedure does, which inputs it takes, and what to type."""
    found = named(procedure)
    if as_json:
        typer.echo(json.dumps(_described(found), indent=2))
        return
    out = console()
    out.print(f"[bold]{found.name}[/bold]: {escape(found.title)}")
    out.print(escape(found.section))
    out.print(f"\n{escape(found.description)}")
    guarded = "It changes a service, through the guard." if found.guarded else "It goes through no guard."
    out.print(f"{guarded} Its role is {COLLECTION}{found.role}, entry point {found.entry}.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("input", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("meaning", ratio=1)
    for one in found.inputs:
        choices = f" One of: {', '.join(shown_choices(one))}." if one.choices else ""
        table.add_row(one.name, escape(shown_default(one)), escape(f"{one.description}{choices}"))
    out.print()
    show(out, table)
    if found.inventory:
        out.print(f"\nThe inventory has to say: {', '.join(found.inventory)}", soft_wrap=True)
    out.print(
        f"\nWhat its variables mean: ansible-doc -t role {COLLECTION}{found.role} -e {found.entry}\n", soft_wrap=True
    )
    for verb in ("plan", "run"):
        out.print(f"  ops-runbook {verb} {found.name} {escape('[INPUT=VALUE]...')}", soft_wrap=True)
    out.print("\nThe same with plain Ansible:\n")
    for example in found.examples:
        out.print(f"  {escape(example)}", soft_wrap=True)


def _described(procedure: Procedure) -> dict[str, Any]:
    return {
        "name": procedure.name,
        "playbook": known.playbook(procedure),
        "title": procedure.title,
        "system": known.systems()[procedure.role].title,
        "runbook": procedure.section,
        "description": procedure.description,
        "changes": procedure.changes,
        "role": f"{COLLECTION}{procedure.role}",
        "entry_point": procedure.entry,
        "inputs": [_described_input(one) for one in procedure.inputs],
        "inventory": list(procedure.inventory),
        "examples": list(procedure.examples),
    }


def _described_input(one: Input) -> dict[str, Any]:
    return {
        "name": one.name,
        "variable": one.option or None,
        "type": one.type,
        "required": one.required,
        "choices": shown_choices(one),
        "default": one.default,
        "secret": one.secret,
        "description": one.description,
    }


# -- running -------------------------------------------------------------------------------------


# One declaration, two verbs.
@app.command("run", help="Run a procedure.")
@app.command("plan", help="Show what a run would do; changes nothing.")
def plan_or_run(
    context: typer.Context,
    procedure: Named,
    inputs: Given = None,
    inventory: Inventories = None,
    limit: Limit = "",
    extra_vars: Variables = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes in files.")] = False,
    as_json: AsJson = False,
    junit: Junit = None,
    show_command: Shown = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing unless it fails.")] = False,
    verbose: Verbose = 0,
) -> None:
    from ops_runbook.run import Request

    asked, check = named(procedure), context.command.name == "plan"
    given, variables = parsed(asked, inputs)
    request = Request(asked, given, inventory or (), limit, [*variables, *(extra_vars or ())], check, diff, verbose)
    _run(request, show_command, as_json, junit, quiet)


@app.command(short_help="Show what was done to a service.")
def history(
    inputs: Given = None,
    inventory: Inventories = None,
    limit: Limit = "",
    extra_vars: Variables = None,
    as_json: AsJson = False,
    show_command: Shown = False,
    verbose: Verbose = 0,
) -> None:
    """Show what was done to a service, from its ledger. The inputs are those of operation_history."""
    from ops_runbook.run import Request

    asked = named("operation_history")
    given, variables = parsed(asked, inputs)
    request = Request(asked, given, inventory or (), limit, [*variables, *(extra_vars or ())], verbosity=verbose)
    _run(request, show_command, as_json)


def _run(
    request: Request, show_command: bool, as_json: bool, junit: Path | None = None, quiet: bool = False
) -> NoReturn:
    # Loads Ansible and its runner, which a completion or a list has no use for.
    from ops_runbook import result
    from ops_runbook.run import execute, left_open

    if show_command:
        typer.echo(request.command())
        raise typer.Exit()
    out = console(stderr=as_json)
    with Screen(out, silent=as_json, held=quiet) as screen:
        colour = out.is_terminal and not as_json and not uncoloured()
        found = execute(request, screen.event, screen.say, out.width, colour)
    if junit is not None:
        junit.write_text(result.junit(found), encoding="utf-8")
    if quiet and not found["exit_code"]:
        raise typer.Exit()
    screen.release()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in left_open(found):
            out.print(shown(line), markup=False, soft_wrap=True)
        if found["exit_code"]:
            out.print(
                f"[dim]{found['exit_code']}: {found['meaning']}. Kept in {escape(found['artifacts'])}[/dim]",
                soft_wrap=True,
            )
    raise typer.Exit(found["exit_code"])


@app.command(short_help="Check this machine and the hosts.")
def doctor(
    inventory: Inventories = None,
    limit: Annotated[str, typer.Option("--limit", "-l", help="Some of the hosts only, separated by commas.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check whether this machine and the hosts have what the procedures need, and say what to do where not."""
    from ops_runbook import doctor as checks

    findings = list(checks.here(known.collection()))
    hosts, found = checks.inventory(inventory or ())
    findings.append(found)
    if limit:
        hosts = {role: [host for host in some if host in limit.split(",")] for role, some in hosts.items()}
        if not checks.every(hosts):
            usage(f"no host of the inventory that describes a service is in '{limit}'")
    if named := checks.every(hosts):
        out = console(stderr=True)
        if out.is_terminal:
            with out.status(f"asking {len(named)} hosts"):
                asked = checks.ask(hosts, inventory or ())
        else:
            asked = checks.ask(hosts, inventory or ())
        # A host of two systems is looked at twice.
        findings += dict.fromkeys(checks.of_hosts(named, *asked, inventory or ()))
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
        out.print("\n" + shown(f"{finding.where}, {finding.what}: {finding.remedy}"), markup=False, soft_wrap=True)
    if not bad:
        out.print("\nall is well")


# -- scheduling ----------------------------------------------------------------------------------


@app.command("schedule", short_help="Write timers of systemd, or lines of cron.")
def write_schedule(
    systemd: Annotated[bool, typer.Option("--systemd", help="Write a timer and a service for each schedule.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="Write one file with a line for each schedule.")] = False,
    scope: Annotated[
        Scope, typer.Option(help="Whose systemd or cron it is for: that of the machine, or your own.")
    ] = Scope.SYSTEM,
    system: Annotated[list[str] | None, typer.Option(help="Schedules of this system only, by its role.")] = None,
    procedure: Annotated[
        list[str] | None,
        typer.Option(help="Schedules of this procedure only.", autocompletion=complete_procedure),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave the schedules of this procedure out.", autocompletion=complete_procedure),
    ] = None,
    inventory: Inventories = None,
    target: Annotated[str, typer.Option(help="Host or group to work on, where the procedure takes one.")] = "",
    answer: Annotated[
        list[str] | None, typer.Option(metavar="PROCEDURE:INPUT=VALUE", help="An input of a procedure.")
    ] = None,
    on_failure: Annotated[str, typer.Option(help="Unit that systemd starts when a run fails.")] = "",
    mailto: Annotated[str, typer.Option(help="Address to which cron mails a run that fails.")] = "",
    run_as: Annotated[str, typer.Option(help="User of this machine who runs it; you where none is given.")] = "",
    folder: Annotated[str, typer.Option(help="Folder in which it runs; this one where none is given.")] = "",
    command: Annotated[str, typer.Option(help="Path of ops-runbook; that of this one where none is given.")] = "",
    timezone: Annotated[str, typer.Option(help="Zone of the times; that of this machine where none is given.")] = "",
    output: Annotated[
        Path | None, typer.Option(help="Write into this folder; without one it is printed.", file_okay=False)
    ] = None,
) -> None:
    """Write the calendar of the runbooks as timers of systemd or as lines of cron. Installs nothing."""
    from ops_runbook import schedule, schedule_site

    given: dict[str, dict[str, str]] = {}
    for text in answer or ():
        name, _, pair = text.partition(":")
        found, variables = parsed(named(name), [pair])
        secret = [one.name for one in named(name).inputs if one.secret and one.name in found]
        if variables or secret:
            usage(f"{text.partition('=')[0]} belongs in the inventory: a schedule is a file that others can read")
        given.setdefault(name, {}).update(found)
    try:
        chosen = schedule_site.choose(known.systems(), known.procedures(), system or (), procedure or (), without or ())
        asked = schedule_site.Asked(
            *(cron, scope, inventory or (), target, on_failure, mailto, run_as, folder, command, timezone, given)
        )
        if systemd == cron:
            usage("give --systemd or --cron")
        site = schedule_site.find(asked)
        schedule.must_be_sayable(chosen, site, cron)
        files = (schedule.crontab if cron else schedule.units)(chosen, site)
        if output is None:
            typer.echo("\n".join(text if cron else f"# {name}\n{text}" for name, text in files.items()), nl=False)
            return
        paths = schedule.write(output, files)
    except schedule.ScheduleError as wrong:
        usage(str(wrong))
    for line in [*map(str, paths), "", *schedule_site.next_steps(paths, asked, site)]:
        typer.echo(line)


def print_version(asked: bool) -> None:
    if asked:
        try:
            typer.echo(f"ops-runbook {version('ops-runbook')}")
        except PackageNotFoundError:
            typer.echo("ops-runbook of a checkout")
        raise typer.Exit()


@app.callback()
def options(
    # Called while the line is read: the group itself is never reached without a command.
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version, and end.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    app()
