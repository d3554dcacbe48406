# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calling `dokku-parts`, which reads and puts back what only root can: all that a backup needs root for."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from ansible_collections.ops.runbook.plugins.module_utils.host import byte_stream
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


class Parts:
    """The program on its host. inherited: descriptors of the guard's kernel lock."""

    def __init__(self, command: str, inherited: Sequence[int] = ()) -> None:
        self.command = command
        self.inherited = tuple(inherited)

    def argv(self, *words: str) -> list[str]:
        return [self.command, *words] if os.geteuid() == 0 else ["sudo", "-n", "--", self.command, *words]

    def refusal(self) -> Problem | None:
        """The reason why this user can't call it; None where they may."""
        if not os.path.isfile(self.command):
            way = ("ansible-playbook ops.runbook.dokku_backup_setup", "installs it on the host, which needs root once")
            return Problem("parts_missing", f"{self.command} is not on this host", (way,))
        if os.geteuid() == 0:
            return None
        asked = subprocess.run(["sudo", "-n", "-l", self.command], capture_output=True, text=True)
        if asked.returncode == 0:
            return None
        user = user_name()
        rule = shlex.quote(f"{user} ALL=(root) NOPASSWD: {self.command}")
        way = (f"echo {rule} | sudo tee /etc/sudoers.d/ops-runbook-parts", "once, on the host as root, lets it")
        return Problem(
            "parts_not_allowed",
            f"{user} may not run {self.command}, which reads what only root can",
            (
                (
                    f"echo {shlex.quote(rule)} | sudo tee /etc/sudoers.d/ops-runbook-parts",
                    "once, on the host as root, lets it",
                ),
            ),
        )

    def run(self, *words: str) -> str:
        """A short call. Raises CommandFailed."""
        return self._ended(words, subprocess.PIPE, subprocess.DEVNULL).stdout.decode("utf-8", "replace")

    def read(self, take: Callable[[bytes], None], *words: str) -> None:
        """Hand on what it prints."""
        byte_stream.collect(lambda out: self._ended(words, out, subprocess.DEVNULL), take)

    def write(self, pieces: Iterable[bytes], *words: str) -> None:
        """Give it what to write."""
        byte_stream.supply(pieces, lambda source: self._ended(words, subprocess.DEVNULL, source))

    def _ended(
        self, words: Sequence[str], stdout: int | IO[bytes], stdin: int | IO[bytes]
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            ["/bin/sh", "-c", '"$@"; exit "$?"', "dokku-parts", *self.argv(*words)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd="/",
            pass_fds=self.inherited,
        )
        if done.returncode:
            said = excerpt(done.stderr.decode("utf-8", "replace"), nothing="it said nothing")
            raise CommandFailed(f"dokku-parts {shlex.join(words)} ended with {done.returncode}: {said}")
        return done
