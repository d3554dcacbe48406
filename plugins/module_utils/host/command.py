# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a command on the host: no shell, no destructive verb, output kept short and free of secrets."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import argv_problem
from ansible_collections.ops.runbook.plugins.module_utils.host import byte_stream
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import LastLine, await_end, file_in_memory
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.text import bounded
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


class CommandFailed(Exception):
    """A command did not end with 0. The text names it, its exit code and what it said."""


class CommandTimedOut(CommandFailed):
    """A command was stopped because it did not end in its time. That says nothing about what it would have said."""


@dataclass(frozen=True)
class Output:
    """Output of a command, and how it ended."""

    code: int
    stdout: str
    stderr: str


@dataclass
class Commands:
    """Runs the commands of one operation.

    cwd: their folder. inherited: descriptors for the children (the guard's kernel lock). redact: applied to all output
    that is shown. timeout: seconds, None for no limit. last_line: receives the last line of a long command. umask: of
    the commands; None for that of this process.
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
        most: int = bounded.PARSED,
        shown: bool = False,
    ) -> Output:
        """Run a command to its end. Raises CommandFailed; a destructive command is never started.

        tell: it may take long, so its last line is shown meanwhile. most: letters of its output; a command that prints
        more is stopped. shown: its output is only shown, so the beginning and the end of a long one are enough.
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
        with self._explained(argv, limit, most):
            if tell and self.last_line is not None and stdin is not None:
                done = _fed(argv, stdin, limit, self.last_line, how)
            elif tell and self.last_line is not None:
                done = _watched(argv, limit, self.last_line, how)
            else:
                done = _captured(argv, stdin, limit, most, shown, how)
        if check and done.returncode != 0:
            raise CommandFailed(self.describe(argv, done.returncode, done.stdout, done.stderr))
        return Output(done.returncode, done.stdout, done.stderr)

    def stream(self, argv: Sequence[str], take: Callable[[bytes], None], env: Mapping[str, str] | None = None) -> None:
        """Run a command to its end, and hand on what it prints, however much. Raises CommandFailed.

        take: what it raises is raised here. The command must have no children that outlive it: they hold the pipe.
        """
        self.must_not_destroy(argv)
        with file_in_memory("err") as err, self._explained(argv, self.timeout):

            def start(out: IO[bytes]) -> subprocess.CompletedProcess[bytes]:
                return subprocess.run(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    cwd=self.cwd,
                    env={**os.environ, **(env or {})},
                    pass_fds=tuple(self.inherited),
                    timeout=self.timeout,
                    check=False,
                )

            done = byte_stream.collect(start, take)
            if done.returncode:
                raise CommandFailed(self.describe(argv, done.returncode, "", _head_and_tail(err)))

    @contextlib.contextmanager
    def _explained(self, argv: Sequence[str], limit: float | None, most: int = bounded.PARSED) -> Iterator[None]:
        """Name the cause where a command does not start, does not end, or prints too much. Raises CommandFailed."""
        try:
            yield
        except _TooMuch as error:
            raise CommandFailed(
                self._shown(f"{shlex.join(argv)} printed more than {most >> 10} KiB and was stopped")
            ) from error
        except FileNotFoundError as error:
            raise CommandFailed(f"{argv[0]} is not installed, or not at that path ({error.strerror})") from error
        except PermissionError as error:
            raise CommandFailed(f"{argv[0]} may not be run: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise CommandTimedOut(
                self._shown(f"{shlex.join(argv)} did not end within {limit or 0:g} s and was stopped")
            ) from error

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
        return self._shown(f"{shlex.join(argv)} {ended}: {excerpt(stderr, stdout, redact=self.redact)}")


class _TooMuch(Exception):
    """A command printed more than anybody reads of it."""


def _captured(
    argv: Sequence[str], stdin: str | None, limit: float | None, most: int, shown: bool, how: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run, and no more of the output is kept than may be."""
    given = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    process = subprocess.Popen(list(argv), stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    out, err = bounded.Kept(bounded.SHOWN if shown else most, bounded.SHOWN if shown else 0), _shown_part()

    def follow(pipe: IO[str], kept: bounded.Kept) -> None:
        # A killed command may leave a child that goes on printing.
        while (piece := pipe.read(65536)) and (shown or not out.is_cut):
            kept.take(piece)
        if out.is_cut and not shown:
            process.kill()

    def feed() -> None:
        with contextlib.suppress(OSError):
            process.stdin.write(stdin)  # type: ignore[union-attr]
        with contextlib.suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]

    _to_its_end(process, [(follow, (process.stdout, out)), (follow, (process.stderr, err))], limit, argv, feed, stdin)
    if out.is_cut and not shown:
        raise _TooMuch
    return subprocess.CompletedProcess(list(argv), process.returncode, out.text(), err.text())


def _shown_part() -> bounded.Kept:
    return bounded.Kept(bounded.SHOWN, bounded.SHOWN)


def _to_its_end(
    process: subprocess.Popen[str],
    followers: Sequence[tuple[Callable[..., None], tuple[Any, ...]]],
    limit: float | None,
    argv: Sequence[str],
    feed: Callable[[], None] | None = None,
    stdin: str | None = None,
) -> None:
    """Read what a process prints until it has ended. Raises subprocess.TimeoutExpired."""
    # Not joined at the end of this process: who inherited a pipe may hold it for ever.
    readers = [threading.Thread(target=follow, args=both, daemon=True) for follow, both in followers]
    end = None if limit is None else time.monotonic() + limit
    try:
        for reader in readers:
            reader.start()
        if feed is not None and stdin is not None:
            threading.Thread(target=feed, daemon=True).start()
        for reader in readers:
            reader.join(None if end is None else max(0.0, end - time.monotonic()))
        if any(reader.is_alive() for reader in readers):
            raise subprocess.TimeoutExpired(list(argv), limit or 0.0)
        process.wait(None if end is None else max(0.0, end - time.monotonic()))
    except BaseException:
        process.kill()
        process.wait()
        raise


def _watched(
    argv: Sequence[str], limit: float | None, last_line: LastLine, how: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run; each line is shown when it comes."""
    process = subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how
    )
    last_line.begin()
    out, err = _shown_part(), _shown_part()

    def follow(pipe: IO[str], kept: bounded.Kept) -> None:
        while line := pipe.readline(65536):
            kept.take(line)
            last_line.said(line)

    try:
        _to_its_end(process, [(follow, (process.stdout, out)), (follow, (process.stderr, err))], limit, argv)
    finally:
        last_line.end()
    return subprocess.CompletedProcess(list(argv), process.returncode, out.text(), err.text())


def _fed(
    argv: Sequence[str], stdin: str, limit: float | None, last_line: LastLine, how: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with an input; each line is shown when it comes.

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
            texts.append(_head_and_tail(output))
    return subprocess.CompletedProcess(list(argv), process.returncode, *texts)


def _head_and_tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(0)
    if size <= 2 * bounded.SHOWN:
        return io.TextIOWrapper(output, "utf-8", "replace").read()
    head = output.read(bounded.SHOWN).decode("utf-8", "replace")
    output.seek(size - bounded.SHOWN)
    end = output.read(bounded.SHOWN).decode("utf-8", "replace")
    return f"{head}\n… ({size - 2 * bounded.SHOWN} bytes are left out here)\n{end}"
