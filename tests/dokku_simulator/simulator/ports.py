from __future__ import annotations

import json
import re

from .core import Command, Failure, containers, parse, read_state, refuse, report, state, verify, warn
from .nginx import configure_proxy, has_certificate


def ports_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    with state(app) as known:
        known["ports"] = argv[1:]
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")


def ports_change(argv: list[str], add: bool) -> None:
    app = verify(argv[0] if argv else "")
    for port in argv[1:]:
        if not re.fullmatch(r"\w+:\d+:\d+", port):
            raise Failure(f'Invalid port map {port} [err=strconv.Atoi: parsing "{port}": invalid syntax]')
    with state(app) as known:
        kept = [port for port in known["ports"] if port not in argv[1:]]
        known["ports"] = [*kept, *argv[1:]] if add else kept
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")


def ports_list(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not read_state(app)["ports"]:
        raise Failure("No port mappings configured for app")
    refuse("ports:list of an app that has some")


def ports_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    known = read_state(app)
    values = {}
    detected = known["ports_detected"] or ["http:80:5000"]
    if not known["ports"] and has_certificate(app):
        detected = [*detected, *(f"https:443:{port.split(':')[2]}" for port in detected)]
    for name, ports in (("map", known["ports"]), ("map-detected", detected)):
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
    "ports:add": lambda argv: ports_change(argv, True),
    "ports:remove": lambda argv: ports_change(argv, False),
    "ports:list": ports_list,
    "ports:report": ports_report,
}
