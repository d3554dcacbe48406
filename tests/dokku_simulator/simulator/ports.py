from __future__ import annotations

import json

from .core import Command, containers, parse, read_state, report, state, verify, warn
from .nginx import configure_proxy


def ports_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    with state(app) as known:
        known["ports"] = argv[1:]
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")


def ports_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    known = read_state(app)
    values = {}
    for name, ports in (("map", known["ports"]), ("map-detected", known["ports_detected"] or ["http:80:5000"])):
        values[f"ports-{name}"] = " ".join(ports)
        split = [port.split(":") for port in ports]
        values[f"ports-{name}-json"] = json.dumps(
            [
                {"container_port": int(inner), "host_port": int(outer), "scheme": scheme}
                for scheme, outer, inner in split
            ]
            or None,
            separators=(",", ":"),
        )
    report(app, "ports", values, flags)


COMMANDS: dict[str, Command] = {
    "ports:set": ports_set,
    "ports:report": ports_report,
}
