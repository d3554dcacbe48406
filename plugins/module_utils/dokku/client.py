# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calling `dokku` on its host: the only place that starts it.

As the user dokku it is called directly, as anybody else through sudo. A secret is given over stdin, and a command that
would show one is not started. A running command survives this process: its output goes to a file in memory, so that
no broken pipe ends a deploy half-way, and it keeps the guard's kernel lock.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import argv_problem
from ansible_collections.ops.runbook.plugins.module_utils.dokku import output
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import LastLine, await_end, file_in_memory
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.text import bounded, foreign_json

#: sudo closes the descriptors that hold the kernel lock; a shell that waits for it does not.
_HOLDER = ("/bin/sh", "-c", '"$@"; exit "$?"', "dokku-call")

#: Commands that print values, or take them as arguments, and what says the same without.
_LEAKS = {
    "config": "config:keys, or config:export --format json",
    "config:show": "config:keys, or config:export --format json",
    "config:set": "config:import --no-restart --format json APP - with the values on stdin",
    "config:bundle": "config:export --format json",
}

#: Commands whose exit code is that of what they run in the app.
_PASSES_ON = ("run", "enter", "run:detached")


class DokkuError(Exception):
    """A call of dokku that did not do what was asked. The text names the call, its exit code and what it said."""

    def __init__(self, text: str, answer: Answer | None = None) -> None:
        super().__init__(text)
        self.answer = answer


class AppMissing(DokkuError):
    """There is no such app (exit code 20)."""


class BadFlag(DokkuError):
    """A flag or a value of a flag that this Dokku does not know (exit code 2)."""


class NotACommand(DokkuError):
    """This Dokku has no such command: a plugin is missing, or Dokku is too old."""


class DeployLocked(DokkuError):
    """Another deploy of the app is under way."""


class NotDeployed(DokkuError):
    """The app exists, and nothing was ever deployed to it."""


class StillRuns(DokkuError):
    """The command did not end in time. It keeps running: a deploy that is cut off half-way is worse than a slow one."""


class CannotCall(DokkuError):
    """dokku could not be started at all. way: what to type, and what that does."""

    def __init__(self, text: str, way: tuple[str, str]) -> None:
        super().__init__(text)
        self.way = way


@dataclass(frozen=True)
class Answer:
    """The output of a call, and how it ended. From a build record on, Dokku prints errors on stdout too."""

    args: tuple[str, ...]
    rc: int
    out: str
    err: str

    @property
    def problems(self) -> tuple[str, ...]:
        """The lines that Dokku marks as errors, without the mark."""
        return output.problems(self.err) or output.problems(self.out)

    @property
    def said(self) -> str:
        """The lines to quote of a failed call, with its cause, whichever program printed it."""
        return output.quoted(self.rc, self.out, self.err)


def error_of(answer: Answer, redact: Callable[[str], str] = str) -> DokkuError | None:
    """Why a call failed; None where it did not. Pure."""
    if answer.rc == 0:
        return None
    said = output.quoted(answer.rc, answer.out, answer.err, redact)
    # By Dokku's own lines: what it passes on may say the same of something else.
    own = " | ".join(answer.problems) or said
    ended = f"was killed by signal {-answer.rc}" if answer.rc < 0 else f"ended with {answer.rc}"
    text = f"{redact('dokku ' + shlex.join(answer.args))} {ended}: {said}"
    image = output.missing_image(answer.rc, answer.out, answer.err)
    text += f". It needs the image {image}, which is not on the host: docker pull {image}" if image else ""
    command = next((word for word in answer.args if not word.startswith("--")), "")
    if answer.rc == 20 and (command not in _PASSES_ON or "does not exist" in own):
        return AppMissing(text, answer)
    if answer.rc == 2 and command not in _PASSES_ON:
        return BadFlag(text, answer)
    if "is not a dokku command" in own:
        return NotACommand(text, answer)
    if "deploy lock in place" in own:
        return DeployLocked(text, answer)
    if "has not been deployed" in own or "not deployed" in own:
        return NotDeployed(text, answer)
    return DokkuError(text, answer)


def short_keys(report: dict[str, Any], plugin: str) -> dict[str, Any]:
    """A report without the keys that only repeat another one with the plugin's name before it."""
    prefixes = tuple({f"{plugin}-", f"{plugin.rstrip('s')}-"})
    return {
        key: value
        for key, value in report.items()
        if not any(key.startswith(prefix) and key[len(prefix) :] in report for prefix in prefixes)
    }


class Dokku:
    """Calls of one host's dokku.

    inherited: descriptors of the guard's kernel lock. redact: applied to all texts about a call. timeout: seconds, None
    for no limit. disposable: the data of the app may be lost. last_line: receives a call's last line.
    """

    def __init__(
        self,
        command: str = "dokku",
        user: str = "dokku",
        inherited: Sequence[int] = (),
        redact: Callable[[str], str] = str,
        timeout: float | None = 1800.0,
        disposable: bool = False,
        last_line: LastLine | None = None,
    ) -> None:
        self.command = command
        self.user = user
        self.inherited = tuple(inherited)
        self.redact = redact
        self.timeout = timeout
        self.disposable = disposable
        self.last_line = last_line

    # -- calls -----------------------------------------------------------------------------------

    def run(
        self,
        *args: str,
        stdin: str | bytes | IO[bytes] | None = None,
        timeout: float | None = None,
        check: bool = True,
        stdout: IO[bytes] | None = None,
        tell: bool = False,
    ) -> Answer:
        """Call dokku and wait for its end. Raises a DokkuError; with check=False only without an answer.

        stdin: a text, which may be secret, or an open file. stdout: an open file that takes the output instead. tell:
        it may take long, so its last line is shown meanwhile.
        """
        self._must_be_safe(args)
        limit = timeout if timeout is not None else self.timeout
        with file_in_memory("dokku") as out, file_in_memory("dokku") as err:
            given = _filled(stdin) if isinstance(stdin, (str, bytes)) else None
            try:
                child = self._start(args, given or _opened(stdin), stdout or out, err)
                try:
                    # A file that takes the output gets a dump, or an export of settings: it is not looked into.
                    told = [err] if stdout else [out, err]
                    await_end(child, limit, told, self.last_line if tell else None)
                except subprocess.TimeoutExpired as late:
                    raise StillRuns(
                        self.redact(f"dokku {shlex.join(args)} did not end within {limit:g} s, and keeps running")
                    ) from late
            finally:
                if given is not None:
                    given.close()
            answer = Answer(args, child.returncode, "" if stdout else _read(out), _read(err))
        self._must_have_been_called(answer)
        error = error_of(answer, self.redact) if check else None
        if error is not None:
            raise error
        return answer

    def json(self, *args: str, timeout: float | None = None) -> Any:
        """The answer of a call with --format json. Raises DokkuError, also if it is not JSON."""
        answer = self.run(*args, "--format", "json", timeout=timeout)
        # Two flags that exclude each other print nothing and end with 0.
        try:
            return foreign_json.loads(answer.out)
        except ValueError as error:
            said = self.redact(answer.said)
            raise DokkuError(f"dokku {shlex.join(args)} --format json answered no JSON: {said}", answer) from error

    def report(self, app: str, plugin: str) -> dict[str, Any]:
        """The report of a plugin on an app, each value once, by its short key."""
        return short_keys(self.json(f"{plugin}:report", app), plugin)

    # -- how it is called ------------------------------------------------------------------------

    def argv(self, args: Sequence[str]) -> list[str]:
        """The command line of a call. Raises CannotCall where dokku is not there."""
        path = self._path()
        if user_name() == self.user:
            return [path, *args]
        # -H: git would else look for its settings in the home of whoever called.
        return ["sudo", "-n", "-H", "-u", self.user, "--", path, *args]

    def _path(self) -> str:
        folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/bin", "/usr/bin", "/bin"])
        path = shutil.which(self.command, path=folders)
        if path is None:
            raise CannotCall(
                f"{self.command} is not installed, or not at that path",
                ("dokku_command=<path>", "names the dokku command of the host"),
            )
        return os.path.abspath(path)

    def _start(
        self, args: Sequence[str], stdin: IO[bytes] | None, stdout: IO[bytes], stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*_HOLDER, *self.argv(args)],
                # A folder that the user dokku cannot enter would be an error of git.
                cwd="/",
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=self.inherited,
                # A signal to the group of the connection must not reach a running deploy.
                start_new_session=True,
            )
        except OSError as error:
            raise CannotCall(f"dokku could not be started: {error.strerror}", ("dokku", "on the host")) from error

    def _must_be_safe(self, args: Sequence[str]) -> None:
        words = [word for word in args if not word.startswith("--")]
        command = words[0] if words else ""
        if command in _LEAKS:
            raise DokkuError(f"dokku {command} was not called, it shows values. Instead: {_LEAKS[command]}")
        if command.endswith(":info") and len(words) == len(args) and command.partition(":")[0] in _SERVICES:
            raise DokkuError(f"dokku {command} was not called, it shows the password. Instead: {command} NAME --status")
        rule = None if self.disposable else argv_problem(["dokku", *args])
        if rule is not None:
            text = f"dokku {shlex.join(args)} was not run: {rule.why}. Instead: {rule.instead}"
            raise DokkuError(self.redact(text))

    def _must_have_been_called(self, answer: Answer) -> None:
        refused = next((line for line in output.plain(answer.err).splitlines() if line.startswith("sudo: ")), "")
        if answer.rc == 1 and refused and not answer.out:
            caller = user_name()
            rule = f"{caller} ALL=({self.user}) NOPASSWD: {self._path()}"
            raise CannotCall(
                f"{caller} may not call dokku as {self.user}: {refused}",
                (
                    f"echo {shlex.quote(rule)} | sudo tee /etc/sudoers.d/ops-runbook-dokku",
                    "once, on the host as root, lets it",
                ),
            )


#: Plugins of databases and caches, whose info shows the address with its password.
_SERVICES = ("mysql", "redis", "postgres", "mariadb", "mongo", "rabbitmq", "elasticsearch", "memcached")


def _opened(stdin: str | bytes | IO[bytes] | None) -> IO[bytes] | None:
    return None if isinstance(stdin, (str, bytes)) else stdin


def _filled(content: str | bytes) -> IO[bytes]:
    handle = file_in_memory("dokku")
    handle.write(content.encode() if isinstance(content, str) else content)
    handle.seek(0)
    return handle


def _read(handle: IO[bytes]) -> str:
    """The output of dokku; of one that nobody could parse the beginning and the end."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    if size <= bounded.PARSED:
        return handle.read().decode("utf-8", "replace")
    kept = bounded.Kept(bounded.SHOWN, bounded.SHOWN)
    while piece := handle.read(bounded.SHOWN):
        kept.take(piece.decode("utf-8", "replace"))
    return kept.text()
