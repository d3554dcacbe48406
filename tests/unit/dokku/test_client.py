# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calling dokku: what its answers mean, held against what Dokku 0.38.27 answered, and how it is started, with real
processes."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from ansible_collections.ops.runbook.plugins.module_utils.dokku import client
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import (
    Answer,
    AppMissing,
    BadFlag,
    CannotCall,
    DeployLocked,
    Dokku,
    DokkuError,
    NotACommand,
    NotDeployed,
    StillRuns,
    error_of,
    short_keys,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import ending
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor

UNKNOWN = " !     `releases web` is not a dokku command.\n !     See `dokku help` for a list of available commands.\n"
LOCKED = (
    "\x1b[1G\x1b[K !     race currently has a deploy lock in place. Exiting...\n"
    " !     Run 'apps:unlock' to release the existing deploy lock\n"
)
UNCHANGED = (
    "-----> Generating build context\n-----> Image exists on host, skipping pull\n"
    " !     No changes detected, skipping git commit\n"
    " !     Call 'ps:rebuild' on app to rebuild the app from existing source\n"
)

#: What was called, how it ended, stdout, stderr: the error, and what of it is quoted.
RECORDED: dict[str, tuple[tuple[str, ...], int, str, str, type[DokkuError], str]] = {
    "an app that is missing": (
        ("ps:report", "nope"),
        20,
        "",
        " !     App nope does not exist\n",
        AppMissing,
        "App nope does not exist",
    ),
    "an error on stdout, from a build record on": (
        ("ps:restart", "nope"),
        20,
        " !     App nope does not exist\n",
        "",
        AppMissing,
        "App nope does not exist",
    ),
    "a flag that is unknown": (
        ("resource:limit", "--nosuch", "1", "store"),
        2,
        "unknown flag: --nosuch\n",
        "unknown flag: --nosuch\nUsage of resource:limit:\n",
        BadFlag,
        "unknown flag: --nosuch",
    ),
    "a plugin that is missing": (("releases", "web"), 1, "", UNKNOWN, NotACommand, "is not a dokku command"),
    "another deploy": (("ps:rebuild", "race"), 1, LOCKED, "", DeployLocked, "race currently has a deploy lock"),
    "the same image again": (("git:from-image", "a", "b:2"), 1, UNCHANGED, "", DokkuError, "No changes detected"),
    "an app without a deploy": (
        ("releases:rollback", "web", "previous"),
        1,
        "",
        " !     App web has not been deployed\n !     Nothing was changed\n",
        NotDeployed,
        "App web has not been deployed",
    ),
    "an image that can't be pulled": (
        ("git:from-image", "shop", "local/nosuch:1"),
        1,
        "-----> Pulling image\nError response from daemon: network is unreachable\n"
        " !     Failed to pull image: local/nosuch:1\n",
        "",
        DokkuError,
        "Failed to pull image: local/nosuch:1",
    ),
    "a service that is missing": (
        ("mysql:exists", "restant-db"),
        1,
        "",
        " !     MySQL service restant-db does not exist\n",
        DokkuError,
        "MySQL service restant-db does not exist",
    ),
    "a command of the app with a code of its own": (
        ("run", "store", "exit"),
        20,
        "",
        "",
        DokkuError,
        "printed nothing",
    ),
    "a command that was killed": (
        ("git:from-image", "hurt", "b:2"),
        -9,
        "       Attempting pre-flight checks\n",
        "",
        DokkuError,
        "was killed by signal 9: Attempting pre-flight checks",
    ),
}


@pytest.mark.parametrize("case", RECORDED.values(), ids=RECORDED)
def test_an_error_is_named_and_quoted(case: tuple[tuple[str, ...], int, str, str, type[DokkuError], str]) -> None:
    args, rc, out, err, kind, text = case
    error = error_of(Answer(args, rc, out, err))
    assert type(error) is kind
    assert text in str(error)
    assert str(error).startswith(f"dokku {args[0]} ")


def test_a_good_end_is_no_error_whatever_was_printed() -> None:
    """ps:restart of an app without a deploy says so, and ends with 0."""
    answer = Answer(("ps:restart", "web"), 0, "", " !     App web has not been deployed\n")
    assert error_of(answer) is None
    assert answer.problems == ("App web has not been deployed",)


def test_the_output_of_a_failed_build_is_quoted_apart() -> None:
    out = "Step 2/3 : RUN false\nThe command returned a non-zero code: 1\n !     App build failed\n"
    assert ending(out) == "Step 2/3 : RUN false | The command returned a non-zero code: 1"


REPORTS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "ps": ("ps", {"running": "true", "ps-running": "true"}, {"running": "true"}),
    "apps, whose prefix is app": ("apps", {"dir": "/d", "app-dir": "/d"}, {"dir": "/d"}),
    "domains, whose app-vhosts is not a prefix": (
        "domains",
        {"app-vhosts": "a b", "domains-app-vhosts": "a b", "global-vhosts": "c"},
        {"app-vhosts": "a b", "global-vhosts": "c"},
    ),
    "what stands only long": ("git", {"git-sha": "1"}, {"git-sha": "1"}),
}


@pytest.mark.parametrize("case", REPORTS.values(), ids=REPORTS)
def test_a_report_has_each_value_once(case: tuple[str, dict[str, str], dict[str, str]]) -> None:
    plugin, raw, short = case
    assert short_keys(raw, plugin) == short


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program in dokku's place, which does as its arguments say."""
    path = tmp_path / "dokku"
    path.write_text(
        f"#!{sys.executable}\n"
        # As sudo does, it closes every descriptor that it was given.
        "import os, sys\n"
        "os.closerange(3, 64)\n"
        "if sys.argv[1] == 'until': open(sys.argv[2]).read(); open(sys.argv[3], 'w').write('done')\n"
        "elif sys.argv[1] == 'cat': print(sys.stdin.read(), end='')\n"
        "elif sys.argv[1] == 'big': print('x' * 300000)\n"
        "elif sys.argv[1] == 'where': print(os.getcwd(), os.environ.get('HOME'))\n"
        "elif sys.argv[1] == 'fail': print(' !     wrong ' + sys.argv[2], file=sys.stderr); sys.exit(1)\n"
        'elif sys.argv[1] == \'ps:report\': print(\'{"running":"true","ps-running":"true"}\')\n'
        "elif sys.argv[1] == 'sudo': print('sudo: a password is required', file=sys.stderr); sys.exit(1)\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def me() -> str:
    return user_name()


@pytest.fixture
def dokku(stand_in: Path) -> Dokku:
    return Dokku(str(stand_in), me(), redact=Redactor(["hunter2222"]))


def test_input_arrives_and_is_on_no_command_line(dokku: Dokku) -> None:
    assert dokku.run("cat", stdin="line\nhunter2222").out == "line\nhunter2222"
    assert dokku.run("cat").out == ""


def test_of_more_than_can_be_parsed_the_beginning_and_the_end_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client.bounded, "PARSED", 1000)
    monkeypatch.setattr(client.bounded, "SHOWN", 100)
    with client.file_in_memory("dokku") as output:
        output.write(b"first" + b"x" * 5000 + b"last")
        text = client._read(output)
    assert text.startswith("first") and text.endswith("last") and len(text) < 300
    assert "letters are left out" in text


def test_much_output_is_read_to_its_end(dokku: Dokku) -> None:
    assert len(dokku.run("big").out) == 300001


def test_it_is_called_from_a_folder_that_everybody_may_enter(dokku: Dokku) -> None:
    assert dokku.run("where").out.startswith("/ ")


def test_an_error_is_without_secrets(dokku: Dokku) -> None:
    with pytest.raises(DokkuError) as caught:
        dokku.run("fail", "hunter2222")
    assert "hunter2222" not in str(caught.value) and "********" in str(caught.value)
    assert dokku.run("fail", "x", check=False).rc == 1


def test_a_report_is_read_by_its_short_keys(dokku: Dokku) -> None:
    assert dokku.report("web", "ps") == {"running": "true"}


def test_an_empty_answer_is_no_report(dokku: Dokku) -> None:
    with pytest.raises(DokkuError, match="answered no JSON"):
        dokku.json("cat")


def test_another_user_calls_it_through_sudo(stand_in: Path) -> None:
    assert Dokku(str(stand_in), "somebody-else").argv(["releases", "web"]) == [
        "sudo", "-n", "-H", "-u", "somebody-else", "--", str(stand_in), "releases", "web",
    ]  # fmt: skip


def test_sudo_that_refuses_is_told_from_dokku_with_the_rule_to_grant(dokku: Dokku, stand_in: Path) -> None:
    with pytest.raises(CannotCall) as caught:
        dokku.run("sudo", check=False)
    assert f"{me()} ALL=({me()}) NOPASSWD: {stand_in}" in caught.value.way[0]


def test_a_dokku_that_is_not_there() -> None:
    with pytest.raises(CannotCall, match="no-such-dokku is not installed"):
        Dokku("no-such-dokku").run("version")


LEAKS = [
    ("config", "web"),
    ("config:show", "web"),
    ("config:set", "--no-restart", "web", "KEY=value"),
    ("mysql:info", "restant-db"),
    ("redis:info", "restant-cache"),
    ("apps:destroy", "web", "--force"),
    ("run", "web", "php", "artisan", "migrate:fresh", "--force"),
]


@pytest.mark.parametrize("args", LEAKS, ids=" ".join)
def test_a_command_that_shows_a_secret_or_destroys_data_is_not_started(dokku: Dokku, args: tuple[str, ...]) -> None:
    with pytest.raises(DokkuError, match="Instead: "):
        dokku.run(*args)


def test_one_flag_makes_info_safe(dokku: Dokku) -> None:
    assert dokku.run("mysql:info", "restant-db", "--status").rc == 0


def test_a_command_beyond_its_time_keeps_running(dokku: Dokku, tmp_path: Path) -> None:
    gate, end = tmp_path / "gate", tmp_path / "end"
    os.mkfifo(gate)
    with pytest.raises(StillRuns, match="did not end within 0.2 s, and keeps running"):
        dokku.run("until", str(gate), str(end), timeout=0.2)
    gate.write_text("")
    # A file is there before its text.
    wait_for("the command's end", lambda: end.exists() and end.read_text(), "done")


def test_a_call_outlives_its_killed_caller_and_keeps_the_lock(stand_in: Path, tmp_path: Path) -> None:
    lock, gate, end = tmp_path / "lock", tmp_path / "gate", tmp_path / "end"
    os.mkfifo(gate)
    program = (
        "import fcntl, os, sys\n"
        "from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku\n"
        "from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name\n"
        f"fd = os.open({str(lock)!r}, os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        f"Dokku({str(stand_in)!r}, user_name(), inherited=[fd]).run('until', {str(gate)!r}, {str(end)!r})\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=env) as caller:
        assert caller.stdout is not None and caller.stdout.readline() == b"locked\n"
        # Opened by the command at the other end.
        opened = gate.open("w")
        caller.send_signal(signal.SIGKILL)
    with lock.open("r+") as handle:
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened.close()
        fcntl.flock(handle, fcntl.LOCK_EX)
    assert end.read_text() == "done"
