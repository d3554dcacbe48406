"""The log of what was called. Only the switch, and that a trigger was called; not the hundreds of core's own."""

from __future__ import annotations

import sys

from .core import LIB, Command, refuse, say, warn


def switched_on() -> bool:
    return (LIB / "data/simulator/events").exists()


def switch(on: bool) -> None:
    file = LIB / "data/simulator/events"
    if on:
        file.touch()
    else:
        file.unlink(missing_ok=True)
    say(f"{'Enabling' if on else 'Disabling'} dokku events logger")


def events(argv: list[str]) -> None:
    if argv:
        refuse(f"events {argv[0]}")
    file = LIB / "data/simulator/events.log"
    sys.stdout.write(file.read_text() if file.exists() else "")


def listing(argv: list[str]) -> None:
    if switched_on():
        sys.exit(1)
    warn("Events logger disabled")


COMMANDS: dict[str, Command] = {
    "events": events,
    "events:list": listing,
    "events:on": lambda argv: switch(True),
    "events:off": lambda argv: switch(False),
}
