# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at what a host is doing, over the connection that Ansible holds open to it and over no other."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import NAME, WIDTH
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan

#: Seconds for an answer; one that comes later is of no use.
PATIENCE = 2.0

#: Letters of a step's title that are worth showing in front of what it says.
SHORTEST = 12


@dataclass(frozen=True)
class Seen:
    """The work of a host. step: its title. said: the last line of its output; empty without output."""

    step: str = ""
    said: str = ""

    def within(self, room: int) -> str:
        """On one line of so many letters. What is said last changes, and the title is known: that is cut first."""
        whole = f"{self.step}: {self.said}" if self.said else self.step
        left = room - len(self.said) - len("\u2026: ")
        if len(whole) > room and self.said:
            whole = f"{self.step[:left]}\u2026: {self.said}" if left >= SHORTEST else self.said
        return whole[: max(room, 0)]


@dataclass(frozen=True)
class Glance:
    """control_path: the socket of the connection. state_dir: of the service, on the host."""

    control_path: str
    state_dir: str

    def command(self) -> list[str]:
        """The command for the last line. Without a master ssh would connect: it gets a proxy that ends at once."""
        journal, line = (shlex.quote(os.path.join(self.state_dir, name)) for name in ("journal.jsonl", NAME))
        options = ("ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "LogLevel=QUIET")
        given = [part for option in options for part in ("-o", option)]
        ask = f"tail -n 1 {journal}; head -c {WIDTH} {line}"
        return ["ssh", "-F", "none", "-S", self.control_path, *given, "-T", "--", "host", ask]

    def look(self, plan: Plan) -> Seen:
        """The step under way and the last line of its output; empty where there is nothing to see."""
        if not os.path.exists(self.control_path):
            return Seen()
        try:
            answer = subprocess.run(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE,
                start_new_session=True,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return Seen()
        return seen(answer.stdout.decode("utf-8", "replace"), plan)


def seen(answer: str, plan: Plan) -> Seen:
    """answer: the last event of the journal, and below it the last line of a command, if one runs."""
    event, _, line = answer.partition("\n")
    try:
        found = foreign_json.loads(event)
    except ValueError:
        return Seen()
    if not isinstance(found, dict) or found.get("event") != "begin":
        return Seen()
    titles = {step["id"]: step["title"] for step in [*plan.get("steps", []), *plan.get("undo", [])]}
    step = str(found.get("step", ""))
    said = shown(line).strip()
    return Seen(str(titles.get(step, step)), said)
