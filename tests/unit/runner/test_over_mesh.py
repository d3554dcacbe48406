# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that over-mesh writes for the execution node; two fakes replace the mesh itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def over_mesh(folder: Path, user: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run it as a user; what it said, and the environment that it would have sent."""
    sent = folder / "envvars"
    programs = folder / "bin"
    programs.mkdir()
    (programs / "ansible-runner").write_text(f'#!/bin/sh\n[ "$1" = transmit ] && cp "$2/env/envvars" {sent}\n')
    (programs / "receptorctl").write_text("#!/bin/sh\ncat >/dev/null\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    ran = subprocess.run(
        [ROOT / "runner/mesh/over-mesh", "playbooks/laravel_status.yml"],
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "MESH_USER": user,
            "MESH_RESULTS": str(folder / "results"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran, yaml.safe_load(sent.read_text()) if sent.exists() else {}


@pytest.mark.parametrize("user", ["alice", 'al"ice', "CORP\\alice", "álice", 'a" # b', "a: b", "{{ 1/0 }}", "a\\n"])
def test_the_user_is_one_text(tmp_path: Path, user: str) -> None:
    _, sent = over_mesh(tmp_path, user)
    kept = yaml.safe_load((ROOT / "runner/env/envvars").read_text())
    assert sent == {**kept, "LOGNAME": user}


@pytest.mark.parametrize("user", ['alice"\nANSIBLE_STRATEGY: "evil', "alice\nLD_PRELOAD: x.so", "alice\x1b[2J"])
def test_a_user_that_would_set_the_environment_of_the_execution_node_is_refused(tmp_path: Path, user: str) -> None:
    ran, sent = over_mesh(tmp_path, user)
    assert ran.returncode != 0 and "MESH_USER" in ran.stderr
    assert "LOGNAME" not in sent
