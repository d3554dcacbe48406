"""A procedure as each kind of user runs it, and what that person sees.

One table of ways: on the screen of ansible.cfg, with the default callback, by ansible-runner with a file of inputs, by
`ops-runbook`; from this checkout, and from the wheel in a folder that holds nothing else.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import OPERATOR, ROOT, plain

from installation import Installation, built_wheel, installed_wheel

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Request:
    """A procedure that a person runs.

    host: names with commas between them; empty for all. inputs: their words by name. variables: others, as an inventory
    has them.
    """

    host: str
    procedure: str
    inputs: Mapping[str, str]
    variables: Mapping[str, str]
    inventories: Sequence[str | Path]
    check: bool = False

    def where(self) -> list[str]:
        """The options that name the inventory and the host."""
        found = [part for one in self.inventories for part in ("-i", str(ROOT / one))]
        return [*found, "-l", self.host] if self.host else found

    def options(self, folder: Path, in_a_file: bool) -> list[str]:
        """The arguments of ansible-playbook. in_a_file: the inputs are in a file of YAML, without quotes."""
        found = [*self.where(), *(["--check"] if self.check else [])]
        given = {**self.inputs, **self.variables}
        if not in_a_file:
            return [*found, *(part for name, value in given.items() for part in ("-e", f"{name}={shlex.quote(value)}"))]
        path = folder / "inputs.yml"
        path.write_text("---\n" + ("".join(f"{name}: {value}\n" for name, value in given.items()) or "{}\n"))
        path.chmod(0o600)
        return [*found, "-e", f"@{path}"]


@dataclass(frozen=True)
class Seen:
    """The exit code of a run, its screen as it came, and the folder with the files that it left."""

    way: Way
    code: int
    screen: str
    folder: Path

    @property
    def text(self) -> str:
        """The screen, with the lines of a list as a person reads them."""
        return plain(self.screen)

    def readable(self) -> Seen:
        """Nothing is folded into one line of JSON, and nothing is of use only to whoever wrote the collection."""
        # Ansible names no item of a task whose results it may not show.
        screen = self.screen.replace("(item=(censored due to no_log))", "")
        for unwanted in ("\\n", "Traceback", "censored", "Origin: ", "[DEPRECATION", '"msg": "', "'msg': "):
            assert unwanted not in screen, self.screen
        for unwanted in ("TASK [", "PLAY [") if self.way.operator else ():
            assert unwanted not in self.screen, self.screen
        return self

    def green(self) -> Seen:
        assert self.code == 0, self.screen
        return self.readable()

    def planned(self, *hosts: str) -> Seen:
        """A plan: its steps, and that nothing was changed."""
        text = self.green().text
        assert all(host in text for host in hosts) and " 1. " in text, self.screen
        if self.way.operator:
            assert text.count("Nothing was changed: this was a check.") == 1, self.screen
        else:
            assert all((self.recap(host)["changed"], self.recap(host)["failed"]) == ("1", "0") for host in hosts)
        return self

    def done(self, *hosts: str) -> Seen:
        """The last lines say what became of each host, and the recap that it was changed."""
        text = self.green().text
        if not self.way.operator:
            # The default callback shows a screen as a list of YAML, whose long lines go on in the next one.
            text = re.sub(r"\n {6,}(?! *- )", " ", text)
        lines = [line.strip().removeprefix("- ").split() for line in text.splitlines()]
        for host in hosts:
            assert len([words for words in lines if words[:1] == [host] and "succeeded" in words]) == 1, self.screen
            if not self.way.operator:
                recap = self.recap(host)
                assert (recap["changed"] != "0", recap["failed"]) == (True, "0"), self.screen
        return self

    def refused(self, host: str, code: str, *words: str) -> Seen:
        """The code, the reason, what to type, and that nothing was changed; each of them once."""
        assert self.code == self.way.refusal, self.screen
        lines = self.readable().text.splitlines()
        said = [line.strip() for line in lines if f"REFUSED on {host} ({code})" in line]
        assert len(said) == 1, self.screen
        assert self.text.count("Nothing was changed") == 1, (self.text, self.screen)
        # Each way forward can be copied, and is on a line of its own.
        assert [line for line in lines if re.match(r".*(^|: | {4})(-e )?'?\w+=\S", line)], self.screen
        assert all(word in self.text for word in words), self.screen
        return self

    def recap(self, host: str) -> dict[str, str]:
        """The counts of the default callback."""
        (line,) = [line for line in self.text.rpartition("PLAY RECAP")[2].splitlines() if line.startswith(f"{host} ")]
        return dict(word.split("=") for word in line.partition(":")[2].split())

    def without(self, secrets: Sequence[str]) -> Seen:
        """No secret on the screen, nor in any file that the run left behind."""
        assert secrets and all(len(secret) > 7 for secret in secrets)
        surfaces = {"the screen": self.screen.encode()}
        # An input itself is in the file that the person wrote.
        surfaces |= {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        found = [where for where, content in surfaces.items() for one in secrets if one.encode() in content]
        assert found == [], found
        return self


@dataclass(frozen=True)
class Way:
    """A way to run a procedure.

    words: the command line. wheel: it runs from the wheel. operator: its screen is that of this collection.
    refusal: the exit code of a refusal.
    """

    name: str
    words: Callable[[Request, Path], list[str | Path]]
    wheel: bool = False
    operator: bool = False
    refusal: int = 2
    environment: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name

    def run(self, request: Request, folder: Path) -> Seen:
        """Run it to its end. folder: a new one, which is the person's current folder where they have no checkout."""
        folder.mkdir()
        words = self.words(request, folder)
        done = subprocess.run(
            words,
            cwd=folder if self.wheel else ROOT,
            env={**_environment(folder), **self._own(), **dict(self.environment)},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        return Seen(self, done.returncode, COLOURS.sub("", done.stdout + done.stderr), folder)

    def _own(self) -> dict[str, str]:
        """The settings that this person has: those of the wheel's Python, or the ansible.cfg of the checkout."""
        python = installed().python if self.wheel else Path(sys.executable)
        path = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
        return path if self.wheel else {**path, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def _environment(folder: Path) -> dict[str, str]:
    """That of a person who has just logged in. Molecule exports settings of its own scenario."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    state = {"XDG_STATE_HOME": str(folder / "state"), "ANSIBLE_SSH_CONTROL_PATH_DIR": tempfile.gettempdir() + "/lab-cp"}
    return {**kept, **state, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}


@functools.cache
def installed() -> Installation:
    """The wheel of this working tree in an environment of its own, made once for all tests of a run."""
    home = Path(tempfile.mkdtemp(prefix="lab-wheel-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    found = installed_wheel(built_wheel(ROOT, home / "dist"), home)
    assert not found.collection.is_relative_to(ROOT)
    return found


def _playbook(request: Request, folder: Path) -> list[str | Path]:
    return _ansible(Path(sys.executable), request, folder)


def _wheel_playbook(request: Request, folder: Path) -> list[str | Path]:
    return _ansible(installed().python, request, folder)


def _ansible(python: Path, request: Request, folder: Path) -> list[str | Path]:
    program, procedure = python.parent / "ansible-playbook", f"ops.runbook.{request.procedure}"
    return [program, procedure, *request.options(folder, in_a_file=False)]


def _wheel_command(request: Request, folder: Path) -> list[str | Path]:
    return [
        *(installed().python.parent / "ops-runbook", "plan" if request.check else "run", request.procedure),
        *(f"{name}={value}" for name, value in request.inputs.items()),
        *(part for name, value in request.variables.items() for part in ("-e", f"{name}={shlex.quote(value)}")),
        *request.where(),
    ]


def _runner(python: Path, project: Path, folder: Path, playbook: str, request: Request) -> list[str | Path]:
    """A private data directory, and the inputs in a file, as docs/reference/ci.md has it."""
    data = folder / "data"
    data.mkdir()
    (data / "project").symlink_to(project)
    (data / "env").symlink_to(ROOT / "runner/env")
    cmdline = shlex.join(request.options(folder, in_a_file=True))
    return [python, "-m", "ansible_runner", "run", data, "--omit-env-files", "-p", playbook, f"--cmdline={cmdline}"]


def _checkout_runner(request: Request, folder: Path) -> list[str | Path]:
    project = ROOT / "runner/project"
    return _runner(Path(sys.executable), project, folder, f"playbooks/{request.procedure}.yml", request)


def _wheel_runner(request: Request, folder: Path) -> list[str | Path]:
    (folder / "project").mkdir()
    return _runner(installed().python, folder / "project", folder, f"ops.runbook.{request.procedure}", request)


#: From the checkout and from the wheel by turns: a deploy by one, and the rollback of it by the other.
WAYS = (
    Way("screen", _playbook, operator=True),
    Way("default callback of the wheel", _wheel_playbook, wheel=True),
    Way("runner", _checkout_runner),
    Way("command of the wheel", _wheel_command, wheel=True, operator=True, refusal=3),
    Way("default callback", _playbook, environment=(("ANSIBLE_STDOUT_CALLBACK", "ansible.builtin.default"),)),
    Way("runner of the wheel", _wheel_runner, wheel=True),
    Way("screen of the wheel", _wheel_playbook, True, True, environment=(("ANSIBLE_STDOUT_CALLBACK", OPERATOR),)),
)


class User:
    """A person who runs procedures on a host in one way. variables: those of the host that the inventory lacks."""

    def __init__(self, way: Way, host: str, folder: Path, inventories: Sequence[str | Path], **variables: str) -> None:
        self.way, self._host, self._folder = way, host, folder
        self._inventories, self._variables = inventories, variables

    def plan(self, procedure: str, **inputs: str) -> Seen:
        return self._run(procedure, inputs, check=True)

    def run(self, procedure: str, **inputs: str) -> Seen:
        return self._run(procedure, inputs, check=False)

    def _run(self, procedure: str, inputs: Mapping[str, str], check: bool) -> Seen:
        folder = self._folder / f"{procedure}-{len(list(self._folder.iterdir()))}"
        return self.way.run(Request(self._host, procedure, inputs, self._variables, self._inventories, check), folder)
