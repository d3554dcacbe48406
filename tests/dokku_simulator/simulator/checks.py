from __future__ import annotations

from .core import Command, header, parse, read_state, refuse, report, show_json, state, verify


def checks_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if len(argv) < 2 or argv[1] != "wait-to-retire":
        refuse(f"checks:set {' '.join(argv[1:])}")
    value = argv[2] if len(argv) > 2 else ""
    with state(app) as known:
        known["wait_to_retire"] = value
    header(f"Setting wait-to-retire to {value}" if value else "Unsetting wait-to-retire")


def checks_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    value = read_state(app)["wait_to_retire"]
    values = {
        "computed-wait-to-retire": value or "60",
        "disabled-list": "none",
        "global-wait-to-retire": "",
        "skipped-list": "none",
        "wait-to-retire": value,
    }
    if flags.get("format") == "json":
        show_json(values)
    else:
        report(app, "checks", {f"checks-{key}": one for key, one in values.items()}, flags)


COMMANDS: dict[str, Command] = {
    "checks:set": checks_set,
    "checks:report": checks_report,
}
