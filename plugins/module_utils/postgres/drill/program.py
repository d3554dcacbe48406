# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calling `postgres-drill`, which restores a cluster and asks it: all that a drill needs root for."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: What the state folder of a drill has behind the name of its cluster: a lease of its own.
SUFFIX = "-drill"
#: Seconds for one call: the longest replays an archive, or reads all of a cluster.
_SECONDS = 90000.0


class Program:
    """The program on its host, for the drills of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.command = cluster.description.drill_program
        self.name = cluster.description.name.removesuffix(SUFFIX)
        self._commands: Commands = cluster.commands

    def refusal(self) -> Problem | None:
        """The reason why this user can't call it; None where they may."""
        if not os.path.isfile(self.command):
            way = ("ansible-playbook ops.runbook.postgres_drill_setup", "installs it on the host, as root, once")
            return Problem("drill_missing", f"{self.command} is not on this host", (way,))
        if os.geteuid() == 0 or not subprocess.run(["sudo", "-n", "-l", self.command], capture_output=True).returncode:
            return None
        rule = shlex.quote(f"{user_name()} ALL=(root) NOPASSWD: {self.command}")
        way = (f"echo {rule} | sudo tee /etc/sudoers.d/ops-runbook-drill", "once, on the host as root, lets it")
        return Problem("drill_not_allowed", f"{user_name()} may not run {self.command}", (way,))

    def text(self, verb: str, *words: str, given: str | None = None) -> str:
        """The answer to a verb. Raises CommandFailed."""
        root = [] if os.geteuid() == 0 else ["sudo", "-n", "--"]
        argv = [*root, self.command, verb, self.name, *words]
        # sudo hands no descriptor on: this shell keeps the guard's lock for as long as the program runs.
        held = ["/bin/sh", "-c", '"$@"; exit "$?"', "postgres-drill", *argv]
        done = self._commands.run(held, stdin=given, check=False, timeout=_SECONDS)
        if done.code:
            said = done.stderr.strip().rpartition("postgres-drill: ")[2] or f"it ended with {done.code}"
            raise CommandFailed(self._commands.describe([self.command, verb], done.code, "", said))
        return done.stdout

    def ask(self, verb: str, *words: str, given: str | None = None) -> Mapping[str, Any]:
        """The answer as an object. Raises CommandFailed, also for an answer that is not an object."""
        try:
            return foreign_json.load_object(self.text(verb, *words, given=given))
        except ValueError as error:
            raise CommandFailed(f"{self.command} {verb} gave an answer that can't be read: {error}") from error
