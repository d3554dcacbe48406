"""The names that an app answers to. Nothing here is idempotent by its words: the same is said again, with 0."""

from __future__ import annotations

import re

from .core import (
    Command,
    Failure,
    apps,
    containers,
    info,
    parse,
    read_state,
    report,
    show_json,
    state,
    trigger,
    verify,
    warn,
)
from .nginx import configure_proxy
from .properties import globals_of, set_global

NAME = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*\.)*[A-Za-z0-9-]+")


def all_apps() -> list[str]:
    return (globals_of("domains").get("names") or "dokku.example.com").split()


def values(app: str) -> dict[str, str]:
    known = read_state(app)
    return {
        "domains-app-enabled": str(not known.get("domains_disabled")).lower(),
        "domains-app-vhosts": " ".join(known["domains"]),
        **global_values(),
    }


def global_values() -> dict[str, str]:
    return {"domains-global-enabled": "true", "domains-global-vhosts": " ".join(all_apps())}


def domains_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format= global", lenient=True)
    everywhere = flags.pop("global", "")
    for app in ["--global"] if everywhere else [verify(words[0])] if words else apps():
        found = global_values() if everywhere else values(app)
        if flags.get("format") == "json":
            show_json({key.removeprefix("domains-"): value for key, value in found.items()})
        else:
            report(app, "domains", found, flags)


def domains_change(argv: list[str], how: str) -> None:
    app = verify(argv[0])
    if not argv[1:]:
        raise Failure(f"Please specify a domain name. Usage: dokku {app}  <domain> [<domain> ...]")
    for name in argv[1:]:
        if how != "remove" and not NAME.fullmatch(name):
            raise Failure(f"{name} is invalid. exiting...")
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


def clear(argv: list[str]) -> None:
    app = verify(argv[0])
    with state(app) as known:
        known["domains"] = []
    configure_proxy(app)
    info(f"Cleared domains in {app}")
    trigger("post-domains-update", app, "clear")


def reset(argv: list[str]) -> None:
    clear(argv)
    app = argv[0]
    info("Creating new app virtual host file...")
    with state(app) as known:
        known["domains"] = [app if "." in app else f"{app}.{name}" for name in all_apps()]
    configure_proxy(app)
    info(f"Reset domains for {app}")


def change_global(argv: list[str], how: str) -> None:
    now = [] if how == "set" else all_apps()
    said = {"add": "Added", "remove": "Removed", "set": "Set"}[how]
    for name in argv:
        now = [one for one in now if one != name] + ([name] if how != "remove" else [])
    info(f"{said} {' '.join(argv)}")
    set_global("domains", "names", " ".join(now))


COMMANDS: dict[str, Command] = {
    "domains:report": domains_report,
    "domains:add": lambda argv: domains_change(argv, "add"),
    "domains:set": lambda argv: domains_change(argv, "set"),
    "domains:remove": lambda argv: domains_change(argv, "remove"),
    "domains:clear": clear,
    "domains:reset": reset,
    "domains:add-global": lambda argv: change_global(argv, "add"),
    "domains:remove-global": lambda argv: change_global(argv, "remove"),
    "domains:set-global": lambda argv: change_global(argv, "set"),
}
