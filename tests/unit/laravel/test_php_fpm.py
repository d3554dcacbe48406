# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a reload of php-fpm waits for requests in flight."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.laravel.php_fpm import (
    control_timeout,
    environments,
    parse,
    pools,
)

CONFIGURATIONS = {
    "Debian's default, commented out": ("[global]\npid = /run/x\n;process_control_timeout = 0\n", 0),
    "nothing": ("", 0),
    "seconds": ("[global]\nprocess_control_timeout = 10s\n", 10),
    "a bare number": ("process_control_timeout=10", 10),
    "quoted": ('[global]\nprocess_control_timeout = "10s"', 10),
    "minutes": ("[global]\n  process_control_timeout = 2m ; long\n", 120),
    "zero": ("[global]\nprocess_control_timeout = 0\n", 0),
    "the last one counts": ("[global]\nprocess_control_timeout = 10s\nprocess_control_timeout = 0\n", 0),
    "of a pool it means nothing": ("[global]\n[www]\nprocess_control_timeout = 10s\n", 0),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_parse(name: str) -> None:
    content, seconds = CONFIGURATIONS[name]
    assert parse(content) == seconds


POOLS = {
    "none": (["[global]\npid = /run/x\n"], {}),
    "a pool without a word": (["[www]\nuser = x\n"], {"www": {}}),
    "values": (
        ['[www]\nenv[A] = one ; a comment\nenv[B]="two ; three"\n;env[C] = 4\nenv[D] = $PATH\nenv[E] = $NONE\n'],
        {"www": {"A": "one", "B": "two ; three", "D": "/bin", "E": ""}},
    ),
    "two files": (
        ["[a]\nenv[X]=1\n", "[b]\nenv[X] = '2'\nclear_env = no\n"],
        {"a": {"X": "1"}, "b": {"PATH": "/bin", "X": "2"}},
    ),
    "what stands in global is of no pool": (["[global]\nenv[X] = 1\n[a]\nclear_env = yes\n"], {"a": {}}),
}


@pytest.mark.parametrize(("contents", "found"), POOLS.values(), ids=POOLS)
def test_the_environment_of_a_pool(contents: list[str], found: dict[str, dict[str, str]]) -> None:
    assert environments(contents, {"PATH": "/bin"}) == found


def test_the_pools_of_a_unit_are_read_from_the_files_that_it_includes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pool.d"
    folder.mkdir()
    (tmp_path / "php-fpm.conf").write_text(f"[global]\nprocess_control_timeout = 3s\ninclude={folder}/*.conf\n")
    (folder / "www.conf").write_text("[www]\nclear_env = no\nenv[A] = 1\n")
    (tmp_path / "systemctl").write_text(
        f"#!/bin/sh\necho 'ExecStart={{ path=/x ; argv[]=/x --fpm-config {tmp_path}/php-fpm.conf }}'\n"
        """echo 'Environment=B=2 "C=3 4"'\n"""
    )
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    commands = Commands(str(tmp_path))
    assert pools(commands, "php-fpm") == {"www": {"A": "1", "B": "2", "C": "3 4"}}
    found = control_timeout(commands, "php-fpm")
    assert found is not None and found.seconds == 3
    (folder / "www.conf").unlink()
    assert pools(commands, "php-fpm") == {}
