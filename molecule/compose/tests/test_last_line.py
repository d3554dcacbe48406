"""The picture on a terminal during a step that takes long: a migration that waits, and containers that come up."""

from __future__ import annotations

import contextlib
import subprocess

from compose_lab import STATE, ComposeLab, tag
from terminal import terminal
from waiting import wait_for

#: While it is held, reads go on, and a migration waits.
HELD = "begin; lock table orders in share mode;\n"
LOCKS = "select count(*) from pg_locks where mode = 'ShareLock' and granted and relation = 'orders'::regclass"


def test_a_terminal_has_the_last_line_of_a_migration(lab: ComposeLab) -> None:
    lab.at("good")
    psql = ["docker", "exec", "-i", "shop-db-1", "psql", "-X", "-U", "postgres", "-h", "/tmp", "shop"]
    with contextlib.ExitStack() as stack:
        line = ["docker", "exec", "-i", lab.name, *psql]
        holding = stack.enter_context(subprocess.Popen(line, stdin=subprocess.PIPE, text=True))
        assert holding.stdin is not None
        holding.stdin.write(HELD)
        holding.stdin.flush()
        wait_for("the lock on the table", lambda: lab.sql(LOCKS), "1")
        screen = stack.enter_context(terminal(lab, "compose_deploy", 120, to=tag("two")))
        screen.shows(r"s  INFO .*Running upgrade 0001 -> 0003")
        assert lab.root(f"stat -c %a:%U {STATE}/last_line") == "600:deploy"
        holding.communicate("commit;\n")
        screen.shows(r"docker compose up -d .*: Container shop-\w+-1 +\w+")
        assert screen.ends() == 0, screen.seen
    assert lab.password() not in screen.seen
    assert lab.schema() == "0004"
    assert "last_line" not in lab.root(f"ls {STATE}")
