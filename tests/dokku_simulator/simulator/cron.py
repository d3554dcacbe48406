"""cron of app.json: only that there is none."""

from __future__ import annotations

from .core import Command, parse, refuse, say, show_json, verify
from .properties import globals_of, properties, reporter
from .tasks import app_json


def listing(argv: list[str]) -> None:
    words, flags = parse(argv, "format=")
    if app_json(verify(words[0] if words else "")).get("cron"):
        refuse("cron:list of an app that has tasks")
    if flags.get("format") == "json":
        show_json([])
        return
    say("ID  Schedule  Concurrency  Maintenance  Command")


def values(app: str) -> dict[str, str]:
    both, own = globals_of("cron"), properties(app, "cron")
    return {
        "computed-mailfrom": both.get("mailfrom", ""),
        "computed-mailto": both.get("mailto", ""),
        "computed-maintenance": own.get("maintenance", "false"),
        "global-mailfrom": both.get("mailfrom", ""),
        "global-mailto": both.get("mailto", ""),
        "global-maintenance": "",
        "maintenance": own.get("maintenance", ""),
        "task-count": "0",
    }


COMMANDS: dict[str, Command] = {
    "cron:list": listing,
    "cron:report": reporter("cron", values),
}
