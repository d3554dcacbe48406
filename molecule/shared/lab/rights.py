"""The rights of docs/reference/sudo.md, as a host of the lab has them."""

from __future__ import annotations

import re
from pathlib import Path

#: Rules of sudo as an argument or a page has them; a documentation of Ansible escapes the parenthesis.
RULE = re.compile(
    r"(%?[\w-]+) ALL=\((\w+)\\?\) NOPASSWD: ([^`'\n\"|]+?)(?=[`'\n\"]|\\?\)[.,]|,? which| \||$)", re.MULTILINE
)
#: The page has one version of PHP, and a host another one.
PHP = re.compile(r"php\d\.\d-fpm")
PAGE = Path(__file__).parents[3] / "docs/reference/sudo.md"


def rules(text: str) -> list[str]:
    """The rules of sudo in a text, whatever version of PHP they name."""
    found = [f"{user} ALL=({whom}) NOPASSWD: {command.rstrip(' .')}" for user, whom, command in RULE.findall(text)]
    return [PHP.sub("phpX-fpm", rule) for rule in found]


def of_page() -> dict[str, list[str]]:
    """The rules that the table of the page has for each system."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {row[0].lstrip("| "): rules(row[1]) for row in rows if row[0] != "| system"}


def of_sudo(listed: str, user: str = "deploy") -> list[str]:
    """The rules in the output of `sudo -l -U <user>`."""
    lines = [line.strip() for line in listed.splitlines() if line.strip().startswith("(")]
    return [PHP.sub("phpX-fpm", f"{user} ALL={line}") for line in lines]
