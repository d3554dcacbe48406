# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands, with real ones: no shell, no destructive verb, and an error a person can act on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(str(tmp_path), redact=Redactor(["hunter2222"]))


def failure(commands: Commands, *argv: str, **named: float) -> str:
    with pytest.raises(CommandFailed) as caught:
        commands.run(argv, **named)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_command_runs_in_its_folder_with_its_environment(commands: Commands) -> None:
    done = commands.run(["sh", "-c", "pwd; echo $GREETING >&2"], env={"GREETING": "hello"})
    assert (done.code, done.stdout.strip(), done.stderr) == (0, os.path.realpath(commands.cwd), "hello\n")


def test_there_is_no_shell(commands: Commands) -> None:
    assert commands.run(["echo", "$HOME; id", "*"]).stdout == "$HOME; id *\n"


def test_there_is_nothing_to_read_unless_given(commands: Commands) -> None:
    assert commands.run(["cat"]).stdout == ""
    assert commands.run(["cat"], stdin="given").stdout == "given"


def test_output_that_is_no_text_is_read_all_the_same(commands: Commands) -> None:
    assert commands.run(["printf", "a\\377b"]).stdout == "a\ufffdb"


def test_a_failure_names_the_command_its_code_and_what_it_said(commands: Commands) -> None:
    text = failure(commands, "sh", "-c", "echo out; echo first >&2; echo; echo hunter2222 is wrong >&2; exit 7")
    assert text.endswith("ended with 7: first | ******** is wrong | out")
    assert text.startswith("sh -c ")
    assert "hunter2222" not in text


def test_a_failure_that_says_nothing_on_stderr_shows_the_rest(commands: Commands) -> None:
    assert failure(commands, "sh", "-c", "echo why; exit 1").endswith("ended with 1: why")
    assert failure(commands, "false") == "false ended with 1: it printed nothing"


def test_a_signal_is_named(commands: Commands) -> None:
    assert "was killed by signal 9" in failure(commands, "sh", "-c", "kill -9 $$")


def test_a_failure_may_be_wanted(commands: Commands) -> None:
    assert commands.run(["sh", "-c", "exit 3"], check=False).code == 3


def test_a_missing_command_is_named(commands: Commands, tmp_path: Path) -> None:
    assert failure(commands, "/nowhere/php") == (
        "/nowhere/php is not installed, or not at that path (No such file or directory)"
    )
    plain = tmp_path / "plain"
    plain.touch(0o644)
    assert failure(commands, str(plain)) == f"{plain} may not be run: Permission denied"


def test_a_command_that_does_not_end_is_stopped(commands: Commands) -> None:
    text = failure(commands, "sh", "-c", "exec sleep infinity # hunter2222", timeout=0.2)
    assert "did not end within 0.2 s and was stopped" in text and "hunter2222" not in text


@pytest.mark.parametrize(
    "argv",
    [
        ["php", "artisan", "migrate:fresh", "--force"],
        ["php", "artisan", "db:wipe"],
        ["sh", "-c", "php artisan migrate:reset"],
    ],
)
def test_a_destructive_command_is_never_started(tmp_path: Path, argv: list[str]) -> None:
    started = tmp_path / "started"
    tool = tmp_path / "php"
    tool.write_text(f"#!/bin/sh\ntouch {started}\n")
    tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with pytest.raises(CommandFailed, match="was not run: .* Instead: "):
        Commands(str(tmp_path)).run([str(tool) if part == "php" else part for part in argv], env=env)
    assert not started.exists()
    Commands(str(tmp_path), disposable=True).run([str(tool) if part == "php" else part for part in argv], env=env)
    assert started.exists()


def test_children_get_only_the_descriptors_that_they_are_to_keep(tmp_path: Path) -> None:
    kept, other = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path, os.O_RDONLY)
    look = "import os, sys; print([os.path.exists(f'/proc/self/fd/{n}') for n in sys.argv[1:]])"
    argv = [sys.executable, "-c", look, str(kept), str(other)]
    assert Commands(str(tmp_path), [kept]).run(argv).stdout.strip() == "[True, False]"
    os.close(kept)
    os.close(other)


def chatty(megabytes: int, end: str = "the last line") -> list[str]:
    return [
        sys.executable,
        "-c",
        f"for _ in range({megabytes} * 16): print('x' * 65535)\nprint('{end}')",
    ]


def test_of_an_output_that_is_shown_the_beginning_and_the_end_are_kept(commands: Commands) -> None:
    found = commands.run(chatty(8), shown=True)
    assert len(found.stdout) < 3 << 20 and found.stdout.startswith("xxx")
    assert "letters are left out here" in found.stdout and found.stdout.endswith("the last line\n")


def test_a_command_that_prints_more_than_is_parsed_is_stopped(commands: Commands) -> None:
    with pytest.raises(CommandFailed, match="printed more than 1024 KiB and was stopped"):
        commands.run(["cat", "/dev/zero"], most=1 << 20, timeout=60)
    assert commands.run(chatty(1), most=2 << 20).stdout.endswith("the last line\n")


def test_a_failure_of_a_chatty_command_is_told_by_its_end(commands: Commands) -> None:
    argv = [sys.executable, "-c", "import sys\nsys.stderr.write('y' * (4 << 20))\nsys.exit('\\nno room')"]
    with pytest.raises(CommandFailed, match=r"ended with 1: .*no room"):
        commands.run(argv)
