"""What a terminal shows of a step that takes long."""

from __future__ import annotations

import io

import pexpect
from lab import APP, ROOT, STATE, Lab, command, operator_environment

SLOW = "/usr/local/bin/lab-slow"


def test_a_terminal_has_the_last_line_of_a_long_step(lab: Lab) -> None:
    """The key of the application is printed by the step, and is nowhere on the screen."""
    lab.at("v1.0.0")
    key = lab.root(f"sed -n 's/^APP_KEY=//p' {APP}/.env")
    said = 'echo "warming 1 of 2"; echo "with key $(cat .env | sed -n s/^APP_KEY=//p)"; sleep 20'
    lab.root(f"cat > {SLOW} <<'END'\n#!/bin/sh\n{said}\nEND\nchmod 755 {SLOW}")
    program, *words = command("laravel_deploy", "-l", lab.name, to="v1.1.0", laravel_extra_commands=[SLOW])
    environment = {**operator_environment(), "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator", "TERM": "xterm"}
    # They would come before the size of this terminal.
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    seen = io.StringIO()
    with pexpect.spawn(
        program, words, cwd=ROOT, env=environment, dimensions=(24, 160), timeout=120, encoding="utf-8"
    ) as running:
        running.logfile_read = seen
        running.expect(r"lab-slow: with key \*{8}")
        assert lab.root(f"stat -c %a:%U {STATE}/last_line") == "600:deploy"
        running.expect(pexpect.EOF)
    assert running.exitstatus == 0, seen.getvalue()
    assert key not in seen.getvalue() and len(key) > 20
    assert "last_line" not in lab.root(f"ls {STATE}")
