from __future__ import annotations

from .core import Command, say

COMMANDS: dict[str, Command] = {
    "version": lambda argv: say("dokku version 0.38.27"),
    "--version": lambda argv: say("dokku version 0.38.27"),
    "-v": lambda argv: say("dokku version 0.38.27"),
}
