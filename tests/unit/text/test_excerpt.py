# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An excerpt of a failed command holds the cause, wherever the command printed it."""

from __future__ import annotations

import random

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut, excerpt, picked, said_lines

GIT_END = """fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
"""
PROGRESS = "".join(f"  - Installing vendor/package{n} (1.{n}.0): Extracting archive\n" for n in range(60))
FRAMES = "".join(f"  {n}   vendor/laravel/framework/src/File{n}.php:{n}\n      handle()\n" for n in range(40))
TRACE = "".join(
    f'  File "/usr/lib/python3/sqlalchemy/part{n}.py", line {n}, in call\n    return go({n})\n' for n in range(30)
)
COLUMNS = "".join(f"    column_{n} VARCHAR(40) NOT NULL,\n" for n in range(60))
NOTICES = "".join(f"PHP Deprecated:  Return type of A{n}::get() should be compatible, in /a{n}.php\n" for n in range(9))
LAYERS = "".join(f"#{n} sha256:{n:064x} 12.58MB / 12.58MB done\n" for n in range(50))
COPIED = "".join(f"pg_dump: dumping contents of table public.t{n}\n" for n in range(50))

#: The outputs of a failed command (stderr, stdout), and its cause, as a person needs it.
CASES: dict[str, tuple[str, str, str]] = {
    "git, a deploy key that the remote refuses": (
        "Warning: Permanently added 'git.example.com' (ED25519) to the list of known hosts.\n"
        "git@git.example.com: Permission denied (publickey).\n" + GIT_END,
        "",
        "git@git.example.com: Permission denied (publickey).",
    ),
    "git, a host key that is not known": (
        "@" * 58 + "\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n" + "@" * 58 + "\n"
        "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nSomeone could be eavesdropping on you right now!\n"
        "It is also possible that a host key has just been changed.\nThe fingerprint for the ED25519 key sent by the "
        "remote host is\nSHA256:abc.\nPlease contact your system administrator.\nAdd correct host key in known_hosts.\n"
        "Offending ED25519 key in known_hosts:1\nHost key for git.example.com has changed.\n"
        "Host key verification failed.\n" + GIT_END,
        "",
        "Host key verification failed.",
    ),
    "git, a full disk in a long fetch": (
        "".join(f"remote: Counting objects: {n}% ({n}/100)\n" for n in range(100))
        + "error: unable to write file objects/ab/cd: No space left on device\n"
        + "".join(f" * [new branch] b{n} -> origin/b{n}\n" for n in range(40)),
        "",
        "error: unable to write file objects/ab/cd: No space left on device",
    ),
    "ssh, a host that is not there": (
        "ssh: connect to host git.example.com port 22: Connection timed out\n" + GIT_END,
        "",
        "ssh: connect to host git.example.com port 22: Connection timed out",
    ),
    "composer, a package that can't be fetched, and a usage": (
        "Installing dependencies from lock file\n" + PROGRESS + "  [Composer\\Downloader\\TransportException]\n"
        "  curl error 6 while downloading https://example.com/p.json: Could not resolve host: example.com\n\n"
        "install [--prefer-source] [--prefer-dist]\n" + "".join(f"  --option-{n}  what it does\n" for n in range(30)),
        "",
        "curl error 6 while downloading https://example.com/p.json: Could not resolve host: example.com",
    ),
    "artisan, the exception on stdout and notices of PHP on stderr": (
        NOTICES,
        "   INFO  Running migrations.\n\n  2026_01_01_000001_add_note ........ FAIL\n\n"
        "   Illuminate\\Database\\QueryException\n\n"
        "  SQLSTATE[42S21]: Column already exists: 1060 Duplicate column name 'note'\n\n" + FRAMES,
        "SQLSTATE[42S21]: Column already exists: 1060 Duplicate column name 'note'",
    ),
    "artisan, the cause before many frames": (
        "In Connection.php line 829:\nSQLSTATE[HY000] [2002] Connection refused (SQL: select 1)\n" + FRAMES,
        "",
        "SQLSTATE[HY000] [2002] Connection refused (SQL: select 1)",
    ),
    "alembic, a long statement after the cause": (
        "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.\nTraceback (most recent call last):\n"
        + TRACE
        + 'psycopg2.errors.DuplicateTable: relation "refunds" already exists\n\n\n'
        "The above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n"
        + TRACE
        + 'sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateTable) relation "refunds" already exists\n\n'
        "[SQL: \nCREATE TABLE refunds (\n"
        + COLUMNS
        + ")\n\n]\n(Background on this error at: https://sqlalche.me/e/20/f405)\n",
        "",
        'psycopg2.errors.DuplicateTable: relation "refunds" already exists',
    ),
    "alembic, the cause last": (
        "Traceback (most recent call last):\n" + TRACE + "KeyError: 'DATABASE_URL'\n",
        "",
        "KeyError: 'DATABASE_URL'",
    ),
    "docker build, the step that failed among its layers": (
        LAYERS + "#51 [4/9] RUN npm ci\n#51 2.1 npm error code E401\n"
        '#51 ERROR: process "/bin/sh -c npm ci" did not complete '
        "successfully: exit code: 1\n"
        + LAYERS.replace("#", "#9")
        + "------\n > [4/9] RUN npm ci:\n------\nDockerfile:9\n--------------------\n   7 |     WORKDIR /app\n"
        "   8 |     COPY . .\n"
        "   9 | >>> RUN npm ci\n--------------------\nERROR: failed to solve: npm ci did not complete\n",
        "",
        "#51 2.1 npm error code E401",
    ),
    "docker compose, a port that is taken": (
        " Container shop-db-1  Running\n Container shop-api-1  Starting\nError response from daemon: driver failed "
        "programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated\n",
        "",
        "Bind for 0.0.0.0:80 failed: port is already allocated",
    ),
    "pg_dump, the reason and then the statement": (
        COPIED + "pg_dump: error: query failed: ERROR:  permission denied for table orders\n"
        "pg_dump: detail: Query was: LOCK TABLE public.orders IN ACCESS SHARE MODE\n"
        + "".join(f"-- the statement goes on, line {n}\n" for n in range(40)),
        "",
        "pg_dump: error: query failed: ERROR:  permission denied for table orders",
    ),
    "one very long line, its cause at the end": (
        "{" + ",".join(f'"key{n}": {n}' for n in range(900)) + "} is refused: the quota of 5 GB is used up",
        "",
        "is refused: the quota of 5 GB is used up",
    ),
    "one very long line, its cause at the beginning": ("fatal: bad object " + "f" * 9000, "", "fatal: bad object ffff"),
    "the same line again and again, and then the cause": (
        "waiting for the database\n" * 400 + "gave up\n" + "waiting for the cache\n" * 400,
        "",
        "gave up",
    ),
    "nothing on stderr": ("", "why\n", "why"),
    "a warning on stderr, and the cause in other words on stdout": (
        "WARN the attribute version is obsolete\n",
        "exit: step 3 gave up\n",
        "step 3 gave up",
    ),
    "nothing at all": ("\n \n", "", "it printed nothing"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_cause_is_in_the_excerpt(case: tuple[str, str, str]) -> None:
    stderr, stdout, cause = case
    found = excerpt(stderr, stdout)
    assert cause in found
    assert len(found) < 10_000
    assert len(found.split(" | ")) <= 24


def test_a_short_output_is_quoted_whole_and_each_line_once() -> None:
    assert excerpt("one\n\n  two \r\none\n\x1b[31mthree\x1b[0m\n") == "one | two | three"


def test_left_out_lines_are_counted() -> None:
    text = "".join(f"line {n}\n" for n in range(100))
    assert excerpt(text, first=2, last=1) == "line 0 | line 1 | … (97 lines are left out) | line 99"


def test_each_line_of_an_excerpt_is_one_of_the_output_and_in_its_order() -> None:
    chance = random.Random(7)
    words = ["ok", "error: x", "Permission denied", "step", "fatal: y", "done"]
    for _ in range(300):
        text = "\n".join(f"{chance.choice(words)} {n}" for n in range(chance.randrange(60)))
        first, last = chance.randrange(1, 6), chance.randrange(1, 9)
        lines = said_lines(text)
        found = [line for line in picked(lines, first, last) if not line.startswith("…")]
        assert [line for line in lines if line in found] == found
        assert found[:first] == lines[:first] and found[-last:] == lines[-last:]


def test_a_long_line_keeps_both_ends() -> None:
    found = cut("begin " + "x" * 1000 + " end", 60)
    assert found.startswith("begin xx") and found.endswith("xx end") and len(found) == 60
    assert cut("short", 60) == "short"


def test_a_secret_is_masked_before_its_line_is_cut() -> None:
    line = "x" * 300 + "hunter2222" + "y" * 300
    for width in range(20, 400, 3):
        found = excerpt(line, width=width, redact=lambda text: text.replace("hunter2222", "********"))
        assert "hunter" not in found and "2222" not in found
