"""What a terminal shows of a deploy: the last line of Dokku's own output, with the step."""

from __future__ import annotations

import io
import re

import pexpect
from dokku_lab import STATE, DokkuLab
from lab import ROOT, command, operator_environment


def test_a_terminal_has_the_last_line_of_a_deploy(lab: DokkuLab) -> None:
    lab.root("lab-reset apps")
    key = lab.ok("config:get", "restant-main", "APP_KEY").text
    program, *words = command("dokku_deploy", "-l", lab.name, to="v3", hotfix="true", reason="INC-9")
    environment = {**operator_environment(), "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator", "TERM": "xterm"}
    # They would come before the size of this terminal.
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    seen = io.StringIO()
    with pexpect.spawn(
        program, words, cwd=ROOT, env=environment, dimensions=(24, 200), timeout=120, encoding="utf-8"
    ) as running:
        running.logfile_read = seen
        running.expect(pexpect.EOF)
    assert running.exitstatus == 0, seen.getvalue()
    told = r"apply and verify .* s  dokku git:sync --build restant-main[^\r\n]*: (----->|=====>|remote:|[A-Z#])"
    assert re.search(told, seen.getvalue()), seen.getvalue()
    assert len(key) > 20 and key not in seen.getvalue()
    assert "last_line" not in lab.root(f"ls {STATE}")
