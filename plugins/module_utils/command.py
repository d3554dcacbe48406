# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a command on the host: no shell, no destructive verb, output kept short and free of secrets."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.destructive_commands import argv_problem

#: Colours and cursor movements, which some programs write into a pipe too.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class CommandFailed(Exception):
    """A command did not end with 0. The text names it, its exit code and its last lines."""


@dataclass(frozen=True)
class Output:
    """What a command printed, and how it ended."""

    code: int
    stdout: str
    stderr: str


@dataclass
class Commands:
    """Runs the commands of one operation.

    cwd: where. inherited: descriptors for the children (the guard's kernel lock). redact: applied to
    whatever is shown. timeout: seconds, None for no limit.
    """

    cwd: str
    inherited: Sequence[int] = ()
    redact: Callable[[str], str] = str
    timeout: float | None = 1800.0
    disposable: bool = False

    def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        check: bool = True,
        timeout: float | None = None,
    ) -> Output:
        """Run a command to its end. Raises CommandFailed; a destructive command is never started."""
        self.must_not_destroy(argv)
        limit = timeout if timeout is not None else self.timeout
        try:
            done = subprocess.run(
                list(argv),
                cwd=self.cwd,
                env={**os.environ, **(env or {})},
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
                pass_fds=tuple(self.inherited),
                check=False,
            )
        except FileNotFoundError as error:
            raise CommandFailed(f"{argv[0]} is not installed, or not at that path ({error.strerror})") from error
        except PermissionError as error:
            raise CommandFailed(f"{argv[0]} may not be run: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(
                self.redact(f"{shlex.join(argv)} did not end within {limit:g} s and was stopped")
            ) from error
        if check and done.returncode != 0:
            raise CommandFailed(self.describe(argv, done.returncode, done.stdout, done.stderr))
        return Output(done.returncode, done.stdout, done.stderr)

    def must_not_destroy(self, argv: Sequence[str]) -> None:
        """Raise CommandFailed for a command that destroys data, unless the data may be lost."""
        rule = None if self.disposable else argv_problem(argv)
        if rule is not None:
            raise CommandFailed(self.redact(f"{shlex.join(argv)} was not run: {rule.why}. Instead: {rule.instead}"))

    def describe(self, argv: Sequence[str], code: int, stdout: str, stderr: str) -> str:
        """One paragraph about a failed command, safe to show and to keep."""
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        return self.redact(f"{shlex.join(argv)} {ended}: {tail(stderr) or tail(stdout) or 'it printed nothing'}")


def tail(text: str, lines: int = 12, width: int = 400) -> str:
    """The last lines that say something."""
    said = [_CONTROL.sub("", line).strip() for line in text.splitlines()]
    kept = [line[:width] for line in said if line]
    return " | ".join(kept[-lines:])
