"""Limits and reservations. Any text is taken; the engine refuses it at the next start of a container."""

from __future__ import annotations

import sys
from typing import NoReturn

from .core import Command, header, parse, read_state, report, say, show_json, state, verbose, verify

KINDS = {
    "cpu": "The amount of cpu to {verb} processes by",
    "memory": "The amount of memory to {verb} processes by",
    "memory-swap": "The amount of swap memory to {verb} processes by",
    "network": "The amount of network bandwidth to {verb} processes by",
    "network-ingress": "The amount of ingress network bandwidth to {verb} processes by",
    "network-egress": "The amount of egress network bandwidth to {verb} processes by",
    "nvidia-gpu": "The number of Nvidia GPUs to {verb} a process to",
}
DEFAULT = "_default_"


def settings(app: str) -> dict[str, dict[str, dict[str, str]]]:
    """By process type, then limit or reserve, then kind."""
    return read_state(app).get("resources", {})  # type: ignore[no-any-return]


def limits(app: str, process: str, verb: str = "limit") -> dict[str, str]:
    known = settings(app)
    return known.get(DEFAULT, {}).get(verb, {}) | known.get(process, {}).get(verb, {})


def bad_flag(command: str, flag: str, verb: str) -> NoReturn:
    message = f"unknown flag: {flag}"
    say(message)
    lines = {f"--{kind} string": f"{kind}: {text.format(verb=verb)}" for kind, text in KINDS.items()}
    lines["--process-type string"] = f"process-type: A process type to {'manage' if verb else ''}"
    width = max(map(len, lines)) + 3
    usage = "".join(f"      {flag:<{width}}{text}\n" for flag, text in sorted(lines.items()))
    sys.stderr.write(f"{message}\nUsage of {command}:\n{usage}")
    sys.exit(2)


def change(argv: list[str], verb: str) -> None:
    known = " ".join(f"{kind}=" for kind in [*KINDS, "process-type"])
    for word in argv:
        if word.startswith("--") and f"{word[2:].partition('=')[0]}=" not in known.split():
            bad_flag(f"resource:{verb}", word.partition("=")[0], verb)
    words, flags = parse(argv, known)
    app = verify(words[0] if words else "")
    process = flags.pop("process-type", "")
    if not flags:
        now = settings(app).get(process or DEFAULT, {}).get(verb, {})
        name = {"limit": "limits", "reserve": "reservation"}[verb]
        header(f"resource {name} {app} information " + (f"({process})" if process else "[defaults]"))
        for kind in KINDS:
            verbose(f"{kind}: {now.get(kind, '')}")
        return
    with state(app) as value:
        kept = value.setdefault("resources", {}).setdefault(process or DEFAULT, {}).setdefault(verb, {})
        kept.update(flags)
        for kind in [kind for kind, amount in flags.items() if amount == "clear"]:
            del kept[kind]
    what = {"limit": "limits", "reserve": "reservation"}[verb]
    header(f"Setting resource {what} for {app}" + (f" ({process})" if process else ""))
    for kind, amount in sorted(flags.items()):
        verbose(f"{kind}: {'cleared' if amount == 'clear' else amount}")


def clear(argv: list[str], verb: str) -> None:
    words, flags = parse(argv, "process-type=")
    app = verify(words[0] if words else "")
    process = flags.get("process-type", "")
    with state(app) as value:
        if process:
            value.setdefault("resources", {}).get(process, {}).pop(verb, None)
        else:
            # Limits and reservations alike, and of every process.
            value["resources"] = {}
    what = {"limit": "limits", "reserve": "reservation"}[verb]
    header(f"clearing {app} {what}" + (f" ({process})" if process else ""))


def resource_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    values = {
        f"{process}.{verb}.{kind}": amount
        for process, verbs in settings(app).items()
        for verb, kinds in verbs.items()
        for kind, amount in kinds.items()
    }
    if flags == {"format": "json"}:
        show_json(dict(sorted({**values, **{f"resource-{key}": value for key, value in values.items()}}.items())))
    elif flags:
        report(app, "resource", {f"resource-{key}": value for key, value in values.items()}, flags)
    else:
        header(f"{app} resource information")
        lines = {f"resource {key.replace('.', ' ')}": value for key, value in sorted(values.items())}
        width = max(map(len, lines), default=0) + 1
        for key, value in lines.items():
            verbose(f"{key + ':':<{width}} {value}")


COMMANDS: dict[str, Command] = {
    "resource:limit": lambda argv: change(argv, "limit"),
    "resource:reserve": lambda argv: change(argv, "reserve"),
    "resource:limit-clear": lambda argv: clear(argv, "limit"),
    "resource:reserve-clear": lambda argv: clear(argv, "reserve"),
    "resource:report": resource_report,
}
