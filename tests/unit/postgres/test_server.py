"""The answers of psql about a server, and the questions that nobody answered."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.postgres import server

PRIMARY = """\
system|{"id":"7714"}
checkpoint|{"timeline_id":1}
recovery|{"standby":false}
position|{"file":"00000002000000000000000B"}
archiver|{"archived_count":3,"last_archived_wal":"00000002000000000000000A","archived":5.5,"failed":null}
settings|{"archive_mode":"on","has_timeout":true,"has_command":true,"checksums":true,"wal_size":16777216}
waiting|{"files":0,"seconds":null}
wal|{"bytes":99}
folder|{"path":"/var/lib/postgresql/17/main"}
ascii|{"names":null}
collation|{"names":null}
"""


def test_the_answers_are_read() -> None:
    found = server.read(0, PRIMARY, "")
    assert (found.system, found.timeline, found.position, found.standby) == (
        "7714",
        2,
        "00000002000000000000000B",
        False,
    )
    assert found.get("archiver", "archived") == 5.5 and found.get("wal", "bytes") == 99
    assert not found.problem and not found.unanswered
    assert found.get("archiver", "nothing") is None and found.get("nothing", "file") is None


def test_a_standby_has_no_position() -> None:
    text = PRIMARY.replace("false}", "true}").replace('position|{"file":"00000002000000000000000B"}\n', "")
    found = server.read(0, text, "")
    assert found.standby and not found.position and found.timeline == 1 and not found.unanswered


def test_a_question_that_was_not_answered_says_why() -> None:
    text = "".join(line for line in PRIMARY.splitlines(keepends=True) if not line.startswith(("waiting", "wal|")))
    found = server.read(0, text, "psql:<stdin>:10: ERROR:  permission denied for function pg_ls_waldir\n")
    assert {*found.unanswered} == {"waiting", "wal"}
    assert "permission denied for function pg_ls_waldir" in found.unanswered["wal"]


@pytest.mark.parametrize(
    ("code", "out", "err", "problem"),
    [
        (2, "", 'psql: error: connection to server failed: FATAL:  role "deploy" does not exist\n', 'role "deploy"'),
        (0, "", "", "psql ended with 0"),
        (0, "system|{\nother|{}\nnot a line\n", "", "psql ended with 0"),
    ],
)
def test_a_server_that_says_nothing_is_a_problem(code: int, out: str, err: str, problem: str) -> None:
    found = server.read(code, out, err)
    assert problem in found.problem and not found.answers


def test_each_question_is_asked_by_itself_and_changes_nothing() -> None:
    lines = server.script().splitlines()
    assert "SET default_transaction_read_only = on;" in lines and any("statement_timeout" in line for line in lines)
    asked = [line for line in lines if line.startswith("SELECT ")]
    assert len(asked) == len(PRIMARY.splitlines()) and all(line.endswith(" one;") for line in asked)


@pytest.mark.parametrize(
    ("connection", "refused"),
    [
        ("dbname=postgres", False),
        ("service=shop", False),
        ("postgresql://deploy@db.example.com:5432/shop?sslmode=verify-full", False),
        ("host=db.example.com user=deploy passfile=/home/deploy/.pgpass", False),
        ("host=db.example.com password=x", True),
        ("host=db.example.com PassWord = x", True),
        ("postgresql://deploy:x@db.example.com/shop", True),
        ("postgresql://deploy@db.example.com/shop?password=x", True),
    ],
)
def test_a_password_in_the_connection_is_seen(connection: str, refused: bool) -> None:
    assert bool(server.connection_problem(connection)) is refused
