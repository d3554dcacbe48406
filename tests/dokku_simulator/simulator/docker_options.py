from __future__ import annotations

from typing import Any

from .core import Command, Failure, info, parse, read_state, refuse, report, show_json, state, verify


def docker_options_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    options = read_state(app)["docker_options"]
    if flags.get("format") == "json":
        values: dict[str, Any] = {f"docker-options-{phase}": " ".join(options[phase]) for phase in options}
        values |= {phase: " ".join(options[phase]) for phase in options} | {
            f"{phase}-list": options[phase] for phase in options
        }
        show_json(dict(sorted(values.items())))
    else:
        report(app, "docker-options", {f"docker-options-{phase}": " ".join(options[phase]) for phase in options}, flags)


def docker_options_change(argv: list[str], add: bool) -> None:
    app = verify(argv[0] if argv else "")
    if len(argv) < 3:
        refuse("docker-options without a phase and an option")
    option = " ".join(argv[2:])
    with state(app) as known:
        for phase in argv[1].split(","):
            if phase not in ("build", "deploy", "run"):
                raise Failure("Phase(s) must be one of [build deploy run]")
            kept = [one for one in known["docker_options"][phase] if one != option]
            known["docker_options"][phase] = [*kept, option] if add else kept


def docker_options_clear(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    with state(app) as known:
        for phase in argv[1].split(",") if len(argv) > 1 else ("build", "deploy", "run"):
            known["docker_options"][phase] = []
    info(f"Clearing docker-options for {app}" + (f" on phase {argv[1]}" if len(argv) > 1 else ""))


COMMANDS: dict[str, Command] = {
    "docker-options:report": docker_options_report,
    "docker-options:add": lambda argv: docker_options_change(argv, True),
    "docker-options:remove": lambda argv: docker_options_change(argv, False),
    "docker-options:clear": docker_options_clear,
}
