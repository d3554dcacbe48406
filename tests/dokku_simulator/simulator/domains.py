from __future__ import annotations

import re

from .core import (
    Command,
    apps,
    containers,
    info,
    parse,
    read_state,
    refuse,
    report,
    show_json,
    state,
    trigger,
    verify,
    warn,
)
from .nginx import configure_proxy


def domains_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format= global", lenient=True)
    if "global" in flags:
        refuse("domains:report --global")
    for app in [verify(words[0])] if words else apps():
        names = " ".join(read_state(app)["domains"])
        values = {
            "domains-app-enabled": "true",
            "domains-app-vhosts": names,
            "domains-global-enabled": "true",
            "domains-global-vhosts": "dokku.example.com",
        }
        if flags.get("format") == "json":
            show_json({key.removeprefix("domains-"): value for key, value in values.items()})
        else:
            report(app, "domains", values, flags)


def domains_change(argv: list[str], how: str) -> None:
    app = verify(argv[0])
    if not argv[1:]:
        refuse(f"domains:{how} without a domain")
    for name in argv[1:]:
        if how != "remove" and not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*\.)*[A-Za-z0-9-]+", name):
            refuse(f"domains:{how} of {name}")
    with state(app) as known:
        if how == "set":
            known["domains"] = argv[1:]
            info(f"Set {' '.join(argv[1:])} for {app}")
        for name in argv[1:] if how != "set" else []:
            if how == "remove":
                known["domains"] = [one for one in known["domains"] if one != name]
                info(f"Removed {name} from {app}")
            elif name in known["domains"]:
                info(f"Skipping: {name} already added to {app}")
            else:
                known["domains"].append(name)
                info(f"Added {name} to {app}")
    if how != "remove":
        warn("Please run dokku letsencrypt:enable to add https support to the new domain")
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")
    trigger("post-domains-update", app, how, *argv[1:])


COMMANDS: dict[str, Command] = {
    "domains:report": domains_report,
    "domains:add": lambda argv: domains_change(argv, "add"),
    "domains:set": lambda argv: domains_change(argv, "set"),
    "domains:remove": lambda argv: domains_change(argv, "remove"),
}
