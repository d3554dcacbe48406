# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a command on the host: no shell, no destructive verb, output kept short and free of secrets."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ansible_collections.ops.runbook.plugins.module_utils.destructive_commands import argv_problem
from ansible_collections.ops.runbook.plugins.module_utils.last_line import (
    LastLine,
    await_end,
    file_in_memory,
)
from ansible_collections.ops.runbook.plugins.module_utils.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.screen_text import shown


class CommandFailed(Exception):
    """A command did not end with 0. The text names it, its exit code and its last lines."""


class CommandTimedOut(CommandFailed):
    """A command was stopped because it did not end in its time. That says nothing about what it would have said."""


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
    whatever is shown. timeout: seconds, None for no limit. last_line: where a long command's last line is told.
    umask: of the commands; None for that of this process.
    """

    cwd: str
    inherited: Sequence[int] = ()
    redact: Callable[[str], str] = str
    timeout: float | None = 1800.0
    disposable: bool = False
    last_line: LastLine | None = None
    umask: int | None = None

    def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        check: bool = True,
        timeout: float | None = None,
        tell: bool = False,
    ) -> Output:
        """Run a command to its end. Raises CommandFailed; a destructive command is never started.

        tell: whether it may take long, and its last line is told meanwhile.
        """
        self.must_not_destroy(argv)
        limit = timeout if timeout is not None else self.timeout
        how: dict[str, Any] = {
            "cwd": self.cwd,
            "env": {**os.environ, **(env or {})},
            "text": True,
            "errors": "replace",
            "pass_fds": tuple(self.inherited),
            **({} if self.umask is None else {"umask": self.umask}),
        }
        try:
            if tell and self.last_line is not None and stdin is not None:
                done = _fed(argv, stdin, limit, self.last_line, how)
            elif tell and self.last_line is not None:
                done = _watched(argv, limit, self.last_line, how)
            else:
                given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
                done = subprocess.run(list(argv), capture_output=True, timeout=limit, check=False, **given, **how)
        except FileNotFoundError as error:
            raise CommandFailed(f"{argv[0]} is not installed, or not at that path ({error.strerror})") from error
        except PermissionError as error:
            raise CommandFailed(f"{argv[0]} may not be run: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise CommandTimedOut(
                self._shown(f"{shlex.join(argv)} did not end within {limit:g} s and was stopped")
            ) from error
        if check and done.returncode != 0:
            raise CommandFailed(self.describe(argv, done.returncode, done.stdout, done.stderr))
        return Output(done.returncode, done.stdout, done.stderr)

    def _shown(self, text: str) -> str:
        """Without the values that are known to be secrets, and without what the text itself gives away."""
        return shown(mask_named(self.redact(text)))

    def must_not_destroy(self, argv: Sequence[str]) -> None:
        """Raise CommandFailed for a command that destroys data, unless the data may be lost."""
        rule = None if self.disposable else argv_problem(argv)
        if rule is not None:
            raise CommandFailed(self._shown(f"{shlex.join(argv)} was not run: {rule.why}. Instead: {rule.instead}"))

    def describe(self, argv: Sequence[str], code: int, stdout: str, stderr: str) -> str:
        """One paragraph about a failed command, safe to show and to keep."""
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        return self._shown(f"{shlex.join(argv)} {ended}: {tail(stderr) or tail(stdout) or 'it printed nothing'}")


def _watched(
    argv: Sequence[str], limit: float | None, last_line: LastLine, how: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run, and each line is told when it comes."""
    process = subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how
    )
    last_line.begin()
    kept: tuple[list[str], list[str]] = ([], [])

    def follow(pipe: IO[str], lines: list[str]) -> None:
        for line in pipe:
            lines.append(line)
            last_line.said(line)

    # Not joined at the end of this process: who inherited a pipe may hold it for ever.
    pipes = zip((process.stdout, process.stderr), kept)
    readers = [threading.Thread(target=follow, args=both, daemon=True) for both in pipes]
    end = None if limit is None else time.monotonic() + limit
    try:
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(None if end is None else max(0.0, end - time.monotonic()))
        if any(reader.is_alive() for reader in readers):
            raise subprocess.TimeoutExpired(list(argv), limit or 0.0)
        process.wait(None if end is None else max(0.0, end - time.monotonic()))
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        last_line.end()
    return subprocess.CompletedProcess(list(argv), process.returncode, "".join(kept[0]), "".join(kept[1]))


def _fed(
    argv: Sequence[str], stdin: str, limit: float | None, last_line: LastLine, how: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with an input, and each line is told when it comes.

    It gets files instead of pipes: a migration that speaks must not end where this process does.
    """
    with file_in_memory("in") as given, file_in_memory("out") as out, file_in_memory("err") as err:
        given.write(stdin.encode())
        given.seek(0)
        process = subprocess.Popen(list(argv), stdin=given, stdout=out, stderr=err, **how)
        try:
            await_end(process, limit, [out, err], last_line)
        except BaseException:
            process.kill()
            process.wait()
            raise
        texts = []
        for output in (out, err):
            output.seek(0)
            texts.append(io.TextIOWrapper(output, "utf-8", "replace").read())
    return subprocess.CompletedProcess(list(argv), process.returncode, *texts)


def tail(text: str, lines: int = 12, width: int = 400) -> str:
    """The last lines that say something."""
    said = [shown(line).strip() for line in text.splitlines()]
    kept = [line[:width] for line in said if line]
    return " | ".join(kept[-lines:])
