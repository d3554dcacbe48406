# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a running command: where it is told, what it never has, and how a terminal gets it."""

from __future__ import annotations

import getpass
import json
import os
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waiting import END, wait_for

from ansible_collections.ops.runbook.plugins.module_utils.console.glance import Glance, Seen, seen
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import Description, DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import WIDTH, LastLine, last_whole_line
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor

SECRET = "canary-9c41"


@pytest.fixture
def last_line(tmp_path: Path) -> LastLine:
    return LastLine(str(tmp_path / "last_line"), Redactor([SECRET]))


SAID = {
    "a line": ("Migrating: 2026_01_19_add_note\n", "Migrating: 2026_01_19_add_note"),
    "colours": ("\x1b[32mDONE\x1b[0m\n", "DONE"),
    "a secret": (f"connecting with {SECRET}\n", "connecting with ********"),
    "a secret in colours": (f"\x1b[1m{SECRET[:4]}\x1b[0m{SECRET[4:]}\n", "********"),
    "a secret where the line is cut": ("x" * (WIDTH - 4) + SECRET + "\n", "x" * (WIDTH - 4) + "****"),
    "what moves a cursor": ("a\x07b\x00c\x1b]0;title\x07\n", "a?b?c?]0;title?"),
    "letters of several bytes": ("é" * WIDTH, "é" * (WIDTH // 2)),
}


@pytest.mark.parametrize("name", SAID)
def test_a_line_is_told_without_what_must_not_be_shown(last_line: LastLine, name: str) -> None:
    line, expected = SAID[name]
    last_line.begin()
    last_line.said("something long before it " * 5)
    last_line.said(line)
    last_line.said(" \n")
    path = Path(last_line.path)
    assert path.read_text().strip() == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.stat().st_size == WIDTH
    last_line.end()
    assert not path.exists()


def test_nobody_depends_on_it(tmp_path: Path) -> None:
    nowhere = LastLine(str(tmp_path / "none/last_line"), str)
    nowhere.begin()
    nowhere.said("x")
    nowhere.end()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    through = LastLine(str(link), str)
    through.begin()
    assert not (tmp_path / "target").exists(), "a link is not followed"


@dataclass
class Asked:
    """A lock that tells when somebody asks for it."""

    lock: Any
    asked: threading.Event

    def __enter__(self) -> None:
        self.asked.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_the_end_waits_for_a_line_that_is_being_written(last_line: LastLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed under it, the number of the file would be the next one's: the journal's, or the ledger's."""
    entered, go, asked, write = threading.Event(), threading.Event(), threading.Event(), os.pwrite

    def slow(*given: Any) -> int:
        entered.set()
        go.wait(END)
        return write(*given)

    monkeypatch.setattr(os, "pwrite", slow)
    last_line.begin()
    teller = threading.Thread(target=last_line.said, args=("late",))
    closer = threading.Thread(target=last_line.end)
    teller.start()
    assert entered.wait(END)
    last_line._lock = Asked(last_line._lock, asked)  # type: ignore[assignment]
    closer.start()
    wait_for("the end waits, or came", lambda: asked.is_set() or not closer.is_alive())
    assert closer.is_alive() and Path(last_line.path).exists()
    go.set()
    teller.join(END)
    closer.join(END)
    assert not Path(last_line.path).exists()
    last_line.said("later still")


PROGRAMS = {
    "both outputs": "import sys; print('a'); print('b', file=sys.stderr); print('c', end='')",
    "much of both": "import sys; [print('x' * 999, file=f) for f in (sys.stdout, sys.stderr) for _ in range(999)]",
    "a code": "print('a'); raise SystemExit(3)",
    "a signal": "import os; print('a', flush=True); os.kill(os.getpid(), 9)",
    "no text": "import sys; sys.stdout.buffer.write(b'\\xff\\r\\n\\xfe\\rb')",
    "what asks": "print(len(input()))",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_command_that_is_watched_ends_as_any_other(tmp_path: Path, last_line: LastLine, name: str) -> None:
    commands = Commands(str(tmp_path), last_line=last_line)
    argv = [sys.executable, "-c", PROGRAMS[name]]
    assert commands.run(argv, check=False, tell=True) == commands.run(argv, check=False)
    assert not Path(last_line.path).exists()


def told(last_line: LastLine) -> str:
    path = Path(last_line.path)
    return path.read_text().strip() if path.is_file() else ""


def test_it_is_there_while_the_command_runs(tmp_path: Path, last_line: LastLine) -> None:
    go, found = tmp_path / "go", []

    def watch() -> None:
        found.append(wait_for("the last line", lambda: told(last_line), "two"))
        go.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    script = f"echo one; echo two; while [ ! -e {go} ]; do sleep 0.05; done; echo three"
    out = Commands(str(tmp_path), last_line=last_line).run(["sh", "-c", script], tell=True)
    thread.join()
    assert out.stdout == "one\ntwo\nthree\n" and found == ["two"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_command_that_is_fed_ends_as_any_other(tmp_path: Path, last_line: LastLine, name: str) -> None:
    commands = Commands(str(tmp_path), last_line=last_line)
    argv = [sys.executable, "-c", PROGRAMS[name]]
    fed = commands.run(argv, stdin="five\n", check=False, tell=True)
    assert fed == commands.run(argv, stdin="five\n", check=False)
    assert not Path(last_line.path).exists()


def test_a_command_that_is_fed_is_stopped_in_time(tmp_path: Path, last_line: LastLine) -> None:
    with pytest.raises(CommandFailed, match="did not end within 1 s"):
        Commands(str(tmp_path), last_line=last_line).run(["sleep", "infinity"], stdin="x", timeout=1.0, tell=True)
    assert not Path(last_line.path).exists()


CALLS: dict[str, Callable[[str, LastLine, Path], str]] = {
    "a command that is fed": lambda script, told, folder: (
        Commands(str(folder), last_line=told).run(["sh"], stdin=script, tell=True).stdout
    ),
    "a call of dokku": lambda script, told, folder: (
        Dokku(str(program(folder, script)), getpass.getuser(), last_line=told).run("ps:rebuild", "web", tell=True).out
    ),
}


def program(folder: Path, script: str) -> Path:
    path = folder / "dokku"
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", CALLS)
def test_output_written_into_a_file_is_shown_too(tmp_path: Path, last_line: LastLine, name: str) -> None:
    go, found = tmp_path / "go", []

    def watch() -> None:
        found.append(wait_for("the last line", lambda: told(last_line), "with ********"))
        go.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    script = f"echo one; echo with {SECRET}; printf can; while [ ! -e {go} ]; do sleep 0.05; done; echo ary-9c41\n"
    out = CALLS[name](script, last_line, tmp_path)
    thread.join()
    assert found == ["with ********"] and out == f"one\nwith {SECRET}\n{SECRET}\n"
    assert not Path(last_line.path).exists()


CONFIGURATIONS = {"it can be read": ('{"KEY_OF_MAIL": "canary-9c41"}', "with ********"), "it can't be read": ("", "")}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_nothing_is_told_of_an_app_whose_secrets_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    exported, expected = CONFIGURATIONS[name]
    go, say, said = tmp_path / "go", LastLine.said, list[str]()
    monkeypatch.setattr(LastLine, "said", lambda self, line: (say(self, line), said.append(line)))
    held = f"while [ ! -e {go} ]; do sleep 0.05; done"
    script = f"[ \"$1\" = config:export ] && {{ echo '{exported}'; exit; }}; echo with {SECRET}; {held}\n"
    app = Description("web", str(program(tmp_path, script)), getpass.getuser())
    lock, found = (tmp_path / "lock").open("w"), list[str]()
    service = DokkuService(app, [lock.fileno()], str(tmp_path))
    last_line = service.dokku.last_line
    assert last_line is not None

    def watch() -> None:
        wait_for("a line was said", lambda: said, lambda lines: any(SECRET in line for line in lines))
        found.append(told(last_line))
        go.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    service.dokku.run("ps:rebuild", "web", tell=True)
    thread.join()
    lock.close()
    assert found == [expected]


LINES = {
    "whole lines": (b"one\ntwo\n", False, "two"),
    "half a line": (b"one\ncana", False, "one"),
    "nothing but half a line": (b"cana", False, ""),
    "a line that is written over": (b"10 %\r50 %\r", False, "50 %"),
    "empty lines": (b"one\n \n\n", False, "one"),
    "cut within a line": (b"ary-9c41\n", True, ""),
    "cut, and a line after it": (b"ary-9c41\ntwo\n", True, "two"),
    "cut within a letter": (b"\xa9\ntwo\xc3\xa9\n", True, "two\u00e9"),
}


@pytest.mark.parametrize("name", LINES)
def test_only_a_whole_line_is_told(name: str) -> None:
    text, cut, expected = LINES[name]
    assert last_whole_line(text, cut) == expected


STUCK = {"it goes on": "echo a; exec sleep infinity", "its child holds the output": "sleep infinity & echo a"}


@pytest.mark.parametrize("name", STUCK)
def test_a_command_that_does_not_end_is_stopped(tmp_path: Path, last_line: LastLine, name: str) -> None:
    commands = Commands(str(tmp_path), last_line=last_line)
    with pytest.raises(CommandFailed, match="did not end within 1 s"):
        commands.run(["sh", "-c", STUCK[name]], timeout=1.0, tell=True)
    assert not Path(last_line.path).exists()


def test_a_program_that_is_missing_is_named(tmp_path: Path, last_line: LastLine) -> None:
    with pytest.raises(CommandFailed, match="not installed"):
        Commands(str(tmp_path), last_line=last_line).run(["/none/such"], tell=True)
    assert not Path(last_line.path).exists()


# -- on the terminal -----------------------------------------------------------------------------

PLAN = {
    "steps": [{"id": "vendor", "title": "bring vendor/ to composer.lock"}],
    "undo": [{"id": "code", "title": "back"}],
}
BEGIN = json.dumps({"event": "begin", "step": "vendor"})
ANSWERS: dict[str, tuple[str, str]] = {
    "a step that says something": (f"{BEGIN}\nInstalling a/b   ", "bring vendor/ to composer.lock: Installing a/b"),
    "a step that says nothing": (f"{BEGIN}\n", "bring vendor/ to composer.lock"),
    "a step of the way back": (json.dumps({"event": "begin", "step": "code"}), "back"),
    "a step that the plan did not have": (json.dumps({"event": "begin", "step": "x"}), "x"),
    "between two steps": (json.dumps({"event": "done", "step": "vendor"}) + "\nold", ""),
    "no journal": ("", ""),
    "a torn line": ('{"event": "beg', ""),
    "something else": ("[]\nx", ""),
    "what would move the cursor": (f"{BEGIN}\na\x1b[2Jb", "bring vendor/ to composer.lock: ab"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_last_line_of_a_host_is_read(name: str) -> None:
    answer, expected = ANSWERS[name]
    assert seen(answer, PLAN).within(200) == expected


TITLE, SAID_LAST = "alembic upgrade head in the new image", "Running upgrade 0001 -> 0003"
ROOMS = {
    80: f"{TITLE}: {SAID_LAST}",
    len(TITLE) + 2 + len(SAID_LAST): f"{TITLE}: {SAID_LAST}",
    50: f"alembic upgrade hea\u2026: {SAID_LAST}",
    43: f"alembic upgr\u2026: {SAID_LAST}",
    42: SAID_LAST,
    10: SAID_LAST[:10],
    0: "",
    -3: "",
}


@pytest.mark.parametrize("room", ROOMS)
def test_a_narrow_terminal_has_what_was_said_last(room: int) -> None:
    assert Seen(TITLE, SAID_LAST).within(room) == ROOMS[room]
    assert Seen(TITLE).within(room) == TITLE[: max(room, 0)]


def test_no_connection_is_ever_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is there, and nobody behind it: ssh would connect by itself."""
    (tmp_path / "ssh").write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/asked\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    glance = Glance(str(tmp_path / "socket"), "/var/lib/ops-runbook/it's")
    assert glance.look(PLAN) == Seen() and not (tmp_path / "asked").exists()
    (tmp_path / "socket").touch()
    assert glance.look(PLAN) == Seen()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert {"ProxyCommand=false", "ControlMaster=no", "BatchMode=yes"} <= {*asked}
    assert asked[-1].startswith("tail -n 1 '/var/lib/ops-runbook/it'\"'\"'s/journal.jsonl'")


def test_a_look_that_takes_too_long_sees_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / "socket").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert Glance(str(tmp_path / "socket"), "/x").look(PLAN) == Seen()
