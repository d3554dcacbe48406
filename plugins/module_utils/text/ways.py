# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a way forward is written, so that a shell hands over what was meant.

A way has one of four forms: inputs (`to=v1.2.0 interrupted=undo`), a command line of a host, a procedure with its
inputs (`laravel_convert state=in_place`), or words for what nobody can type here (an entry of the inventory, an editor,
the same command again).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

INPUTS, COMMAND, PROCEDURE, WORDS = "inputs", "command", "procedure", "words"

#: A value ends at a space, unless that is in a placeholder for what the person knows.
_INPUT = re.compile(r"([a-z][a-z0-9_]*)=((?:<[^<>]*>|[^\s<>])*)")
_INPUTS = re.compile(rf"{_INPUT.pattern}(?: {_INPUT.pattern})*")
_PROCEDURE = re.compile(rf"([a-z]+(?:_[a-z]+)+)(?:(?: with)? ({_INPUTS.pattern}))?")
_PLAIN = re.compile(r"[\w@%+:,./<>=…-][\w@%+:,./<> =…-]*|")
_PROGRAMS = (
    "ansible-playbook|apt-get|chown|crontab|df|dig|docker|dokku|echo|gh|git|journalctl|cd|ln|ls|mkdir|mv|ops-runbook|pip|psql|rm|ssh|ssh-add|sudo|systemctl"
    "|umount|unset|--become|-e|-l|-u"
)
_COMMAND = re.compile(rf"({_PROGRAMS})( .*)?", re.DOTALL)
#: Words that open a way that cannot be typed, so that nobody takes it for an input.
_WORDS = re.compile(
    r"the same( command)?( again| without .*)?\b|an editor on |a mount |in the inventory"
    r"|[A-Z_]+ in the environment|docs/\S+\.md|ops\.runbook\.\w+\Z"
)

#: Words that open a way that is written into a file; the effect says which file.
_ELSEWHERE = ("in the inventory", "in the environment", "in the compose file", "must stand in")


def form(way: str, effect: str = "") -> str:
    """The form of a way; empty if it has none of them, and typing it would do nothing."""
    if effect.startswith(_ELSEWHERE) or _WORDS.match(way):
        return WORDS
    if _INPUTS.fullmatch(way):
        # A list or a mapping loses its quotes in a shell, and a comma or a full stop belongs to a sentence.
        wrong = any(value.startswith(("[", "{")) or value.endswith((",", ";")) for _name, value in inputs(way))
        return "" if wrong else INPUTS
    if _PROCEDURE.fullmatch(way):
        return PROCEDURE
    return COMMAND if _COMMAND.fullmatch(way) else ""


def inputs(way: str) -> Iterator[tuple[str, str]]:
    """The names and values of inputs."""
    for found in _INPUT.finditer(way):
        yield found.group(1), found.group(2)


def typed(way: str, effect: str = "", by_command: bool = False) -> str:
    """A way as it is typed behind `ansible-playbook ops.runbook.<procedure>`, or as a command line of its own.

    by_command: behind `ops-runbook run <procedure>` instead.
    """
    kind = form(way, effect)
    if kind == INPUTS:
        return _given(way, by_command)
    found = _PROCEDURE.fullmatch(way)
    if kind == PROCEDURE and found is not None:
        program = "ops-runbook run " if by_command else "ansible-playbook ops.runbook."
        given = found.group(2)
        return program + found.group(1) + (f" {_given(given, by_command)}" if given else "")
    return way


def _given(way: str, by_command: bool) -> str:
    if by_command:
        return " ".join(shlex.quote(f"{name}={value}") for name, value in inputs(way))
    return " ".join(given(name, value) for name, value in inputs(way))


def given(name: str, value: object) -> str:
    """One input as an option of ansible-playbook: a text that is more than a word, a list and a mapping as JSON."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and (" " not in value or value.startswith("<")):
        return f"-e {shlex.quote(f'{name}={value}')}"
    return f"-e {shlex.quote(json.dumps({name: value}, ensure_ascii=False))}"
