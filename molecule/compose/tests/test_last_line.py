"""What a terminal shows of a step that takes long: a migration that waits, and containers that come up."""

from __future__ import annotations

import io

import pexpect
from compose_lab import STATE, ComposeLab, tag
from lab import ROOT, command, operator_environment

#: Held while a deploy begins: reads go on, and a migration waits.
HELD = "begin; lock table orders in share mode; select pg_sleep(25); commit"


def test_a_terminal_has_the_last_line_of_a_migration(lab: ComposeLab) -> None:
    lab.at("good")
    program, *words = command("compose_deploy", "-l", lab.name, to=tag("two"))
    environment = {**operator_environment(), "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator", "TERM": "xterm"}
    # They would come before the size of this terminal.
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    lab.root(f"docker exec -d shop-db-1 psql -X -U postgres -h /tmp shop -c '{HELD}'")
    seen = io.StringIO()
    with pexpect.spawn(
        program, words, cwd=ROOT, env=environment, dimensions=(24, 120), timeout=120, encoding="utf-8"
    ) as running:
        running.logfile_read = seen
        running.expect(r"s  INFO .*Running upgrade 0001 -> 0003")
        assert lab.root(f"stat -c %a:%U {STATE}/last_line") == "600:deploy"
        running.expect(r"docker compose up -d .*: Container shop-\w+-1 +\w+")
        running.expect(pexpect.EOF)
    assert running.exitstatus == 0, seen.getvalue()
    assert lab.password() not in seen.getvalue()
    assert lab.schema() == "0004"
    assert "last_line" not in lab.root(f"ls {STATE}")
