"""Checks of new containers, and the time that old ones wait."""

from __future__ import annotations

from .core import Command, Failure, header, info, parse, read_state, refuse, report, show_json, state, verify


def checks_set(argv: list[str]) -> None:
    app, key, value = (argv + ["", "", ""])[:3]
    verify(app)
    if key != "wait-to-retire":
        raise Failure("Invalid key specified, valid keys include: wait-to-retire")
    with state(app) as known:
        known["wait_to_retire"] = value
    header(f"Setting wait-to-retire to {value}" if value else "Unsetting wait-to-retire")


def listed(app: str, kind: str) -> str:
    return ",".join(read_state(app).get(f"checks_{kind}", [])) or "none"


def switch(argv: list[str], how: str) -> None:
    """For all processes, or for those that are named."""
    app = verify(argv[0] if argv else "")
    named = argv[1].split(",") if len(argv) > 1 else []
    with state(app) as known:
        for kind in ("disabled", "skipped"):
            before = known.get(f"checks_{kind}", [])
            known[f"checks_{kind}"] = [one for one in before if named and one not in [*named, "_all_"]]
        if how != "enable":
            kind = {"disable": "disabled", "skip": "skipped"}[how]
            known[f"checks_{kind}"] = [*known[f"checks_{kind}"], *(named or ["_all_"])]
    said = {"disable": "Disabling", "skip": "Skipping", "enable": "Enabling"}[how]
    of = "app's" if named or how == "enable" else "app"
    info(f"{said} zero downtime for {of} ({app})" + (f" proctypes ({','.join(named)})" if named else ""))


def checks_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    value = read_state(app)["wait_to_retire"]
    values = {
        "computed-wait-to-retire": value or "60",
        "disabled-list": listed(app, "disabled"),
        "global-wait-to-retire": "",
        "skipped-list": listed(app, "skipped"),
        "wait-to-retire": value,
    }
    if flags.get("format") == "json":
        show_json(values)
    else:
        report(app, "checks", {f"checks-{key}": one for key, one in values.items()}, flags)


COMMANDS: dict[str, Command] = {
    "checks:set": checks_set,
    "checks:report": checks_report,
    "checks:disable": lambda argv: switch(argv, "disable"),
    "checks:enable": lambda argv: switch(argv, "enable"),
    "checks:skip": lambda argv: switch(argv, "skip"),
    "checks:run": lambda argv: refuse("checks:run"),
}
