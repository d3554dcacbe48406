# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs many playbooks, two at a time, each in a copy of one process that has loaded Ansible already.

It reads a list of `[file for the output, arguments of ansible-playbook…]` as JSON from its standard input. The last
line of an output is the exit code.
"""

from __future__ import annotations

import gc
import json
import os
import sys

import ansible.cli.playbook
import ansible.executor.playbook_executor
import ansible.plugins.callback.default
import ansible.plugins.connection.local
import ansible.plugins.strategy.linear  # noqa: F401

AT_ONCE = 2


def run(output: str, arguments: list[str]) -> None:
    screen = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.dup2(screen, 1)
    os.dup2(screen, 2)
    code = 250
    try:
        found = ansible.cli.playbook.PlaybookCLI(["ansible-playbook", *arguments])
        found.parse()
        code = int(found.run() or 0)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except Exception as error:
        print(f"ERROR {type(error).__name__}: {error}")
    finally:
        print(f"\nexit code {code}")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    running = 0
    # None of them lives long enough to need it.
    gc.disable()
    for output, *arguments in json.load(sys.stdin):
        if running == AT_ONCE:
            os.wait()
            running -= 1
        if os.fork() == 0:
            run(output, arguments)
        running += 1
    while running:
        os.wait()
        running -= 1


if __name__ == "__main__":
    main()
