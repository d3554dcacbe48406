# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of a procedure through ansible-runner: its arguments, its files, and how it is asked to end."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from ansible_runner import Runner, RunnerConfig

from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Procedure
from ansible_collections.ops.runbook.plugins.module_utils.console.screen import settled
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import MASK, is_secret_value
from ops_runbook.known import playbook
from ops_runbook.result import Ending, Events, document, ending
from ops_runbook.settings import settings

#: Runs whose events are kept; older ones are removed.
KEPT = 20


@dataclass(frozen=True)
class Request:
    """A requested run. inputs: as typed. variables: further ones, as typed after -e."""

    procedure: Procedure
    inputs: Mapping[str, str]
    inventories: Sequence[str] = ()
    limit: str = ""
    variables: Sequence[str] = ()
    check: bool = False
    diff: bool = False
    verbosity: int = 0

    def options(self) -> list[str]:
        """Options of ansible-playbook beside the inputs."""
        found = [part for inventory in self.inventories for part in ("-i", inventory)]
        found += ["-l", self.limit] if self.limit else []
        found += [part for variable in self.variables for part in ("-e", variable)]
        found += ["--check"] if self.check else []
        found += ["--diff"] if self.diff else []
        return found + (["-" + "v" * self.verbosity] if self.verbosity else [])

    def command(self) -> str:
        """The same as a line of plain Ansible, with secrets left out."""
        given = [f"-e {_assigned(name, value)}" for name, value in self.shown().items()]
        options = replace(self, variables=[shown_variable(variable) for variable in self.variables]).options()
        return " ".join(["ansible-playbook", playbook(self.procedure), *given, shlex.join(options)]).rstrip()

    def shown(self) -> dict[str, str]:
        """The inputs, as they may be seen."""
        secret = {known.name for known in self.procedure.inputs if known.secret}
        return {name: MASK if name in secret else value for name, value in self.inputs.items()}


def shown_variable(typed: str) -> str:
    """Further variables as typed after -e, the values of secrets masked; a file is only named."""
    from ansible.errors import AnsibleParserError
    from ansible.parsing.splitter import split_args

    text = typed.strip()
    if text.startswith("@"):
        return typed
    if text.startswith(("{", "[")):
        try:
            # JSON, or a mapping of YAML. Without a secret it is shown in its own words: 1.10 is not the number 1.1.
            found = yaml.safe_load(text)
            seen = _masked(found)
            return typed if seen == found and not _says_more(text) else json.dumps(seen)
        except (yaml.YAMLError, RecursionError, TypeError):
            return MASK
    try:
        words = split_args(text)
    except AnsibleParserError:
        return MASK
    shown = []
    for word in words:
        name, sign, value = word.partition("=")
        shown.append(f"{name}={MASK}" if sign and is_secret_value(name, value) else word)
    return typed if shown == words else " ".join(shown)


def _says_more(text: str) -> bool:
    """True if a document may hold more than what is read of it: a comment, or a value whose key comes again."""
    parts = [yaml.SafeLoader(text).get_single_node()]
    for part in parts:
        if isinstance(part, yaml.MappingNode):
            if len({key.value for key, _ in part.value}) < len(part.value):
                return True
            parts += [item for _, item in part.value]
        elif isinstance(part, yaml.SequenceNode):
            parts += part.value
    return "#" in text


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, name) for item in value]
    return MASK if value is not None and is_secret_value(name, str(value)) else value


def as_text(inputs: Mapping[str, str]) -> str:
    """A file of variables for Ansible in which no value is a template, whoever reads it by its name."""
    return json.dumps({name: {"__ansible_unsafe": value} for name, value in inputs.items()})


def hidden(path: Path, content: str) -> Path:
    """A new file that only this user can read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(content)
    return path


def out_of_sight(typed: str, folder: Path) -> str:
    """Variables as typed after -e, as a file in a folder: the arguments of a process are for every user to read.

    What Ansible would not take either stays as it is, so that Ansible says what is wrong with it.
    """
    from ansible.errors import AnsibleError
    from ansible.parsing.splitter import parse_kv

    text = typed.strip()
    try:
        if text.startswith(("{", "[")):
            yaml.safe_load(text)
        elif text.startswith(("@", "/", ".")) or not text:
            return typed
        else:
            text = json.dumps(parse_kv(text))
    except (AnsibleError, yaml.YAMLError, RecursionError):
        return typed
    return f"@{hidden(folder / f'variables-{len(list(folder.iterdir()))}.yml', text)}"


def _assigned(name: str, value: str) -> str:
    # Ansible takes it apart once more, after the shell did.
    once = f"{name}={shlex.quote(value)}"
    simple = once.count("'") == 2 and not re.search(r'["$`\\!]', once)
    return f'"{once}"' if simple else shlex.quote(once)


@dataclass
class Stopping:
    """Counts how often the run was asked to end, and passes the first request on to Ansible."""

    flag: Path
    asked: int = 0
    say: Callable[[str], None] = field(default=lambda text: None)

    def __call__(self, number: int, frame: object) -> None:
        self.asked += 1
        if self.asked == 1:
            self.flag.touch()
            self.say(
                f"{signal.Signals(number).name}: what is under way on a host is brought to its end, nothing else is "
                "begun. Once more ends it at once."
            )

    @property
    def at_once(self) -> bool:
        return self.asked > 1


@contextmanager
def listening(stopping: Stopping) -> Iterator[None]:
    """SIGTERM and SIGINT end the run in order."""
    before = {number: signal.signal(number, stopping) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def state_folder() -> Path:
    """The folder for this command's own files."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "ops-runbook"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of this run alone. Those of runs that were killed are removed with it."""
    parent = state_folder() / "private"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in parent.glob("[0-9]*-*"):
        pid = left.name.partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    own = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class KeptCommand:
    """The file `command` among what is kept of a run.

    ansible-runner writes the whole environment into it before it asks anybody. It finds the way to a pipe there
    instead of a file, so that no secret is on a disk, also where a kill comes before it is masked. The pipe itself is
    in the private folder, which the next run removes: nobody is left with a file that waits for its writer.
    """

    def __init__(self, folder: Path, private: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path, self._pipe = folder / "command", private / "command"
        os.mkfifo(self._pipe, 0o600)
        self.path.symlink_to(self._pipe)
        self._text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self._text = self._pipe.read_text(encoding="utf-8")

    def keep(self) -> None:
        """Write it anew, without what an environment may hold."""
        self._reader.join()
        self.path.unlink()
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as kept:
            kept.write(masked(self._text))


def masked(command: str) -> str:
    """A kept command with the settings of Ansible alone, those that may be secret masked."""
    kept = json.loads(command)
    words = kept["command"]
    kept["command"] = [
        shown_variable(word) if before == "-e" else word for before, word in zip(["", *words], words, strict=False)
    ]
    kept["env"] = {
        name: MASK if is_secret_value(name, value) else value
        for name, value in kept["env"].items()
        if name.startswith(("ANSIBLE_", "OPS_RUNBOOK_", "LANG", "LC_"))
    }
    return json.dumps(kept)


def call(
    config: RunnerConfig, take: Callable[[dict[str, Any]], None], cancelled: Callable[[], bool] = lambda: False
) -> int:
    """Run what is prepared to its end; its exit code. take: called with each event."""
    kept = KeptCommand(Path(config.artifact_dir), Path(config.private_data_dir))

    def handled(event: dict[str, Any]) -> bool:
        take(event)
        # An event that its handler does not want is not kept.
        return True

    def status(found: Mapping[str, Any], runner_config: Any) -> None:
        if found["status"] == "running":
            kept.keep()

    runner = Runner(config, event_handler=handled, status_handler=status, cancel_callback=cancelled)
    runner.run()
    return int(runner.rc or 0)


def execute(
    request: Request,
    on_event: Callable[[Mapping[str, Any], Events], None],
    say: Callable[[str], None],
    width: int,
    colour: bool,
) -> dict[str, Any]:
    """Run it to its end, and tell what became of it. on_event: called with each event after it was taken."""
    events, started, clock = Events(), datetime.now(UTC), time.monotonic()
    folder = state_folder() / "runs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ident = f"{started:%Y%m%dT%H%M%SZ}-{os.getpid()}"
    with private_folder() as private:
        stopping = Stopping(private / "stop", say=say)
        # An input may be a secret: it is in files that only this user can read, until Ansible has read them.
        typed = private / "typed"
        typed.mkdir(mode=0o700)
        inputs = hidden(typed / "inputs.json", as_text(request.inputs))
        asked = replace(request, variables=[out_of_sight(variable, typed) for variable in request.variables])
        config = RunnerConfig(
            private_data_dir=str(private),
            project_dir=os.getcwd(),
            artifact_dir=str(folder),
            ident=ident,
            rotate_artifacts=KEPT,
            playbook=playbook(request.procedure),
            cmdline=shlex.join([*asked.options(), "-e", f"@{inputs}"]),
            envvars=environment(stopping.flag, width, colour),
            quiet=True,
        )
        config.prepare()
        # How long a second signal may wait.
        config.pexpect_timeout = 1

        def take(event: dict[str, Any]) -> None:
            if event.get("event") == "playbook_on_start":
                shutil.rmtree(typed, ignore_errors=True)
            events.take(event)
            on_event(event, events)

        with listening(stopping):
            code = call(config, take, lambda: stopping.at_once)
        how = ending(events, code, stopping.asked > 0, request.check)
        found = document(
            events,
            {
                "procedure": request.procedure.name,
                "check": request.check,
                "inputs": request.shown(),
                "command": request.command(),
                "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
                "seconds": round(time.monotonic() - clock, 1),
                "artifacts": str(folder / ident),
                "again": again(request, events) if how is Ending.INTERRUPTED else None,
            },
            how,
        )
        kept = folder / ident / "result.json"
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(found, indent=2) + "\n")
        return found


def environment(stop: Path, width: int, colour: bool) -> dict[str, str]:
    """Environment variables of the run; a person's own settings stay."""
    from ansible import constants

    return {
        **settings(),
        "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator",
        "OPS_RUNBOOK_LIVE": "false",
        "OPS_RUNBOOK_WIDTH": str(width),
        "OPS_RUNBOOK_STOP": str(stop),
        # The same interpreter finds the collection that this command belongs to.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        # ansible-runner would switch the check of host keys off where nothing is said.
        "ANSIBLE_HOST_KEY_CHECKING": str(constants.config.get_config_value("HOST_KEY_CHECKING")),
        **({"ANSIBLE_FORCE_COLOR": "1"} if colour else {"ANSIBLE_NOCOLOR": "1"}),
    }


def again(request: Request, events: Events) -> str | None:
    """The line of plain Ansible that resumes an interrupted run; None if no single line means the same."""
    to = settled(events.watch.planned)
    return None if to is None else replace(request, inputs={**request.inputs, **({"to": to} if to else {})}).command()


def left_open(found: Mapping[str, Any]) -> list[str]:
    """The hosts that a run without an end leaves behind, in words."""
    if found["exit_code"] != Ending.INTERRUPTED:
        return []
    lines = []
    for name, host in found["hosts"].items():
        if host["outcome"] in ("succeeded", "unchanged", "reverted"):
            lines.append(f"{name}: {host['outcome']}")
        elif host["ledger_id"] or host["outcome"] in ("refused", "untouched"):
            lines.append(f"{name}: nothing was changed there" if host["settled"] is not False else f"{name}: open")
        else:
            lines.append(f"{name}: may have gone on by itself, or may be open")
    target = ",".join(found["hosts"]) or found["inputs"].get("target", "")
    given = " ".join(["ops-runbook history", *([shlex.quote(f"target={target}")] if target else [])])
    return [*lines, f"to go on: {found['again']}" if found["again"] else f"look first: {given}"]
